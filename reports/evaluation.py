"""What a model did, for people: the confusion matrix as a picture, every picture's outcome as a table."""

from pathlib import Path

import numpy as np
import pandas as pd

from features.files import whole_file
from reports.figures import new_figure, save_figure

MAX_SIDE_IN = 40.0  # of the confusion matrix: 4,400 px, some 80 MB while it is drawn
MAX_NUMBERED = 40  # classes, up to which the counts are written into the cells


def write_confusion(counts: np.ndarray, classes: list[str], title: str, file: Path) -> None:
    """(n_classes, n_classes) counts, rows the truth → PNG; shades are shares of the row."""
    side = min(max(5.0, 1.8 + 0.36 * len(classes)), MAX_SIDE_IN)
    figure = new_figure(side, side)
    axes = figure.subplots()
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    size = min(10.0, 60 * side / len(classes))  # points; the names of very many classes are small
    axes.set_xticks(range(len(classes)), classes, rotation=90, fontsize=size)
    axes.set_yticks(range(len(classes)), classes, fontsize=size)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title, fontsize=10)
    if len(classes) <= MAX_NUMBERED:
        for row, column in np.argwhere(counts):
            axes.text(column, row, counts[row, column], ha="center", va="center", fontsize=7, color="white" if share[row, column] > 0.5 else "black")
    save_figure(figure, file)


def write_reliability(table: pd.DataFrame, title: str, file: Path) -> None:
    """Per bin of confidence: ``confidence``, ``right`` (both shares) and ``n`` → PNG. On the diagonal a model means what it says."""
    figure = new_figure(4.8, 5.2)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    above.plot([0, 1], [0, 1], color="0.6", linewidth=1)
    above.plot(table["confidence"], table["right"], "o-", color="C0", linewidth=1.2)
    above.set_ylabel("share that is right")
    above.set_ylim(0, 1)
    above.set_title(title, fontsize=10)
    above.grid(alpha=0.3)
    below.bar(table["confidence"], table["n"], width=0.05, color="C0")
    below.set_xlabel("largest probability")
    below.set_ylabel("pictures")
    below.set_xlim(0, 1)
    below.grid(alpha=0.3)
    save_figure(figure, file)


def write_table(table: pd.DataFrame, file: Path) -> None:
    """CSV in UTF-8, whole or not at all."""
    with whole_file(file) as fresh:
        table.to_csv(fresh, encoding="utf-8", float_format="%.6g", lineterminator="\n")
