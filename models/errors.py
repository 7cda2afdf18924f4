"""Why was each wrong picture wrong? What its model's parts said, what spoke for the wrong label, what it is like, and a proposed cause (row B7).

A cause is proposed by the first rule that fits, most telling first, and is a proposal: the table holds the evidence beside it. Distances are
between embeddings of the model itself; "unlike anything" is measured against how far training pictures are from each other.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from features.scan import label_codes
from models.classifier import PictureClassifier
from models.pictures import Pictures

NEIGHBOURS = 3
CHUNK = 512  # pictures whose distances are in memory at once
FAR = 0.95  # quantile of the training pictures' distance to their nearest
SAME = 0.3  # of that distance: nearer pictures show the same
SMALL_PX = 40  # side of the drawing in the file
SURE, DENIED = 0.8, 0.05  # probability of the predicted and of the true label, from which the label is doubted
CLOSE = 0.5  # share of the predicted label's probability that the true one has


class Neighbours(NamedTuple):
    """Per picture the nearest training pictures: ``positions`` and ``distances`` (n, NEIGHBOURS), nearest first; ``far``: the distance from which a
    picture is unlike anything in training."""

    positions: np.ndarray
    distances: np.ndarray
    far: float


def neighbours(model: PictureClassifier, pictures: Pictures, training: Pictures, jobs: int) -> Neighbours:
    """By the model's own embedding."""
    own, others = model.embed(pictures, jobs), model.embed(training, jobs)
    positions, distances = nearest(own, others, NEIGHBOURS)
    among = nearest(others, others, 2)[1][:, 1]  # the first is the picture itself
    return Neighbours(positions, distances, float(np.quantile(among, FAR)))


def nearest(X: np.ndarray, points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, d) and (m, d) → positions (n, k) in ``points`` and Euclidean distances, nearest first; fewer than k where m is less."""
    X, points = X.astype(np.float32), points.astype(np.float32)
    k = min(k, len(points))
    positions, distances = [np.empty((0, k), int)], [np.empty((0, k))]
    lengths = (points**2).sum(1)
    for start in range(0, len(X), CHUNK):
        part = X[start:start + CHUNK]
        squares = np.maximum((part**2).sum(1)[:, None] + lengths - 2 * part @ points.T, 0)
        rows, order, near = np.arange(len(part)), np.empty((len(part), k), int), np.empty((len(part), k))
        for number in range(k):  # a few smallest, of equal ones the first: sorting all of them takes far longer
            order[:, number] = squares.argmin(axis=1)
            near[:, number] = squares[rows, order[:, number]]
            squares[rows, order[:, number]] = np.inf
        positions.append(order)
        distances.append(np.sqrt(near))
    return np.concatenate(positions), np.concatenate(distances)


def error_table(truth: np.ndarray, predicted: np.ndarray, proba: np.ndarray, classes: list[str], parts: dict[str, np.ndarray], reasons: list[str],
                near: Neighbours, near_labels: np.ndarray, content_px: np.ndarray, photo: np.ndarray) -> pd.DataFrame:
    """One row per wrong picture, in the given order.

    ``truth``, ``predicted`` (n,) labels and ``proba`` (n, n_classes); ``parts``: name → what a part of the model says (n, n_classes);
    ``reasons`` (n,): what spoke for the wrong label; ``near_labels`` (n, k); ``content_px`` (n,): side of the drawing; ``photo`` (n,) bool.
    """
    rows, true, wrong = np.arange(len(truth)), label_codes(truth, classes), label_codes(predicted, classes)
    table = pd.DataFrame({"true": truth, "predicted": predicted, "p_true": proba[rows, true], "p_predicted": proba[rows, wrong]})
    for name, said in parts.items():
        table[f"{name}_says"] = np.array(classes, dtype=object)[said.argmax(1)]
        table[f"{name}_p_true"], table[f"{name}_p_predicted"] = said[rows, true], said[rows, wrong]
    table["spoke_for_it"] = reasons
    table["nearest"] = [", ".join(f"{label} {distance:.2f}" for label, distance in zip(*pair, strict=True))
                        for pair in zip(near_labels, near.distances, strict=True)]
    alike = (near_labels == np.asarray(predicted, dtype=object)[:, None]).sum(1)
    copied = (near.distances[:, 0] < SAME * near.far) & (near_labels[:, 0] == np.asarray(predicted, dtype=object))
    rules = [(photo, "a photograph"),
             (copied, "a training picture just like it has the other label"),
             ((table["p_predicted"] >= SURE) & (table["p_true"] < DENIED) & (alike >= 2), "label doubtful"),
             (content_px < SMALL_PX, "too small"),
             (near.distances[:, 0] > near.far, "unlike anything in training"),
             (table["p_true"] >= CLOSE * table["p_predicted"], "near the other class"),
             (alike >= 2, "looks like the other class")]
    table["cause"] = np.select([np.asarray(hit) for hit, _ in rules], [cause for _, cause in rules], "unclear")
    return table
