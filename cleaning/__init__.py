"""Numbers → decisions: what is grouped, what is held out, how classes are balanced."""

import features  # noqa: F401  # before scikit-learn
