"""Wrong pictures: each beside where the network looked, what it was taken for and why, and the training pictures nearest to it.

`explained` puts together what `write_errors` writes: ``errors.csv`` for people, ``errors.parquet`` with nearest pictures and heat for the report, and
``errors.html``, one file that needs nothing else: pictures are inside it, no script, no network. The report shows the same cards.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from features.files import whole_file
from reports.evaluation import write_table
from reports.pages import csp, environment, style_sheet
from reports.report_texts import Texts
from reports.thumbnails import Album

MOST_SHOWN = 500
FIRST = 12  # cards that are open, the others unfold
NOT_FOR_PEOPLE = ["sha256", "near_sha256", "near_labels", "near_distances", "heat"]
CAUSES = {"a photograph": "photograph", "a training picture just like it has the other label": "copied", "label doubtful": "doubtful",
          "too small": "small", "unlike anything in training": "unlike", "near the other class": "near", "looks like the other class": "looks",
          "unclear": "unclear"}  # as models.errors proposes them → keys of the texts


def explained(table: pd.DataFrame, digests: np.ndarray, near_digests: np.ndarray, near_labels: np.ndarray, near_distances: np.ndarray,
              heat: np.ndarray | None, facts: dict[str, Any]) -> pd.DataFrame:
    """`models.errors.error_table` with what a page needs beside it: digests (n,), the k nearest training pictures (n, k), ``heat`` (n, H, W) in
    [0, 1] or None. ``facts``: ``name`` of the model and its pictures, ``parts`` of the model, and what else identifies them; kept in ``attrs``."""
    blank = [b""] * len(table)
    more = {"sha256": digests, "near_sha256": near_digests.tolist(), "near_labels": near_labels.tolist(), "near_distances": near_distances.tolist(),
            "heat": blank if heat is None else [(255 * one).round().astype(np.uint8).tobytes() for one in heat]}
    told = table.join(pd.DataFrame(more, index=table.index))
    told.attrs.update(facts, heat_shape=[] if heat is None else list(heat.shape[1:]))
    return told


def write_errors(told: pd.DataFrame, album: Album, folder: Path) -> list[Path]:
    """The three files of `explained` errors."""
    files = [folder / f"errors.{suffix}" for suffix in ("csv", "html", "parquet")]
    write_table(told.drop(columns=NOT_FOR_PEOPLE), files[0])
    write_error_page(told, album, files[1])
    with whole_file(files[2]) as fresh:
        told.to_parquet(fresh)
    return files


def write_error_page(told: pd.DataFrame, album: Album, file: Path) -> None:
    """At most `MOST_SHOWN` errors, those of which the model was surest first."""
    t = Texts("en")
    part = errors_part(told, album, t, MOST_SHOWN)
    css = style_sheet()
    text = environment().get_template("errors.html").render(t=t, title=f"{told.attrs['name']}: what went wrong", errors=part, album=album, css=css,
                                                            csp=csp(css))
    with whole_file(file) as fresh:
        fresh.write_text(text, encoding="utf-8")


def errors_part(told: pd.DataFrame, album: Album, t: Texts, most: int) -> dict[str, Any]:
    """Cards, causes with their numbers, and how many are shown of how many."""
    order = np.argsort(-told["p_predicted"].to_numpy(), kind="stable")[:most]
    causes = [(_cause(str(cause), t), f"{n:,}") for cause, n in told["cause"].value_counts().items()] if "cause" in told else []
    shown = told.iloc[order]
    cards = [_card(str(path), row, dict(told.attrs), album, t) for path, row in zip(shown.index, shown.to_dict("records"), strict=True)]
    return {"cards": cards[:FIRST], "more": cards[FIRST:], "causes": causes, "shown": t("errors.shown", shown=len(order), total=len(told)),
            "total": len(told)}


def _card(path: str, row: Mapping[Any, Any], facts: Mapping[Any, Any], album: Album, t: Texts) -> dict[str, Any]:
    """One wrong picture; without causes, neighbours and heat where nobody has looked for them."""
    near = [{"label": label, "distance": f"{distance:.2f}", "id": album.add(sha)} for label, distance, sha in zip(
        row.get("near_labels", ()), row.get("near_distances", ()), row.get("near_sha256", ()), strict=True)]
    parts = [t("errors.part", name=name, says=row[f"{name}_says"], true=row["true"], p_true=row[f"{name}_p_true"], predicted=row["predicted"],
               p_predicted=row[f"{name}_p_predicted"]) for name in facts.get("parts", ())]
    return {"path": path, "id": album.add(row["sha256"]), "heat": _heat(row, facts, album), "true": row["true"], "predicted": row["predicted"],
            "p_true": f"{row['p_true']:.0%}", "p_predicted": f"{row['p_predicted']:.0%}", "parts": parts, "spoke": row.get("spoke_for_it", ""),
            "cause": _cause(row["cause"], t) if "cause" in row else "", "near": near}


def _cause(cause: str, t: Texts) -> str:
    return t(f"cause.{CAUSES[cause]}") if cause in CAUSES else cause


def _heat(row: Mapping[Any, Any], facts: Mapping[Any, Any], album: Album) -> str:
    """The name of the picture with its heat, empty where there is none."""
    if not row.get("heat") or row["sha256"] not in album.row_of:
        return ""
    heat = np.frombuffer(row["heat"], np.uint8).reshape(facts["heat_shape"]).astype(np.float32) / 255
    return album.add_pixels(_overlaid(album.tiles[album.row_of[row["sha256"]]], heat))


def _overlaid(tile: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """(S, S, 3) uint8 with the heat (H, W) in [0, 1] over it: what did not matter fades to gray, what did turns orange."""
    weight = cv2.resize(heat, tile.shape[1::-1], interpolation=cv2.INTER_LINEAR)[:, :, None]
    gray = 0.4 * tile.mean(2, keepdims=True) + 0.6 * 200
    return np.clip((1 - weight) * gray + weight * (0.4 * tile + 0.6 * np.array([255, 120, 0])), 0, 255).astype(np.uint8)
