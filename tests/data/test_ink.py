"""Ink on paper: found on any sheet, brought into MNIST's form, and left alone where it is in that form."""

import io

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from convscope.data.ink import Steps, centre_of_mass, find_ink, in_form, prepare
from convscope.data.readers.digits import read_digits
from convscope.data.readers.idx import read_idx
from convscope.explain.trained.drawing import SIDE, rasterise

POINT = st.tuples(st.integers(0, SIDE - 1), st.integers(0, SIDE - 1))
STROKES = st.lists(st.lists(POINT, min_size=1, max_size=6), min_size=1, max_size=3)
SEVEN = [[(30, 30), (80, 30), (50, 90)]]
DIGITS = read_digits()[1].images[:60, 0]


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
    assert height >= bound[0] - 2 or width >= bound[1] - 2  # what fades to nothing at its edges is cut off
    assert made.centred.sum(dtype=np.int64) == made.fitted.sum(dtype=np.int64)  # nothing is cut off
    if centre and made.mass is not None:
        row, column = centre_of_mass(made.centred)
        y, x = made.corner
        free = 0 < y < size[0] - height and 0 < x < size[1] - width
        assume(free)
        assert abs(row - size[0] / 2) <= 0.5 + 1e-9
        assert abs(column - size[1] / 2) <= 0.5 + 1e-9


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


def test_every_bundled_digit_is_in_form():
    for images in read_digits():
        assert in_form(images.images[:, 0], margin=True).all()


def test_every_mnist_image_is_in_form(mnist_dir):
    for part in ("train", "t10k"):
        images = read_idx(mnist_dir / f"{part}-images-idx3-ubyte.gz", 3)
        assert in_form(images).all()


def test_what_is_not_in_form():
    digit = DIGITS[0]
    centred = prepare(digit, 28, 28).centred
    assert in_form(centred[None]).all()
    others = [
        255 - centred,
        centred // 2,
        np.roll(centred, 2, 0),
        np.roll(centred, -2, 1),
        centred | 1,
        centred * 0,
        np.full((28, 28), 255, np.uint8),
        prepare(digit, 28, 28, Steps(box=False)).centred,
    ]
    assert not in_form(np.stack(others)).any()


@settings(deadline=None)
@given(STROKES, st.integers(3, 30), st.booleans(), st.booleans())
def test_what_comes_out_is_in_form_so_that_twice_is_once(strokes, pen, light, margin):
    sheet = rasterise(strokes, pen)
    found = prepare(find_ink(sheet if light else 255 - sheet), 28, 28, Steps(margin=margin)).centred
    assert in_form(found[None], margin).all()


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 59), st.integers(0, 2**32 - 1), st.booleans())
def test_paper_light_grain_and_place_do_not_matter(index, seed, light):
    """A sheet of 200×160 with a digit anywhere, in any brightness, lit from one side, with grain and specks of dust."""
    rng = np.random.default_rng(seed)
    side = int(rng.integers(60, 120))
    digit = np.asarray(Image.fromarray(DIGITS[index][4:24, 4:24]).resize((side, side), Image.Resampling.BICUBIC)) / 255
    sheet = np.zeros((200, 160))
    top, left = rng.integers(8, 192 - side), rng.integers(8, 152 - side)
    sheet[top : top + side, left : left + side] = digit
    paper, ink = (rng.integers(100, 230), rng.integers(0, 40)) if not light else (rng.integers(0, 60), 200)
    seen = (paper + (ink - paper) * sheet) * (1 + 0.1 * np.linspace(-1, 1, 160)) + rng.normal(0, 2, sheet.shape)
    for _ in range(4):
        y, x = rng.integers(2, 198), rng.integers(2, 158)
        seen[y : y + 2, x : x + 2] = ink
    found = prepare(find_ink(np.clip(seen, 0, 255).astype(np.uint8)), 28, 28, Steps(margin=True)).centred
    clean = prepare(DIGITS[index], 28, 28, Steps(margin=True)).centred
    moved = [np.roll(found, (y, x), (0, 1)) for y in (-2, -1, 0, 1, 2) for x in (-2, -1, 0, 1, 2)]
    assert min(abs(image.astype(float) - clean).mean() for image in moved) < 10  # faint edges may go with the grain
    assert in_form(found[None], margin=True).all()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_empty_sheet_is_black_even_with_grain(value):
    rng = np.random.default_rng(0)
    grain = np.clip(value + rng.normal(0, 3, (200, 150)), 0, 255).astype(np.uint8)
    for sheet in (np.full((20, 30), value, np.uint8), grain):
        assert not find_ink(sheet).any()


def test_a_jpegs_ringing_is_no_ink():
    file = io.BytesIO()
    Image.fromarray(255 - np.pad(np.kron(DIGITS[3], np.ones((4, 4), np.uint8)), 60)).save(file, "JPEG", quality=40)
    top, left, bottom, right = prepare(find_ink(np.asarray(Image.open(file))), 28, 28).ink
    assert 70 < top < 84
    assert 148 < bottom < 164
    assert left > 60
    assert right < 172


def test_a_line_of_one_pixel_on_a_large_page_becomes_a_stroke_that_is_seen():
    page = np.full((900, 700), 250, np.uint8)
    page[200:700, 350] = 20
    found = prepare(find_ink(page), 28, 28).centred
    assert found.max() == 255
    assert in_form(found[None]).all()
