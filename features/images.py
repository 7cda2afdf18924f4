"""File bytes → pixels: the only code that decodes a picture.

In: the bytes of one file. Out: a `Picture`: header facts and a reduced sRGB array, upright, on white, big enough
for every feature (`MIN_REDUCED_PX`), small enough to be cheap. JPEGs are decoded at DCT scale and large pictures averaged
in blocks. Pillow reads the header of every file and decodes what is unusual or damaged; what is neither goes to the
fastest decoder that gives the same pixels: OpenCV for JPEG, kornia-rs for PNG (its decoder is the Rust ``png`` crate).
"""

import io
import warnings
from dataclasses import dataclass

import cv2
import numpy as np
from kornia_rs.io import decode_image_png_u8
from PIL import Image

from features.errors import UnreadablePicture

MIN_REDUCED_PX = 256  # the longer side stays above it when a picture is averaged down: twice the tile, room for trimming
MIN_SCALED_PX = 128  # the shorter side stays above it when a JPEG is decoded at DCT scale
MAX_SUMMED_ROWS = 257  # of uint8, in uint16
MIN_SIDE_PX = 4  # below this there is no border, no content and no texture to speak of
DEFAULT_MAX_PIXELS = 100_000_000
TOO_LARGE = "too large"  # the one issue that depends on an option, so that caches do not keep it
ORIENTATION_TAG = 0x0112
TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
         6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}  # what makes each EXIF orientation upright
DCT_SCALES = {1: cv2.IMREAD_GRAYSCALE, 2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4, 8: cv2.IMREAD_REDUCED_GRAYSCALE_8}

SHOWN = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif", "BMP": "image/bmp",
         "AVIF": "image/avif"}  # what a browser shows as it is, by Pillow's name

Image.MAX_IMAGE_PIXELS = None  # our own limit below is exact and has a clear message
Image.init()  # registers the formats
NAMES = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "JPEG2000", "PPM", "TGA", "PCX", "ICO", "AVIF")
FORMATS = [str(name) for name in NAMES if name in Image.OPEN]  # not all that Pillow knows: for an EPS file it would start Ghostscript


@dataclass(frozen=True)
class Picture:
    """One decoded picture. ``rgb`` is (H, W, 3) uint8, sRGB, upright, on white, reduced; the rest describes the file."""

    format: str  # Pillow's name: JPEG, PNG, WEBP, GIF, BMP, TIFF, MPO …
    mode: str  # Pillow's mode of the stored pixels: L, RGB, RGBA, P, 1, I;16, CMYK …
    width: int  # px, upright
    height: int  # px, upright
    rgb: np.ndarray


def read_picture(data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """Decode one file's bytes.

    Raises `UnreadablePicture` with a reason a person can act on: empty, HTML, unknown bytes, truncated, too large
    (more than ``max_pixels``), too small (a side under `MIN_SIDE_PX`).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about odd EXIF and palettes; the pixels are what counts
        image = _open(data)
        width, height = image.size
        if width * height > max_pixels:
            raise UnreadablePicture(too_large(width, height, max_pixels))
        if min(width, height) < MIN_SIDE_PX:
            raise UnreadablePicture(f"too small: {width}x{height} px, at least {MIN_SIDE_PX}x{MIN_SIDE_PX} is needed")
        kind, mode = image.format or "unknown", image.mode
        try:
            rgb, turned = _reduced_rgb(image, data)
        except Exception as error:  # whatever a decoder raises on damaged data: the file gives no pixels
            raise UnreadablePicture(f"damaged {kind}: {_reason(error)}") from error
    return Picture(kind, mode, height if turned else width, width if turned else height, rgb)


def read_pixels(data: bytes) -> np.ndarray:
    """Every pixel as stored: (H, W) or (H, W, channels), not turned, not put on white. Raises `UnreadablePicture`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = _open(data)
        try:
            return np.asarray(image.convert("RGBA") if image.mode == "P" else image)
        except Exception as error:  # whatever a decoder raises on damaged data
            raise UnreadablePicture(f"damaged {image.format}: {_reason(error)}") from error


def shown_picture(data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS) -> tuple[bytes, str]:
    """A file's bytes and their media type as a browser can show them: as they are where it can, else as PNG. Raises `UnreadablePicture`."""
    picture = read_picture(data, max_pixels)
    if picture.format in SHOWN:
        return data, SHOWN[picture.format]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pixels = _pillow_pixels(_open(data))
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    return cv2.imencode(".png", bgr)[1].tobytes(), SHOWN["PNG"]


def too_large(width: int, height: int, max_pixels: int) -> str:
    """The issue of a picture over the limit; begins with `TOO_LARGE`."""
    return f"{TOO_LARGE}: {width}x{height} px is over the limit of {max_pixels:,} (--max-pixels)"


def _open(data: bytes) -> Image.Image:
    if not data:
        raise UnreadablePicture("empty file")
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception as error:  # parsers of 40 formats raise more than OSError on hostile headers
        head = data[:256].lstrip().lower()
        if head.startswith((b"<!doctype", b"<html", b"<?xml", b"<svg")):
            raise UnreadablePicture("not a picture: HTML or XML text under a picture's name") from error
        raise UnreadablePicture("not a picture: no known format in its bytes") from error


def _reduced_rgb(image: Image.Image, data: bytes) -> tuple[np.ndarray, bool]:
    """(H, W, 3) uint8 on white, and whether EXIF turned width into height."""
    pixels = fast_pixels(image, data)
    pixels = _averaged(_pillow_pixels(image) if pixels is None else pixels)
    orientation = _exif_orientation(image)
    if orientation != 1:  # not ImageOps.exif_transpose, which writes the EXIF block anew and fails on a damaged one
        pixels = np.asarray(Image.fromarray(pixels).transpose(TURNS[orientation]))
    return pixels if pixels.ndim == 3 else cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), orientation >= 5


def fast_pixels(image: Image.Image, data: bytes) -> np.ndarray | None:
    """What Pillow would decode, bit for bit (tested), by a faster decoder: (H, W, 3) or (H, W) uint8.

    None where there is no faster one: another format or mode, a transparent colour, or damage, about which Pillow says more.
    """
    if image.mode not in ("RGB", "L") or "transparency" in image.info:
        return None
    try:
        if image.format == "JPEG":
            colors = cv2.IMREAD_COLOR_RGB if image.mode == "RGB" else cv2.IMREAD_GRAYSCALE
            scaled = DCT_SCALES[_dct_scale(*image.size)] | colors | cv2.IMREAD_IGNORE_ORIENTATION
            return cv2.imdecode(np.frombuffer(data, np.uint8), scaled)
        if image.format == "PNG":
            pixels = decode_image_png_u8(data, (image.height, image.width), "rgb" if image.mode == "RGB" else "mono")
            return pixels if image.mode == "RGB" else pixels[..., 0]
    except Exception:  # both decoders raise bare exceptions
        return None
    return None


def _dct_scale(width: int, height: int) -> int:
    """1, 2, 4 or 8: the divisor that leaves the shorter side at least `MIN_SCALED_PX`."""
    return next((scale for scale in (8, 4, 2) if min(width, height) // scale >= MIN_SCALED_PX), 1)


def _pillow_pixels(image: Image.Image) -> np.ndarray:
    """(H, W, 3) or (H, W) uint8, on white."""
    if image.format in ("JPEG", "MPO"):
        image.draft(None, (MIN_SCALED_PX, MIN_SCALED_PX))
    image = _eight_bit(image)
    if image.mode == "RGBA":
        factor = _reduction(*image.size)
        image = image.reduce(factor) if factor > 1 else image  # weighted by alpha, as no other reduction here is
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return np.asarray(image)


def _averaged(pixels: np.ndarray) -> np.ndarray:
    """Blocks of whole pixels averaged so that the longer side stays above `MIN_REDUCED_PX`; what is left over at the edges is cut off evenly."""
    height, width = pixels.shape[:2]
    factor = _reduction(width, height)
    if factor == 1:
        return pixels
    rows, columns = height // factor, width // factor
    top, left = height % factor // 2, width % factor // 2
    pixels = pixels[top:top + rows * factor]
    across = slice(left, left + columns * factor)
    if factor == 2 or factor > MAX_SUMMED_ROWS:
        return cv2.resize(pixels[:, across], (columns, rows), interpolation=cv2.INTER_AREA)
    sums = pixels.reshape(rows, factor, -1).sum(axis=1, dtype=np.uint16).reshape(rows, *pixels.shape[1:])  # a third faster than cv2 alone
    return cv2.convertScaleAbs(cv2.resize(sums[:, across], (columns, rows), interpolation=cv2.INTER_AREA), alpha=1 / factor)


def _reduction(width: int, height: int) -> int:
    factor = max(width, height) // MIN_REDUCED_PX
    return factor if factor > 1 and min(width, height) >= factor else 1


def _exif_orientation(image: Image.Image) -> int:
    if "exif" not in image.info:  # TIFF too: Pillow turns it upright itself, size and pixels
        return 1
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # a broken EXIF block says nothing about the pixels
        return 1
    return int(value) if value in range(1, 9) else 1


def _eight_bit(image: Image.Image) -> Image.Image:
    """L, RGB or RGBA with the same look: palettes resolved, 16 bits to 8, floats and 32 bits stretched."""
    if image.mode in ("L", "RGB", "RGBA"):
        if "transparency" in image.info:  # a single colour of an RGB or gray PNG that means "nothing here"
            return image.convert("RGBA")
        image.load()
        return image
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        values = np.nan_to_num(np.asarray(image, np.float64), posinf=0, neginf=0)
        low, high = np.percentile(values, [0.1, 99.9])  # clip outliers before scaling (source E2)
        return Image.fromarray((np.clip((values - low) / max(high - low, 1e-9), 0, 1) * 255).astype(np.uint8))
    if image.mode in ("LA", "La", "PA", "RGBa") or (image.mode in ("P", "1") and "transparency" in image.info):
        return image.convert("RGBA")
    return image.convert("L" if image.mode == "1" else "RGB")


def _reason(error: Exception) -> str:
    text = (str(error).splitlines() or [type(error).__name__])[0]
    return "the file is cut off" if "truncated" in text.lower() else text[:120]
