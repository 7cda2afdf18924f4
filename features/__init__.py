"""Pictures → numbers: the only place that opens a picture file."""

import os

# Threads of LightGBM, torch and scikit-learn that wait for each other spin for a moment only, then sleep. GNU's OpenMP lets them spin 300 times as
# long: on a machine whose cores are busy with something else, boosting 422 pictures by two threads took 135 s instead of one (docs/lab-notes.md). It
# reads this when the first of those libraries is loaded; every module of the project comes here before.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
