"""From strokes to the image that a net expects."""

import numpy as np
import pytest
from hypothesis import strategies as st

from convscope.errors import UsageError
from convscope.explain.trained.drawing import SIDE, rasterise

POINT = st.tuples(st.integers(0, SIDE - 1), st.integers(0, SIDE - 1))
STROKES = st.lists(st.lists(POINT, min_size=1, max_size=6), min_size=1, max_size=3)
SEVEN = [[(30, 30), (80, 30), (50, 90)]]


def test_a_pen_is_as_wide_as_it_says():
    sheet = rasterise([[(20, 56), (90, 56)]], pen=10)
    assert sheet.shape == (SIDE, SIDE)
    column = sheet[:, 56].astype(float) / 255
    assert column.sum() == pytest.approx(10, abs=1)
    assert sheet[56, 20] == 255
    assert not sheet[:, :10].any()
    dot = rasterise([[(50, 50)]], pen=20).astype(float).sum() / 255
    assert dot == pytest.approx(np.pi * 100, rel=0.05)


@pytest.mark.parametrize(
    ("strokes", "pen", "words"),
    [
        ([[(0, SIDE)]], 10, "the point (0, 112) is off the sheet"),
        ([[(-1, 0)]], 10, "coordinates run from 0 to 111"),
        (SEVEN, 0, "a pen of 0 pixels cannot draw here"),
        ([[(1, 1)] * 5001], 10, "more than 5,000 points"),
    ],
)
def test_refused(strokes, pen, words):
    with pytest.raises(UsageError) as error:
        rasterise(strokes, pen)
    assert words in str(error.value)
