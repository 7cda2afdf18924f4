"""Charts: axes whose ticks are round and inside, marks where their numbers are, texts that cannot break out."""

import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reports.charts import Axis, Line, Row, bar, histogram, linear_axis, lines, log_axis, reliability, rows, strip, tenths, whisker

numbers = st.floats(-1e6, 1e6)
HARM = '"><script>alert(1)</script>'


def parsed(markup: str) -> ElementTree.Element:
    """The markup as XML; raises where it is none."""
    return ElementTree.fromstring(f"<all>{markup}</all>")


@given(numbers, st.floats(1e-3, 1e6))
def test_ticks_are_few_round_and_inside(low: float, width: float) -> None:
    """An axis has at most the wished number of ticks, evenly spaced, all between its ends, which are 0 and 100 %."""
    assume(width > 1e-6 * abs(low))
    axis = linear_axis(low, low + width)
    values = [value for value, _ in axis.ticks]
    assert 1 <= len(values) <= 7
    assert all(low - 1e-6 * width <= v <= low + width * (1 + 1e-6) for v in values)
    assert np.ptp(np.diff(values)) <= 1e-6 * width if len(values) > 2 else True
    assert (axis.at(low), axis.at(low + width)) == (0, 100)


def test_equal_ratios_are_equally_far_apart() -> None:
    """On an axis of pixels, and values beyond its ends are cut off."""
    axis = log_axis(100, 1600)
    assert axis.at(400) == 50
    assert (axis.at(1), axis.at(10**6)) == (0, 100)
    assert [text for _, text in axis.ticks] == ["128", "300", "700", "1,500"]


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=6))
def test_a_bar_is_as_wide_as_its_amounts(amounts: list[float]) -> None:
    """Parts of a bar lie beside each other and are together the whole width."""
    whole = sum(amounts)
    found = [(float(r.get("x")[:-1]), float(r.get("width")[:-1])) for r in parsed(bar([(a, "c1") for a in amounts], whole))]
    assert sum(width for _, width in found) == pytest.approx(100 if whole else 0, abs=0.1)
    for (x, width), (after, _) in itertools.pairwise(found):
        assert after >= x + width - 0.05


def test_marks_are_where_their_numbers_are() -> None:
    """A dot at its value and its interval around it; no interval where it is not known; a strip's line at the median."""
    axis = Axis(0, 2, ())
    dot = parsed(whisker(axis, 1, 0.5, 1.5))
    assert dot.find("circle").get("cx") == "50.0%"
    assert (dot.find("g/line").get("x1"), dot.find("g/line").get("x2")) == ("25.0%", "75.0%")
    assert parsed(whisker(axis, 1, float("nan"), float("nan"))).find("g") is None
    assert parsed(strip(axis, tenths(np.array([0, 0.5, 2])))).find("line").get("x1") == "25.0%"


def test_a_histogram_parts_its_bars_at_the_cut() -> None:
    """Empty bins have no bar, the bars below the cut another colour, and the highest bar the whole height."""
    chart = parsed(histogram([4, 0, 1], [0, 1, 2, 3], 1.5, "told", ("x", "y")))
    bars = [(r.get("class"), float(r.get("height"))) for r in chart.iter("rect")]
    assert [look for look, _ in bars] == ["c2", "c1"]
    assert bars[0][1] == 2 * bars[1][1]


def test_texts_are_texts() -> None:
    """Labels, titles and what is told to screen readers are escaped, and every chart is well-formed."""
    axis = linear_axis(0, 1)
    charts = [rows([Row(HARM, bar([(1, "c1")], 1), HARM)], HARM, axis, HARM), histogram([1, 2], [0, 1, 2], None, HARM, (HARM, HARM)),
              lines([Line([1, 2], [0, float("nan")], "c1")], HARM, (HARM, HARM)), reliability([0.5, 1], [0.4, 1], [3, 4], HARM, (HARM, ""))]
    for chart in charts:
        parsed(chart)
        assert "<script" not in chart
        assert re.search(r"aria-label=\"&#34;&gt;&lt;script", chart)


def test_nothing_to_draw_is_drawn_as_nothing() -> None:
    """Empty charts and flat ones do not fail."""
    for chart in (rows([], ""), lines([], "", ("", "")), lines([Line([1], [2], "c1")], "", ("", "")), histogram([0], [0, 1], 0.5, "", ("", ""))):
        parsed(chart)
