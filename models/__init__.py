"""Decisions → probabilities. This package is code; what it learns is written to ``artifacts/``."""

MODELS = ("lgbm", "cnn", "stack")
