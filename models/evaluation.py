"""Figures of merit from labels and probabilities: the contest's and Kaggle's, by scikit-learn.

F1 of a class is None where neither truth nor prediction has it ("no support"); ``macro_f1`` is the mean over the classes that the
truth holds or the model predicted, which is scikit-learn's own rule and the contest script's; ``macro_f1_of_present_classes`` is the mean
over those that the truth holds, ``macro_f1_of_all_classes`` counts those that nobody met as 0.
"""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import classification_report, confusion_matrix, f1_score, log_loss, precision_recall_fscore_support

from features.errors import ScratchworkError
from features.scan import label_codes
from models.decision import log_softmax

CALIBRATION_BINS = 15
TOP_CONFUSIONS = 10


def metrics(truth: np.ndarray, predicted: np.ndarray, proba: np.ndarray, classes: list[str]) -> dict[str, Any]:
    """n labels, n predicted labels and (n, n_classes) probabilities → the object that ``evaluate --json`` prints.

    Every label of ``truth`` must be one of ``classes``. Raises `ScratchworkError` when there is nothing to score.
    """
    if len(truth) == 0:
        raise ScratchworkError("there is no readable picture with a known label to score")
    each = precision_recall_fscore_support(truth, predicted, labels=classes, zero_division=0.0)
    met = set(truth) | set(predicted)
    per_class = {label: {"precision": float(p), "recall": float(r), "f1": float(f) if label in met else None, "support": int(s)}
                 for label, p, r, f, s in zip(classes, *each, strict=True)}
    average = {how: float(f1_score(truth, predicted, average=how, zero_division=0.0)) for how in ("macro", "micro", "weighted")}
    present = float(np.mean(each[2][each[3] > 0]))
    return {"macro_f1": average["macro"], "macro_f1_of_present_classes": present,
            "macro_f1_of_all_classes": float(np.sum(each[2]) / len(classes)), "micro_f1": average["micro"], "weighted_f1": average["weighted"],
            "accuracy": float((truth == predicted).mean()),
            "log_loss": float(log_loss(label_codes(truth, classes), proba, labels=range(len(classes)))),
            "n": len(truth), "per_class": per_class}


def report_text(truth: np.ndarray, predicted: np.ndarray, classes: list[str]) -> str:
    """scikit-learn's ``classification_report``, classes in their natural order."""
    return str(classification_report(truth, predicted, labels=classes, digits=4, zero_division=0.0))


def calibration(right: np.ndarray, confidence: np.ndarray, bins: int = CALIBRATION_BINS) -> tuple[float, pd.DataFrame]:
    """(n,) bool and the largest probability (n,) → expected calibration error (Guo et al. 2017), and per bin ``confidence``, ``right``, ``n``.

    Bins are equally wide; the error is the mean gap between confidence and share of right ones, weighted by pictures.
    """
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    table = pd.DataFrame({"confidence": confidence, "right": right.astype(float), "n": 1}).groupby(number).agg(
        {"confidence": "mean", "right": "mean", "n": "sum"})
    return float((np.abs(table["confidence"] - table["right"]) * table["n"]).sum() / len(right)), table


def calibration_figures(raw: np.ndarray, proba: np.ndarray, codes: np.ndarray) -> dict[str, float]:
    """Log loss and calibration error before calibration and after, from raw log-probabilities (n, k), calibrated probabilities and class codes (n,).

    Honest where whatever calibrated a picture was fitted on others, as `models.decision.decided_by_others` does.
    """
    told = {}
    for when, p in (("before", np.exp(log_softmax(raw))), ("after", proba)):
        told[f"log_loss_{when}"] = float(log_loss(codes, p, labels=range(p.shape[1])))
        told[f"error_{when}"] = calibration(p.argmax(axis=1) == codes, p.max(axis=1))[0]
    return told


def top_confusions(truth: np.ndarray, predicted: np.ndarray, most: int = TOP_CONFUSIONS) -> list[dict[str, Any]]:
    """The pairs of labels that are mixed up most, with counts and the share of the true label's pictures."""
    pairs = pd.DataFrame({"true": truth, "predicted": predicted})
    wrong = pairs[pairs["true"] != pairs["predicted"]].value_counts().sort_index().sort_values(ascending=False, kind="stable").head(most)
    support = pairs["true"].value_counts()
    return [{"true": true, "predicted": other, "pictures": int(n), "share": float(n / support[true])}
            for (true, other), n in zip(wrong.index.tolist(), wrong, strict=True)]


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: list[str]) -> np.ndarray:
    """(n_classes, n_classes) counts; rows are the truth."""
    return np.asarray(confusion_matrix(truth, predicted, labels=classes))
