"""What may be handed to a trained net: all that training takes, and what is expected where it is something else."""

import numpy as np
import pytest
import torch
from PIL import Image

from convscope.data.handed import prepared, prepared_one
from convscope.data.images import ImageSet
from convscope.data.preparation import Preparation
from convscope.errors import DataError, UsageError

GREY, COLOUR = Preparation((1, 8, 6)), Preparation((3, 8, 6))
RNG = np.random.default_rng(0)
SMALL = RNG.integers(0, 256, (4, 8, 6), dtype=np.uint8)  # four grey images of the net's size
WIDE = RNG.integers(0, 256, (2, 8, 6, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "same",
    [
        SMALL, SMALL[:, None], SMALL[..., None], SMALL.reshape(4, 48),
        SMALL / 255, (SMALL / 255).astype(np.float32), SMALL.astype(np.int64),
        torch.from_numpy(SMALL), torch.from_numpy(SMALL / 255)[:, None].requires_grad_(), list(SMALL),
        [Image.fromarray(image) for image in SMALL], SMALL.tolist(), (SMALL, [0, 1, 0, 1]), (SMALL, np.zeros(4)),
        ImageSet(SMALL[:, None], np.zeros(4, np.int64), ("a",)), [SMALL[:2], SMALL[2:]],
        torch.utils.data.TensorDataset(torch.from_numpy(SMALL), torch.zeros(4)),
    ],
    ids=["NHW", "N1HW", "NHW1", "rows", "0..1", "float32", "int64", "tensor", "gradient", "list", "pictures",
         "numbers", "labels", "label-array", "set", "blocks", "dataset"],
)  # fmt: skip
def test_all_that_training_takes(same):
    assert np.array_equal(prepared(same, GREY), SMALL[:, None])


def test_colour_in_any_order_of_axes():
    expected = WIDE.transpose(0, 3, 1, 2)
    for same in (WIDE, expected, WIDE / 255, torch.from_numpy(WIDE), list(WIDE), list(expected)):
        assert np.array_equal(prepared(same, COLOUR), expected)
    for one in (WIDE[0], expected[0], Image.fromarray(WIDE[0])):
        assert np.array_equal(prepared_one(one, COLOUR), expected[0])
    assert prepared(WIDE, GREY).shape == (2, 1, 8, 6)
    assert np.array_equal(prepared(SMALL[:3], GREY), SMALL[:3, None])  # three grey images, no picture in colour


def test_one_picture_and_other_sizes():
    assert np.array_equal(prepared_one(SMALL[0], GREY), SMALL[:1])
    assert prepared([SMALL[0], WIDE[0], np.zeros((30, 90), np.uint8)], COLOUR).shape == (3, 3, 8, 6)
    assert np.array_equal(prepared(SMALL > 100, GREY), np.where(SMALL > 100, 255, 0)[:, None])


def test_files_and_folders(tmp_path):
    for name, image in zip("bca", SMALL, strict=False):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    assert np.array_equal(prepared(tmp_path, GREY), SMALL[[2, 0, 1], None])
    assert np.array_equal(prepared(str(tmp_path / "b.png"), GREY), SMALL[:1, None])
    assert np.array_equal(prepared([tmp_path / "b.png", tmp_path / "c.png", SMALL[2]], GREY), SMALL[:3, None])
    with pytest.raises(DataError, match="absent"):
        prepared(tmp_path / "absent.png", GREY)


def test_transparency_is_over_white():
    layered = np.dstack([np.zeros((8, 6, 3), np.uint8), np.full((8, 6), 255 - 100, np.uint8)])
    assert prepared(layered, GREY).tolist() == np.full((1, 1, 8, 6), 100).tolist()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (SMALL.astype(float), "run from 0 to 249, expected 0 to 1"),
        (SMALL.astype(np.int32) * 300, "expected 0 to 255"),
        (np.full((1, 8, 6), np.nan), "NaN"),
        (np.zeros((2, 5, 8, 6, 1)), r"images of shape \(2, 5, 8, 6, 1\) cannot be used"),
        (np.zeros((0, 8, 6)), r"images of shape \(0, 8, 6\) cannot be used"),
        (np.zeros(7), r"images of shape \(7,\) cannot be used"),
        (np.zeros((2, 8, 6), object), "which are not numbers"),
        ([[1, 2], [3]], "cannot become one array"),
        ([], "there are no images"),
        (None, "a NoneType is no picture"),
        ({"image": SMALL}, "a dict is no picture"),
        (b"png", "a bytes is no picture"),
        (7, "a int is no picture"),
    ],
)
def test_what_is_no_picture(images, message):
    with pytest.raises(UsageError, match=message) as caught:
        prepared(images, GREY)
    assert "uint8" in caught.value.help or "NaN" in message


def test_one_image_at_a_time():
    with pytest.raises(UsageError, match="there are 4 images"):
        prepared_one(SMALL, GREY)
