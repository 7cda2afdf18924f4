"""Matplotlib set up once for every figure: no display, a font with Hangul where labels need it, files written whole."""

import unicodedata
import warnings
from functools import cache
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import font_manager
from matplotlib.figure import Figure

from features.files import whole_file

HANGUL_FONTS = ("Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "NanumBarunGothic", "Nanum Gothic", "Malgun Gothic", "Apple SD Gothic Neo",
                "AppleGothic", "UnDotum", "Baekmuk Gulim", "Source Han Sans KR", "Noto Sans CJK JP", "Noto Sans CJK SC")
FONT_HINT = "no font with Hangul is installed, so Korean labels show as boxes in the figures; install one (Debian, Ubuntu: apt install fonts-nanum)"


@cache
def hangul_font() -> str:
    """The name of an installed font with Hangul, or an empty string."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    known = next((name for name in HANGUL_FONTS if name in installed), "")
    if known:
        return known
    for file in font_manager.findSystemFonts():  # fonts installed after Matplotlib wrote its list
        if any(word in Path(file).name.lower() for word in ("nanumgothic.", "notosanscjk-regular", "notosanskr", "malgun", "undotum")):
            font_manager.fontManager.addfont(file)
            return font_manager.FontProperties(fname=file).get_name()
    return ""


def needs_hangul(texts: list[str]) -> bool:
    """Whether some label cannot be shown without a Korean font."""
    return any("HANGUL" in unicodedata.name(c, "") for text in texts for c in text)


def font_notice(texts: list[str]) -> str:
    """What to tell the user about fonts for these labels; empty if all is well."""
    return FONT_HINT if needs_hangul(texts) and not hangul_font() else ""


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure whose texts can be Korean."""
    matplotlib.rcParams["font.family"] = [font for font in (hangul_font(), "DejaVu Sans") if font]
    matplotlib.rcParams["axes.unicode_minus"] = False
    return Figure(figsize=(width_in, height_in))


def save_figure(figure: Figure, file: Path) -> None:
    """Write a PNG, whole or not at all."""
    with whole_file(file) as fresh, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # told once, in words, by `font_notice`
        figure.savefig(fresh, format="png", dpi=110, bbox_inches="tight")
