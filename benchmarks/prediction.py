#!/usr/bin/env python3
"""How long a prediction takes, from the file to the probabilities, beside extraction alone.

    python benchmarks/prediction.py --data DIR --artifacts DIR [--jobs 2] [--single 100] [--models lgbm cnn stack]

single      one picture at a time by a loaded model's ``predict_proba``, the median after a warm-up
folder      all pictures of --data, and how many pictures a second extraction alone takes of them, in the same run

Needs the models that `python cli.py train` left in --artifacts. One JSON object per line on stdout.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the project, for a run from any folder

import scoring
from features.extract import Request, extract
from features.scan import scan_folder
from models.artifacts import load_model
from workspace import Workspace

WARM_UP = 5


def main() -> int:
    """A line per model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--artifacts", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--single", type=int, default=100)
    parser.add_argument("--models", nargs="*", default=["lgbm", "cnn", "stack"])
    chosen = parser.parse_args()
    scan = scan_folder(chosen.data)
    files = [scan.root / str(path) for path in scan.files.index[scan.files["issue"] == ""]]
    workspace = Workspace(chosen.data, chosen.artifacts, jobs=chosen.jobs)
    started = time.perf_counter()
    for _ in extract([Request(str(file)) for file in files], workspace.settings, chosen.jobs):
        pass
    extraction = len(files) / (time.perf_counter() - started)
    print(json.dumps({"extraction_pictures_per_s": round(extraction), "pictures": len(files), "jobs": chosen.jobs}), flush=True)
    rng = np.random.default_rng(0)
    for name in chosen.models:
        file = chosen.artifacts / f"{name}.joblib"
        if not file.exists():
            continue
        model, _ = load_model(file)
        own = [files[i] for i in rng.choice(len(files), chosen.single + WARM_UP)]
        each = []
        for picture in own:
            started = time.perf_counter()
            model.predict_proba([picture])
            each.append(time.perf_counter() - started)
        started = time.perf_counter()
        scoring.predict(workspace, file, [chosen.data])
        rate = len(files) / (time.perf_counter() - started)
        middle, slow = 1e3 * np.quantile(each[WARM_UP:], [0.5, 0.95])
        print(json.dumps({"model": name, "file_mib": round(file.stat().st_size / 2**20, 1), "single_ms": round(float(middle), 1),
                          "single_ms_p95": round(float(slow), 1), "folder_pictures_per_s": round(rate), "of_extraction": round(rate / extraction, 2),
                          "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
