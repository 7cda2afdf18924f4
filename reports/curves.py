"""How a network learned, and what augmentation made of its pictures."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from reports.figures import new_figure, save_figure

GAP_PX = 4  # between the pictures of a contact sheet
PANELS = {"loss": "training loss", "log_loss": "validation log loss", "macro_f1": "validation macro-F1", "accuracy": "validation accuracy"}


def write_curves(history: pd.DataFrame, file: Path) -> None:
    """``network``, ``epoch`` and the columns of `PANELS`, one row per network and epoch → PNG."""
    figure = new_figure(9, 3.4)
    for axes, names in zip(figure.subplots(1, 2), (("loss", "log_loss"), ("macro_f1", "accuracy")), strict=True):
        for name, style in zip(names, ("--", "-"), strict=True):
            for i, (_, own) in enumerate(history.groupby("network")):
                axes.plot(own["epoch"], own[name], style, color=f"C{i % 10}", linewidth=1.2, label=None if i else PANELS[name])
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    save_figure(figure, file)


def write_contact_sheet(pictures: np.ndarray, file: Path) -> None:
    """(rows, columns, S, S, 3) uint8 → PNG."""
    rows, columns, side = pictures.shape[:3]
    sheet = np.full((rows * (side + GAP_PX) + GAP_PX, columns * (side + GAP_PX) + GAP_PX, 3), 128, np.uint8)
    for i, j in np.ndindex(rows, columns):
        top, left = GAP_PX + i * (side + GAP_PX), GAP_PX + j * (side + GAP_PX)
        sheet[top:top + side, left:left + side] = pictures[i, j]
    figure = new_figure(sheet.shape[1] / 110, sheet.shape[0] / 110)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(sheet)
    axes.set_axis_off()
    save_figure(figure, file)
