"""A page and a pen: what is drawn in unit coordinates comes out in one of many styles, somewhere on the page.

In: a `Drawing` (a function that makes strokes on a `Canvas`), a page size and a random generator. Out: the page, (H, W, 3) uint8 RGB. A
drawing fills [-1, 1] x [-1, 1], y down; the canvas knows the rest: where on the page, how large, turned and stretched how far, with
which pen, fill and colours, and beside which decoys. All that is drawn alike for all kinds, so that only shapes, and a little their
natural colours, tell the kinds apart. Pens follow the "sketchy" renderers (Wood et al. 2012, "Sketchy rendering for information
visualization"): resampled lines, smooth displacement, repeated strokes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator

Color = tuple[int, int, int]  # RGB
Points = list[tuple[float, float]] | np.ndarray  # (n, 2) in unit coordinates

SUBPIXEL_BITS = 4
RESAMPLING_STEP = 0.07  # units between the points of a hand-drawn line
OVERSAMPLED_PX = 300  # pages up to this side are drawn at twice the size and averaged
MIRRORED_SHARE = 0.3
DECOY_CHANCE = 0.03  # of each decoy
GRAIN_PX = 512  # chalk's grain repeats after so many
SEEN_DIFFERENCE = 40  # levels in some channel that make a colour stand out from another
FILLS = {  # shares: how areas are filled; "shifted" is beside its outline, "wire" not at all
    "flat": 0.34, "plain": 0.15, "outline": 0.25, "wire": 0.04, "hatch": 0.09, "shifted": 0.07, "silhouette": 0.06,
}
PENS = {"vector": 0.38, "hand": 0.28, "sketch": 0.14, "brush": 0.12, "chalk": 0.08}
PALETTES = {"natural": 0.26, "bright": 0.24, "pastel": 0.16, "gray": 0.14, "ink": 0.20}


@dataclass(frozen=True)
class Style:
    """``fill``, ``pen``: keys of `FILLS` and `PENS`; ``stroke`` and ``wobble`` in units."""

    fill: str
    pen: str
    paper: Color
    ink: Color
    tints: list[Color]
    stroke: float
    wobble: float
    hatch_gap: float  # units between hatching lines
    hatch_degrees: float


class Canvas:
    """A page and a pen: `area`, `line` and `dot` turn unit coordinates into pixels of ``rgb`` in one `Style`.

    ``inner`` marks lie within something that is drawn already: a silhouette leaves them in the colour of the paper.
    """

    def __init__(self, rgb: np.ndarray, style: Style, rng: Generator, center_px: np.ndarray, axes_px: np.ndarray) -> None:
        self.rgb, self.style, self.rng = rgb, style, rng
        self.center_px = center_px  # (2,)
        self.axes_px = axes_px  # (2, 2): unit vectors of x and y as rows
        self.unit_px = float(np.sqrt(abs(np.linalg.det(axes_px))))

    def turn(self, degrees: float) -> None:
        """Turn what is drawn from here on about the middle of the drawing."""
        self.axes_px = rotation(degrees) @ self.axes_px

    def area(self, points: Points, tint: int = 0, inner: bool = False) -> None:
        """A closed shape, filled and outlined as the style has it; it covers what lies under it."""
        style, color = self.style, self.style.tints[tint % len(self.style.tints)]
        shape = self._drawn(np.asarray(points), closed=True)
        if style.fill == "silhouette":
            self._fill(shape, style.paper if inner else style.ink)
            return
        if style.fill in ("flat", "plain"):
            self._fill(shape, color)
        elif style.fill == "shifted":
            self._fill(shape + self.unit_px * style.stroke * np.array([1.6, 1.1]), color)
        elif style.fill in ("outline", "hatch"):
            self._fill(shape, style.paper)
        if style.fill == "hatch":
            self._hatch(shape, color, style.hatch_degrees + 50 * tint)
        if style.fill != "plain" or _alike(color, style.paper):
            self._stroke(np.asarray(points), style.ink, 1.0, closed=True)

    def line(self, points: Points, weight: float = 1.0, inner: bool = False) -> None:
        """An open line; ``weight`` times the style's stroke wide."""
        color = self.style.paper if inner and self.style.fill == "silhouette" else self.style.ink
        self._stroke(np.asarray(points), color, weight, closed=False)

    def dot(self, x: float, y: float, radius: float, inner: bool = True) -> None:
        """A disc of ink: eyes, buttons, holes."""
        color = self.style.paper if inner and self.style.fill == "silhouette" else self.style.ink
        self._fill(self._drawn(ellipse(x, y, radius, radius), closed=True), color)

    def _stroke(self, points: np.ndarray, color: Color, weight: float, closed: bool) -> None:
        width_px = max(1.0, self.style.stroke * self.unit_px * weight)
        for _ in range(2 if self.style.pen == "sketch" else 1):
            path = self._drawn(points, closed)
            if self.style.pen == "brush":
                self._brush(np.vstack([path, path[:1]]) if closed else path, color, width_px)
            else:
                cv2.polylines(self.rgb, [_fixed(path)], closed, color, max(1, round(width_px)), cv2.LINE_AA, SUBPIXEL_BITS)

    def _brush(self, path: np.ndarray, color: Color, width_px: float) -> None:
        """Pressed harder in the middle of each stroke."""
        pressure = 0.45 + 1.1 * np.sin(np.linspace(0.15, np.pi - 0.1, len(path) - 1)) * self.rng.uniform(0.7, 1.1)
        fixed = _fixed(path).tolist()
        for start, end, p in zip(fixed, fixed[1:], pressure):
            cv2.line(self.rgb, start, end, color, max(1, round(width_px * p)), cv2.LINE_AA, SUBPIXEL_BITS)

    def _fill(self, shape: np.ndarray, color: Color) -> None:
        cv2.fillPoly(self.rgb, [_fixed(shape)], color, cv2.LINE_AA, SUBPIXEL_BITS)

    def _hatch(self, shape: np.ndarray, color: Color, degrees: float) -> None:
        """Parallel lines of ``color`` within ``shape`` (n, 2) px."""
        left, top, width, height = _visible_box(shape, self.rgb)
        if width < 2 or height < 2:
            return
        mask = np.zeros((height, width), np.uint8)
        cv2.fillPoly(mask, [_fixed(shape - [left, top])], 255, cv2.LINE_8, SUBPIXEL_BITS)
        reach, along = (width + height) / 2, rotation(degrees)[0]
        gaps_px = np.arange(-reach, reach, max(3.0, self.style.hatch_gap * self.unit_px))
        middle = np.array([width, height]) / 2 + np.outer(gaps_px, [-along[1], along[0]])
        ends = np.stack([middle - reach * along, middle + reach * along], axis=1)  # (lines, 2 ends, xy)
        region = self.rgb[top:top + height, left:left + width]
        hatched = region.copy()
        width_px = max(1, round(0.6 * self.style.stroke * self.unit_px))
        cv2.polylines(hatched, list(_fixed(ends)), False, color, width_px, cv2.LINE_AA, SUBPIXEL_BITS)
        cv2.copyTo(hatched, mask, region)

    def _drawn(self, points: np.ndarray, closed: bool) -> np.ndarray:
        """(n, 2) units → (m, 2) px along the path that a more or less steady hand takes."""
        points = points.astype(float)
        if self.style.pen in ("hand", "sketch", "brush", "chalk"):
            points = _resampled(points, closed)
        if self.style.wobble:
            points = points + _smooth_noise(self.rng, len(points)) * self.style.wobble
        return points @ self.axes_px + self.center_px


class Drawing(NamedTuple):
    """``draw``: the strokes; ``colors``: what it has in nature, as hexadecimal RGB, by tint."""

    draw: Callable[[Canvas, Generator], None]
    colors: str


def draw_page(drawing: Drawing, width_px: int, height_px: int, rng: Generator) -> np.ndarray:
    """A page with one drawing and perhaps decoys on it, (height, width, 3) uint8 RGB."""
    factor = 2 if max(width_px, height_px) <= OVERSAMPLED_PX else 1
    size_px = np.array([width_px, height_px]) * factor
    style = random_style(rng, [_hex_color(c) for c in drawing.colors.split()])
    rgb = _blank(width_px * factor, height_px * factor, style.paper)
    page = Canvas(rgb, replace(style, stroke=style.stroke / 2), rng, size_px / 2, np.eye(2) * size_px.min() / 2)
    for decoy in DECOYS:
        if chance(rng, DECOY_CHANCE):
            decoy(page, rng)
    drawing.draw(_placed(rgb, style, rng), rng)
    if style.pen == "chalk":
        _crumble(rgb, style.paper, factor, rng)
    return cv2.resize(rgb, (width_px, height_px), interpolation=cv2.INTER_AREA) if factor > 1 else rgb


def random_style(rng: Generator, natural: list[Color]) -> Style:
    """A pen, a fill and colours that do not depend on the kind, but for ``natural`` colours in about one picture of four."""
    fill, pen, palette = (_weighted(rng, weights) for weights in (FILLS, PENS, PALETTES))
    dark = pen == "chalk" or chance(rng, 0.05)
    value = rng.uniform(25, 60) if dark else rng.uniform(246, 256) if chance(rng, 0.8) else rng.uniform(215, 246)
    paper = _hsv(rng.uniform(0, 180), rng.uniform(0, 90) if dark else rng.uniform(0, 40) if value < 246 else 0, value)
    ink_value = rng.uniform(200, 255) if dark else rng.uniform(0, 75)
    ink = _hsv(rng.uniform(0, 180), rng.uniform(40, 200) if palette not in ("gray", "ink") and chance(rng, 0.5) else 0, ink_value)
    wobble = {"vector": 0.0, "hand": rng.uniform(0.012, 0.035), "sketch": rng.uniform(0.015, 0.03)}.get(pen, rng.uniform(0.006, 0.02))
    return Style(fill, pen, paper, ink, _tints(palette, paper, natural, rng), rng.uniform(0.02, 0.075), wobble,
                 rng.uniform(0.06, 0.14), rng.uniform(0, 180))


def _tints(palette: str, paper: Color, natural: list[Color], rng: Generator) -> list[Color]:
    """Five fill colours."""
    if palette == "natural":
        return [_shifted(color, rng) for color in natural]
    if palette == "bright":
        return [_hsv(rng.uniform(0, 180), rng.uniform(130, 255), rng.uniform(140, 255)) for _ in range(5)]
    if palette == "pastel":
        return [_hsv(rng.uniform(0, 180), rng.uniform(30, 110), rng.uniform(190, 255)) for _ in range(5)]
    if palette == "gray":
        return [_hsv(0, 0, rng.uniform(70, 235)) for _ in range(5)]
    shade = rng.uniform(0.75, 1.0)
    return [paper, _scaled(paper, shade), paper, _scaled(paper, shade * shade), paper]


def _placed(rgb: np.ndarray, style: Style, rng: Generator) -> Canvas:
    """A canvas for the drawing itself: somewhere on the page, its size, slant, stretch and direction drawn at random."""
    half_page_px = np.array([rgb.shape[1], rgb.shape[0]]) / 2
    half_px = half_page_px.min() * rng.uniform(0.5, 0.92)
    stretch, slant, way = np.exp(rng.normal(0, 0.1)), rng.normal(0, 0.05), -1 if chance(rng, MIRRORED_SHARE) else 1
    axes = np.array([[way * stretch, 0], [slant, 1 / stretch]]) * half_px
    center = half_page_px + rng.uniform(-1, 1, 2) * (half_page_px - half_px) * rng.uniform(0.2, 1)
    return Canvas(rgb, style, rng, center, axes @ rotation(float(np.clip(rng.normal(0, 7), -25, 25))))


def _blank(width_px: int, height_px: int, paper: Color) -> np.ndarray:
    rgb = np.empty((height_px, width_px, 3), np.uint8)
    rgb[0] = paper
    rgb[1:] = rgb[0]  # whole rows are copied faster than single pixels
    return rgb


# Points of shapes.


def ellipse(x: float, y: float, rx: float, ry: float, start: float = 0, stop: float = 360) -> np.ndarray:
    """(n, 2) points on an ellipse from ``start`` to ``stop`` degrees, 0 = right, 90 = down; without the last point if whole."""
    n = 5 + int(abs(stop - start) / 11)
    angles = np.radians(np.linspace(start, stop, n, endpoint=abs(stop - start) < 360))
    return np.column_stack([x + rx * np.cos(angles), y + ry * np.sin(angles)])


def box(left: float, top: float, right: float, bottom: float, taper: float = 0) -> np.ndarray:
    """The four corners, clockwise; the bottom side is shorter by ``taper`` at either end."""
    return np.array([(left, top), (right, top), (right - taper, bottom), (left + taper, bottom)])


def curve(points: Points, closed: bool = False, steps: int = 7) -> np.ndarray:
    """A smooth line through ``points`` (Catmull-Rom)."""
    p = np.asarray(points, float)
    if closed:
        p0, p1, p2, p3 = np.roll(p, 1, 0), p, np.roll(p, -1, 0), np.roll(p, -2, 0)
    else:
        p0, p1, p2, p3 = np.vstack([p[:1], p[:-2]]), p[:-1], p[1:], np.vstack([p[2:], p[-1:]])
    t = (np.arange(steps) / steps)[None, :, None]
    p0, p1, p2, p3 = (q[:, None, :] for q in (p0, p1, p2, p3))
    spline = (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3) / 2
    smooth = spline.reshape(-1, 2)  # (segments * steps, 2)
    return smooth if closed else np.vstack([smooth, p[-1:]])


def mirrored(points: Points) -> np.ndarray:
    """A closed shape from its right half, given from top to bottom."""
    right = np.asarray(points, float)
    return np.vstack([right, (right * [-1, 1])[::-1]])


def rays(x: float, y: float, inner: float, outer: float, count: int, start: float = 0) -> np.ndarray:
    """(count, 2 ends, 2) spokes around a point."""
    angles = np.radians(start + np.arange(count) * 360 / count)
    ways = np.column_stack([np.cos(angles), np.sin(angles)])
    return np.stack([ways * inner, ways * outer], axis=1) + [x, y]


def rotation(degrees: float) -> np.ndarray:
    """(2, 2), for rows: ``points @ rotation(90)`` takes right to down."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, s], [-s, c]])


def chance(rng: Generator, share: float) -> bool:
    """True in ``share`` of the cases."""
    return bool(rng.random() < share)


# Decoys: what may stand beside any drawing, and means nothing.


def _ground(page: Canvas, rng: Generator) -> None:
    y = rng.uniform(0.6, 0.92)
    page.line(curve([(-1, y), (-0.4, y + rng.normal(0, 0.04)), (0.3, y + rng.normal(0, 0.04)), (1, y)]), 0.7)


def _sun(page: Canvas, rng: Generator) -> None:
    x, y, radius = rng.choice([-0.8, 0.8]), -0.8, rng.uniform(0.08, 0.15)
    page.area(ellipse(x, y, radius, radius), 1)
    for ray in rays(x, y, radius * 1.3, radius * 1.8, int(rng.integers(6, 12))):
        page.line(ray, 0.5)


def _frame(page: Canvas, rng: Generator) -> None:
    edge = rng.uniform(0.9, 0.98)
    page.line(np.vstack([box(-edge, -edge, edge, edge), [(-edge, -edge)]]), rng.uniform(0.4, 1.5))


def _scribble(page: Canvas, rng: Generator) -> None:
    x, y = rng.uniform(-0.85, 0.5), rng.choice([-0.9, 0.9])
    turns = np.arange(int(rng.integers(8, 22)))
    page.line(curve(np.column_stack([x + turns * 0.025, y + 0.04 * (turns % 2) + rng.normal(0, 0.01, len(turns))])), 0.4)


def _rules(page: Canvas, rng: Generator) -> None:
    for y in np.arange(-0.9, 1, rng.uniform(0.15, 0.3)):
        page.line([(-1, y), (1, y)], 0.2)


def _confetti(page: Canvas, rng: Generator) -> None:
    for x, y in rng.uniform(-0.95, 0.95, (int(rng.integers(3, 10)), 2)):
        page.area(ellipse(x, y, *rng.uniform(0.015, 0.04, 2)), int(rng.integers(5)))


def _stain(page: Canvas, rng: Generator) -> None:
    x, y, radius = rng.uniform(-0.7, 0.7), rng.uniform(-0.7, 0.7), rng.uniform(0.15, 0.4)
    page.line(ellipse(x, y, radius, radius * rng.uniform(0.8, 1), 0, rng.uniform(200, 358)), 0.3)


DECOYS = (_ground, _sun, _frame, _scribble, _rules, _confetti, _stain)


# Colours, hands and chalk.


def _weighted(rng: Generator, weights: dict[str, float]) -> str:
    return str(rng.choice(list(weights), p=list(weights.values())))


def _hex_color(digits: str) -> Color:
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue


def _hsv(hue: float, saturation: float, value: float) -> Color:
    """OpenCV's ranges: hue in [0, 180), the others in [0, 255]."""
    pixel = np.array([[[hue % 180, min(saturation, 255), min(value, 255)]]], np.uint8)
    red, green, blue = cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].tolist()
    return red, green, blue


def _shifted(color: Color, rng: Generator) -> Color:
    """A colour like ``color``."""
    red, green, blue = np.clip(np.array(color) * rng.uniform(0.85, 1.1) + rng.normal(0, 12, 3), 0, 255).astype(int).tolist()
    return red, green, blue


def _scaled(color: Color, factor: float) -> Color:
    red, green, blue = (int(c * factor) for c in color)
    return red, green, blue


def _alike(one: Color, other: Color) -> bool:
    """So close that one is hardly seen on the other."""
    return max(abs(a - b) for a, b in zip(one, other)) < SEEN_DIFFERENCE


def _fixed(points: np.ndarray) -> np.ndarray:
    """Pixels → OpenCV's fixed-point coordinates."""
    return np.rint(points * (1 << SUBPIXEL_BITS)).astype(np.int32)


def _visible_box(shape: np.ndarray, rgb: np.ndarray) -> tuple[int, int, int, int]:
    """(left, top, width, height) px of the part of ``shape`` that lies on the page."""
    low = np.maximum(np.floor(shape.min(0)).astype(int), 0)
    high = np.minimum(np.ceil(shape.max(0)).astype(int) + 1, [rgb.shape[1], rgb.shape[0]])
    width, height = (high - low).tolist()
    return int(low[0]), int(low[1]), width, height


def _resampled(points: np.ndarray, closed: bool) -> np.ndarray:
    """Points about `RESAMPLING_STEP` apart along the path."""
    path = np.vstack([points, points[:1]]) if closed else points
    at = np.concatenate([[0], np.hypot(*np.diff(path, axis=0).T).cumsum()])
    n = max(8, int(at[-1] / RESAMPLING_STEP))
    steps = np.linspace(0, at[-1], n, endpoint=not closed)
    return np.column_stack([np.interp(steps, at, path[:, 0]), np.interp(steps, at, path[:, 1])])


def _smooth_noise(rng: Generator, n: int) -> np.ndarray:
    """(n, 2) of deviation about 1: a shift of the whole stroke and slow wandering along it."""
    wander = np.cumsum(rng.normal(0, 0.5, (n, 2)), axis=0)
    wander -= np.linspace(0, 1, n)[:, None] * wander[-1]  # the ends meet
    return rng.normal(0, 0.5, 2) + np.clip(wander, -2, 2) + rng.normal(0, 0.15, (n, 2))


def _crumble(rgb: np.ndarray, paper: Color, factor: int, rng: Generator) -> None:
    """Take grains out of what is drawn, as chalk on a board."""
    height, width = rgb.shape[:2]
    grain = cv2.GaussianBlur(rng.integers(0, 256, (GRAIN_PX, GRAIN_PX), np.uint8), (0, 0), factor)
    holes = (grain < np.percentile(grain[:64], rng.uniform(8, 28))).astype(np.uint8)
    holes = cv2.copyMakeBorder(holes, 0, max(0, height - GRAIN_PX), 0, max(0, width - GRAIN_PX), cv2.BORDER_WRAP)[:height, :width]
    cv2.copyTo(_blank(width, height, paper), np.ascontiguousarray(holes), rgb)
