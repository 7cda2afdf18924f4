"""Feature families: columns of fixed number and name, finite on any picture, equal to a library or to the slow definition.

The tile is tested here too, as what the families look at.
"""

import io
import re
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageDraw
from scipy import ndimage, stats
from skimage.feature import hog as reference_hog

from features.background import background, background_names
from features.color import (
    HUES,
    LAYOUT_SIDE,
    SATURATIONS,
    VALUES,
    color_layout,
    color_moments,
    color_moments_names,
    hsv_histogram,
    hsv_histogram_names,
)
from features.families import FAMILIES, family_columns, feature_matrix, feature_names
from features.images import Picture
from features.noise import CROP_PX, noise, noise_names
from features.palette import PRESENT_SHARE, TOP_COLORS, palette, palette_names
from features.shape import shape, shape_names
from features.texture import NEIGHBOURS, SCALES, UNIFORM_PATTERNS, pattern_codes
from features.tile import CONTENT_DIFFERENCE, TILE_PX, letterbox, make_tile, median_color
from features.view import View, make_view

seeds = st.integers(0, 2**32 - 1)


def picture_of(rgb: np.ndarray) -> Picture:
    return Picture("PNG", "RGB", rgb.shape[1], rgb.shape[0], np.ascontiguousarray(rgb, np.uint8))


def view_of(rgb: np.ndarray) -> View:
    return make_view(picture_of(rgb))


def view_of_gray(gray: np.ndarray) -> View:
    """A view whose tile is exactly this (128, 128) picture."""
    return make_view(picture_of(np.repeat(gray[..., None], 3, axis=2)), trim=False)


def family(name: str, view: View) -> np.ndarray:
    return FAMILIES[name].values(view)


def filled(height: int, width: int, color: int | tuple[int, int, int]) -> np.ndarray:
    return np.full((height, width, 3), color, np.uint8)


def one_pixel(height: int, width: int) -> np.ndarray:
    rgb = filled(height, width, 255)
    rgb[height // 2, width // 2] = 0
    return rgb


def drawn_mask(draw: Callable[[ImageDraw.ImageDraw], None]) -> np.ndarray:
    image = Image.new("L", (TILE_PX, TILE_PX))
    draw(ImageDraw.Draw(image))
    return np.asarray(image) > 0


def disc(x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:TILE_PX, :TILE_PX]
    return (columns - x)**2 + (rows - y)**2 <= radius**2


def named(values: np.ndarray, names: list[str]) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))


def named_family(name: str, view: View) -> dict[str, float]:
    return named(family(name, view), FAMILIES[name].names)


def reference(gray: np.ndarray) -> np.ndarray:
    return reference_hog(gray, 9, (16, 16), (2, 2), block_norm="L2-Hys")


def smooth_gray(seed: int) -> np.ndarray:
    """(128, 128) uint8 with gradients of every size: noise blurred by a random amount."""
    rng = np.random.default_rng(seed)
    blurred = ndimage.gaussian_filter(rng.normal(size=(TILE_PX, TILE_PX)), rng.choice([0, 1, 4]))
    return np.interp(blurred, (blurred.min(), blurred.max()), (0, 255)).astype(np.uint8)


ODD_PICTURES = {
    "all-white": filled(90, 120, 255), "all-black": filled(90, 120, 0), "one-colour": filled(200, 200, (10, 200, 60)),
    "one-black-pixel-on-white": one_pixel(100, 80), "one-pixel-in-the-corner": np.pad(filled(99, 99, 255), ((1, 0), (1, 0), (0, 0))),
    "smallest": filled(4, 4, 128), "smallest-noise": np.random.default_rng(1).integers(0, 256, (4, 4, 3), np.uint8),
    "thin-row": one_pixel(4, 400), "thin-column": one_pixel(400, 4), "averaged-to-one-row": filled(1, 275, (0, 0, 200)),
    "one-pixel": filled(1, 1, 9), "noise": np.random.default_rng(2).integers(0, 256, (300, 260, 3), np.uint8),
    "gray-noise": np.repeat(np.random.default_rng(3).integers(0, 256, (128, 128, 1), np.uint8), 3, axis=2),
    "checkerboard": np.repeat((np.indices((128, 128)).sum(0) % 2 * 255)[..., None], 3, axis=2).astype(np.uint8),
    "diagonal-line": np.repeat(np.where(np.eye(128, dtype=bool), 0, 255)[..., None], 3, axis=2).astype(np.uint8),
    "line-on-white": np.concatenate([filled(60, 128, 255), filled(1, 128, 0), filled(60, 128, 255)]),
    "dark-frame": np.pad(filled(60, 60, 250), ((20, 20), (20, 20), (0, 0))),
}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("rgb", ODD_PICTURES.values(), ids=ODD_PICTURES)
def test_every_family_gives_its_columns_on_any_picture(name: str, rgb: np.ndarray) -> None:
    """However odd the picture, a family gives one finite float32 per name."""
    values = family(name, view_of(rgb))
    assert values.dtype == np.float32
    assert values.shape == (len(FAMILIES[name].names),)
    assert np.isfinite(values).all()


@given(rgb=hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)), elements=st.sampled_from([0, 9, 200, 255])))
def test_any_pixels_give_a_finite_vector(rgb: np.ndarray) -> None:
    """No arrangement of pixels makes a NaN, an infinity or an exception."""
    vector = feature_matrix([view_of(rgb)])[0]
    assert vector.dtype == np.float32
    assert vector.shape == (len(feature_names()),)
    assert np.isfinite(vector).all()


def test_columns_are_unique_and_plain() -> None:
    """LightGBM, CSV and HTML ids can all carry the column names, and each name is one column."""
    names = feature_names()
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_]+", name) for name in names)
    assert all(name.count("__") == 1 for name in names), "the prefix ends at the only double underscore"


def test_family_columns_are_the_places_of_a_family(drawing: Callable) -> None:
    """What `family_columns` points at in the whole vector is what the family itself gives."""
    view = view_of(np.asarray(drawing(1)))
    vector = feature_matrix([view])[0]
    for name in FAMILIES:
        assert np.array_equal(vector[family_columns([name])], family(name, view))
    assert np.array_equal(family_columns(list(FAMILIES)), np.arange(len(vector)))


def test_a_row_depends_on_its_own_picture_alone(drawing: Callable) -> None:
    """Pictures measured together give the rows that each gives by itself; none gives no row."""
    views = [view_of(np.asarray(drawing(seed))) for seed in range(4)]
    assert np.array_equal(feature_matrix(views), np.concatenate([feature_matrix([view]) for view in views]))
    assert feature_matrix([]).shape == (0, len(feature_names()))


def test_features_do_not_change_what_they_look_at(drawing: Callable) -> None:
    """Families are pure: the same view gives the same vector again."""
    view = view_of(np.asarray(drawing(2)))
    assert np.array_equal(feature_matrix([view])[0], feature_matrix([view])[0])
    assert np.array_equal(view.picture.rgb, np.asarray(drawing(2)))


# HOG and edges


@given(seed=seeds)
def test_hog_is_the_reference_s_on_noise(seed: int) -> None:
    """The fast HOG equals the reference within 1e-4, for rough and for smooth pictures."""
    gray = smooth_gray(seed)
    assert np.abs(family("hog", view_of_gray(gray)) - reference(gray)).max() < 1e-4


@pytest.mark.parametrize("rgb", ODD_PICTURES.values(), ids=ODD_PICTURES)
def test_hog_is_the_reference_s_on_odd_pictures(rgb: np.ndarray) -> None:
    """The fast HOG equals the reference on flat, thin and saturated tiles too."""
    view = view_of(rgb)
    assert np.abs(family("hog", view) - reference(view.gray)).max() < 1e-4


@pytest.mark.parametrize("seed", range(6))
def test_hog_is_the_reference_s_on_drawings(seed: int, drawing: Callable) -> None:
    """The fast HOG equals the reference where the lines of a drawing are."""
    view = view_of(np.asarray(drawing(seed)))
    assert np.abs(family("hog", view) - reference(view.gray)).max() < 1e-4


@pytest.mark.parametrize(("axis", "degrees"), [pytest.param(1, 0, id="upright-stripes-change-along-x"), pytest.param(0, 80, id="level-stripes")])
def test_orientation_of_stripes_is_known(axis: int, degrees: int) -> None:
    """All gradient of stripes falls into the bin of their direction; 90 degrees lies in the bin that starts at 80."""
    gray = np.where(np.indices((TILE_PX, TILE_PX))[axis] // 8 % 2, 255, 0).astype(np.uint8)
    values = named_family("edges", view_of_gray(gray))
    assert values[f"orientation_{degrees}"] == pytest.approx(1)


@given(seed=seeds)
def test_orientation_shares_sum_to_one(seed: int) -> None:
    """They are shares of all gradient."""
    values = named_family("edges", view_of_gray(smooth_gray(seed)))
    assert sum(value for name, value in values.items() if name.startswith("orientation_")) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_tile_has_no_edges(level: int) -> None:
    """Without a change of gray, density and orientations are all zero."""
    assert not family("edges", view_of_gray(np.full((TILE_PX, TILE_PX), level, np.uint8))).any()


def test_edges_are_counted_where_they_are() -> None:
    """A square inside of one field of the 4 x 4 grid has its edges there and nowhere else; the overall density is the grid's mean."""
    gray = np.full((TILE_PX, TILE_PX), 255, np.uint8)
    gray[8:24, 40:56] = 0  # row 0, column 1
    values = named_family("edges", view_of_gray(gray))
    overall, *grid = (value for name, value in values.items() if name.startswith("density"))
    outline_share = 4 * 16 / (TILE_PX // 4)**2
    assert outline_share / 2 < values["density_r0c1"] < 2.5 * outline_share
    assert np.flatnonzero(grid).tolist() == [1]
    assert overall == pytest.approx(np.mean(grid), abs=1 / 255)


# Texture


def slow_codes(gray: np.ndarray) -> np.ndarray:
    codes = np.zeros((gray.shape[0] - 2, gray.shape[1] - 2), np.uint8)
    for y in range(1, gray.shape[0] - 1):
        for x in range(1, gray.shape[1] - 1):
            for bit, (dy, dx) in enumerate(NEIGHBOURS):
                codes[y - 1, x - 1] |= int(gray[y + dy, x + dx] >= gray[y, x]) << bit
    return codes


@given(gray=hnp.arrays(np.uint8, st.tuples(st.integers(3, 8), st.integers(3, 8)), elements=st.integers(0, 4), fill=st.nothing()))
def test_lbp_codes_are_the_double_loop_s(gray: np.ndarray) -> None:
    """Comparing shifted pictures gives what comparing pixel by pixel gives."""
    assert np.array_equal(pattern_codes(gray), slow_codes(gray))


def test_lbp_bins_are_the_uniform_patterns_and_the_rest() -> None:
    """The histogram is the share of each code with at most two changes around the circle, in order, and of all others; here at half size."""
    gray = smooth_gray(5)
    half = cv2.resize(gray, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    shares = np.bincount(slow_codes(half).ravel(), minlength=256) / (TILE_PX // 2 - 2)**2
    circle = [[code >> bit & 1 for bit in range(8)] for code in range(256)]
    uniform = np.array([sum(bits[k] != bits[k - 1] for k in range(8)) <= 2 for bits in circle])
    assert uniform.sum() == UNIFORM_PATTERNS
    values = named_family("lbp", view_of_gray(gray))
    assert [v for name, v in values.items() if name.startswith("s2_")] == pytest.approx(np.sqrt([*shares[uniform], shares[~uniform].sum()]), abs=1e-6)


@given(seed=seeds)
def test_lbp_squares_sum_to_one_at_each_scale(seed: int) -> None:
    """Square roots of shares: the squares of each scale's bins are all of its pixels."""
    values = named_family("lbp", view_of_gray(smooth_gray(seed)))
    for scale in SCALES:
        assert sum(v**2 for name, v in values.items() if name.startswith(f"s{scale}_")) == pytest.approx(1, abs=1e-5)


@given(seed=seeds, shift=st.integers(1, 100))
def test_lbp_does_not_see_brightness(seed: int, shift: int) -> None:
    """Adding a constant to every pixel leaves all codes as they are."""
    gray = smooth_gray(seed) // 2
    assert np.array_equal(pattern_codes(gray), pattern_codes(gray + np.uint8(shift)))


# Colour


@given(seed=seeds)
def test_hsv_squares_sum_to_one_and_ignore_places(seed: int) -> None:
    """The histogram counts every pixel once, wherever it is."""
    rng = np.random.default_rng(seed)
    hsv = rng.integers(0, [180, 256, 256], (40, 30, 3)).astype(np.uint8)
    values = hsv_histogram(hsv)
    assert (values.astype(float)**2).sum() == pytest.approx(1, abs=1e-5)
    assert np.array_equal(values, hsv_histogram(rng.permutation(hsv.reshape(-1, 3)).reshape(30, 40, 3)))


def test_hsv_bins_are_the_slow_loop_s() -> None:
    """Each pixel falls into the bin of its hue, saturation and value, in the order of the names."""
    hsv = np.random.default_rng(4).integers(0, [180, 256, 256], (20, 20, 3)).astype(np.uint8)
    counts: dict[str, int] = dict.fromkeys(hsv_histogram_names(), 0)
    for h, s, v in hsv.reshape(-1, 3).tolist():
        counts[f"h{h * HUES // 180}s{s * SATURATIONS // 256}v{v * VALUES // 256}"] += 1
    assert hsv_histogram(hsv)**2 * hsv[..., 0].size == pytest.approx(list(counts.values()), abs=1e-3)


def test_pure_red_is_one_bin() -> None:
    """A picture of one colour has its whole histogram in that colour's bin."""
    values = named(hsv_histogram(view_of(filled(50, 50, (255, 0, 0))).hsv), hsv_histogram_names())
    assert values.pop("h0s3v5") == 1
    assert not any(values.values())


@pytest.mark.parametrize("seed", range(5))
def test_color_moments_are_numpy_s_and_scipy_s(seed: int) -> None:
    """Moments from 256 counts equal those from the pixels."""
    rng = np.random.default_rng(seed)
    lab, hsv = (np.clip(rng.normal(rng.uniform(40, 200, 3), rng.uniform(1, 60, 3), (TILE_PX, TILE_PX, 3)), 0, 255).astype(np.uint8) for _ in range(2))
    pixels, saturation = lab.reshape(-1, 3) / 255, hsv[..., 1].ravel()
    expected = {"chroma": np.hypot(pixels[:, 1].std(), pixels[:, 2].std()), "saturation_mean": saturation.mean() / 255,
                "saturation_p90": np.quantile(saturation, 0.9, method="inverted_cdf") / 255, "gray_share": (saturation < 25.6).mean()}
    for channel, values in zip("Lab", pixels.T, strict=True):
        expected |= {f"mean_{channel}": values.mean(), f"deviation_{channel}": values.std(), f"skewness_{channel}": np.cbrt(stats.moment(values, 3))}
    assert named(color_moments(lab, hsv), color_moments_names()) == pytest.approx({n: expected[n] for n in color_moments_names()}, abs=1e-4)


def test_layout_is_the_mean_of_each_field() -> None:
    """The 8 x 8 thumbnail holds area means, to the rounding of 8 bits."""
    lab = np.random.default_rng(0).integers(0, 256, (TILE_PX, TILE_PX, 3), np.uint8)
    field = TILE_PX // LAYOUT_SIDE
    means = lab.reshape(LAYOUT_SIDE, field, LAYOUT_SIDE, field, 3).mean(axis=(1, 3)) / 255
    assert color_layout(lab) == pytest.approx(means.ravel(), abs=0.51 / 255)


# Palette, noise, background


@given(seed=seeds, levels=st.integers(1, 6))
def test_palette_is_what_np_unique_counts(seed: int, levels: int) -> None:
    """Numbers, shares and entropy of colours follow from a plain count of the colours at 16 levels a channel."""
    fields = np.random.default_rng(seed).choice(np.array([0, 15, 16, 17, 130, 255], np.uint8)[:levels], (16, 16, 3))
    _, counts = np.unique(fields.reshape(-1, 3) // 16, axis=0, return_counts=True)
    share = np.sort(counts)[::-1] / counts.sum()
    expected = {"log_present": np.log1p((share >= PRESENT_SHARE).sum()), "log_any": np.log1p(len(share)), "entropy": stats.entropy(share, base=2)}
    expected |= {f"top{n}": share[:n].sum() for n in TOP_COLORS}
    values = named(palette(np.kron(fields, np.ones((8, 8, 1), np.uint8))), palette_names())  # a tile of 8 px fields
    assert {name: values[name] for name in expected} == pytest.approx(expected, abs=1e-5)


def test_flat_areas_are_told_from_grain(noise_pixels: Callable) -> None:
    """The share of steps without a change is 1 on one colour, high on fields and next to nothing on noise."""
    one, fields, grain = (named(palette(rgb), palette_names())["flat_share"] for rgb in (
        filled(TILE_PX, TILE_PX, 9), np.kron(noise_pixels(0, 8, 8), np.ones((16, 16, 1), np.uint8)), noise_pixels(1, TILE_PX, TILE_PX)))
    assert one == 1
    assert 0.8 < fields < 1
    assert grain < 0.05


@pytest.mark.parametrize("shape_px", [pytest.param((64, 50), id="whole"), pytest.param((300, 250), id="middle-only")])
def test_noise_is_the_laplacian_of_the_middle(shape_px: tuple[int, int], noise_pixels: Callable) -> None:
    """Shares and quantiles are those of |Laplacian| by SciPy over the middle of the picture."""
    rgb = noise_pixels(1, *shape_px) // 4 + 90
    top, left = (max(0, (side - CROP_PX) // 2) for side in shape_px)
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[top:top + CROP_PX, left:left + CROP_PX]
    size = np.minimum(np.abs(ndimage.convolve(gray.astype(int), np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]), mode="mirror")), 255)
    expected = {"zero_share": (size == 0).mean(), "quiet_share": (size <= 3).mean(), "soft_share": (size <= 15).mean(), "deviation": gray.std() / 255,
                **{f"log_{name}": np.log1p(np.quantile(size, q, method="inverted_cdf")) for name, q in [("median", 0.5), ("p90", 0.9)]}}
    assert named(noise(rgb), noise_names()) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_grain_lowers_the_zero_share(seed: int, drawing: Callable) -> None:
    """A drawing has large areas of exactly nothing; a sensor's grain of two levels leaves few."""
    clean = np.asarray(drawing(seed, 200, 160))
    grain = np.random.default_rng(seed).normal(0, 2, clean.shape)
    grainy = np.clip(clean - 10 + grain, 0, 255).astype(np.uint8)
    assert named(noise(clean), noise_names())["zero_share"] > 0.7
    assert named(noise(grainy), noise_names())["zero_share"] < 0.3


def test_background_of_a_known_page() -> None:
    """A black box on a white page: its place, size, shares and logs are known."""
    rgb = filled(100, 200, 255)
    rgb[20:60, 50:150] = 0
    values = named(background(picture_of(rgb), make_tile(rgb)), background_names())
    margin = 2  # 1 px and 1 % of the content's longer side
    height, width = 40 + 2 * margin, 100 + 2 * margin
    assert values == pytest.approx({
        "white_share": 1 - 40 * 100 / width**2, "border_white_share": 1, "border_flat_share": 1, "border_r": 1, "border_g": 1, "border_b": 1,
        "box_height": height / 100, "box_width": width / 200, "box_area": height * width / 20000, "box_centre_y": 0.4, "box_centre_x": 0.5,
        "box_log_aspect": np.log(width / height), "log_aspect": np.log(2), "log_width": np.log(200), "log_height": np.log(100)}, abs=0.02)


# Shape


def blob(seed: int) -> np.ndarray:
    points = [tuple(p) for p in np.random.default_rng(seed).integers(44, 84, (5, 2)).tolist()]
    return drawn_mask(lambda pen: (pen.polygon(points, fill=1), pen.rectangle([44, 44, 55, 60], fill=1)))


def form(mask: np.ndarray) -> tuple[dict[str, float], tuple[float, float]]:
    """Everything but place: moments, parts, holes, solidity; and the centre in px of the tile."""
    values = {name: value for name, value in named(shape(mask), shape_names()).items() if not re.match("row|column", name)}
    return values, (values.pop("centre_x") * TILE_PX, values.pop("centre_y") * TILE_PX)


@given(dx=st.integers(-20, 20), dy=st.integers(-20, 20), seed=st.integers(0, 20))
def test_moving_a_blob_keeps_its_form(dx: int, dy: int, seed: int) -> None:
    """Translation by an even number of pixels changes the centre by exactly that much, and no moment, part, hole or solidity."""
    (before, (x, y)), (after, centre) = form(blob(seed)), form(np.roll(blob(seed), (2 * dy, 2 * dx), (0, 1)))
    assert centre == pytest.approx((x + 2 * dx, y + 2 * dy), abs=1e-3)
    assert after == pytest.approx(before, abs=1e-4)


@given(seed=st.integers(0, 20))
def test_moving_a_blob_by_one_pixel_nearly_keeps_its_form(seed: int) -> None:
    """Measuring at half the tile's side costs at most one of its pixels, and little form."""
    (before, (x, y)), (after, centre) = form(blob(seed)), form(np.roll(blob(seed), (1, 1), (0, 1)))
    assert centre == pytest.approx((x + 1, y + 1), abs=2)
    near = ["area", "nu20", "nu02", "nu11", "hu1", "solidity"]
    assert {name: after[name] for name in near} == pytest.approx({name: before[name] for name in near}, abs=0.15)


@pytest.mark.parametrize("turn", [pytest.param(lambda m: np.rot90(m), id="quarter-turn"), pytest.param(lambda m: np.rot90(m, 2), id="half-turn")])
def test_turning_a_blob_keeps_its_hu_moments(turn: Callable) -> None:
    """Hu's invariants do not see rotation."""
    triangle = drawn_mask(lambda pen: pen.polygon([(30, 30), (90, 40), (60, 100)], fill=1))
    hu = [shape_names().index(f"hu{i}") for i in range(1, 8)]
    assert shape(np.ascontiguousarray(turn(triangle)))[hu] == pytest.approx(shape(triangle)[hu], abs=1e-3)


@pytest.mark.parametrize(("mask", "parts", "holes", "largest"), [
    pytest.param(disc(64, 64, 40), 1, 0, 1, id="disc"),
    pytest.param(disc(64, 64, 40) & ~disc(64, 64, 20), 1, 1, 1, id="ring-has-a-hole"),
    pytest.param(disc(30, 30, 20) | disc(90, 90, 20), 2, 0, 0.5, id="two-discs-are-two-parts"),
    pytest.param(disc(64, 64, 60) & ~disc(40, 64, 10) & ~disc(88, 64, 10), 1, 2, 1, id="button-has-two-holes"),
    pytest.param(disc(64, 64, 40) | disc(5, 5, 1), 1, 0, 1, id="a-speck-is-no-part"),
    pytest.param((disc(64, 64, 60) & ~disc(64, 64, 50)) | disc(64, 64, 20), 2, 1, 0.9, id="a-part-inside-of-a-hole"),
])
def test_parts_and_holes_are_counted(mask: np.ndarray, parts: int, holes: int, largest: float) -> None:
    """Connected pieces and holes above the noise are counted, and the largest piece's share is known."""
    values = named(shape(mask), shape_names())
    assert values["log_parts"] == pytest.approx(np.log1p(parts))
    assert values["log_holes"] == pytest.approx(np.log1p(holes))
    assert values["largest_part_share"] == pytest.approx(largest, abs=0.02)


def test_a_disc_s_measures_are_known() -> None:
    """Area, centre, second moments, solidity and projections of a filled disc follow from its radius."""
    radius = 40
    values = named(shape(disc(64, 64, radius)), shape_names())
    assert values["area"] == pytest.approx(np.pi * radius**2 / TILE_PX**2, rel=0.02)
    assert (values["centre_x"], values["centre_y"]) == pytest.approx((0.5, 0.5), abs=1 / TILE_PX)
    assert (values["nu20"], values["nu02"], values["nu11"]) == pytest.approx((1 / (4 * np.pi), 1 / (4 * np.pi), 0), abs=1e-3)
    assert values["solidity"] == pytest.approx(1, abs=0.06)
    for axis in ("row", "column"):
        profile = np.array([values[f"{axis}{i}"] for i in range(16)])
        assert profile.mean() == pytest.approx(values["area"], abs=0.005)
        assert profile[0] == 0
        assert profile.argmax() in (7, 8)


def test_projections_say_where_the_content_is() -> None:
    """A bar across the top fills its sixteenths of the rows, and an equal part of every column."""
    mask = np.zeros((TILE_PX, TILE_PX), bool)
    mask[16:32] = True
    values = named(shape(mask), shape_names())
    assert [values[f"row{i}"] for i in range(16)] == pytest.approx([0, 0, 1, 1] + [0] * 12, abs=0.01)
    assert [values[f"column{i}"] for i in range(16)] == pytest.approx([2 / 16] * 16, abs=0.01)


def test_a_star_is_less_solid_than_its_hull() -> None:
    """Solidity tells a cross from a square."""
    cross = drawn_mask(lambda pen: (pen.rectangle([20, 54, 108, 74], fill=1), pen.rectangle([54, 20, 74, 108], fill=1)))
    assert named(shape(cross), shape_names())["solidity"] < 0.7


def test_nothing_has_no_shape() -> None:
    """An empty mask gives zeros."""
    assert not shape(np.zeros((TILE_PX, TILE_PX), bool)).any()


# Tile


@pytest.mark.parametrize("margins", [pytest.param((30, 30, 30, 30), id="even"), pytest.param((0, 100, 0, 10), id="on-two-sides-only"),
                                     pytest.param((200, 5, 40, 120), id="off-centre-on-a-page")])
@pytest.mark.parametrize("seed", range(3))
def test_extra_margin_is_trimmed_away(seed: int, margins: tuple[int, int, int, int], drawing: Callable) -> None:
    """The same drawing on a larger page gives the same tile."""
    rgb = np.asarray(drawing(seed))
    top, bottom, left, right = margins
    larger = np.pad(rgb, ((top, bottom), (left, right), (0, 0)), constant_values=255)
    assert np.array_equal(make_tile(larger).rgb, make_tile(rgb).rgb)
    assert not np.array_equal(make_tile(larger, trim=False).rgb, make_tile(rgb, trim=False).rgb), "without trimming the page is seen"


def test_jpeg_ringing_is_not_content(drawing: Callable, encoded: Callable) -> None:
    """Lossy compression moves no edge of the content box, so that the tile nearly stays."""
    image = drawing(4, 220, 180, 50)
    lossy = np.asarray(Image.open(io.BytesIO(encoded(image, "JPEG", quality=85))))
    exact, rough = make_tile(np.asarray(image)), make_tile(lossy)
    assert exact.box == pytest.approx(rough.box, abs=0.02)
    assert np.abs(exact.rgb.astype(int) - rough.rgb).mean() < 4


def test_a_photograph_is_not_trimmed(noise_pixels: Callable) -> None:
    """Where the border is not flat there is no margin: the whole picture is the content."""
    tile = make_tile(noise_pixels(0, 90, 120))
    assert tile.box == (0, 0, 1, 1)
    assert tile.border_flat_share < 0.9


@pytest.mark.parametrize("color", [(255, 255, 255), (0, 0, 0), (250, 3, 128)], ids=["white", "black", "between"])
def test_an_empty_page_is_all_background(color: tuple[int, int, int]) -> None:
    """With nothing on it, the page is its own box and its mask is empty, at both ends of the range of levels."""
    tile = make_tile(filled(60, 90, color))
    assert tile.box == (0, 0, 1, 1)
    assert tile.border_color == color
    assert not tile.mask.any()
    assert (tile.rgb == color).all()


def test_the_mask_is_what_differs_from_the_border() -> None:
    """A pixel is content from one level above the tolerance on, in any channel."""
    rgb = filled(TILE_PX, TILE_PX, (200, 100, 50))
    rgb[40:60, 40:60, 1] += CONTENT_DIFFERENCE
    rgb[80:100, 80:100, 2] += CONTENT_DIFFERENCE + 1
    expected = np.zeros((TILE_PX, TILE_PX), bool)
    expected[80:100, 80:100] = True
    assert np.array_equal(make_tile(rgb, trim=False).mask, expected)


@given(height=st.integers(1, 400), width=st.integers(1, 400))
def test_letterbox_keeps_the_aspect(height: int, width: int) -> None:
    """The picture fills the longer side, keeps its proportions to half a pixel, and lies in the middle."""
    square = letterbox(filled(height, width, 0), (255, 255, 255))
    assert square.shape == (TILE_PX, TILE_PX, 3)
    inside = square[..., 0] == 0
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    assert max(len(rows), len(columns)) == TILE_PX
    assert len(rows) == pytest.approx(max(1, TILE_PX * min(1, height / width)), abs=0.5)
    assert len(columns) == pytest.approx(max(1, TILE_PX * min(1, width / height)), abs=0.5)
    for filled_px in (rows, columns):
        assert abs(filled_px[0] - (TILE_PX - 1 - filled_px[-1])) <= 1


@given(pixels=hnp.arrays(np.uint8, st.tuples(st.just(1), st.integers(1, 20), st.just(3)), fill=st.nothing()))
def test_median_color_is_the_lower_median(pixels: np.ndarray) -> None:
    """Each channel's median, the lower of the two in the middle, by sorting."""
    assert median_color(pixels) == tuple(np.sort(pixels[0], axis=0)[(pixels.shape[1] - 1) // 2].tolist())
