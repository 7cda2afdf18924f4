"""Decoding: every storage form of one drawing gives the same upright pixels on white, and damage gives a reason, never a crash."""

import io
import re
import struct
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from features.errors import UnreadablePicture
from features.images import MIN_SCALED_PX, MIN_SIDE_PX, Picture, fast_pixels, read_picture

ORIENTATION = 0x0112
UPRIGHT_TO_STORED = {  # what a camera held this way writes: the inverse of the turn that the tag asks for
    1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1), 7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: lambda a: np.rot90(a, -1)}


def tagged(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def on_white(image: Image.Image) -> np.ndarray:
    """(H, W, 3) float64: the oracle, alpha composited by its definition at full size."""
    rgba = np.asarray(image.convert("RGBA"), np.float64)
    alpha = rgba[..., 3:] / 255
    return rgba[..., :3] * alpha + 255 * (1 - alpha)


def transparent_half(drawing: Image.Image) -> Image.Image:
    """The drawing with its left half fully transparent and stored as black under the transparency."""
    rgba = np.array(drawing.convert("RGBA"))
    rgba[:, :rgba.shape[1] // 2] = 0
    return Image.fromarray(rgba)


def png(width: int, height: int, depth: int, color_type: int, rows: bytes, interlace: int = 0) -> bytes:
    """A PNG that Pillow itself cannot write, e.g. 16-bit RGB."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("format", "mode", "options", "tolerance"), [
    pytest.param("JPEG", "RGB", {"quality": 95, "subsampling": 0}, 6, id="jpeg-baseline"),
    pytest.param("JPEG", "RGB", {"quality": 95, "subsampling": 0, "progressive": True}, 6, id="jpeg-progressive"),
    pytest.param("JPEG", "CMYK", {"quality": 95, "subsampling": 0}, 6, id="jpeg-cmyk-from-print-shops-is-stored-inverted"),
    pytest.param("JPEG", "L", {"quality": 95}, 6, id="jpeg-gray"),
    pytest.param("PNG", "RGB", {}, 0, id="png"),
    pytest.param("PNG", "RGBA", {}, 0, id="png-opaque-alpha"),
    pytest.param("PNG", "L", {}, 0, id="png-gray"),
    pytest.param("PNG", "LA", {}, 0, id="png-gray-alpha"),
    pytest.param("PNG", "P", {}, 0, id="png-palette"),
    pytest.param("PNG", "1", {}, 0, id="png-one-bit-scan"),
    pytest.param("WEBP", "RGB", {"lossless": True}, 0, id="webp-lossless"),
    pytest.param("WEBP", "RGB", {"quality": 95}, 12, id="webp-lossy"),
    pytest.param("GIF", "P", {}, 0, id="gif"),
    pytest.param("GIF", "L", {}, 0, id="gif-gray"),
    pytest.param("BMP", "RGB", {}, 0, id="bmp"),
    pytest.param("BMP", "1", {}, 0, id="bmp-one-bit"),
    pytest.param("TIFF", "RGB", {}, 0, id="tiff"),
    pytest.param("TIFF", "RGB", {"compression": "tiff_lzw"}, 0, id="tiff-compressed-by-libtiff"),
    pytest.param("TIFF", "CMYK", {}, 0, id="tiff-cmyk"),
    pytest.param("TIFF", "1", {"compression": "group4"}, 0, id="tiff-fax"),
])
def test_every_way_to_store_a_drawing_gives_its_pixels(format: str, mode: str, options: dict, tolerance: int, drawing: Callable,
                                                       encoded: Callable) -> None:
    """What was stored comes back as RGB (to the codec's loss on average), with the file's format, mode and size."""
    stored = drawing(3).convert(mode)
    picture = read_picture(encoded(stored, format, **options))
    assert (picture.format, picture.mode) == (format, "P" if format == "GIF" else mode)
    assert (picture.width, picture.height) == stored.size
    assert picture.rgb.shape == (80, 96, 3)
    assert picture.rgb.dtype == np.uint8
    assert np.abs(picture.rgb - np.asarray(stored.convert("RGB"), float)).mean() <= tolerance


@pytest.mark.parametrize("make", [
    pytest.param(lambda d, e: e(transparent_half(d), "PNG"), id="png-rgba"),
    pytest.param(lambda d, e: e(transparent_half(d).convert("LA"), "PNG"), id="png-gray-alpha"),
    pytest.param(lambda d, e: e(transparent_half(d), "WEBP", lossless=True), id="webp-alpha"),
    pytest.param(lambda d, e: e(transparent_half(d), "TIFF"), id="tiff-alpha"),
    pytest.param(lambda d, e: e(transparent_half(d).quantize(32), "PNG"), id="png-palette-with-alpha-per-entry"),
    pytest.param(lambda d, e: e(transparent_half(d).convert("RGB"), "PNG", transparency=(0, 0, 0)), id="png-rgb-colour-key"),
    pytest.param(lambda d, e: e(transparent_half(d).convert("L"), "PNG", transparency=0), id="png-gray-key"),
    pytest.param(lambda d, e: e(transparent_half(d), "GIF"), id="gif-transparent-index"),
])
def test_fully_transparent_areas_are_white(make: Callable, drawing: Callable, encoded: Callable) -> None:
    """Whatever colour lies under full transparency, a viewer's white page shows through."""
    picture = read_picture(make(drawing(3), encoded))
    assert (picture.rgb[:, :48] == 255).all()
    assert (picture.rgb[:, 48:] < 128).any(), "the opaque half is still drawn"


def test_one_bit_transparency_is_white(encoded: Callable) -> None:
    """A scan whose ink colour is declared transparent is an empty page, even at one bit a pixel."""
    assert (read_picture(encoded(Image.new("1", (20, 10), 0), "PNG", transparency=0)).rgb == 255).all()


def test_half_transparent_black_is_mid_gray(encoded: Callable) -> None:
    """Alpha is a mixture with white, not a switch."""
    rgb = read_picture(encoded(Image.new("RGBA", (20, 10), (0, 0, 0, 128)))).rgb
    assert np.abs(rgb.astype(int) - 127).max() <= 1


@pytest.mark.parametrize("size", [pytest.param((40, 30), id="as-it-is"), pytest.param((1030, 700), id="reduced")])
def test_transparency_is_composited_by_its_definition(size: tuple[int, int], encoded: Callable) -> None:
    """Colour times alpha plus white times the rest, also where pixels of different alpha are averaged."""
    noise = np.random.default_rng(0).integers(0, 256, (*size[::-1], 4), np.uint8)
    image = Image.fromarray(noise)
    rgb = read_picture(encoded(image, compress_level=1)).rgb
    assert np.abs(rgb.mean((0, 1)) - on_white(image).mean((0, 1))).max() < 1
    if rgb.shape[:2] == noise.shape[:2]:
        assert np.abs(rgb - on_white(image)).max() <= 1


def test_sixteen_bit_gray_keeps_its_look(encoded: Callable) -> None:
    """A 16-bit gray ramp is the 8-bit ramp of its high bytes, from PNG and from TIFF in both byte orders."""
    ramp = np.linspace(0, 65535, 64 * 20).reshape(20, 64).astype(np.uint16)
    for data in (encoded(Image.fromarray(ramp), "PNG"), encoded(Image.fromarray(ramp), "TIFF"),
                 encoded(Image.frombytes("I;16B", (64, 20), ramp.astype(">u2").tobytes()), "TIFF")):
        picture = read_picture(data)
        assert picture.mode.startswith("I;16")
        assert np.array_equal(picture.rgb, np.repeat((ramp >> 8).astype(np.uint8)[..., None], 3, axis=2))


def test_sixteen_bit_rgb_keeps_its_look() -> None:
    """A 16-bit RGB PNG is the 8-bit picture of its high bytes."""
    values = np.random.default_rng(0).integers(0, 65536, (12, 10, 3), np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    assert np.abs(read_picture(png(10, 12, 16, 2, rows)).rgb.astype(int) - (values >> 8)).max() <= 1


@pytest.mark.parametrize(("mode", "scale"), [pytest.param("F", 1e-3, id="float-under-one"), pytest.param("F", 1e6, id="float-large"),
                                             pytest.param("I", 1000, id="32-bit")])
def test_float_and_wide_pixels_are_stretched_in_order(mode: str, scale: float, encoded: Callable) -> None:
    """Numbers with no agreed white keep their order and fill black to white, whatever their unit."""
    ramp = np.arange(400).reshape(20, 20) * scale
    rgb = read_picture(encoded(Image.fromarray(ramp.astype(np.float32 if mode == "F" else np.int32)), "TIFF")).rgb[..., 0].ravel()
    assert (np.diff(rgb.astype(int)) >= 0).all()
    assert rgb[0] == 0
    assert rgb[-1] == 255


def test_not_a_number_does_not_spoil_a_float_picture(encoded: Callable) -> None:
    """NaN and infinite pixels leave a readable picture."""
    ramp = np.arange(400, dtype=np.float32).reshape(20, 20)
    ramp[3, 3:6] = np.nan, np.inf, -np.inf
    rgb = read_picture(encoded(Image.fromarray(ramp), "TIFF")).rgb
    assert len(np.unique(rgb)) > 100, "the ordinary pixels are still told apart"


@pytest.mark.parametrize(("format", "options"), [pytest.param("GIF", {"duration": 50}, id="gif"), pytest.param("WEBP", {"lossless": True}, id="webp"),
                                                 pytest.param("PNG", {}, id="apng"), pytest.param("TIFF", {}, id="tiff-pages")])
def test_the_first_of_several_frames_is_the_picture(format: str, options: dict, drawing: Callable, encoded: Callable) -> None:
    """An animation or a document counts as its first frame."""
    first, others = drawing(1).quantize(32).convert("RGB"), [drawing(2), drawing(3)]
    animated = read_picture(encoded(first, format, save_all=True, append_images=others, **options))
    assert np.abs(animated.rgb.astype(int) - np.asarray(first)).max() <= 2


@given(width=st.integers(MIN_SIDE_PX, 700), height=st.integers(MIN_SIDE_PX, 700), mode=st.sampled_from(["RGB", "L"]),
       stored=st.sampled_from([("PNG", {}), ("PNG", {"compress_level": 0}), ("JPEG", {}), ("JPEG", {"progressive": True, "quality": 60})]))
@example(width=1500, height=1100, mode="RGB", stored=("JPEG", {}))
@example(width=127, height=1100, mode="L", stored=("JPEG", {}))
def test_the_faster_decoders_give_pillows_pixels(width: int, height: int, mode: str, stored: tuple[str, dict], drawing: Callable,
                                                   encoded: Callable) -> None:
    """Bit for bit, for JPEG at the DCT scale that Pillow's draft mode would take."""
    format, options = stored
    data = encoded(drawing(width, width, height, 0).convert(mode), format, **options)
    fast = fast_pixels(Image.open(io.BytesIO(data)), data)
    image = Image.open(io.BytesIO(data))
    image.draft(None, (MIN_SCALED_PX, MIN_SCALED_PX))
    assert np.array_equal(fast, np.asarray(image))


@pytest.mark.parametrize("keys", [{"mode": "RGBA"}, {"mode": "P"}, {"mode": "1"}, {"mode": "LA"}, {"transparency": (0, 0, 0)}, {"cut": True}],
                         ids=lambda keys: "-".join(map(str, keys.values())))
def test_what_is_unusual_or_damaged_is_left_to_pillow(keys: dict, drawing: Callable, encoded: Callable) -> None:
    """No faster decoder touches a PNG with transparency, a palette or an end that is missing."""
    options = {"transparency": keys["transparency"]} if "transparency" in keys else {}
    data = encoded(drawing(3).convert(keys.get("mode", "RGB")), "PNG", **options)
    data = data[:-40] if "cut" in keys else data
    assert fast_pixels(Image.open(io.BytesIO(data)), data) is None


def test_an_interlaced_png_is_the_same_picture(noise_pixels: Callable) -> None:
    """Adam7: seven coarser pictures, one after the other in the file."""
    pixels = noise_pixels(3, 21, 13)
    passes = [pixels[top::down, left::right] for top, left, down, right in
              [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]]
    rows = b"".join(b"\0" + row.tobytes() for part in passes for row in part)
    assert np.array_equal(read_picture(png(13, 21, 8, 2, rows, interlace=1)).rgb, pixels)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(512, 700), (1030, 777), (900, 3333), (66_000, 260)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_reduction_is_the_mean_of_whole_blocks(size: tuple[int, int], channels: int, encoded: Callable) -> None:
    """Against NumPy's mean over blocks, cut evenly at the edges, to one gray level."""
    width, height = size
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8).squeeze()
    factor = max(width, height) // 256
    rows, columns = height // factor, width // factor
    top, left = height % factor // 2, width % factor // 2
    blocks = pixels[top:top + rows * factor, left:left + columns * factor].reshape(rows, factor, columns, factor, channels)
    rgb = read_picture(encoded(Image.fromarray(pixels), "PNG", compress_level=0)).rgb
    assert rgb.shape == (rows, columns, 3)
    assert np.abs(rgb[..., :channels] - blocks.mean((1, 3))).max() <= 1.01


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_eight_orientations_are_one_upright_picture(format: str, orientation: int, drawing: Callable, encoded: Callable) -> None:
    """However the camera was held, the pixels and the sizes are those of the upright picture, as Pillow's own turning says."""
    upright = np.asarray(drawing(5))
    stored = Image.fromarray(np.ascontiguousarray(UPRIGHT_TO_STORED[orientation](upright)))
    options = {"PNG": {}, "WEBP": {"lossless": True}, "JPEG": {"quality": 95, "subsampling": 0}, "TIFF": {}}[format]
    options |= {"tiffinfo": {ORIENTATION: orientation}} if format == "TIFF" else {"exif": tagged(orientation)}
    data = encoded(stored, format, **options)
    picture = read_picture(data)
    assert (picture.width, picture.height) == (96, 80)
    oracle = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    assert np.array_equal(picture.rgb, oracle)
    assert np.abs(picture.rgb.astype(int) - upright).mean() <= (4 if format == "JPEG" else 0)


def test_orientation_survives_reduction(drawing: Callable, encoded: Callable) -> None:
    """A large turned photograph, decoded at a fraction of its size, is upright too."""
    upright = drawing(6, 1200, 900, 60)
    turned = Image.fromarray(np.ascontiguousarray(UPRIGHT_TO_STORED[6](np.asarray(upright))))
    for format in ("JPEG", "PNG", "TIFF"):
        options = {"tiffinfo": {ORIENTATION: 6}} if format == "TIFF" else {"exif": tagged(6)}
        picture, plain = read_picture(encoded(turned, format, **options)), read_picture(encoded(upright, format))
        assert (picture.width, picture.height) == (1200, 900)
        assert picture.rgb.shape == plain.rgb.shape
        assert np.abs(picture.rgb.astype(int) - plain.rgb).mean() < 2


@pytest.mark.parametrize("value", [0, 9, 65535], ids=lambda v: f"orientation-{v}")
def test_a_senseless_orientation_is_none(value: int, drawing: Callable, encoded: Callable) -> None:
    """Values outside of 1 … 8 leave the picture as it is stored."""
    plain, tagged_so = (read_picture(encoded(drawing(5), "PNG", **options)) for options in ({}, {"exif": tagged(value)}))
    assert np.array_equal(plain.rgb, tagged_so.rgb)


@given(flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6))
@example(flips=[(11, 0)])  # a text tag that claims to be numbers
def test_damaged_exif_never_costs_the_picture(flips: list[tuple[int, int]], drawing: Callable, encoded: Callable) -> None:
    """Whatever stands in the EXIF block, the pixels are read; only the turn may differ."""
    exif = tagged(6)
    exif[0x010F], exif[0x011A], exif[0x0132] = "maker", 72.0, "2024:01:01 00:00:00"
    exif.get_ifd(0x8769)[0x9003] = "2024:01:01 00:00:00"
    block = bytearray(exif.tobytes())
    for position, value in flips:
        block[6 + position % (len(block) - 6)] = value  # behind the name "Exif\0\0"
    plain = encoded(drawing(5), "JPEG")
    data = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + bytes(block) + plain[2:]
    assert sorted(read_picture(data).rgb.shape) == [3, 80, 96]


@pytest.mark.parametrize(("format", "mode", "options"), [
    pytest.param("JPEG", "RGB", {"quality": 90}, id="jpeg-decoded-at-dct-scale"),
    pytest.param("JPEG", "L", {"quality": 90, "progressive": True}, id="jpeg-gray-progressive"),
    pytest.param("JPEG", "CMYK", {"quality": 90}, id="jpeg-cmyk"),
    pytest.param("PNG", "RGB", {"compress_level": 1}, id="png-averaged"),
    pytest.param("PNG", "P", {}, id="palette-indices-are-not-averaged"),
    pytest.param("PNG", "1", {}, id="one-bit-becomes-gray"),
    pytest.param("PNG", "LA", {"compress_level": 1}, id="gray-alpha"),
    pytest.param("WEBP", "RGB", {"method": 0}, id="webp"),
    pytest.param("TIFF", "CMYK", {}, id="tiff-cmyk"),
])
@pytest.mark.parametrize("size", [pytest.param((1234, 877), id="page"), pytest.param((2400, 600), id="banner")])
def test_a_large_picture_is_reduced_without_changing_its_mean(size: tuple[int, int], format: str, mode: str, options: dict, drawing: Callable,
                                                             encoded: Callable) -> None:
    """Cheap decoding keeps the brightness of the full decode, and the aspect."""
    data = encoded(drawing(7, *size, 20).convert(mode), format, **options)
    picture = read_picture(data)
    full = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float64)
    assert (picture.width, picture.height) == size
    height, width = picture.rgb.shape[:2]
    assert max(height, width) < max(size), "it was reduced"
    assert width / height == pytest.approx(size[0] / size[1], rel=0.03)
    assert np.abs(picture.rgb.mean((0, 1)) - full.mean((0, 1))).max() < 1.5


@given(width=st.integers(MIN_SIDE_PX, 1600), height=st.integers(MIN_SIDE_PX, 1600), format=st.sampled_from(["JPEG", "PNG"]))
@example(width=255, height=4, format="PNG")
@example(width=1600, height=127, format="JPEG")
@example(width=1023, height=1023, format="JPEG")
def test_reduction_leaves_enough_for_a_tile(width: int, height: int, format: str, encoded: Callable) -> None:
    """The longer side never falls under a tile's 128 px by reduction, and the original's facts are kept."""
    picture = read_picture(encoded(Image.new("L", (width, height), 77), format))
    assert (picture.width, picture.height) == (width, height)
    assert max(picture.rgb.shape[:2]) >= min(128, max(width, height))
    assert max(picture.rgb.shape[:2]) <= max(width, height)
    assert np.abs(picture.rgb.astype(int) - 77).max() <= 1


@pytest.mark.parametrize(("data", "reason"), [
    pytest.param(b"", "empty file", id="empty"),
    pytest.param(b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "HTML or XML text", id="error-page-saved-as-picture"),
    pytest.param(b"\r\n  <HTML>moved</HTML>", "HTML or XML text", id="html-in-capitals"),
    pytest.param(b'<?xml version="1.0"?><Error>AccessDenied</Error>', "HTML or XML text", id="cloud-storage-error"),
    pytest.param(b'<svg xmlns="http://www.w3.org/2000/svg"/>', "HTML or XML text", id="svg"),
    pytest.param(np.random.default_rng(0).bytes(4000), "no known format", id="random-bytes"),
    pytest.param(b"\0" * 4000, "no known format", id="zeros-of-a-failed-download"),
    pytest.param(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "no known format", id="git-lfs-pointer"),
])
def test_what_is_no_picture_says_what_it_is(data: bytes, reason: str) -> None:
    """Bytes of no picture format are refused with a reason that a person can act on."""
    with pytest.raises(UnreadablePicture, match=reason):
        read_picture(data)


@pytest.mark.parametrize(("format", "kept", "reason"), [
    pytest.param("JPEG", 0.5, "damaged JPEG: the file is cut off", id="jpeg-half"),
    pytest.param("JPEG", 0.9, "damaged JPEG: the file is cut off", id="jpeg-nearly-whole"),
    pytest.param("JPEG", 0.01, "no known format", id="jpeg-first-bytes"),
    pytest.param("PNG", 0.5, "damaged PNG: the file is cut off", id="png-half"),
    pytest.param("PNG", 0.95, "damaged PNG: the file is cut off", id="png-nearly-whole"),
    pytest.param("PNG", 0.0005, "no known format", id="png-signature-only"),
    pytest.param("GIF", 0.5, "damaged GIF", id="gif-half"),
    pytest.param("WEBP", 0.5, "damaged WEBP|no known format", id="webp-half"),
    pytest.param("BMP", 0.5, "damaged BMP", id="bmp-half"),
    pytest.param("TIFF", 0.5, "damaged TIFF|no known format", id="tiff-half"),
])
def test_a_cut_off_file_is_damaged(format: str, kept: float, reason: str, noise_pixels: Callable, encoded: Callable) -> None:
    """A download that stopped is refused, not read as a picture with a gray rest."""
    data = encoded(Image.fromarray(noise_pixels()), format)
    assert read_picture(data).format == format, "whole, it is readable"
    with pytest.raises(UnreadablePicture, match=reason):
        read_picture(data[:int(len(data) * kept)])


@pytest.mark.parametrize(("size", "reason"), [((1, 1), "too small: 1x1 px, at least 4x4"), ((300, 3), "too small: 300x3 px"),
                                              ((3, 300), "too small: 3x300 px")], ids=["tracking-pixel", "rule", "bar"])
def test_a_sliver_is_too_small(size: tuple[int, int], reason: str, encoded: Callable) -> None:
    """A picture without room for a border and content is refused with its size."""
    with pytest.raises(UnreadablePicture, match=reason):
        read_picture(encoded(Image.new("RGB", size)))


def test_too_many_pixels_are_refused_by_the_header_alone(drawing: Callable, encoded: Callable) -> None:
    """The limit holds exactly, names the option, and looks at no pixel: a header that promises 16 Gpx is refused at once."""
    data = encoded(drawing(0))
    assert read_picture(data, max_pixels=96 * 80).width == 96
    with pytest.raises(UnreadablePicture, match=re.escape("too large: 96x80 px is over the limit of 7,679 (--max-pixels)")):
        read_picture(data, max_pixels=96 * 80 - 1)
    with pytest.raises(UnreadablePicture, match="too large: 128000x128000 px is over the limit of 100,000,000"):
        read_picture(png(128_000, 128_000, 8, 2, b""))


@cache
def small_files() -> list[bytes]:
    """One small valid file per decoder, with the optional blocks that a decoder may stumble over."""
    rng = np.random.default_rng(0)
    image = Image.fromarray(np.kron(rng.integers(0, 256, (4, 5, 3), np.uint8), np.ones((6, 6, 1), np.uint8)))
    files = [("JPEG", "RGB", {"exif": tagged(6)}), ("JPEG", "CMYK", {"progressive": True}), ("PNG", "RGBA", {"exif": tagged(3)}),
             ("PNG", "P", {"transparency": 1}), ("PNG", "I;16", {}), ("GIF", "P", {"save_all": True, "append_images": [image.rotate(90)]}),
             ("WEBP", "RGBA", {"exif": tagged(8)}), ("WEBP", "RGB", {"save_all": True, "append_images": [image.rotate(90)]}),
             ("TIFF", "RGB", {"tiffinfo": {ORIENTATION: 5}}), ("TIFF", "RGB", {"compression": "tiff_lzw"}), ("TIFF", "F", {}),
             ("PNG", "RGB", {}), ("PNG", "L", {}), ("JPEG", "L", {})]
    encoded = []
    for format, mode, options in files:
        buffer = io.BytesIO()
        stored = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
        stored.save(buffer, format, **options)
        encoded.append(buffer.getvalue())
    return encoded


def fix_png_checksums(data: bytes) -> bytes:
    """With valid checksums a changed PNG gets further into the decoder."""
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        length = min(int.from_bytes(data[at:at + 4], "big"), len(data) - at - 12)
        body = data[at + 4:at + 8 + length]
        out += data[at:at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(out)


@given(which=st.integers(0, 13), flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
       kept=st.one_of(st.just(1.0), st.floats(0, 1)), repaired=st.booleans())
def test_any_damage_gives_pixels_or_a_reason(which: int, flips: list[tuple[float, int]], kept: float, repaired: bool) -> None:
    """Flipped bytes and cuts anywhere end in a `Picture` of (H, W, 3) uint8 or in `UnreadablePicture`, in nothing else."""
    data = bytearray(small_files()[which])
    for position, value in flips:
        data[int(position * len(data))] = value
    damaged = bytes(data[:int(kept * len(data))])
    if repaired and damaged.startswith(b"\x89PNG"):
        damaged = fix_png_checksums(damaged)
    try:
        picture = read_picture(damaged, max_pixels=200_000)
    except UnreadablePicture:
        return
    assert isinstance(picture, Picture)
    assert picture.format
    assert picture.mode
    assert picture.rgb.dtype == np.uint8
    assert picture.rgb.ndim == 3
    assert picture.rgb.shape[2] == 3
    assert picture.rgb.size
    assert min(picture.width, picture.height) >= MIN_SIDE_PX
