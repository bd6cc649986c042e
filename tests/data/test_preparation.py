"""A picture's preparation: one function, stored, and the same for every picture of a set as for one alone."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from convscope.data.folders.folder import read_folder
from convscope.data.ink import Steps
from convscope.data.pictures.decode import read_image
from convscope.data.preparation import Preparation, as_image, depth, scaled
from convscope.data.readers.digits import read_digits
from convscope.data.sources import open_source, read_parts
from convscope.explain.trained.drawing import SIDE, rasterise

SHAPES = st.tuples(st.sampled_from([1, 3]), st.integers(1, 40), st.integers(1, 40))
PREPARATIONS = st.builds(
    Preparation, SHAPES, st.none() | st.builds(Steps, st.just(True), st.just(True), st.just(True), st.booleans())
)
PIXELS = SHAPES.flatmap(lambda shape: arrays(np.uint8, shape))


@given(PREPARATIONS, st.none() | st.tuples(st.integers(0, 100), st.integers(101, 65_535)))
def test_what_is_written_is_read_back(preparation, deep):
    wanted = Preparation(preparation.image, preparation.ink, deep)
    assert Preparation.from_json(wanted.to_json()) == wanted


@given(PREPARATIONS, PIXELS)
def test_a_set_is_prepared_as_each_of_its_images_and_twice_is_once(preparation, pixels):
    alone = preparation.apply(pixels)
    assert alone.shape == preparation.image
    assert alone.dtype == np.uint8
    assert np.array_equal(preparation.apply_all(np.stack([pixels] * 2)), np.stack([alone] * 2))
    assert np.array_equal(preparation.apply(as_image(pixels)), alone)
    if preparation.ink is None or preparation.image[1:] == (28, 28):
        assert np.array_equal(preparation.apply(alone), alone)


def test_training_images_of_digits_need_nothing():
    data = open_source("digits")
    assert data.prepared == Preparation((1, 28, 28), Steps(margin=True))
    for images in (data.train.images, data.test.images):
        assert data.prepared.apply_all(images) is images


def test_training_images_of_mnist_need_nothing(mnist_dir):
    data = open_source("mnist", data_dir=mnist_dir.parent, offline=True)
    assert data.prepared == Preparation((1, 28, 28), Steps())
    for images in (data.train.images, data.test.images):
        assert data.prepared.apply_all(images) is images


@pytest.mark.parametrize("size", [20, 32, 56])
def test_digits_of_another_size_are_prepared_as_they_were_trained(size):
    data = open_source("digits", image_size=size)
    small = read_digits()[1].images[:50]
    assert data.prepared.image == (1, size, size)
    assert np.array_equal(data.prepared.apply_all(small), data.test.images[:50])
    assert np.array_equal(data.prepared.apply_all(data.test.images), data.test.images)


def test_the_same_digits_as_arrays_or_files_are_prepared_alike(make_folder):
    train, test = read_digits()
    data = open_source((train.images, train.labels))
    assert data.prepared == Preparation((1, 28, 28), Steps(margin=True))
    assert "as ink on paper" in data.notes[0]
    root = make_folder({f"{test.labels[i]}/{i}.png": as_image(test.images[i]) for i in range(355)})
    assert open_source(root).prepared == data.prepared
    few = open_source((train.images[:90], train.labels[:90]))
    moved = open_source((np.roll(train.images, 3, 2), train.labels))
    mixed = open_source((np.concatenate([train.images, 255 - train.images[:1]]), np.append(train.labels, 0)))
    for other in (few, moved, mixed):
        assert other.prepared == Preparation((1, 28, 28))
        assert not [note for note in other.notes if "ink" in note]


def test_mnist_by_its_files_is_prepared_as_by_its_name(mnist_dir):
    data = open_source(mnist_dir)
    assert data.prepared == Preparation((1, 28, 28), Steps())


def test_a_folder_of_digits_stays_as_it_is(make_folder):
    test = read_digits()[1]
    root = make_folder({f"{test.labels[i]}/{i}.png": as_image(255 - test.images[i]) for i in range(100)})
    data = open_source(root)
    assert data.prepared == Preparation((1, 28, 28))
    first = read_image(root / f"{test.labels[0]}/0.png", data.prepared)
    assert np.array_equal(first, 255 - test.images[0])


def test_ink_on_a_transparent_ground_is_seen_whatever_its_colour():
    digit = read_digits()[1].images[5, 0]
    prepared = Preparation((1, 28, 28), Steps(margin=True))
    for shade in (0, 255):
        layered = np.dstack([np.full((28, 28, 3), shade, np.uint8), digit])
        assert np.array_equal(prepared.apply(Image.fromarray(layered, "RGBA"))[0], digit)
    assert not prepared.apply(Image.new("RGBA", (30, 20), (0, 0, 0, 0))).any()


def test_sixteen_bits_are_scaled_by_the_training_sets_range(make_folder):
    """A camera of 12 bits: values 1000…1130 in files that hold 16 bits."""
    rng = np.random.default_rng(0)
    pictures = {}
    for k, name in enumerate(("left", "right")):
        for i in range(10):
            grey = 1000 + rng.integers(0, 11, (12, 12)).astype(np.uint16)
            grey[3:9, 1 + 5 * k : 4 + 5 * k] = 1130
            pictures[f"{name}/{i}.png"] = Image.fromarray(grey)
    root = make_folder(pictures)
    data = open_source(root)
    assert data.prepared.deep == (1000, 1130)
    assert (data.train.images.min(), data.train.images.max()) == (0, 255)
    alone = read_image(root / "left/0.png", data.prepared)
    index = list(data.train.names).index("left/1.png") if "left/1.png" in data.train.names else None
    assert alone.max() == 255
    if index is not None:
        assert np.array_equal(read_image(root / "left/1.png", data.prepared), data.train.images[index])
    again = read_parts(root, None, True, None, False, data.prepared).train
    assert np.array_equal(again.images[list(again.names).index("left/0.png")], alone)


def test_the_range_is_decided_by_the_training_part_alone(make_folder):
    def flat(value):
        return Image.fromarray(np.array([[value, 0], [100, 50]], dtype=np.uint16))

    files = {
        f"{part}/{name}/{i}.png": flat(top)
        for part, top in (("train", 400), ("test", 4000))
        for name in "ab"
        for i in range(2)
    }
    splits = read_folder(make_folder(files))
    assert splits.preparation.deep == (0, 400)
    assert splits.test.images[0, 0, 0, 0] == 255


def test_among_pictures_of_eight_bits_black_stays_black(make_folder):
    deep = Image.fromarray(np.array([[2000, 3000], [2500, 2600]], dtype=np.uint16))
    splits = read_folder(make_folder({"a/1.png": deep, "b/2.png": Image.fromarray(np.full((2, 2), 9, np.uint8))}))
    assert splits.preparation.deep == (0, 4095)
    assert splits.train.images[0, 0, 0, 1] == round(3000 * 255 / 4095)
    assert splits.train.images[1, 0, 0, 0] == 9


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 65_535], (0, 65_535)),
        ([300, 40_000], (0, 65_535)),
        ([0, 4095], (0, 4095)),
        ([1000, 1130], (1000, 1130)),
        ([7], (7, 8)),
        ([65_535], (65_534, 65_535)),
        ([*range(1000, 1100)] * 300 + [65_535], (1000, 1099)),  # one hot pixel in 30,000
    ],
)
def test_the_range_of_sixteen_bits(values, expected):
    assert depth(np.bincount(values, minlength=65_536)) == expected


def test_without_a_range_sixteen_bits_are_what_they_hold():
    assert scaled(np.array([0, 257, 65_535]), None).tolist() == [0, 1, 255]
    assert scaled(np.array([0, 200, 255]), None).tolist() == [0, 200, 255]
    assert scaled(np.array([0, 1065, 2000]), (1000, 1130)).tolist() == [0, 128, 255]


def test_a_files_bits_are_read_as_its_array(tmp_path):
    grey = np.random.default_rng(1).integers(900, 1200, (9, 7)).astype(np.uint16)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG")
    prepared = Preparation((1, 9, 7), deep=(1000, 1130))
    assert np.array_equal(read_image(file, prepared)[0], scaled(grey, (1000, 1130)))


@given(st.lists(st.lists(st.tuples(*[st.integers(0, SIDE - 1)] * 2), min_size=1, max_size=6), max_size=3))
def test_a_drawing_on_the_pad_is_prepared_as_its_picture(strokes):
    sheet = rasterise(strokes)
    for preparation in (
        Preparation((1, 28, 28), Steps()),
        Preparation((1, 28, 28), Steps(margin=True)),
        Preparation((1, 40, 40), Steps()),
        Preparation((1, 20, 30)),
    ):
        steps = preparation.ink or Steps(crop=False, box=False, centre=False)
        assert np.array_equal(preparation.stages(sheet, steps).centred, preparation.apply(sheet[None])[0])
