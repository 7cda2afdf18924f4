"""An experiment's results, for people: a Markdown table and a plot."""

from pathlib import Path

import numpy as np
import pandas as pd

from features.files import whole_file
from reports.figures import new_figure, save_figure

NAMES = {"macro_f1": "macro-F1", "micro_f1": "micro-F1", "log_loss": "log loss"}
PARTS = {"out_of_fold": "out of fold", "held_out": "held out", "test": "test folder"}


def write_markdown(title: str, table: pd.DataFrame, effects: pd.DataFrame, metric: str, judged_on: str, missing: list[str], file: Path) -> None:
    """``table``: a row per setting, best first; ``effects``: a row per level; both as `experiment.run_plan` makes them."""
    parts = [part for part in PARTS if f"{part}_macro_f1" in table]
    head = ["setting", f"{NAMES[metric]} ({PARTS[judged_on]})", "95 %", "on common pictures",
            *(f"{PARTS[part]}: macro-F1 / micro-F1 / log loss" for part in parts), "pictures", "runs", "s a run"]
    rows = [[str(name), f"{row[metric]:.4f}", "-" if np.isnan(row["low"]) else f"{row['low']:.4f} … {row['high']:.4f}",
             "-" if np.isnan(row["common"]) else f"{row['common']:.4f}",
             *(" / ".join(f"{row[f'{part}_{name_of}']:.4f}" for name_of in NAMES) for part in parts), f"{row['pictures']:,.0f}", f"{row['runs']:.0f}",
             f"{row['seconds']:,.0f}"] for name, row in table.iterrows()]
    lines = [f"# {title}", "", *_markdown(head, rows)]
    if len(effects):
        levels = [[str(option), row["level"], f"{row[metric]:.4f}", f"{row['effect']:+.4f}", str(row["settings"])]
                  for option, row in effects.iterrows()]
        lines += ["", "## Main effects", "", *_markdown(["option", "level", NAMES[metric], "from the mean", "settings"], levels)]
    if missing:
        lines += ["", f"Not run within the time limit: {len(missing)}", "", *(f"- {told}" for told in missing)]
    with whole_file(file) as fresh:
        fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_comparison(table: pd.DataFrame, metric: str, title: str, file: Path) -> None:
    """A dot per setting, best on top, with its interval where there is one → PNG."""
    figure = new_figure(8, 1.2 + 0.32 * len(table))
    axes = figure.subplots()
    places = np.arange(len(table))[::-1]
    half = np.nan_to_num(table[metric].to_numpy() - table["low"].to_numpy())
    axes.errorbar(table[metric], places, xerr=half, fmt="o", color="C0", capsize=3)
    axes.set_yticks(places, [str(name) for name in table.index], fontsize=8)
    axes.set_xlabel(NAMES[metric] + (" (less is better)" if metric == "log_loss" else ""))
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3, axis="x")
    save_figure(figure, file)


def _markdown(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in (head, ["---"] * len(head), *rows)]
