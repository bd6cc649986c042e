import io
import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from convscope.data.readers.arrays import as_images, from_arrays, to_uint8
from convscope.data.readers.objects import from_dataset
from convscope.data.sources import open_source
from convscope.errors import DataError

X = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)


def test_axes_are_understood():
    assert to_uint8(X, "x").shape == (2, 1, 4, 5)
    assert to_uint8(X[:, None], "x").shape == (2, 1, 4, 5)
    assert np.array_equal(to_uint8(X[..., None], "x")[:, 0], X)
    colour = np.stack([X, X + 1, X + 2], axis=-1)
    assert np.array_equal(to_uint8(colour, "x")[:, 2], X + 2)
    assert to_uint8(np.zeros((2, 3, 8, 3), np.uint8), "x").shape == (2, 3, 8, 3), "channels first where both fit"


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=5)))
def test_every_stated_scale_gives_the_same_pixels(values):
    expected = values[:, None]
    for same in (values.astype(np.int64), values.astype(np.uint16), values / 255, (values / 255).astype(np.float32)):
        assert np.array_equal(to_uint8(same, "x"), expected)
    assert np.array_equal(to_uint8(values > 9, "x"), np.where(expected > 9, 255, 0))


@pytest.mark.parametrize(
    ("images", "text"),
    [
        (X / 10.0, "float64 images run from 0 to 3.9, expected 0 to 1"),
        (X - 1.0, "run from -1 to"),
        (np.full((1, 2, 2), np.nan), "images hold NaN or infinite values"),
        (np.full((1, 2, 2), np.inf), "images hold NaN or infinite values"),
        (np.zeros((0, 4, 4), np.uint8), "there are no images"),
        (X.astype(int) * 100, "int64 images run from 0 to 3900, expected 0 to 255"),
        (X.astype(complex), "which are not numbers"),
        (X.astype("datetime64[s]"), "which are not numbers"),
        (np.zeros((2, 5, 6, 4), np.uint8), "images of shape (2, 5, 6, 4) cannot be used"),
        (np.zeros((2, 5), np.uint8), "images of shape (2, 5) cannot be used"),
    ],
)
def test_what_would_have_to_be_guessed_is_refused(images, text):
    with pytest.raises(DataError) as caught:
        to_uint8(images, "x")
    assert text in caught.value.message


def test_labels_are_numbers_or_names():
    assert from_arrays(X, [1, 0]).classes == ("0", "1")
    assert from_arrays(X, np.array([[2], [0]])).labels.tolist() == [2, 0]
    named = from_arrays(X, ["b10", "b2"])
    assert (named.classes, named.labels.tolist()) == (("b2", "b10"), [1, 0])
    assert from_arrays(X, ["q", "p"], ("q", "p")).labels.tolist() == [0, 1]
    assert from_arrays(torch.tensor(X), torch.tensor([1, 0]), ["no", "yes"]).classes == ("no", "yes")


@pytest.mark.parametrize(
    ("labels", "classes", "text"),
    [
        ([0], None, "2 images came with labels of shape (1,)"),
        ([0.0, 1.0], None, "labels must be integers or names, not float64"),
        ([0, -1], None, "labels run from -1 to 0"),
        ([0, 2], ("a", "b"), "labels run from 0 to 2"),
        ([0, 2**62], None, "labels run from 0 to 4611686018427387904"),
        (["a", "z"], ("a", "b"), "label 'z' is no class"),
        ([None, 1], None, "label 0 is None: it is missing"),
        ([[1, 2], [3]], None, "labels cannot become a NumPy array"),
    ],
)
def test_bad_labels(labels, classes, text):
    with pytest.raises(DataError) as caught:
        from_arrays(X, labels, classes)
    assert text in caught.value.message


class Listed(list):
    """The smallest map-style dataset."""

    classes = None


def test_a_map_style_dataset_of_pillow_images_arrays_or_tensors():
    arrays = Listed([(X[0], 0), (X[1], 1)])
    pillow = Listed([(Image.fromarray(x), torch.tensor(i)) for i, x in enumerate(X)])
    tensors = Listed([(torch.tensor(x).unsqueeze(0) / 255, np.int64(i)) for i, x in enumerate(X)])
    for dataset in (arrays, pillow, tensors):
        dataset.classes = ["left", "right"]
        images = from_dataset(dataset)
        assert np.array_equal(images.images[:, 0], X)
        assert images.labels.tolist() == [0, 1]
        assert images.classes == ("left", "right")


def test_pillow_images_are_fitted_and_grey_ones_among_colour_become_colour():
    dataset = [(Image.new("L", (4, 8), 9), 0), (Image.new("RGB", (8, 4), (1, 2, 3)), 1)]
    with pytest.raises(DataError, match=r"image 1 has shape \(3, 4, 8\), but image 0 has \(3, 8, 4\)"):
        from_dataset(dataset)
    images = from_dataset(dataset, image_size=6)
    assert images.images[:, :, 0, 0].tolist() == [[9, 9, 9], [1, 2, 3]]
    assert images.shape == (3, 6, 6)


@pytest.mark.parametrize(
    ("dataset", "text"),
    [
        ([X[0]], "item 0 is a ndarray"),
        ([], "the dataset is empty: it has no images"),
        ([(X[0], 0), (X[1] - 3.0, 1)], "item 1: float64 images run from"),
        ([(X[0], 0), ("a.png", 1)], "item 1: the image is text"),
        ([(torch.ones(4, 4, requires_grad=True), 0)], "item 0: the image cannot become a NumPy array"),
    ],
)
def test_bad_items_are_named(dataset, text):
    with pytest.raises(DataError) as caught:
        from_dataset(dataset)
    assert text in caught.value.message


def many(count=40, classes=4):
    labels = np.arange(count) % classes
    return (labels[:, None, None] * 20 + np.arange(36).reshape(6, 6)).astype(np.uint8), labels


def test_every_form_in_python_is_opened():
    x, y = many()
    whole = open_source((x, y))
    assert (len(whole.train), len(whole.test), whole.name) == (32, 8, "arrays")
    pairs = open_source(((x[:30], y[:30]), (x[30:], y[30:])))
    assert (len(pairs.train), len(pairs.test), pairs.notes) == (30, 10, ())
    dataset = Listed(zip(x, y, strict=True))
    one = open_source(dataset)
    assert (one.name, one.train.fingerprint) == ("listed", whole.train.fingerprint)


def test_two_datasets_are_matched_by_class_name():
    x, y = many(classes=2)

    class Named:
        def __init__(self, classes):
            self.classes = classes

        def __len__(self):
            return len(x)

        def __getitem__(self, index):
            return x[index], int(y[index])

    data = open_source((Named(["cat", "dog"]), Named(["dog", "cat"])))
    assert (data.test.labels == 1 - y).all()
    assert data.classes == ("cat", "dog")
    with pytest.raises(DataError, match="classes of the test set that the training set lacks: 'cow'"):
        open_source((Named(["cat", "dog"]), Named(["cow", "dog"])))


@pytest.mark.parametrize("data", [5, (1, 2), (X,), {"a": 1}, np.zeros(3), None, (X, X, X)])
def test_what_is_no_data_set(data):
    with pytest.raises(DataError):
        open_source(data)


@given(st.integers(2, 30), st.integers(2, 30))
def test_image_size_fits_arrays_as_it_does_files(height, width):
    x = np.full((8, height, width), 7, np.uint8)
    data = open_source((x, np.arange(8) % 2), image_size=9)
    assert data.train.shape == (1, 9, 9)
    assert (data.train.images == 7).all()


# What people hand over from notebooks


class Items(list):
    """A map-style dataset of any rows."""


class Loader:
    """As torch.utils.data.DataLoader: batches of a dataset."""

    def __init__(self, dataset):
        self.dataset, self.batch_size = dataset, 4

    def __len__(self):
        return 10

    def __iter__(self):
        raise AssertionError("the dataset is read, not the batches")


class Stream:
    """What can only be gone through, again and again: batches, or single pairs."""

    def __init__(self, items):
        self.items = items

    def __iter__(self):
        return iter(self.items)


class Broken(Items):
    def __getitem__(self, index):
        raise KeyError("image_id")


def told(data, **options):
    with pytest.raises(DataError) as caught:
        open_source(data, **options)
    return caught.value.message, caught.value.help


def test_one_hot_labels_are_called_so():
    x, y = many()
    hot = np.eye(4)[y]
    for labels in (hot, hot.astype(np.uint8), hot.astype(bool), hot.tolist(), torch.tensor(hot)):
        assert told((x, labels)) == (
            "the data: labels of shape (40, 4) are one-hot rows",
            "give the class numbers: y.argmax(1)",
        )
    message, advice = told(Items((x[i], hot[i]) for i in range(40)))
    assert (message, advice) == (
        "the dataset: item 0: the label has 4 numbers, as one-hot rows have",
        "give the class number: label.argmax()",
    )
    assert "several labels for an image are not supported" in told((x, np.ones((40, 3))))[1]
    assert told(Items([(x[0], np.array([1, 1, 0]))])) == (
        "the dataset: item 0: the label has 3 numbers",
        "an image needs one label",
    )


def test_names_and_numbers_in_object_arrays_are_taken_and_missing_ones_named():
    pandas = pytest.importorskip("pandas")
    x, y = many()
    names = np.array(["cat", "dog", "emu", "fox"], dtype=object)[y]
    assert open_source((x, names)).classes == ("cat", "dog", "emu", "fox")
    assert open_source((x, y.astype(object))).classes == ("0", "1", "2", "3")
    for missing, text in ((None, "None"), (float("nan"), "nan"), (Decimal("sNaN"), "sNaN"), (pandas.NA, "<NA>")):
        labels = names.copy()
        labels[7] = missing
        message, advice = told((x, labels))
        assert message == f"the data: label 7 is {text}: it is missing"
        assert "convscope predict" in advice
    labels = names.copy()
    labels[7] = {}
    assert told((x, labels))[0] == "the data: labels are Python objects (dict, str)"
    assert told((x, np.full(40, 10**30)))[0] == "the data: labels beyond 64 bits are no classes"
    assert told((x, names.astype(bytes)))[1] == "labels.astype(str) may serve"
    assert told(Items((x[i], None) for i in range(40)))[0] == "the dataset: item 0: the label is None"


def test_images_of_different_shapes_are_named():
    x, y = many()
    ragged = [*x[:-1], x[-1][:5]]
    objects = np.empty(40, dtype=object)
    objects[:] = ragged
    for images in (ragged, objects):
        message, _ = told((images, y))
        assert message == "the data: images have different shapes: (6, 6), but (5, 6) at index 39"
    assert "a table (.csv) of path,label" in told((["a.png"] * 40, y))[1]


def test_rows_of_pixels_need_their_side():
    x, y = many()
    rows = x.reshape(40, -1)
    assert open_source((rows, y), image_size=6).train.fingerprint == open_source((x, y)).train.fingerprint
    pairs = open_source(((rows, y), (rows, y)), image_size=6)
    assert np.array_equal(pairs.test.images[:, 0], x)
    assert np.array_equal(as_images(rows / 255, "x", 6)[:, 0], x)
    message, advice = told((rows, y))
    assert message == "the data: images of shape (40, 36) cannot be used"
    assert advice == "rows of pixels? 36 = 6 × 6: give image_size=6 (--image-size), or reshape(-1, 6, 6)"
    assert "reshape(-1, 3, 6, 6)" in told((np.tile(rows, 3), y))[1]
    assert "expected (N, H, W)" in told((rows[:, :35], y))[1]


def test_rows_that_are_dicts_as_in_hugging_face():
    x, y = many()
    whole = open_source((x, y))

    class Names:
        names = tuple("abcd")

    rows = Items({"img": Image.fromarray(x[i]), "fine_label": int(y[i])} for i in range(40))
    assert open_source(rows).train.fingerprint == whole.train.fingerprint
    rows.features = {"img": None, "fine_label": Names}
    assert open_source(rows).classes == ("a", "b", "c", "d")
    parts = open_source({"train": rows, "validation": rows, "test": rows})
    assert (len(parts.train), len(parts.val), len(parts.test), parts.classes) == (40, 40, 40, ("a", "b", "c", "d"))
    drawn = open_source({"train": (x, y), "validation": (x, y)})
    assert (drawn.val, len(drawn.test)) == (None, 40)
    assert drawn.notes == (
        "there is no test set with labels: the validation set is used for tests, not for validation",
    )
    assert told(Items({"image": x[i], "caption": "x"} for i in range(40)))[0] == (
        "the dataset: item 0 is a dict of 'image', 'caption': no label is recognised"
    )


def test_loaders_and_streams_give_what_their_images_do():
    x, y = many()
    whole = open_source((x, y))
    pairs = [(image, int(label)) for image, label in zip(x, y, strict=True)]
    batches = [(x[at : at + 16], y[at : at + 16]) for at in range(0, len(x), 16)]
    rows = [{"image": torch.from_numpy(images), "label": torch.from_numpy(labels)} for images, labels in batches]
    for data in (Loader(Items(pairs)), Stream(pairs), Stream(batches), Stream(rows)):
        assert open_source(data).train.fingerprint == whole.train.fingerprint
    parts = open_source((Stream(batches), Loader(Items(pairs))))
    assert parts.train.fingerprint == parts.test.fingerprint == open_source(((x, y), (x, y))).train.fingerprint
    assert open_source({"train": Stream(batches), "test": Stream(batches)}).test.fingerprint == parts.test.fingerprint


def test_rows_whose_images_are_files_are_decoded():
    def png(value):
        file = io.BytesIO()
        Image.fromarray(np.full((6, 6), value, np.uint8)).save(file, "PNG")
        return {"bytes": file.getvalue(), "path": None}

    data = open_source(Items({"image": png(10 * i), "label": i % 2} for i in range(20)))
    assert data.train.shape == (1, 6, 6)
    assert sorted({*data.train.images[:, 0, 0, 0], *data.test.images[:, 0, 0, 0]}) == [10 * i for i in range(20)]
    assert open_source(Items({"image": png(i), "label": i % 2} for i in range(20)), image_size=3).train.shape == (
        1,
        3,
        3,
    )
    bad = Items({"image": {"bytes": b"no image", "path": None}, "label": i % 2} for i in range(20))
    assert told(bad)[0] == "the dataset: item 0: the image is no image that can be read"


def test_what_is_not_a_dataset_gets_the_way_to_one():
    _, y = many()
    assert told(Loader(Items()))[0] == "the dataset is empty: it has no images"
    assert told(Stream([]))[0] == "the dataset is empty: it has no images"
    assert told(Stream([(np.zeros((2, 6, 6), np.uint8), [0, 1, 1])]))[0] == (
        "the dataset: item 0 came with 2 images and 3 labels"
    )
    assert "list(data) makes a dataset" in told(iter([]))[1]
    assert told(torch.zeros(4, 6, 6))[1] == "give (images, labels)"
    assert told(({"a": 1}, y.tolist()))[0] == "a pair of dict and list is no data set"
    assert told({"a": 1})[0] == "a dict of 'a' is no data set"
    with pytest.raises(DataError, match="item 0 cannot be read: KeyError: 'image_id'") as caught:
        open_source(Broken([1]))
    assert isinstance(caught.value.__cause__, KeyError), "the caller's own code is to be seen"


def test_two_classes_of_one_name_are_refused():
    x, y = many()
    with pytest.raises(DataError, match="two classes are called 'a'"):
        from_arrays(x, y, ["a", "b", "a", "c"])


class Frame:
    """What a data frame of pandas has."""

    columns = ("path", "label")

    def __len__(self):
        return 2

    def __getitem__(self, name):
        raise KeyError(name)

    def to_csv(self, path):
        """Write it."""


@pytest.mark.parametrize(
    ("data", "told", "help_text"),
    [
        (["photos-2023", "photos-2024"], "item 0 is the text 'photos-2023'", "named in one text with ':' between"),
        ([Path("a.png"), Path("b.png")], "item 0 is the text 'a.png'", "named in one text with ':' between"),
        ([("a.png", 0), ("b.png", 1)], "item 0: the image is text", r"give a table \(.csv\) of path,label"),
        ([{"image": Path("a.png"), "label": 0}], "item 0: the image is text", r"give a table \(.csv\) of path,label"),
        (Frame(), "a Frame is no data set, but a table", r"write it as path,label with to_csv"),
    ],
)
def test_names_of_files_where_images_are_wanted_are_answered_with_what_to_give(data, told, help_text):
    with pytest.raises(DataError, match=told) as caught:
        open_source(data)
    assert re.search(help_text, caught.value.help)
