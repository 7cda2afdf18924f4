"""Decisions → probabilities. This package is code; what it learns is written to ``artifacts/``."""

import features  # noqa: F401  # before lightgbm and torch, also where somebody else's script loads a model

MODELS = ("lgbm", "cnn", "stack")
