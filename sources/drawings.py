"""Twenty kinds of drawings, a few strokes each, with proportions and details that come out differently every time.

Each kind is a function of a `Canvas` and a random generator, in unit coordinates; which pen and colours it is drawn with is the canvas's
business. Some are alike on purpose: face, cat and clock; umbrella, mushroom and tree; leaf and fish; key, arrow and guitar.
"""

from itertools import pairwise

import numpy as np
from numpy.random import Generator

from sources.canvas import Canvas, Drawing, box, chance, curve, ellipse, mirrored, rays, rotation


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
    pen.area(mirrored([(width * 0.7, fork - 0.3), (width, foot - 0.1), (width * 1.7, foot)]), 1)
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
        crown = np.column_stack([reach * np.cos(angles), rng.uniform(0.5, 0.68) * np.sin(angles)]) * bumps[:, None]
        pen.area(curve(crown + [0, fork - 0.6], closed=True))
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
    outer, inner = ellipse(half - 0.08, middle, loop * 1.3, loop, -80, 80), ellipse(half - 0.08, middle, loop * 0.8, loop * 0.6, 80, -80)
    pen.area(np.vstack([outer, inner]))
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
        heart = curve([(0, 0), (0.14, -0.1), (0.2, 0.04), (0, 0.28), (-0.2, 0.04), (-0.14, -0.1)], closed=True)
        pen.area(heart + [0, middle], 3, inner=True)
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
        crown = ellipse(0, -0.03, rx * 1.02, ry * 1.02, 200, 340)
        pen.area(np.vstack([crown, [(rx * 0.3, fringe), (-rx * 0.2, fringe - 0.15)]]), 1, inner=True)
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
    pen.turn(rng.uniform(-15, 15))
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
    pen.turn(rng.choice([0, 0, 0, 0, -90, 90]) + rng.normal(0, 8))
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
    stalked = chance(rng, 0.8)
    if not stalked:
        y, size = 0.0, 0.9
    else:
        lean = rng.uniform(-0.2, 0.2)
        pen.line(curve([(0, y), (lean, 0.4), (0, 1.0)]), rng.uniform(1.2, 2.2))
        for side in (-1, 1):
            if chance(rng, 0.75):
                base, out = rng.uniform(0.5, 0.8), rng.uniform(0.3, 0.5) * side
                pen.area(curve([(0, base), (out * 0.6, base - 0.28), (out, base - 0.2), (out * 0.6, base - 0.02)], True), 2)
    if stalked and chance(rng, 0.25):  # a tulip
        pen.area(curve([(0, y + size), (size * 0.8, y + 0.1), (size * 0.75, y - size * 0.8), (size * 0.35, y - 0.1), (0, y - size * 0.9),
                        (-size * 0.35, y - 0.1), (-size * 0.75, y - size * 0.8), (-size * 0.8, y + 0.1)], True, 5))
        return
    petals, core = int(rng.integers(5, 13)), rng.uniform(0.25, 0.45) * size
    long, wide = size * 0.55, size * rng.uniform(0.9, 1.5) * np.pi / petals / 1.6
    petal = ellipse(0, 0, long * 0.8, wide)
    for angle in np.arange(petals) * 360 / petals + rng.uniform(0, 60):
        pen.area((petal + [long, 0]) @ rotation(angle) + [0, y])
    pen.area(ellipse(0, y, core, core), 1, inner=True)
    if chance(rng, 0.3):
        for _ in range(6):
            pen.dot(rng.uniform(-0.5, 0.5) * core, y + rng.uniform(-0.5, 0.5) * core, 0.03)


def key(pen: Canvas, rng: Generator) -> None:
    pen.turn(rng.normal(-40, 30))
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
        _waves(pen, keel + 0.05, 0.05)


def umbrella(pen: Canvas, rng: Generator) -> None:
    rim, top, half = rng.uniform(-0.1, 0.15), rng.uniform(-0.9, -0.6), rng.uniform(0.75, 0.98)
    hook, foot, side = rng.uniform(0.1, 0.18), rng.uniform(0.75, 0.9), rng.choice([-1, 1])
    pen.line(np.vstack([[(0, top - 0.12)], [(0, foot)], ellipse(side * hook, foot, -side * hook, hook, 0, -180)[1:]]), 1.5)
    gores = int(rng.integers(3, 7))
    sag = rng.uniform(0.05, 0.15)
    xs = np.linspace(half, -half, gores + 1)
    scallops = np.vstack([ellipse((a + b) / 2, rim, (a - b) / 2, sag, 0, -180)[:-1] for a, b in pairwise(xs)])
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
    tail = rng.uniform(-0.35, -0.05)
    pen.area(curve([(-0.25, neck + 0.1), (-0.15, 0.02), (0.3, -0.02), (long, tail), (long + 0.12, 0.15), (0.45, belly - 0.08),
                    (-0.1, belly), (-0.5, belly - 0.2), (-0.58, 0.1), (-0.5, neck + 0.2)], True))
    pen.area(ellipse(-0.4, neck, head, head * rng.uniform(0.85, 1.05)))
    pen.dot(-0.4 - head * 0.3, neck - 0.06, rng.uniform(0.03, 0.055))
    if chance(rng, 0.8):
        pen.area(curve([(-0.15, 0.15), (0.2, 0.08), (0.5, 0.2), (0.15, 0.38)], True), 2, inner=True)
    if chance(rng, 0.25):
        pen.line([(-0.55, neck + head), (-0.28, neck + head)], 1.2, inner=True)
    if chance(rng, 0.4):
        _waves(pen, belly - 0.02, 0.04)


def _waves(pen: Canvas, y: float, height: float) -> None:
    steps = np.arange(15)
    pen.line(curve(np.column_stack([steps / 7 - 1, y + height * (steps % 2)])))


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
    pen.turn(rng.normal(20, 25))
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
    pen.turn(rng.normal(20, 20))
    lower, upper, waist = rng.uniform(0.36, 0.5), rng.uniform(0.26, 0.38), rng.uniform(0.18, 0.26)
    neck, end, hole = rng.uniform(0.05, 0.08), rng.uniform(-0.85, -0.7), rng.uniform(0.1, 0.16)
    pen.area(box(-neck, end, neck, 0.1), 1)
    pen.area(box(-neck * 1.8, end - 0.2, neck * 1.8, end + 0.02, neck * 0.6), 2)
    for y in (end - 0.15, end - 0.05) if chance(rng, 0.6) else ():
        for side in (-1, 1):
            pen.line([(side * neck * 1.5, y), (side * neck * 2.6, y)], 1.2)
    right = [(0.04, -0.08), (upper * 0.85, -0.03), (upper, 0.15), (waist, 0.38), (lower, 0.68), (lower * 0.7, 0.92), (0.04, 0.97)]
    pen.area(curve(mirrored(right), True))
    pen.area(ellipse(0, 0.3, hole, hole), 3, inner=True)
    pen.area(box(-0.16, 0.66, 0.16, 0.74), 2, inner=True)
    for x in np.linspace(-neck * 0.6, neck * 0.6, int(rng.integers(0, 5))):
        pen.line([(x, end), (x, 0.68)], 0.4, inner=True)
    if chance(rng, 0.4):
        for y in np.linspace(end + 0.1, 0, 5):
            pen.line([(-neck, y), (neck, y)], 0.5, inner=True)


DRAWINGS = {  # label: what is drawn and its natural colours, the label of the largest class first
    "나무": Drawing(tree, "4e9a45 7d5733 d2402f 4e9a45 ffffff"),
    "face": Drawing(face, "f3c9a5 5a3b22 d9776b d9776b ffffff"),
    "cup": Drawing(cup, "e8e8ef b9b9c9 6b4226 d2402f ffffff"),
    "물고기": Drawing(fish, "ef8a3c e0b13c 4f93c8 ffffff ffffff"),
    "집": Drawing(house, "f2e2c4 c0553f 8a5a3a 9fd0e8 ffffff"),
    "flower": Drawing(flower, "e5679b f4cf3a 58a14f 58a14f ffffff"),
    "key": Drawing(key, "d9a83a ffffff b0b0b8 8a6a2a ffffff"),
    "star": Drawing(star, "f7c928 f9e08a f7c928 e69b1e ffffff"),
    "leaf": Drawing(leaf, "6bab3f 4e8a35 c98a2e b5482a ffffff"),
    "arrow": Drawing(arrow, "cf3a34 3b6fb5 4e9a45 3a3a3f ffffff"),
    "mushroom": Drawing(mushroom, "cf3a34 f0e4cc ffffff b07a4a ffffff"),
    "clock": Drawing(clock, "fbf7ea 8a5a3a d9a441 3b6fb5 ffffff"),
    "book": Drawing(book, "3f6aa8 2d4d80 d9a441 c0553f f8f4e6"),
    "boat": Drawing(boat, "a5673f f5f1e4 cf3a34 e3eef5 bfe0f0"),
    "duck": Drawing(duck, "f6d743 ef8a3c efc02f ffffff ffffff"),
    "chair": Drawing(chair, "b07a4a 8a5a3a c98a5a 7d5733 ffffff"),
    "car": Drawing(car, "cf3a34 3b6fb5 3a3a3f bfe0f0 e8e8d8"),
    "우산": Drawing(umbrella, "3b6fb5 cf3a34 e0b13c 4e9a45 ffffff"),
    "guitar": Drawing(guitar, "c98a3e 6b4226 4a2f1c 2a1a10 ffffff"),
    "cat": Drawing(cat, "b98a5a e9a6a6 8a8a8a cfe08a ffffff"),
}
