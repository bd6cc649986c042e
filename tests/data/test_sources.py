import struct

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.data.images import statistics
from convscope.data.readers.fetch import FILES
from convscope.data.readers.idx import write_idx
from convscope.data.sources import data_name, open_source
from convscope.errors import DataError, UsageError

from ..helpers import run_cli


def idx_folder(place, zipped="", dotted=False, **changes):
    """A folder with the four files: 30 training and 10 test images of three classes; ``changes`` replace arrays."""
    arrays = {
        "train_images": np.arange(30 * 16, dtype=np.uint16).reshape(30, 4, 4).astype(np.uint8),
        "train_labels": np.arange(30, dtype=np.uint8) % 3,
        "t10k_images": np.ones((10, 4, 4), np.uint8),
        "t10k_labels": np.arange(10, dtype=np.uint8) % 3,
    } | changes
    place.mkdir()
    for file, array in zip(FILES, arrays.values(), strict=True):
        write_idx(place / ((file.replace("-idx", ".idx") if dotted else file) + zipped), array)
    return place


@pytest.mark.parametrize("data", ["", ":", "::"])
def test_no_name_is_not_this_folder(data):
    with pytest.raises(DataError, match="the name of the data is empty") as caught:
        open_source(data)
    assert caught.value.help == "give a folder ('.' for this one) or a name such as mnist"


def test_none_is_told_what_may_be_given(tmp_path):
    with pytest.raises(DataError, match="None is no data set") as caught:
        convscope.train(None, out=tmp_path)
    assert caught.value.help == "give a path, a name such as 'mnist', or (images, labels)"


@pytest.mark.parametrize("zipped", ["", ".gz"])
@pytest.mark.parametrize("dotted", [False, True])
def test_a_folder_of_idx_files(tmp_path, zipped, dotted):
    data = open_source(idx_folder(tmp_path / "own", zipped, dotted))
    assert (data.name, data.classes, data.train.shape) == ("own", ("0", "1", "2"), (1, 4, 4))
    assert (len(data.train), len(data.test), data.val) == (30, 10, None)
    assert (data.mean, data.std) == statistics(data.train.images)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"t10k_labels": np.full(10, 3, np.uint8)}, "own: labels run from 3 to 3"),
        (
            {"train_labels": np.full(30, 1, np.uint8), "t10k_labels": np.ones(10, np.uint8)},
            "classes without images for training: '0'",
        ),
        ({"train_labels": np.zeros(30, np.uint8), "t10k_labels": np.zeros(10, np.uint8)}, "own has 1 class"),
        ({"train_labels": np.zeros(29, np.uint8)}, "holds 30 images, but"),
        ({"t10k_images": np.ones((10, 5, 4), np.uint8)}, "test set have shape (1, 5, 4), those of the training set"),
        (
            {"t10k_images": np.ones((0, 4, 4), np.uint8), "t10k_labels": np.ones(0, np.uint8)},
            "own: there are no images",
        ),
        ({"train_images": np.ones((30, 0, 4), np.uint8)}, "cannot be used"),
    ],
)
def test_idx_files_from_which_nothing_can_be_learnt(tmp_path, changes, text):
    with pytest.raises(DataError) as caught:
        open_source(idx_folder(tmp_path / "own", **changes))
    assert text in caught.value.message
    assert caught.value.exit_code == 3


def test_a_missing_idx_file_is_named(tmp_path):
    folder = idx_folder(tmp_path / "own")
    (folder / FILES[1]).unlink()
    with pytest.raises(DataError, match=r"own has train-images-idx3-ubyte, but no train-labels-idx1-ubyte\[\.gz\]"):
        open_source(folder)


def test_a_truncated_idx_file_is_named(tmp_path):
    folder = idx_folder(tmp_path / "own")
    (folder / FILES[0]).write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, 9, 9, 9))
    with pytest.raises(DataError, match="train-images-idx3-ubyte is truncated: its header promises 9×9×9 = 729 bytes"):
        open_source(folder)


def test_an_unknown_name_gets_near_misses(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    (tmp_path / "pets.npz").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        open_source("fashion_mnist")
    assert caught.value.message == "there are no data called 'fashion_mnist'"
    assert "did you mean 'fashion-mnist'" in caught.value.help
    with pytest.raises(DataError) as caught:
        open_source("fotos")
    assert caught.value.help.startswith("did you mean 'photos'? known: digits, mnist, fashion-mnist, kmnist")
    with pytest.raises(DataError) as caught:
        open_source(str(tmp_path / "pet.npz"))
    assert f"did you mean '{tmp_path / 'pets.npz'}'?" in caught.value.help


@pytest.mark.parametrize("name", ["", "x" * 5000, "~nobody-of-that-name/x", "a\0b", "../" * 40 + "absent"])
def test_odd_names_are_just_not_there(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError):
        open_source(name)


def test_an_absent_data_folder_is_said(tmp_path):
    with pytest.raises(DataError, match=r"there is no folder .*absent"):
        open_source("mnist", data_dir=tmp_path / "absent")


def test_a_file_of_another_kind(tmp_path):
    (tmp_path / "a.txt").write_text("1,2")
    with pytest.raises(DataError, match=r"a\.txt is no data set"):
        open_source(tmp_path / "a.txt")


def test_relative_paths_are_looked_for_in_the_data_folders_too(tmp_path, monkeypatch):
    idx_folder(tmp_path / "own")
    assert open_source("own", data_dir=tmp_path).name == "own"
    monkeypatch.setenv("CONVSCOPE_DATA", str(tmp_path))
    assert open_source("own").name == "own"


def test_names_for_run_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert data_name("fashion-mnist") == "fashion-mnist"
    assert data_name("some/where/pets/") == "pets"
    assert data_name("a/pets.npz") == "pets"
    assert data_name(".") == tmp_path.name
    assert data_name("photos.v2") == "photos.v2"
    assert data_name("/") == "root"
    assert data_name((1, 2)) == "arrays"


def test_a_validation_set_is_drawn_from_the_training_set_by_the_seed():
    whole, data = open_source("digits"), open_source("digits", val_fraction=0.1, seed=3)
    assert len(data.val) == -(-len(whole.train) // 10)
    assert len(data.train) + len(data.val) == len(whole.train)
    assert set(data.train.names).isdisjoint(data.val.names)
    assert data.test.fingerprint == whole.test.fingerprint
    assert (data.mean, data.std) == statistics(data.train.images)
    assert data.val.names == open_source("digits", val_fraction=0.1, seed=3).val.names
    assert data.val.names != open_source("digits", val_fraction=0.1, seed=4).val.names


def test_a_validation_set_of_the_datas_own_goes_first(make_folder, grey):
    root = make_folder(
        {f"{part}/{c}/{n}.png": grey(n) for part in ("train", "val", "test") for c in "ab" for n in range(4)}
    )
    data = open_source(root, val_fraction=0.5)
    assert (len(data.train), len(data.val), len(data.test)) == (8, 8, 8)
    assert data.notes == ("the data bring their own validation set (8 images): val_fraction is not used",)


def test_a_test_set_is_drawn_where_there_is_none(make_folder, grey):
    root = make_folder({f"{c}/{n}.png": grey(n) for c in "ab" for n in range(10)})
    data = open_source(root, seed=1)
    assert np.bincount(data.test.labels).tolist() == [2, 2]
    assert set(data.train.names).isdisjoint(data.test.names)
    assert data.notes == ("no test set came with the data: 4 of 20 images are held out",)
    assert data.test.names == open_source(root, seed=1).test.names
    assert data.test.names != open_source(root, seed=2).test.names


def test_a_class_of_one_image_cannot_be_parted(make_folder, grey):
    root = make_folder({"a/1.png": grey(1), "a/2.png": grey(2), "b/1.png": grey(3)})
    with pytest.raises(DataError, match="a class with one image cannot be in both parts of a split: 'b'"):
        open_source(root)


def test_a_folder_of_one_class(make_folder, grey):
    with pytest.raises(DataError, match="pets has 1 class, but there must be two or more"):
        open_source(make_folder({"a/1.png": grey(1)}))


@pytest.mark.parametrize(
    "options", [{"val_fraction": 1.0}, {"val_fraction": -0.1}, {"image_size": 0}, {"image_size": 5000}]
)
def test_impossible_options_are_wrong_usage(options):
    with pytest.raises(UsageError, match="must lie in"):
        open_source("digits", **options)


def test_image_size_brings_any_source_to_it():
    data = open_source("digits", image_size=16)
    assert data.train.shape == data.test.shape == (1, 16, 16)
    one = open_source("digits").test.images[0, 0]
    expected = np.asarray(Image.fromarray(one).resize((16, 16), Image.Resampling.BICUBIC))
    assert np.array_equal(data.test.images[0, 0], expected)


def test_statistics_are_those_of_all_pixels():
    images = np.random.default_rng(0).integers(0, 256, (700, 3, 20, 30), dtype=np.uint8)
    images[:, 2] = 51
    mean, std = statistics(images)
    exact = images / 255
    assert np.allclose(mean, exact.mean((0, 2, 3)), rtol=1e-12)
    assert np.allclose(std[:2], exact.std((0, 2, 3))[:2], rtol=1e-10)
    assert std[2] == 1.0


def test_a_folder_that_a_known_name_hides_is_pointed_out(make_folder, grey, tmp_path, monkeypatch, capsys):
    make_folder({f"{c}/{n}.png": grey(n) for c in "ab" for n in range(5)}, "digits")
    assert open_source("digits").notes == (), "elsewhere there is nothing to say"
    monkeypatch.chdir(tmp_path)
    assert open_source("digits").notes == (
        "digits means the data of that name that convscope knows; the folder here is ./digits",
    )
    assert open_source("./digits").classes == ("a", "b")
    assert "the folder here is ./digits" in run_cli(capsys, "check", "digits")[1]
