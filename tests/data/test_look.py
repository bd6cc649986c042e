"""What training images look like: few of their kind are called strange, and what is of another kind is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convscope.data.look import COLOUR, GREY, Look, describe
from convscope.data.pictures.decode import judge_image, read_image
from convscope.data.sources import open_source

RNG = np.random.default_rng(0)
NOISE = [Image.fromarray(RNG.integers(0, 256, (size, size, 3), dtype=np.uint8)) for size in (28, 60, 200)]
FLAT = [Image.new("RGB", (50, 40), colour) for colour in ("black", "white", "grey", "red")]


@pytest.fixture(scope="module")
def digits():
    return open_source("digits")


def test_test_digits_are_not_strange_and_other_things_are(digits):
    look = Look.of(digits.train.images, 28)
    assert look.strange(digits.test.images).mean() <= 0.01
    for picture in [*NOISE, *FLAT]:
        assert look.strange(digits.prepared.apply(picture)[None]).all()
    assert look.strange(255 - digits.test.images).all()
    assert look.difference(digits.test.images, 28) is None


def test_mnists_test_images_are_not_strange(mnist_dir):
    data = open_source("mnist", data_dir=mnist_dir.parent, offline=True)
    look = Look.of(data.train.images)
    assert look.strange(data.test.images).mean() <= 0.01
    for picture in [*NOISE, *FLAT]:
        assert look.strange(data.prepared.apply(picture)[None]).all()


def test_photographs_are_strange_to_a_net_for_digits(mnist_dir):
    """32×32 photographs of cats: their ink looks like strokes, but they have no paper."""
    photos = mnist_dir.parent / "photos" / "test" / "cat"
    if not photos.is_dir():
        pytest.skip("needs photos/ in CONVSCOPE_DATA")
    data = open_source("mnist", data_dir=mnist_dir.parent, offline=True)
    look = Look.of(data.train.images)
    found = [judge_image(file, data.prepared) for file in sorted(photos.iterdir())]
    strange = look.strange(np.stack([pixels for pixels, _ in found])) | ~np.array([kind for _, kind in found])
    assert strange.mean() >= 0.9
    kinds = [
        data.prepared.judge(Image.fromarray(255 - image[0]).resize((90, 70)))[1] for image in data.test.images[:99]
    ]
    assert all(kinds)


def test_photographs_of_the_same_kind_are_not_strange(mnist_dir):
    folder = mnist_dir.parent / "photos"
    if not folder.is_dir():
        pytest.skip("needs photos/ in CONVSCOPE_DATA")
    data = open_source(folder)
    look = Look.of(data.train.images, data.side)
    assert look.side == 32
    assert look.strange(data.test.images).mean() <= 0.01
    for picture in FLAT:
        assert look.strange(data.prepared.apply(picture)[None]).all()


def test_few_images_that_are_all_alike_make_no_error():
    for images in (np.zeros((1, 1, 1, 1), np.uint8), np.full((3, 3, 2, 5), 7, np.uint8)):
        look = Look.of(images)
        assert not look.strange(images).any()
        assert Look.from_json(look.to_json()) == look


@given(st.sampled_from([1, 3]), st.integers(1, 9), st.integers(1, 9))
def test_numbers_do_not_depend_on_how_many_are_described_together(channels, height, width):
    images = np.random.default_rng(height).integers(0, 256, (5, channels, height, width), dtype=np.uint8)
    together = describe(images)
    assert together.shape == (5, len(GREY if channels == 1 else COLOUR))
    assert ((together >= 0) & (together <= 1)).all()
    assert np.array_equal(together[2:3], describe(images[2:3]))


def test_the_difference_names_what_differs_most(digits):
    look = Look.of(digits.train.images, 28)
    assert look.difference(255 - digits.test.images) == (
        "100 % of these images look unlike the training images: border 1.00 against 0.00; "
        "dark and light may be exchanged"
    )
    assert look.difference(digits.test.images, 14) == (
        "these images are smaller than the training images: 14 pixels against 28, so they are enlarged"
    )
    dim = look.difference(digits.test.images // 8, 8)
    assert dim.startswith("100 % of these images look unlike the training images: contrast 0.0")
    assert dim.endswith("8 pixels against 28, so they are enlarged")


def test_only_scores_below_the_weakest_are_weak():
    look = Look.of(np.zeros((4, 1, 2, 2), np.uint8))
    scores = np.array([[0.0, 3.0], [1.0, -5.0]])
    assert look.weak(scores).tolist() == [False, False]
    assert Look(look.mean, look.covariance, look.furthest, None, 2.0).weak(scores).tolist() == [False, True]


def test_a_file_is_judged_as_it_is_read(tmp_path, digits):
    for number, picture in enumerate([*NOISE, *FLAT]):
        file = tmp_path / f"{number}.png"
        picture.save(file)
        assert np.array_equal(judge_image(file, digits.prepared)[0], read_image(file, digits.prepared))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "another version"),
        ('{"version": 2}', "another version"),
        ('{"version": 1, "mean": [1], "covariance": [[1]], "furthest": 1}', "numbers missing"),
        ('{"version": 1, "mean": ["a"], "covariance": [], "furthest": 1}', "should hold numbers"),
        ('{"version": 1, "mean": "abc", "covariance": [], "furthest": 1}', "should hold numbers"),
    ],
)
def test_what_was_not_written_here_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Look.from_json(text)


def test_numbers_that_are_missing_are_refused():
    text = Look.of(np.zeros((4, 1, 2, 2), np.uint8), 5).to_json()
    for old, new in (('"side": 5', '"side": "5"'), ('"furthest"', '"far"'), ('"weakest": null', '"weakest": true')):
        assert old in text
        with pytest.raises(ValueError, match="look"):
            Look.from_json(text.replace(old, new))
