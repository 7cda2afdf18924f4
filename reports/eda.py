"""First look at a dataset: the table and figures of the sources' mission 1 (rows A1, A2, C1–C3)."""

from pathlib import Path

import numpy as np
import pandas as pd

from reports.figures import new_figure, save_figure

DARK_BELOW_TYPICAL = 2.0  # robust deviations under the median of all labels' means: photos hide there (source A4)


def label_table(manifest: pd.DataFrame) -> pd.DataFrame:
    """One row per label in natural order: ``pictures``, ``with_issue``, ``width``, ``height`` (medians, px), ``mean_pixel``, ``formats``."""
    rows = {}
    for label, part in manifest.groupby("label", sort=False):
        usable = part[part["issue"] == ""]
        formats = ", ".join(f"{name} {n}" for name, n in usable["format"].value_counts().items())
        rows[label] = {"pictures": len(part), "with_issue": len(part) - len(usable), "width": usable["width"].median(),
                       "height": usable["height"].median(), "mean_pixel": usable["mean_pixel"].mean(), "formats": formats}
    return pd.DataFrame.from_dict(rows, orient="index")


def suspiciously_dark(manifest: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Labels whose mean pixel value is far under the others': label → (its mean, the median over labels).

    Far: more than `DARK_BELOW_TYPICAL` robust standard deviations (1.4826 x the median absolute deviation), as in row A4.
    """
    means = manifest[manifest["issue"] == ""].groupby("label")["mean_pixel"].mean()
    if len(means) < 4:
        return {}
    middle = float(means.median())
    spread = 1.4826 * float((means - middle).abs().median())
    low = means[means < middle - DARK_BELOW_TYPICAL * max(spread, 1.0)].sort_values()
    return {str(label): (float(mean), middle) for label, mean in low.items()}


def write_figures(manifest: pd.DataFrame, labels: list[str], folder: Path) -> list[Path]:
    """PNGs in ``folder``: counts per label and, if any picture is readable, width, height and mean pixel value per label."""
    usable = manifest[manifest["issue"] == ""]
    files = [folder / "counts.png"]
    _counts(manifest, labels, files[0])
    if usable.empty:
        return files
    for column, title in (("width", "width, px"), ("height", "height, px"), ("mean_pixel", "mean pixel value, 0 black to 255 white")):
        files.append(folder / f"{column}.png")
        _distribution(usable, labels, column, title, files[-1])
    return files


def _counts(manifest: pd.DataFrame, labels: list[str], file: Path) -> None:
    figure = new_figure(8, 1.5 + 0.26 * len(labels))
    axes = figure.subplots()
    good = manifest[manifest["issue"] == ""]["label"].value_counts().reindex(labels, fill_value=0)
    bad = manifest[manifest["issue"] != ""]["label"].value_counts().reindex(labels, fill_value=0)
    axes.barh(labels, good, color="#4477AA", label="readable")
    axes.barh(labels, bad, left=good, color="#CC6677", label="with an issue")
    for row, n in enumerate(good + bad):
        axes.text(n, row, f" {n:,}", va="center", fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("pictures")
    axes.set_title(f"{len(manifest):,} pictures in {len(labels)} labels")
    axes.margins(x=0.1, y=0.01)
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, file)


def _distribution(usable: pd.DataFrame, labels: list[str], column: str, title: str, file: Path) -> None:
    """One strip per label: every tenth of the distribution as shade, the median as a line."""
    figure = new_figure(8, 1.5 + 0.26 * len(labels))
    axes = figure.subplots()
    table = usable.groupby("label")[column].quantile(np.linspace(0, 1, 11)).unstack().reindex(labels)
    tenths = table.to_numpy(float, na_value=np.nan)  # (labels, 11); NaN where a label has no readable picture
    rows = np.arange(len(labels))
    for i in range(5):
        axes.barh(rows, tenths[:, 10 - i] - tenths[:, i], 0.7, tenths[:, i], color="#4477AA", alpha=0.22, linewidth=0)
    axes.use_sticky_edges = False  # bars have a margin to the left, too
    axes.vlines(tenths[:, 5], rows - 0.35, rows + 0.35, color="#222222", linewidth=1.5)
    axes.set_yticks(rows, labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    if column != "mean_pixel":
        axes.set_xscale("log")
        ticks = [t for t in (8, 16, 32, 64, 128, 300, 700, 1500, 3500, 7000, 15000) if usable[column].min() * 0.7 <= t <= usable[column].max() * 1.4]
        axes.set_xticks(ticks, [f"{t:,}" for t in ticks])
        axes.minorticks_off()
    axes.set_xlabel(title)
    axes.set_title("per label: median (line) and tenths of the pictures (shades)", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, file)
