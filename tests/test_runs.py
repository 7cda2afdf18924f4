"""The journal of runs: what was written comes back, a cut-off line costs nothing but itself."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import ScratchworkError
from models.runs import append_run, flattened, read_runs, run_difference

RUN = {"model": "lgbm", "parameters": {"seed": 0, "augmentation": {"mirror": True}}, "metrics": {"held_out": {"macro_f1": 0.5}}, "이름": "그림"}
values = st.dictionaries(st.text("abc", min_size=1), st.integers(0, 3), max_size=4)


def test_a_cut_off_line_costs_only_itself(tmp_path: Path) -> None:
    """After a write that died in the middle the next run is whole, and numbers stay what they were."""
    file = tmp_path / "artifacts" / "runs.jsonl"
    append_run(file, RUN)
    with file.open("ab") as stream:
        stream.write(b'{"model": "cn')
    append_run(file, {**RUN, "model": "cnn"})
    assert read_runs(file) == {1: RUN, 3: {**RUN, "model": "cnn"}}


@given(values, values)
def test_a_difference_names_what_differs_and_nothing_else(one: dict, two: dict) -> None:
    """Taking the second's values where they differ turns the first into the second."""
    rows = run_difference({"a": one}, {"a": two})
    changed = flattened({"a": one}) | {name: value for name, _, value in rows}
    assert {name: value for name, value in changed.items() if value is not None} == flattened({"a": two})
    assert run_difference(RUN, RUN) == []


def test_nothing_trained_yet_is_said(tmp_path: Path) -> None:
    """With the command that would."""
    with pytest.raises(ScratchworkError, match=r"nothing was trained yet; python cli\.py train"):
        read_runs(tmp_path / "runs.jsonl")
