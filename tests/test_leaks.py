"""Leaks would show here: where labels mean nothing every model is at chance, and a column that gives one fold's labels away helps nowhere else."""

import numpy as np
import pytest

from features.extract import ExtractionSettings
from features.families import feature_names
from models.cnn_training import Conduct, train_cnn
from models.lgbm import LgbmParameters
from models.pictures import Examples, Pictures
from models.recipes import cnn_parameters
from models.stack import StackParameters
from models.stacking import Base, train_stack
from models.trained import Trained
from models.training import train_lgbm

CLASSES = ["a", "b", "c", "d"]
N = 240


def meaningless(seed: int = 0) -> Examples:
    """Pictures of bars and columns of noise, each twice (one group), with labels drawn by lot; three folds and a held-out part."""
    rng = np.random.default_rng(seed)
    tiles = np.full((N // 2, 128, 128, 3), 255, np.uint8)
    for tile in tiles:
        for start in rng.choice(12, 4, replace=False) * 10:
            tile[start:start + 6, rng.integers(60):] = rng.integers(0, 200, 3)
    features = rng.normal(size=(N // 2, len(feature_names()))).astype(np.float32)
    groups = np.repeat(np.arange(N // 2), 2)
    codes = np.repeat(rng.integers(0, 4, N // 2), 2)
    return Examples(Pictures(features[groups], tiles[groups], np.arange(N)), codes, groups, groups % 4 - 1, np.zeros(N, bool))


def boosted(examples: Examples) -> Trained:
    parameters = LgbmParameters(gaussians=8, rounds=30, trust_labels=True)
    return train_lgbm(examples, CLASSES, parameters, ExtractionSettings(), False, 1, lambda name: None)


def share_right(trained: Trained, examples: Examples, which: np.ndarray) -> float:
    return float((trained.predicted[which] == np.array(CLASSES, dtype=object)[examples.codes[which]]).mean())


def test_labels_drawn_by_lot_are_not_learned(tmp_path: object) -> None:
    """Boosted model, network and stack are at one in four, out of fold and in the held-out part, though every picture has a copy."""
    examples = meaningless()
    p = cnn_parameters(chosen={"size": 32, "width": 8, "epochs": 6, "batch": 16, "deterministic": True, "precision": "float32"})
    conduct = Conduct(tmp_path, "digest", every_fold=True, jobs=1, tell=lambda line: None)  # type: ignore[arg-type]
    models = {"lgbm": boosted(examples), "cnn": train_cnn(examples, CLASSES, p, ExtractionSettings(), conduct)}
    bases = [Base(name, trained.model, trained.proba) for name, trained in models.items()]
    models["stack"] = train_stack(bases, examples, CLASSES, StackParameters(), ExtractionSettings())
    for name, trained in models.items():
        assert share_right(trained, examples, examples.fold >= 0) == pytest.approx(0.25, abs=0.12), name  # 90 different pictures
        assert share_right(trained, examples, examples.fold < 0) == pytest.approx(0.25, abs=0.2), name  # 30


def test_a_column_that_is_the_label_in_one_fold_helps_nowhere_else() -> None:
    """Models of the other folds learn to trust it; where it says nothing, nothing is gained, and nothing was learned from what is predicted."""
    examples = meaningless(1)
    column = feature_names().index("palette__entropy")
    examples.pictures.features[:, column] = np.where(examples.fold == 0, examples.codes, 1.5)
    trained = boosted(examples)
    for fold in (-1, 0, 1, 2):
        assert share_right(trained, examples, examples.fold == fold) == pytest.approx(0.25, abs=0.22), fold
    assert share_right(trained, examples, examples.fold >= 0) == pytest.approx(0.25, abs=0.12)
