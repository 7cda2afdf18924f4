"""The feature families, in the order of their columns. One line adds a family: a function of the `View` and its names."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from features.background import background, background_names
from features.color import color_layout, color_layout_names, color_moments, color_moments_names, hsv_histogram, hsv_histogram_names
from features.edges import edges, edges_names
from features.hog import hog, hog_names
from features.noise import noise, noise_names
from features.palette import palette, palette_names
from features.shape import shape, shape_names
from features.texture import lbp, lbp_names
from features.view import View


class Family(NamedTuple):
    """``values``: one picture's `View` → (n,) float32, always finite; ``names``: n column names without the prefix."""

    values: Callable[[View], np.ndarray]
    names: list[str]


FAMILIES: dict[str, Family] = {
    "background": Family(lambda v: background(v.picture, v.tile), background_names()),
    "palette": Family(lambda v: palette(v.tile.rgb), palette_names()),
    "noise": Family(lambda v: noise(v.picture.rgb), noise_names()),
    "moments": Family(lambda v: color_moments(v.lab, v.hsv), color_moments_names()),
    "shape": Family(lambda v: shape(v.tile.mask), shape_names()),
    "edges": Family(lambda v: edges(v.half, v.cells), edges_names()),
    "lbp": Family(lambda v: lbp(v.half), lbp_names()),
    "layout": Family(lambda v: color_layout(v.lab), color_layout_names()),
    "hsv": Family(lambda v: hsv_histogram(v.hsv), hsv_histogram_names()),
    "hog": Family(lambda v: hog(v.cells), hog_names()),
}


def feature_names() -> list[str]:
    """Every column as ``family__name``, in order; letters, digits and underscores only (LightGBM refuses more)."""
    return [f"{family}__{name}" for family, (_, names) in FAMILIES.items() for name in names]


def family_columns(families: list[str]) -> np.ndarray:
    """Indices of the columns of ``families`` in `feature_names`."""
    owner = np.array([name.split("__")[0] for name in feature_names()])
    return np.flatnonzero(np.isin(owner, families))


def feature_matrix(views: Sequence[View]) -> np.ndarray:
    """(len(views), n_features) float32: all families of every picture; a row depends on its own picture alone."""
    columns = [np.array([family.values(view) for view in views], np.float32).reshape(len(views), len(family.names)) for family in FAMILIES.values()]
    return np.concatenate(columns, axis=1)
