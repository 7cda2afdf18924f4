"""An experiment's results, for people: a Markdown table and a plot."""

from pathlib import Path

import numpy as np
import pandas as pd

from features.files import whole_file
from reports.figures import new_figure, save_figure

NAMES = {"macro_f1": "macro-F1", "micro_f1": "micro-F1", "log_loss": "log loss"}
PARTS = {"out_of_fold": "out of fold", "held_out": "held out", "test": "test folder"}


def write_markdown(title: str, table: pd.DataFrame, effects: pd.DataFrame, judged: tuple[str, str, str], missing: list[str],
                   failed: list[str], notes: list[str], file: Path) -> None:
    """``table``: a row per setting, best first; ``effects``: a row per level; both as `experiment.run_plan` makes them. ``judged``: the metric, the
    part, and the setting from which the differences are."""
    metric, judged_on, first = judged
    parts = [part for part in PARTS if f"{part}_macro_f1" in table]
    head = ["setting", f"{NAMES[metric]} ({PARTS[judged_on]})", "95 %", f"from {first!r}", "95 %", "on common pictures",
            *(f"{PARTS[part]}: macro-F1 / micro-F1 / log loss" for part in parts), "pictures", "runs", "s a run"]
    rows = [[str(name), _told(row[metric]), between(row["low"], row["high"]), _told(row["difference"], "+.4f"),
             between(row["difference_low"], row["difference_high"], "+.4f"), _told(row["common"]),
             *(" / ".join(f"{row[f'{part}_{name_of}']:.4f}" for name_of in NAMES) for part in parts), f"{row['pictures']:,.0f}", f"{row['runs']:.0f}",
             f"{row['seconds']:,.0f}"] for name, row in table.iterrows()]
    lines = [f"# {title}", "", *_markdown(head, rows), "", how_sure(table)]
    for note in notes:
        lines += ["", f"{note[0].upper()}{note[1:]}."]
    if len(effects):
        levels = [[str(option), row["level"], f"{row[metric]:.4f}", f"{row['effect']:+.4f}", str(row["settings"])]
                  for option, row in effects.iterrows()]
        lines += ["", "## Main effects", "", *_markdown(["option", "level", NAMES[metric], "from the mean", "settings"], levels)]
    if missing:
        lines += ["", f"Not run within the time limit: {len(missing)}", "", *(f"- {told}" for told in missing)]
    if failed:
        lines += ["", f"Failed: {len(failed)}", "", *(f"- {told}" for told in failed)]
    with whole_file(file) as fresh:
        fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")


def how_sure(table: pd.DataFrame) -> str:
    """What the intervals of a table are made of, in one sentence."""
    of_one = "by drawing the pictures of the one run anew (bootstrap over groups of duplicates), which does not know what another seed would do"
    over_runs = "over the runs (Student)"
    kinds = {of_one if runs == 1 else over_runs for runs in table["runs"]}
    return f"95 % intervals: {'; or '.join(sorted(kinds, reverse=True))}. Differences: on the pictures that both judged."


def write_comparison(table: pd.DataFrame, metric: str, title: str, file: Path) -> None:
    """A dot per setting, best on top, with its interval where there is one → PNG."""
    figure = new_figure(8, 1.2 + 0.32 * len(table))
    axes = figure.subplots()
    places = np.arange(len(table))[::-1]
    ends = np.nan_to_num(np.array([table[metric] - table["low"], table["high"] - table[metric]])).clip(0)
    axes.errorbar(table[metric], places, xerr=ends, fmt="o", color="C0", capsize=3)
    axes.set_yticks(places, [str(name) for name in table.index], fontsize=8)
    axes.set_xlabel(NAMES[metric] + (" (less is better)" if metric == "log_loss" else ""))
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3, axis="x")
    save_figure(figure, file)


def _markdown(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in (head, ["---"] * len(head), *rows)]


def _told(value: float, shown: str = ".4f") -> str:
    return "-" if np.isnan(value) else f"{value:{shown}}"


def between(low: float, high: float, shown: str = ".4f") -> str:
    """An interval as text; a dash where there is none."""
    return "-" if np.isnan(low) else f"{low:{shown}} … {high:{shown}}"
