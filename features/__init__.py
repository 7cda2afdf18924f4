"""Pictures → numbers: the only place that opens a picture file."""

import os

# Threads of LightGBM, torch and scikit-learn that wait for each other sleep instead of spinning. On a machine that computes something else on all
# cores, boosting 422 pictures took 135 s with two spinning threads and .3 s with two sleeping ones (docs/lab-notes.md). Their OpenMP runtimes read
# it when they are loaded, which is after this: every module of the project comes here first.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
