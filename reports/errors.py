"""The page of wrong pictures: each beside where the network looked, what it was taken for and why, and the training pictures nearest to it.

One HTML file that needs nothing else: pictures are inside it, no script, no network.
"""

from pathlib import Path

import cv2
import jinja2
import numpy as np
import pandas as pd

from features.files import whole_file
from reports.thumbnails import data_url

MOST_SHOWN = 500
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{{ title }}</title><style>
:root { color-scheme: light dark; --line: #8886; --soft: #666; --bad: #b00020; }
@media (prefers-color-scheme: dark) { :root { --soft: #aaa; --bad: #ff8a80; } }
body { font: 15px/1.45 system-ui, "Noto Sans CJK KR", "NanumGothic", sans-serif; margin: 1.5rem auto; max-width: 76rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; } p { margin: .3rem 0; } .soft { color: var(--soft); }
ul.causes { padding-left: 1.2rem; } .errors { display: grid; grid-template-columns: repeat(auto-fill, minmax(34rem, 1fr)); gap: 1rem; }
article { border: 1px solid var(--line); border-radius: 6px; padding: .7rem; display: grid; grid-template-columns: auto 1fr; gap: .3rem .9rem; }
article { break-inside: avoid; } article > div.pictures { display: flex; flex-direction: column; gap: .4rem; }
img { width: 96px; height: 96px; border: 1px solid var(--line); background: #fff; } .near { display: flex; gap: .5rem; margin-top: .4rem; }
figure { margin: 0; width: 98px; } figcaption { font-size: .75rem; color: var(--soft); overflow-wrap: anywhere; }
.path { font-size: .8rem; overflow-wrap: anywhere; color: var(--soft); } .wrong { color: var(--bad); font-weight: 600; } .cause { font-weight: 600; }
@media (max-width: 40rem) { .errors { grid-template-columns: 1fr; } }
</style></head><body>
<h1>{{ title }}</h1>
<p>{{ shown }} of {{ total }} wrong pictures, the surest first. A cause is a proposal: look before you believe it.</p>
<ul class="causes">{% for cause, n in causes %}<li>{{ n }} × {{ cause }}</li>{% endfor %}</ul>
<div class="errors">{% for e in errors %}
<article><div class="pictures"><figure><img alt="{{ e.path }}" src="{{ e.picture }}"><figcaption>as the model sees it</figcaption></figure>
{% if e.heat %}<figure><img alt="where the network looked" src="{{ e.heat }}"><figcaption>where the network looked</figcaption></figure>{% endif %}
</div>
<div><p class="path">{{ e.path }}</p>
<p>{{ e.true }} <span class="soft">({{ e.p_true }})</span> taken for <span class="wrong">{{ e.predicted }}</span>
<span class="soft">({{ e.p_predicted }})</span></p>
{% for line in e.parts %}<p class="soft">{{ line }}</p>{% endfor %}
{% if e.spoke %}<p class="soft">for it spoke: {{ e.spoke }}</p>{% endif %}
<p class="cause">{{ e.cause }}</p>
<div class="near">
{% for n in e.near %}<figure><img alt="{{ n.label }}" src="{{ n.picture }}"><figcaption>{{ n.label }} ({{ n.distance }})</figcaption></figure>
{% endfor %}
</div></div></article>
{% endfor %}</div></body></html>
"""


def write_error_page(table: pd.DataFrame, tiles: np.ndarray, heat: np.ndarray | None, near_tiles: np.ndarray, near_labels: np.ndarray,
                     near_distances: np.ndarray, part_names: list[str], title: str, file: Path) -> None:
    """``table``: see `models.errors.error_table`, indexed by path; ``tiles`` (n, S, S, 3) uint8; ``heat`` (n, H, W) in [0, 1] or None; per picture k
    nearest training pictures. At most `MOST_SHOWN` are shown, those of which the model was surest first."""
    order = np.argsort(-table["p_predicted"].to_numpy(), kind="stable")[:MOST_SHOWN]
    errors = []
    for i in order:
        row = table.iloc[i]
        near = [{"label": label, "distance": f"{distance:.2f}", "picture": data_url(tile)}
                for label, distance, tile in zip(near_labels[i], near_distances[i], near_tiles[i], strict=True)]
        parts = [f"{name}: {row[f'{name}_says']}; {row['true']} {row[f'{name}_p_true']:.0%}, {row['predicted']} {row[f'{name}_p_predicted']:.0%}"
                 for name in part_names]
        errors.append({"path": table.index[i], "true": row["true"], "predicted": row["predicted"], "p_true": f"{row['p_true']:.0%}",
                       "p_predicted": f"{row['p_predicted']:.0%}", "parts": parts, "spoke": row["spoke_for_it"], "cause": row["cause"], "near": near,
                       "picture": data_url(tiles[i]), "heat": "" if heat is None else data_url(_overlaid(tiles[i], heat[i]))})
    page = jinja2.Environment(autoescape=True).from_string(PAGE)
    text = page.render(title=title, errors=errors, shown=f"{len(errors):,}", total=f"{len(table):,}",
                       causes=[(cause, f"{n:,}") for cause, n in table["cause"].value_counts().items()])
    with whole_file(file) as fresh:
        fresh.write_text(text, encoding="utf-8")


def _overlaid(tile: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """(S, S, 3) uint8 with the heat (H, W) in [0, 1] over it: what did not matter fades to gray, what did turns orange."""
    weight = cv2.resize(heat, tile.shape[1::-1], interpolation=cv2.INTER_LINEAR)[:, :, None]
    gray = 0.4 * tile.mean(2, keepdims=True) + 0.6 * 200
    return np.clip((1 - weight) * gray + weight * (0.4 * tile + 0.6 * np.array([255, 120, 0])), 0, 255).astype(np.uint8)
