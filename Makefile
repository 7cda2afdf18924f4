# Two commands on a fresh machine: `make demo` and `make test`. Each sets up .venv first.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: install demo test lint slow bench bench-cnn bench-gpu clean-venv

install: $(READY)

$(READY): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "scratchwork needs Python 3.11 or newer; give one with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

demo: install
	$(PY) cli.py demo

test: install
	$(PY) -m pytest -n logical --maxprocesses 4 --dist loadfile

lint: install
	$(PY) -m ruff check .
	$(PY) -m mypy

slow: install
	$(PY) -m pytest -m slow

bench: install
	$(PY) benchmarks/extraction.py

bench-cnn: install
	$(PY) benchmarks/cnn.py speed
	$(PY) benchmarks/cnn.py ablate

bench-gpu: install
	$(PY) -m pytest -m gpu
	$(PY) benchmarks/cnn_gpu.py
	$(PY) benchmarks/cnn.py ablate --preset best --seeds 3
	$(PY) cli.py train --model cnn --preset best --folds 5 --data artifacts/campset/training
	$(PY) cli.py evaluate --model artifacts/cnn.joblib --data artifacts/campset/test

clean-venv:
	rm -rf $(VENV)
