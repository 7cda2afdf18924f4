"""Twenty kinds of drawings, each made of a few strokes that come out differently every time.

In: a label, a page size and a random generator. Out: a page, (H, W, 3) uint8 RGB. A kind says *what* is drawn, in unit
coordinates (the drawing fills [-1, 1] x [-1, 1], y down) and with random proportions; `Canvas` says *how*: where on the page, how
large, turned and stretched how far, with which pen, fill and colours. Style, place and decoys are drawn alike for all kinds, so only
the shapes, and a little their natural colours, tell the kinds apart. Pens follow the "sketchy" renderers (Wood et al. 2012, "Sketchy
rendering for information visualization"): resampled lines, smooth displacement, repeated strokes.
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
SEEN_DIFFERENCE = 40  # levels in some channel
FILLS = {"flat": 0.28, "plain": 0.14, "outline": 0.25, "wire": 0.07, "hatch": 0.10, "shifted": 0.07, "silhouette": 0.09}
PENS = {"vector": 0.34, "hand": 0.26, "sketch": 0.16, "brush": 0.12, "chalk": 0.12}
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
        self.axes_px = _rotation(degrees) @ self.axes_px

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
        reach, along = (width + height) / 2, _rotation(degrees)[0]
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
    rgb = np.empty((size_px[1], size_px[0], 3), np.uint8)
    rgb[:] = style.paper
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
    half_px = half_page_px.min() * rng.uniform(0.45, 0.92)
    stretch, slant = np.exp(rng.normal(0, 0.12)), rng.normal(0, 0.07)
    axes = np.array([[rng.choice([-1, 1]) * stretch, 0], [slant, 1 / stretch]]) * half_px
    center = half_page_px + rng.uniform(-1, 1, 2) * (half_page_px - half_px) * rng.uniform(0.2, 1)
    return Canvas(rgb, style, rng, center, axes @ _rotation(float(np.clip(rng.normal(0, 11), -32, 32))))


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


def chance(rng: Generator, share: float) -> bool:
    """True in ``share`` of the cases."""
    return bool(rng.random() < share)


# The kinds.


def house(pen: Canvas, rng: Generator) -> None:
    half, top, bottom, peak = rng.uniform(0.45, 0.85), rng.uniform(-0.35, 0.1), rng.uniform(0.65, 0.95), rng.uniform(-0.95, -0.6)
    eaves, ridge = half + rng.uniform(0, 0.2), rng.choice([0, 0, rng.uniform(0.15, 0.5)])
    if chance(rng, 0.5):
        x = rng.uniform(0.15, 0.6) * half
        pen.area(box(x, peak + 0.05, x + rng.uniform(0.12, 0.22), top), 2)
        if chance(rng, 0.5):
            pen.line(curve([(x + 0.1, peak), (x + 0.2, peak - 0.12), (x + 0.05, peak - 0.22), (x + 0.22, peak - 0.35)]), 0.7)
    pen.area(box(-half, top, half, bottom))
    pen.area([(-eaves, top), (-ridge, peak), (ridge, peak), (eaves, top)], 1)
    door, lintel, width = rng.uniform(-0.6, 0.3) * half, bottom - rng.uniform(0.35, 0.55), rng.uniform(0.2, 0.32)
    pen.area(box(door, lintel, door + width, bottom), 2, inner=True)
    for x in [door + width + 0.12, door - 0.4]:
        if x + 0.26 < half and x > -half + 0.04 and chance(rng, 0.8):
            _window(pen, rng, x, lintel - rng.uniform(0, 0.06), 0.26)
    if chance(rng, 0.35):
        pen.area(ellipse(0, (top + peak) / 2 + 0.08, 0.11, 0.11), 3, inner=True)


def _window(pen: Canvas, rng: Generator, x: float, y: float, side: float) -> None:
    pen.area(box(x, y, x + side, y + side), 3, inner=True)
    if chance(rng, 0.6):
        pen.line([(x + side / 2, y), (x + side / 2, y + side)], 0.6)
        pen.line([(x, y + side / 2), (x + side, y + side / 2)], 0.6)


def tree(pen: Canvas, rng: Generator) -> None:
    width, foot, fork = rng.uniform(0.08, 0.2), rng.uniform(0.85, 1.0), rng.uniform(0.1, 0.35)
    pen.area([(-width * 0.7, fork - 0.3), (width * 0.7, fork - 0.3), (width, foot - 0.1), (width * 1.7, foot), (-width * 1.7, foot), (-width, foot - 0.1)], 1)
    shape = rng.choice(["cloud", "fir", "round", "puffs"])
    reach = rng.uniform(0.5, 0.85)
    if shape == "fir":
        layers = int(rng.integers(2, 5))
        for i in range(layers):
            bottom, spread = fork + 0.1 - i * 1.0 / layers, reach * (1 - 0.2 * i)
            pen.area([(-spread, bottom), (0, bottom - 1.35 / layers - 0.1), (spread, bottom)])
    elif shape == "puffs":
        for x, y in [(-0.5, -0.1), (0.5, -0.1), (0, -0.5), (0, 0)]:
            pen.area(ellipse(x * reach, y, rng.uniform(0.35, 0.5), rng.uniform(0.32, 0.45)))
    else:
        lobes = int(rng.integers(6, 11))
        bumps = rng.uniform(0.86, 1.1, lobes * 2) if shape == "round" else np.where(np.arange(lobes * 2) % 2, 0.84, 1.08)
        angles = np.arange(lobes * 2) * np.pi / lobes
        pen.area(curve(np.column_stack([reach * np.cos(angles), rng.uniform(0.5, 0.68) * np.sin(angles)]) * bumps[:, None] + [0, fork - 0.6], True))
    if chance(rng, 0.35):
        for _ in range(rng.integers(3, 8)):
            pen.area(ellipse(rng.uniform(-0.6, 0.6) * reach, rng.uniform(-0.6, 0.0), 0.06, 0.06), 2, inner=True)


def fish(pen: Canvas, rng: Generator) -> None:
    length, height, tail = rng.uniform(0.55, 0.75), rng.uniform(0.25, 0.5), rng.uniform(0.2, 0.45)
    root, end = length * 0.85, rng.uniform(0.85, 1.0)
    pen.turn(rng.normal(0, 12))
    if chance(rng, 0.7):
        pen.area(curve([(-0.2, -height * 0.8), (0.05, -height - rng.uniform(0.1, 0.25)), (0.3, -height * 0.6)]), 1)
    pen.area([(root - 0.15, 0), (end, -tail), (end - rng.uniform(0, 0.2), 0), (end, tail)], 1)
    nose = rng.uniform(0, 0.25)
    pen.area(curve([(-length - nose, 0.02), (-length * 0.55, -height * 0.8), (0, -height), (length * 0.7, -0.12), (root, 0),
                    (length * 0.7, 0.12), (0, height), (-length * 0.55, height * 0.8)], True))
    eye = -length * rng.uniform(0.55, 0.75)
    if chance(rng, 0.5):
        pen.area(ellipse(eye, -height * 0.25, 0.09, 0.09), 3, inner=True)
    pen.dot(eye, -height * 0.25, rng.uniform(0.035, 0.06))
    pen.line(ellipse(-length * 0.55, 0, 0.2, height * 0.7, -60, 60), 0.8, inner=True)
    if chance(rng, 0.5):
        pen.line(curve([(-length - nose, 0.1), (-length * 0.85, 0.14), (-length * 0.75, 0.1)]), 0.7, inner=True)
    if chance(rng, 0.5):
        pen.area([(-0.15, 0.05), (0.15, 0.02 + height * 0.3), (0.12, height * 0.6)], 1, inner=True)
    if chance(rng, 0.35):
        for x in np.arange(-0.05, length * 0.7, rng.uniform(0.14, 0.25)):
            pen.line(ellipse(x, 0, 0.08, height * (0.75 - max(x, 0)), -80, 80), 0.7, inner=True)
    if chance(rng, 0.25):
        for i in range(3):
            pen.line(ellipse(-length - 0.3 - 0.05 * i, -0.25 - 0.2 * i, 0.05 + 0.02 * i, 0.05 + 0.02 * i, 0, 359), 0.6)


def car(pen: Canvas, rng: Generator) -> None:
    belt, floor, roof = rng.uniform(-0.1, 0.1), rng.uniform(0.35, 0.5), rng.uniform(-0.6, -0.35)
    front, back = rng.uniform(0.0, 0.45), rng.choice([rng.uniform(0.0, 0.3), 0.02])  # how far the windscreens lean
    left, right = rng.uniform(-0.65, -0.45), rng.choice([rng.uniform(0.35, 0.6), 0.9])
    cabin = np.array([(left, belt), (left + front, roof), (right - back, roof), (right, belt)])
    pen.area(curve(cabin) if chance(rng, 0.3) else cabin)
    nose, corner = rng.uniform(0.85, 1.0), rng.uniform(0.0, 0.18)
    pen.area([(-nose, belt + corner), (-nose + corner * 1.2, belt), (0.92, belt), (0.96, belt + 0.08), (0.96, floor), (-nose, floor)])
    middle = (left + front + right - back) / 2
    for x0, x1, lean in [(left + front + 0.02, middle - 0.04, front), (right - back - 0.02, middle + 0.04, -back)]:
        pen.area([(x0, roof + 0.1), (x1, roof + 0.1), (x1, belt - 0.03), (x0 - lean * 0.65, belt - 0.03)], 3, inner=True)
    radius, spread = rng.uniform(0.16, 0.27), rng.uniform(0.48, 0.62)
    for x in (-spread, spread):
        pen.area(ellipse(x, floor, radius, radius), 2)
        pen.area(ellipse(x, floor, radius * 0.5, radius * 0.5), 4, inner=True)
    if chance(rng, 0.6):
        pen.area(ellipse(-nose + 0.06, belt + corner + 0.12, 0.06, 0.06), 4, inner=True)
    if chance(rng, 0.5):
        pen.line([(middle, belt), (middle, floor - 0.05)], 0.7, inner=True)
        pen.line([(middle + 0.06, belt + 0.12), (middle + 0.18, belt + 0.12)], 0.8, inner=True)


def cup(pen: Canvas, rng: Generator) -> None:
    half, top, bottom = rng.uniform(0.4, 0.65), rng.uniform(-0.6, -0.3), rng.uniform(0.5, 0.75)
    taper, rim = rng.uniform(0.0, 0.3), rng.uniform(0.05, 0.16)
    if chance(rng, 0.4):
        pen.area(ellipse(0, bottom, half + rng.uniform(0.1, 0.35), 0.13), 1)
    middle, loop = (top + bottom) / 2 - 0.05, rng.uniform(0.2, 0.35)
    handle = np.vstack([ellipse(half - 0.08, middle, loop * 1.3, loop, -80, 80), ellipse(half - 0.08, middle, loop * 0.8, loop * 0.6, 80, -80)])
    pen.area(handle)
    if chance(rng, 0.6):
        pen.area(np.vstack([[(-half, top)], [(half, top)], ellipse(0, bottom - 0.08, half - taper, 0.1, 0, 180)]))
        pen.area(ellipse(0, top, half, rim), 2, inner=True)
    else:
        pen.area(curve([(half, top), (half - taper * 0.3, middle), (half - taper - 0.08, bottom), (-half + taper + 0.08, bottom),
                        (-half + taper * 0.3, middle), (-half, top)]))
    decoration = rng.choice(["none", "stripes", "heart", "dots"])
    if decoration == "stripes":
        for y in (middle, middle + 0.15):
            pen.line([(-half + taper * 0.5, y), (half - taper * 0.5, y)], 0.9, inner=True)
    elif decoration == "heart":
        pen.area(curve([(0, middle), (0.14, middle - 0.1), (0.2, middle + 0.04), (0, middle + 0.28), (-0.2, middle + 0.04), (-0.14, middle - 0.1)], True), 3, inner=True)
    elif decoration == "dots":
        for x in (-0.2, 0, 0.2):
            pen.dot(x * half * 2, middle + rng.uniform(-0.1, 0.2), 0.05)
    if chance(rng, 0.4):
        for x in np.array([-0.25, 0, 0.25])[: rng.integers(2, 4)]:
            pen.line(curve([(x, top - 0.12), (x + 0.08, top - 0.25), (x - 0.06, top - 0.38), (x + 0.04, top - 0.55)]), 0.8)


def face(pen: Canvas, rng: Generator) -> None:
    rx, ry = rng.uniform(0.6, 0.85), rng.uniform(0.68, 0.9)
    hair = rng.choice(["bald", "cap", "long", "spikes", "curls"])
    if hair == "long":
        pen.area(curve([(0, -ry - 0.12), (rx + 0.1, -0.4), (rx + 0.14, 0.75), (-rx - 0.14, 0.75), (-rx - 0.1, -0.4)], True), 1)
    if chance(rng, 0.5):
        for x in (-rx, rx):
            pen.area(ellipse(x, 0.02, 0.11, 0.16))
    if chance(rng, 0.25):
        pen.area(box(-0.2, 0.6, 0.2, 1.0))
    pen.area(ellipse(0, 0, rx, ry))
    if hair in ("cap", "long"):
        fringe = rng.uniform(-0.55, -0.3)
        pen.area(np.vstack([ellipse(0, -0.03, rx * 1.02, ry * 1.02, 200, 340), [(rx * 0.3, fringe), (-rx * 0.2, fringe - 0.15)]]), 1, inner=True)
    elif hair == "spikes":
        tips = ellipse(0, 0, rx, ry, 205, 335)
        tips[1::2] = tips[1::2] * rng.uniform(1.15, 1.35)
        pen.area(np.vstack([tips, [(0, -ry * 0.6)]]), 1)
    elif hair == "curls":
        for x, y in ellipse(0, 0, rx, ry, 190, 350)[::3]:
            pen.area(ellipse(x, y, 0.17, 0.17), 1)
    level, apart, eye = rng.uniform(-0.25, -0.05), rng.uniform(0.22, 0.36), rng.uniform(0.05, 0.1)
    for x in (-apart, apart):
        if chance(rng, 0.4):
            pen.area(ellipse(x, level, eye * 1.7, eye * 1.3), 4, inner=True)
        pen.dot(x, level, eye)
        pen.line([(x - 0.12, level - 0.18), (x + 0.12, level - 0.18 - rng.uniform(-0.06, 0.06))], 0.8, inner=True)
    if chance(rng, 0.2):
        for x in (-apart, apart):
            pen.line(ellipse(x, level, 0.2, 0.18, 0, 359), 0.9, inner=True)
        pen.line([(-apart + 0.2, level), (apart - 0.2, level)], 0.9, inner=True)
    if chance(rng, 0.7):
        pen.line(curve([(0, level + 0.1), (rng.uniform(-0.1, 0.1), 0.15), (0.06, 0.18)]), 0.8, inner=True)
    smile, mouth = rng.uniform(-0.12, 0.22), rng.uniform(0.18, 0.38)
    if chance(rng, 0.25):
        pen.area(ellipse(0, 0.45, mouth * 0.6, abs(smile) + 0.05), 3, inner=True)
    else:
        pen.line(curve([(-mouth, 0.42), (0, 0.42 + smile), (mouth, 0.42)]), 1.0, inner=True)


def star(pen: Canvas, rng: Generator) -> None:
    points, inner = int(rng.choice([4, 5, 5, 5, 5, 6, 7, 8])), rng.uniform(0.32, 0.6)
    pen.turn(rng.uniform(-25, 25))
    angles = -np.pi / 2 + np.arange(points * 2) * np.pi / points
    radius = np.where(np.arange(points * 2) % 2, inner, 1.0) * 0.92
    outline = np.column_stack([np.cos(angles), np.sin(angles)]) * radius[:, None]
    style = rng.choice(["plain", "plain", "round", "inner", "facets", "face"])
    pen.area(curve(outline, True, 4) if style == "round" else outline)
    if style == "inner":
        pen.area(outline * rng.uniform(0.45, 0.7), 1, inner=True)
    elif style == "facets":
        for point in outline:
            pen.line([(0, 0), point], 0.6, inner=True)
    elif style == "face":
        for x in (-0.15, 0.15):
            pen.dot(x, -0.1, 0.05)
        pen.line(ellipse(0, 0.05, 0.18, 0.14, 15, 165), 0.8, inner=True)
    if chance(rng, 0.2):
        for x, y in [(-0.8, 0.85), (0.85, 0.8), (0.9, -0.85)][: rng.integers(1, 4)]:
            pen.area(outline * 0.14 + [x, y], 2)


def arrow(pen: Canvas, rng: Generator) -> None:
    pen.turn(rng.choice([0, 90, 180, 270]) + rng.normal(0, 12))
    shaft, head, neck = rng.uniform(0.1, 0.3), rng.uniform(0.35, 0.75), rng.uniform(0.0, 0.45)
    notch, tail = rng.uniform(-0.05, 0.2), rng.uniform(-0.95, -0.7)
    shape = rng.choice(["block", "block", "line", "bent", "double", "feathered"])
    if shape == "block":
        pen.area([(tail, -shaft), (neck, -shaft), (neck - notch, -head), (0.95, 0), (neck - notch, head), (neck, shaft), (tail, shaft),
                  (tail + notch, 0)])
    elif shape == "double":
        pen.area([(-0.95, 0), (-neck - 0.2, -head), (-neck - 0.2, -shaft), (neck + 0.2, -shaft), (neck + 0.2, -head), (0.95, 0),
                  (neck + 0.2, head), (neck + 0.2, shaft), (-neck - 0.2, shaft), (-neck - 0.2, head)])
    elif shape == "bent":
        bend = ellipse(-0.2, 0.6, 0.7, 0.7 + shaft, 180, 290)
        inside = ellipse(-0.2, 0.6, 0.7 - 2 * shaft, 0.7 - shaft, 290, 180)
        tip = bend[-1] + [0.05, shaft]
        pen.area(np.vstack([bend, [tip + [0.05, -head], tip + [0.75, 0.1], tip + [0.05, head]], inside]))
    else:
        pen.line([(tail, 0), (0.9, 0)], 2.0)
        pen.line([(0.9 - head * 0.7, -head * 0.6), (0.92, 0), (0.9 - head * 0.7, head * 0.6)], 2.0)
        if shape == "feathered":
            for x in (tail, tail + 0.13, tail + 0.26):
                pen.line([(x - 0.12, -0.18), (x, 0), (x - 0.12, 0.18)], 1.2)


def flower(pen: Canvas, rng: Generator) -> None:
    y, size = rng.uniform(-0.45, -0.25), rng.uniform(0.4, 0.52)
    if chance(rng, 0.2):
        y, size = 0.0, 0.9
    else:
        lean = rng.uniform(-0.2, 0.2)
        pen.line(curve([(0, y), (lean, 0.4), (0, 1.0)]), rng.uniform(1.2, 2.2))
        for side in (-1, 1):
            if chance(rng, 0.75):
                base, out = rng.uniform(0.5, 0.8), rng.uniform(0.3, 0.5) * side
                pen.area(curve([(0, base), (out * 0.6, base - 0.28), (out, base - 0.2), (out * 0.6, base - 0.02)], True), 2)
    if chance(rng, 0.25):
        pen.area(curve([(0, y + size), (size * 0.8, y + 0.1), (size * 0.75, y - size * 0.8), (size * 0.35, y - 0.1), (0, y - size * 0.9),
                        (-size * 0.35, y - 0.1), (-size * 0.75, y - size * 0.8), (-size * 0.8, y + 0.1)], True, 5))
        return
    petals, core = int(rng.integers(5, 13)), rng.uniform(0.25, 0.45) * size
    long, wide = size * 0.55, size * rng.uniform(0.9, 1.5) * np.pi / petals / 1.6
    petal = ellipse(0, 0, long * 0.8, wide)
    for angle in np.arange(petals) * 360 / petals + rng.uniform(0, 60):
        pen.area((petal + [long, 0]) @ _rotation(angle) + [0, y])
    pen.area(ellipse(0, y, core, core), 1, inner=True)
    if chance(rng, 0.3):
        for _ in range(6):
            pen.dot(*rng.uniform(-0.5, 0.5, 2) * core + [0, y], 0.03)


def key(pen: Canvas, rng: Generator) -> None:
    pen.turn(rng.uniform(-180, 180))
    bow, shaft, start = rng.uniform(0.24, 0.36), rng.uniform(0.05, 0.1), -0.5
    teeth, depth = int(rng.integers(2, 5)), rng.uniform(0.15, 0.3)
    bits = [(0.95, -shaft), (0.95, shaft)]
    for i in range(teeth):
        x, w = 0.88 - i * 0.16, 0.08
        bits += [(x, shaft), (x, shaft + depth * rng.uniform(0.6, 1)), (x - w, shaft + depth * rng.uniform(0.6, 1)), (x - w, shaft)]
    pen.area([(start, -shaft), *bits, (start, shaft)])
    head = rng.choice(["round", "round", "square", "trefoil", "heart"])
    if head == "trefoil":
        for x, y in [(-0.8, 0), (-0.55, -0.2), (-0.55, 0.2)]:
            pen.area(ellipse(x, y, bow * 0.65, bow * 0.65))
            pen.area(ellipse(x, y, bow * 0.28, bow * 0.28), 1, inner=True)
        return
    if head == "heart":
        pen.area(curve([(-0.3, 0), (-0.65, bow * 1.2), (-0.95, bow * 0.7), (-0.85, 0), (-0.95, -bow * 0.7), (-0.65, -bow * 1.2)], True))
    else:
        pen.area(box(-0.65 - bow, -bow, -0.65 + bow, bow) if head == "square" else ellipse(-0.65, 0, bow, bow * rng.uniform(0.85, 1.3)))
    hole = bow * rng.uniform(0.35, 0.65)
    pen.area(ellipse(-0.68, 0, hole, hole), 1, inner=True)
    if chance(rng, 0.3):
        pen.line([(start + 0.25, -shaft * 2), (start + 0.25, shaft * 2)], 1.5)


def boat(pen: Canvas, rng: Generator) -> None:
    deck, keel, half = rng.uniform(0.3, 0.45), rng.uniform(0.7, 0.9), rng.uniform(0.7, 0.95)
    if chance(rng, 0.65):
        mast, x = rng.uniform(-1.0, -0.75), rng.uniform(-0.15, 0.15)
        pen.line([(x, deck), (x, mast)], 1.4)
        foot, out = deck - rng.uniform(0.05, 0.2), rng.uniform(0.5, 0.8) * half
        bulge = rng.uniform(0, 0.2)
        pen.area(curve([(x + 0.05, mast + 0.05), (x + out * 0.6 + bulge, (mast + foot) / 2), (x + out, foot)]) if bulge > 0.1 else
                 [(x + 0.05, mast + 0.05), (x + out, foot), (x + 0.05, foot)], 1)
        if chance(rng, 0.65):
            pen.area([(x - 0.06, mast + rng.uniform(0.1, 0.4)), (x - out * rng.uniform(0.6, 0.9), foot), (x - 0.06, foot)], 3)
        if chance(rng, 0.4):
            pen.area([(x, mast), (x - 0.25, mast + 0.08), (x, mast + 0.16)], 2)
    else:
        cabin, roof = rng.uniform(0.3, 0.5), deck - rng.uniform(0.25, 0.45)
        for x in np.array([-0.15, 0.15])[: rng.integers(1, 3)]:
            pen.area(box(x - 0.09, roof - rng.uniform(0.3, 0.5), x + 0.09, roof), 2)
        pen.area(box(-cabin, roof, cabin, deck), 3)
        for x in np.linspace(-cabin + 0.14, cabin - 0.14, int(rng.integers(2, 4))):
            pen.area(ellipse(x, (roof + deck) / 2, 0.07, 0.07), 4, inner=True)
    pen.area(curve([(-half, deck), (half, deck), (half * 0.65, keel), (-half * 0.65, keel)]) if chance(rng, 0.3) else
             [(-half, deck), (half, deck), (half * rng.uniform(0.5, 0.8), keel), (-half * rng.uniform(0.5, 0.8), keel)])
    if chance(rng, 0.4):
        pen.line([(-half * 0.85, deck + 0.13), (half * 0.85, deck + 0.13)], 0.8, inner=True)
    if chance(rng, 0.5):
        x = np.linspace(-1, 1, 17)
        pen.line(curve(np.column_stack([x, keel + 0.05 + 0.05 * (np.arange(17) % 2)])), 1.0)


def umbrella(pen: Canvas, rng: Generator) -> None:
    rim, top, half = rng.uniform(-0.1, 0.15), rng.uniform(-0.9, -0.6), rng.uniform(0.75, 0.98)
    hook, foot, side = rng.uniform(0.1, 0.18), rng.uniform(0.75, 0.9), rng.choice([-1, 1])
    pen.line(np.vstack([[(0, top - 0.12)], [(0, foot)], ellipse(side * hook, foot, -side * hook, hook, 0, -180)[1:]]), 1.5)
    gores = int(rng.integers(3, 7))
    sag = rng.uniform(0.05, 0.15)
    xs = np.linspace(half, -half, gores + 1)
    scallops = np.vstack([ellipse((a + b) / 2, rim, (a - b) / 2, sag, 0, -180)[:-1] for a, b in zip(xs, xs[1:])])
    dome = ellipse(0, rim, half, rim - top, 180, 360)
    pen.area(np.vstack([dome[:-1], scallops]))
    if chance(rng, 0.7):
        for x in xs[1:-1]:
            pen.line(curve([(0, top), (x * 0.75, (top * 0.6 + rim * 0.4)), (x, rim)]), 0.7, inner=True)
    if chance(rng, 0.25):
        for _ in range(8):
            x, y = rng.uniform(-1, 1), rng.uniform(0.3, 0.95)
            pen.line([(x, y), (x - 0.04, y + 0.13)], 0.6)


def duck(pen: Canvas, rng: Generator) -> None:
    head, neck, long = rng.uniform(0.2, 0.3), rng.uniform(-0.6, -0.35), rng.uniform(0.6, 0.75)
    if chance(rng, 0.4):
        for x in (-0.1, 0.18):
            pen.line([(x, 0.5), (x, 0.88), (x - 0.16, 0.92)], 1.2)
    pen.area(curve([(-0.42 - head * 0.8, neck), (-0.78 - rng.uniform(0, 0.2), neck + 0.1), (-0.42 - head * 0.7, neck + 0.16)]), 1)
    belly = rng.uniform(0.5, 0.65)
    pen.area(curve([(-0.25, neck + 0.1), (-0.15, 0.02), (0.3, -0.02), (long, -rng.uniform(0.05, 0.35)), (long + 0.12, 0.15), (0.45, belly - 0.08),
                    (-0.1, belly), (-0.5, belly - 0.2), (-0.58, 0.1), (-0.5, neck + 0.2)], True))
    pen.area(ellipse(-0.4, neck, head, head * rng.uniform(0.85, 1.05)))
    pen.dot(-0.4 - head * 0.3, neck - 0.06, rng.uniform(0.03, 0.055))
    if chance(rng, 0.8):
        pen.area(curve([(-0.15, 0.15), (0.2, 0.08), (0.5, 0.2), (0.15, 0.38)], True), 2, inner=True)
    if chance(rng, 0.25):
        pen.line([(-0.55, neck + head), (-0.28, neck + head)], 1.2, inner=True)
    if chance(rng, 0.4):
        x = np.linspace(-1, 1, 13)
        pen.line(curve(np.column_stack([x, belly - 0.02 + 0.04 * (np.arange(13) % 2)])), 1.0)


def chair(pen: Canvas, rng: Generator) -> None:
    seat, foot, top = rng.uniform(0.0, 0.2), rng.uniform(0.8, 0.98), rng.uniform(-0.98, -0.7)
    half, deep, shift, leg = rng.uniform(0.35, 0.5), rng.uniform(0.15, 0.3), rng.uniform(0.05, 0.3), rng.uniform(0.04, 0.09)
    x0, x1, y0 = -half + shift, half + shift, seat - deep
    for x, y in [(x0, y0), (x1 - 2 * leg, y0)]:
        pen.area(box(x, y, x + 2 * leg, foot - deep), 1)
    if chance(rng, 0.4):
        pen.area(curve([(x0, y0 + 0.05), (x0 - 0.02, top + 0.15), ((x0 + x1) / 2, top - 0.05), (x1 + 0.02, top + 0.15), (x1, y0 + 0.05)]))
    else:
        for x in np.linspace(x0, x1 - 2 * leg, int(rng.integers(2, 6))):
            pen.area(box(x, top, x + 2 * leg, y0), 1)
        pen.area(box(x0, top, x1, top + rng.uniform(0.12, 0.35)))
        if chance(rng, 0.4):
            pen.area(box(x0, (top + y0) / 2, x1, (top + y0) / 2 + 0.12))
    pen.area([(-half, seat), (x0, y0), (x1, y0), (half, seat)])
    pen.area(box(-half, seat, half, seat + rng.uniform(0.07, 0.16)))
    for x in (-half, half - 2 * leg):
        pen.area(box(x, seat + 0.1, x + 2 * leg, foot, leg * rng.uniform(0, 0.6)), 1)
    if chance(rng, 0.35):
        pen.line([(-half + leg, (seat + foot) / 2 + 0.1), (half - leg, (seat + foot) / 2 + 0.1)], 1.2)


def clock(pen: Canvas, rng: Generator) -> None:
    radius = rng.uniform(0.7, 0.82)
    shape = rng.choice(["wall", "wall", "alarm", "square"])
    if shape == "alarm":
        for side in (-1, 1):
            pen.line([(side * 0.4, 0.5), (side * 0.65, 0.95)], 2.2)
            pen.area(curve([(side * 0.2, -0.85), (side * 0.55, -0.95), (side * 0.8, -0.5)]), 2)
    pen.area(box(-radius, -radius, radius, radius) if shape == "square" else ellipse(0, 0, radius, radius), 1)
    dial = radius * rng.uniform(0.78, 0.92)
    pen.area(ellipse(0, 0, dial, dial), 0, inner=True)
    marks = rng.choice(["twelve", "four", "dots", "none"])
    ends = rays(0, 0, dial * 0.78, dial * 0.9, 4 if marks == "four" else 12)
    for inner, outer in ends if marks in ("twelve", "four") else []:
        pen.line([inner, outer], 1.0)
    for x, y in ends[:, 0] if marks == "dots" else []:
        pen.dot(x, y, 0.035, inner=False)
    for long, weight in [(rng.uniform(0.4, 0.55), 1.6), (rng.uniform(0.6, 0.75), 1.0)]:
        angle = rng.uniform(0, 2 * np.pi)
        pen.line([(0, 0), (dial * long * np.cos(angle), dial * long * np.sin(angle))], weight)
    pen.dot(0, 0, 0.05, inner=False)


def book(pen: Canvas, rng: Generator) -> None:
    half, tall = rng.uniform(0.45, 0.65), rng.uniform(0.6, 0.85)
    if chance(rng, 0.5):  # open
        wide, sag, lift = rng.uniform(0.75, 0.95), rng.uniform(0.08, 0.2), rng.uniform(0.0, 0.12)
        pen.area(box(-wide - 0.05, -tall * 0.65 + 0.05 - lift, wide + 0.05, tall * 0.65 + 0.06), 0)
        for side in (-1, 1):
            top = curve([(0, -tall * 0.6 + sag * 0.6), (side * wide * 0.4, -tall * 0.6 - sag * 0.4), (side * wide, -tall * 0.6 - lift)])
            bottom = (top + [0, tall * 1.2])[::-1]
            pen.area(np.vstack([top, bottom]), 4, inner=True)
            for i in range(rng.integers(0, 6)):
                y = -tall * 0.35 + i * 0.17
                pen.line([(side * wide * 0.2, y), (side * wide * rng.uniform(0.6, 0.85), y)], 0.7)
        return
    thick, lean = rng.uniform(0.1, 0.25), rng.uniform(0.05, 0.2)
    pen.area([(half, -tall + lean), (half + thick, -tall), (half + thick, tall - lean), (half, tall)], 4)
    pen.area([(-half, -tall + lean), (-half + thick, -tall), (half + thick, -tall), (half, -tall + lean)], 4)
    for f in (0.35, 0.7):
        pen.line([(half + thick * f, -tall + lean * (1 - f) + 0.03), (half + thick * f, tall - lean * f - 0.03)], 0.5)
    pen.area(box(-half, -tall + lean, half, tall))
    if chance(rng, 0.6):
        pen.area(box(-half, -tall + lean, -half + rng.uniform(0.1, 0.2), tall), 1)
    cover = rng.choice(["label", "lines", "emblem", "none"])
    if cover == "label":
        pen.area(box(-half * 0.4, -tall * 0.6, half * 0.7, -tall * 0.2), 4, inner=True)
    elif cover == "lines":
        for y in (-0.45, -0.3, -0.15):
            pen.line([(-half * 0.4, y), (half * rng.uniform(0.3, 0.8), y)], 1.0, inner=True)
    elif cover == "emblem":
        pen.area(ellipse(half * 0.15, -0.05, 0.2, 0.2), 2, inner=True)


def mushroom(pen: Canvas, rng: Generator) -> None:
    half, top, rim = rng.uniform(0.6, 0.95), rng.uniform(-0.9, -0.55), rng.uniform(-0.1, 0.15)
    stem, foot, bulb = rng.uniform(0.14, 0.3), rng.uniform(0.75, 0.95), rng.uniform(1.0, 1.5)
    pen.area(curve([(-stem, rim - 0.1), (stem, rim - 0.1), (stem * 0.9, (rim + foot) / 2), (stem * bulb, foot - 0.05), (0, foot),
                    (-stem * bulb, foot - 0.05), (-stem * 0.9, (rim + foot) / 2)], True), 1)
    if chance(rng, 0.3):
        pen.area(box(-stem * 1.5, rim + 0.15, stem * 1.5, rim + 0.28, -0.06), 1)
    power = rng.uniform(0.7, 1.2)  # below 1 boxy, above 1 pointed
    arc = np.linspace(np.pi, 2 * np.pi, 22)
    dome = np.column_stack([half * np.cos(arc), rim + (rim - top) * -np.abs(np.sin(arc)) ** power])
    under = rng.uniform(-0.05, 0.14)
    pen.area(np.vstack([dome, ellipse(0, rim, half, under, 0, 180)[1:-1]]))
    if chance(rng, 0.65):
        for _ in range(rng.integers(3, 7)):
            x = rng.uniform(-0.65, 0.65) * half
            spot = rng.uniform(0.05, 0.13)
            pen.area(ellipse(x, rim - (rim - top) * rng.uniform(0.25, 0.65), spot, spot * 0.85), 2, inner=True)
    elif chance(rng, 0.4):
        for x in np.linspace(-half * 0.8, half * 0.8, 9):
            pen.line([(x * 0.5, rim + 0.12), (x, rim)], 0.6, inner=True)
    if chance(rng, 0.3):
        for x in rng.uniform(-0.8, 0.8, 6):
            pen.line([(x, foot), (x + rng.uniform(-0.08, 0.08), foot - 0.2)], 0.8)


def leaf(pen: Canvas, rng: Generator) -> None:
    pen.turn(rng.normal(0, 45))
    wide, tip, stalk, fat = rng.uniform(0.3, 0.6), -0.92, rng.uniform(0.8, 1.0), rng.uniform(-0.2, 0.35)
    pen.line(curve([(0, 0.5), (rng.uniform(-0.1, 0.1), 0.75), (rng.uniform(-0.1, 0.1), stalk)]), 1.6)
    shape = rng.choice(["oval", "oval", "toothed", "maple"])
    if shape == "maple":
        lobes = [(0, -0.92), (0.15, -0.45), (0.5, -0.6), (0.4, -0.2), (0.9, -0.1), (0.5, 0.2), (0.55, 0.5), (0.05, 0.42)]
        right = np.array(lobes) * [rng.uniform(0.8, 1.05), 1] + rng.normal(0, 0.03, (8, 2)) * [1, 1]
        pen.area(curve(mirrored(right), True, 3) if chance(rng, 0.4) else mirrored(right))
    else:
        half = curve([(0, tip), (wide * 0.6, -0.5), (wide, fat), (wide * 0.55, 0.45), (0.02, 0.62)])
        if shape == "toothed":
            half[1:-1:2] += [0.06, -0.02]
        pen.area(mirrored(half))
    pen.line(curve([(0, 0.6), (rng.uniform(-0.04, 0.04), 0), (0, tip * 0.85)]), 1.0, inner=True)
    if chance(rng, 0.75):
        for y in np.linspace(-0.45, 0.4, int(rng.integers(3, 7))):
            out, rise = wide * 0.65 * (1 - abs(y) * 0.6), rng.uniform(0.1, 0.25)
            for side in (-1, 1):
                pen.line([(0, y), (side * out, y - rise)], 0.6, inner=True)


def cat(pen: Canvas, rng: Generator) -> None:
    rx, ry = rng.uniform(0.6, 0.85), rng.uniform(0.52, 0.7)
    tall, wide = rng.uniform(0.35, 0.6), rng.uniform(0.25, 0.4)
    for side in (-1, 1):
        ear = np.array([(side * rx * 0.95, 0.05), (side * (rx * 0.95), -ry - tall * 0.6), (side * (rx * 0.95 - wide * 1.5), -ry * 0.75)])
        pen.area(ear + [0, 0.15])
        if chance(rng, 0.5):
            pen.area((ear - ear.mean(0)) * 0.5 + ear.mean(0) + [0, 0.12], 1, inner=True)
    pen.area(ellipse(0, 0.15, rx, ry))
    level, apart, eye = rng.uniform(-0.05, 0.1), rng.uniform(0.25, 0.36), rng.uniform(0.06, 0.12)
    look = rng.choice(["dot", "slit", "closed"])
    for x in (-apart, apart):
        if look == "closed":
            pen.line(ellipse(x, level, eye * 1.3, eye, 10, 170), 1.0, inner=True)
            continue
        if look == "slit":
            pen.area(ellipse(x, level, eye * 1.4, eye * 1.1), 3, inner=True)
        pen.dot(x, level, eye * 0.6)
    pen.area([(-0.08, 0.25), (0.08, 0.25), (0, 0.34)], 1, inner=True)
    pen.line(curve([(-0.18, 0.42), (-0.08, 0.46), (0, 0.34), (0.08, 0.46), (0.18, 0.42)]), 0.8, inner=True)
    if chance(rng, 0.85):
        for side in (-1, 1):
            for dy in (-0.08, 0.02, 0.12)[: rng.integers(2, 4)]:
                pen.line([(side * 0.3, 0.35 + dy * 0.6), (side * rng.uniform(0.85, 1.05), 0.32 + dy * 2)], 0.6)
    if chance(rng, 0.35):
        for x in (-0.12, 0, 0.12):
            pen.line([(x, 0.15 - ry), (x * 0.8, 0.35 - ry)], 1.0, inner=True)


def guitar(pen: Canvas, rng: Generator) -> None:
    pen.turn(rng.choice([-35, 0, 35]) + rng.normal(0, 22))
    lower, upper, waist = rng.uniform(0.36, 0.5), rng.uniform(0.26, 0.38), rng.uniform(0.18, 0.26)
    neck, end = rng.uniform(0.05, 0.08), rng.uniform(-0.85, -0.7)
    pen.area(box(-neck, end, neck, 0.1), 1)
    pen.area(box(-neck * 1.8, end - 0.2, neck * 1.8, end + 0.02, neck * 0.6), 2)
    for y in (end - 0.15, end - 0.05) if chance(rng, 0.6) else ():
        for side in (-1, 1):
            pen.line([(side * neck * 1.5, y), (side * neck * 2.6, y)], 1.2)
    right = [(0.04, -0.08), (upper * 0.85, -0.03), (upper, 0.15), (waist, 0.38), (lower, 0.68), (lower * 0.7, 0.92), (0.04, 0.97)]
    pen.area(curve(mirrored(right), True))
    pen.area(ellipse(0, 0.3, *[rng.uniform(0.1, 0.16)] * 2), 3, inner=True)
    pen.area(box(-0.16, 0.66, 0.16, 0.74), 2, inner=True)
    for x in np.linspace(-neck * 0.6, neck * 0.6, int(rng.integers(0, 5))):
        pen.line([(x, end), (x, 0.68)], 0.4, inner=True)
    if chance(rng, 0.4):
        for y in np.linspace(end + 0.1, 0, 5):
            pen.line([(-neck, y), (neck, y)], 0.5, inner=True)


DRAWINGS = {  # label: what is drawn and its natural colours; the order is the order of the class sizes in the demo set
    "집": Drawing(house, "f2e2c4 c0553f 8a5a3a 9fd0e8 ffffff"),
    "face": Drawing(face, "f3c9a5 5a3b22 d9776b d9776b ffffff"),
    "나무": Drawing(tree, "4e9a45 7d5733 d2402f 4e9a45 ffffff"),
    "cup": Drawing(cup, "e8e8ef b9b9c9 6b4226 d2402f ffffff"),
    "star": Drawing(star, "f7c928 f9e08a f7c928 e69b1e ffffff"),
    "물고기": Drawing(fish, "ef8a3c e0b13c 4f93c8 ffffff ffffff"),
    "flower": Drawing(flower, "e5679b f4cf3a 58a14f 58a14f ffffff"),
    "car": Drawing(car, "cf3a34 3b6fb5 3a3a3f bfe0f0 e8e8d8"),
    "cat": Drawing(cat, "b98a5a e9a6a6 8a8a8a cfe08a ffffff"),
    "mushroom": Drawing(mushroom, "cf3a34 f0e4cc ffffff b07a4a ffffff"),
    "clock": Drawing(clock, "fbf7ea 8a5a3a d9a441 3b6fb5 ffffff"),
    "우산": Drawing(umbrella, "3b6fb5 cf3a34 e0b13c 4e9a45 ffffff"),
    "leaf": Drawing(leaf, "6bab3f 4e8a35 c98a2e b5482a ffffff"),
    "boat": Drawing(boat, "a5673f f5f1e4 cf3a34 e3eef5 bfe0f0"),
    "key": Drawing(key, "d9a83a ffffff b0b0b8 8a6a2a ffffff"),
    "book": Drawing(book, "3f6aa8 2d4d80 d9a441 c0553f f8f4e6"),
    "duck": Drawing(duck, "f6d743 ef8a3c efc02f ffffff ffffff"),
    "chair": Drawing(chair, "b07a4a 8a5a3a c98a5a 7d5733 ffffff"),
    "arrow": Drawing(arrow, "cf3a34 3b6fb5 4e9a45 3a3a3f ffffff"),
    "guitar": Drawing(guitar, "c98a3e 6b4226 4a2f1c 2a1a10 ffffff"),
}


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
DECOY_CHANCE = 0.07


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


def _rotation(degrees: float) -> np.ndarray:
    """(2, 2), for rows: ``points @ _rotation(90)`` takes right to down."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, s], [-s, c]])


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
    n = max(3, int(at[-1] / RESAMPLING_STEP))
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
    grain = rng.integers(0, 256, (min(height, 512), min(width, 512)), np.uint8)
    grain = cv2.GaussianBlur(grain, (0, 0), 0.7 * factor)
    holes = (grain < np.percentile(grain, rng.uniform(15, 40))).astype(np.uint8)
    tiled = np.tile(holes, (-(-height // 512), -(-width // 512)))[:height, :width] if max(height, width) > 512 else holes
    rgb[tiled > 0] = paper
