"""From strokes to the image that a net expects."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from convscope.errors import UsageError
from convscope.explain.trained.drawing import SIDE, Steps, centre_of_mass, prepare, rasterise

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


@given(STROKES, st.sampled_from([(28, 28), (32, 20), (8, 40)]), st.booleans(), st.booleans(), st.booleans())
def test_stages_of_any_drawing(strokes, size, crop, box, centre):
    raw = rasterise(strokes)
    made = prepare(raw, *size, Steps(crop, box, centre))
    assert made.centred.shape == size
    top, left, bottom, right = made.ink
    assert not np.delete(raw, np.s_[top:bottom], 0).any()  # no ink outside its bounds
    assert not np.delete(raw, np.s_[left:right], 1).any()
    assert raw[top].any() and raw[bottom - 1].any() and raw[:, left].any() and raw[:, right - 1].any()  # noqa: PT018 - one claim
    assert made.cropped.shape == ((bottom - top, right - left) if crop else raw.shape)
    bound = [max(1, round((20 / 28 if box else 1) * side)) for side in size]
    height, width = made.fitted.shape
    assert height <= bound[0]
    assert width <= bound[1]
    assert height == bound[0] or width == bound[1]
    assert made.centred.sum(dtype=np.int64) == made.fitted.sum(dtype=np.int64)  # nothing is cut off
    if centre and made.mass is not None:
        row, column = centre_of_mass(made.centred)
        y, x = made.corner
        free = 0 < y < size[0] - height and 0 < x < size[1] - width
        assume(free)
        assert abs(row - (size[0] - 1) / 2) <= 0.5 + 1e-9
        assert abs(column - (size[1] - 1) / 2) <= 0.5 + 1e-9


def test_where_it_was_drawn_does_not_matter_unless_the_steps_are_left_out():
    moved = [[(x + 20, y + 15) for x, y in stroke] for stroke in SEVEN]
    same = [prepare(rasterise(s), 28, 28).centred for s in (SEVEN, moved)]
    assert np.array_equal(*same)
    raw = [prepare(rasterise(s), 28, 28, Steps(crop=False, centre=False)).centred for s in (SEVEN, moved)]
    assert not np.array_equal(*raw)


def test_centre_of_mass():
    image = np.zeros((5, 7), np.uint8)
    assert centre_of_mass(image) is None
    image[1, 2], image[3, 2] = 100, 50
    assert centre_of_mass(image) == pytest.approx((5 / 3, 2))


def test_an_empty_sheet_is_black():
    made = prepare(rasterise([]), 28, 28)
    assert made.ink is None
    assert made.mass is None
    assert not made.centred.any()


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
