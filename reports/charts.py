"""Charts as SVG text for a page: numbers in, markup out. Places across are in per cent of the width, heights in px, colours are classes.

So a chart is as wide as its column, its letters stay as large as the page's, and the page's style sheet gives it dark mode. Texts are escaped here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

ROW_PX = 18  # height of a row of bars
PLOT_PX = 240
PLOT_TOP, PLOT_BOTTOM = 10, 34  # px above and below the plotting area, for half a letter and for the ticks
STEPS = (1, 2, 2.5, 5, 10)  # of ticks, times a power of ten


@dataclass(frozen=True)
class Axis:
    """Values from ``low`` to ``high`` over the whole width (or height); ``ticks``: (value, text); ``log``: equal ratios are equally far apart."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def at(self, value: float) -> float:
        """Where a value is, in per cent; cut off at the ends."""
        low, high, v = (math.log(max(x, 1e-300)) if self.log else x for x in (self.low, self.high, value))
        return round(min(max(100 * (v - low) / ((high - low) or 1), 0), 100), 2)


@dataclass(frozen=True)
class Row:
    """One line of a chart: a ``label`` before it, ``marks`` (SVG) in it, a ``value`` as text behind it."""

    label: str
    marks: Markup
    value: str


@dataclass(frozen=True)
class Line:
    """A curve; ``look`` is a class of the style sheet."""

    x: Sequence[float]
    y: Sequence[float]
    look: str


def linear_axis(low: float, high: float, most: int = 6, shown: str = "") -> Axis:
    """An axis from ``low`` to ``high`` with round ticks, at most ``most`` of them; ``shown``: their format, by default as short as it goes."""
    if not high > low:
        high = low + 1
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(s * power for s in (*STEPS, 20) if (high - low) / (s * power) <= most - 0.999)
    values = [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    return Axis(low, high, tuple((v, format(v, shown) if shown else _short(v)) for v in values))


def log_axis(low: float, high: float) -> Axis:
    """An axis of pixels from ``low`` to ``high``, each tick two or so times the one before."""
    low, high = max(low, 1), max(high, low * 1.5, 2)
    wanted = (4, 16, 64, 128, 300, 700, 1500, 3500, 8000, 20000)
    ticks = [v for v in wanted if low * 0.95 <= v <= high * 1.05]
    return Axis(low, high, tuple((v, f"{v:,}") for v in ticks), log=True)


def bar(parts: Sequence[tuple[float, str]], whole: float) -> Markup:
    """Amounts beside each other as (amount, class), ``whole`` being the full width."""
    marks, x = [], 0.0
    for amount, look in parts:
        width = 100 * amount / whole if whole else 0
        if width > 0:
            marks.append(f'<rect class="{escape(look)}" x="{x:.2f}%" width="{width:.2f}%" y="2" height="{ROW_PX - 4}" rx="2"/>')
        x += width
    return Markup("".join(marks))


def whisker(axis: Axis, middle: float, low: float, high: float, look: str = "c1") -> Markup:
    """A dot with its interval; only the dot where an end is not known."""
    y, marks = ROW_PX / 2, ""
    if not (math.isnan(low) or math.isnan(high)):
        ends = "".join(f'<line x1="{axis.at(v)}%" x2="{axis.at(v)}%" y1="{y - 4}" y2="{y + 4}"/>' for v in (low, high))
        marks = f'<g class="interval {escape(look)}"><line x1="{axis.at(low)}%" x2="{axis.at(high)}%" y1="{y}" y2="{y}"/>{ends}</g>'
    return Markup(f'{marks}<circle class="{escape(look)}" cx="{axis.at(middle)}%" cy="{y}" r="4.5"/>')


def strip(axis: Axis, tenths: Sequence[float], look: str = "c1") -> Markup:
    """A distribution by its eleven tenths: the middle is darkest, the median a line."""
    places = [axis.at(v) for v in tenths]
    marks = [f'<rect class="shade {escape(look)}" x="{places[i]}%" width="{max(places[10 - i] - places[i], 0.3):.2f}%" y="3" height="{ROW_PX - 6}"/>'
             for i in range(5)]
    return Markup("".join(marks) + f'<line class="median" x1="{places[5]}%" x2="{places[5]}%" y1="1" y2="{ROW_PX - 1}"/>')


def rows(lines: Sequence[Row], told: str, axis: Axis | None = None, title: str = "") -> Markup:
    """A chart of `Row`s under each other, with an axis below if there is one; ``told``: what it shows, for those who do not see it."""
    grid = "".join(f'<line class="grid" x1="{axis.at(v)}%" x2="{axis.at(v)}%" y1="0" y2="{ROW_PX}"/>' for v, _ in axis.ticks) if axis else ""
    made = [f'<span class="name">{escape(line.label)}</span><svg class="row" width="100%" height="{ROW_PX}">{grid}{line.marks}</svg>'
            f'<span class="value">{escape(line.value)}</span>' for line in lines]
    if axis:
        ticks = "".join(f'<text x="{axis.at(v)}%" y="12" text-anchor="middle">{escape(text)}</text>' for v, text in axis.ticks)
        made.append(f'<span></span><svg class="row axis" width="100%" height="16">{ticks}</svg><span></span>')
        if title:
            made.append(f'<span></span><span class="axis-title">{escape(title)}</span><span></span>')
    return Markup(f'<div class="rows" role="img" aria-label="{escape(told)}">{"".join(made)}</div>')


def histogram(counts: Sequence[int], edges: Sequence[float], cut: float | None, told: str, titles: tuple[str, str]) -> Markup:
    """Counts between ``edges``; what lies below the ``cut`` has another colour. Heights are square roots: small bars beside huge ones are seen."""
    x, most = linear_axis(edges[0], edges[-1]), max([*counts, 1])
    marks = []
    for count, left, right in zip(counts, edges, edges[1:]):
        height = _area_px() * math.sqrt(count / most)
        look = "c2" if cut is not None and (left + right) / 2 < cut else "c1"
        if count:
            marks.append(f'<rect class="{look}" x="{x.at(left)}%" width="{max(x.at(right) - x.at(left) - 0.25, 0.2):.2f}%" '
                         f'y="{_floor_px() - max(height, 1.5):.1f}" height="{max(height, 1.5):.1f}"/>')
    if cut is not None:
        marks.append(f'<line class="cut" x1="{x.at(cut)}%" x2="{x.at(cut)}%" y1="{PLOT_TOP}" y2="{_floor_px()}"/>')
    values = [0, *(v for v in (1, 10, 100, 1000, 10000, 100000) if most / 200 < v < most * 0.75), most]
    y = Axis(0, 1, tuple((math.sqrt(v / most), f"{v:,}") for v in values))
    return _plot(x, y, "".join(marks), told, titles)


def lines(curves: Sequence[Line], told: str, titles: tuple[str, str], x: Axis | None = None, y: Axis | None = None, over: str = "") -> Markup:
    """Curves over one pair of axes, fitted to them if not given; ``over``: marks (SVG) above the curves."""
    every_x, every_y = [v for c in curves for v in c.x], [v for c in curves for v in c.y if not math.isnan(v)]
    x = x or linear_axis(min(every_x, default=0), max(every_x, default=1))
    y = y or linear_axis(min(every_y, default=0), max(every_y, default=1))
    paths = []
    for curve in curves:
        points = [f"{x.at(a)} {100 - y.at(b):.2f}" for a, b in zip(curve.x, curve.y, strict=True) if not math.isnan(b)]
        if points:
            paths.append(f'<path class="{escape(curve.look)}" d="M{"L".join(points)}" vector-effect="non-scaling-stroke"/>')
    inner = (f'<svg class="curves" y="{PLOT_TOP}" width="100%" height="{_area_px()}" viewBox="0 0 100 100" preserveAspectRatio="none">'
             f'{"".join(paths)}</svg>')
    return _plot(x, y, inner + over, told, titles)


def reliability(confidence: Sequence[float], right: Sequence[float], n: Sequence[int], told: str, titles: tuple[str, str]) -> Markup:
    """Share that is right over the largest probability; areas of the dots are the numbers of pictures, on the diagonal a model means what it says."""
    axis = linear_axis(0, 1, 6)
    most = max([*n, 1])
    dots = "".join(f'<circle class="c1 dot" cx="{axis.at(c)}%" cy="{_floor_px() - _area_px() * r:.1f}" r="{2.5 + 7.5 * math.sqrt(k / most):.1f}"/>'
                   for c, r, k in zip(confidence, right, n, strict=True))
    return lines([Line((0, 1), (0, 1), "ideal"), Line(confidence, right, "c1")], told, titles, axis, axis, dots)


def tenths(values: np.ndarray) -> list[float]:
    """The eleven values from the least to the largest that part (n,) numbers into tenths."""
    return [float(v) for v in np.percentile(values, np.arange(0, 101, 10))]


def _plot(x: Axis, y: Axis, marks: str, told: str, titles: tuple[str, str]) -> Markup:
    """Axes with ticks and titles around ``marks``; ``titles``: of the x and of the y axis."""
    made = [f'<title>{escape(told)}</title>']
    for v, text in y.ticks:
        at = _floor_px() - _area_px() * y.at(v) / 100
        made.append(f'<line class="grid" x1="0" x2="100%" y1="{at:.1f}" y2="{at:.1f}"/>'
                    f'<text x="-8" y="{at + 4:.1f}" text-anchor="end">{escape(text)}</text>')
    made += [f'<text x="{x.at(v)}%" y="{_floor_px() + 16}" text-anchor="middle">{escape(text)}</text>' for v, text in x.ticks]
    chart = f'<svg class="plot" role="img" aria-label="{escape(told)}" width="100%" height="{PLOT_PX}">{"".join(made)}{marks}</svg>'
    return Markup(f'<span class="axis-title y">{escape(titles[1])}</span>{chart}<span class="axis-title x">{escape(titles[0])}</span>'
                  if any(titles) else chart)


def _area_px() -> int:
    return PLOT_PX - PLOT_TOP - PLOT_BOTTOM


def _floor_px() -> int:
    return PLOT_PX - PLOT_BOTTOM


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
