"""Data that are made to be read from the disk: arrays in .npy files, WebDataset shards."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from convscope.data.pictures.maps import owner_of
from convscope.data.sources import open_source
from convscope.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 3, 12, 12), dtype=np.uint8)
LABELS = np.arange(40) % 2


def test_arrays_on_disk_are_mapped(tmp_path):
    np.save(tmp_path / "x_train.npy", PIXELS)
    np.save(tmp_path / "y_train.npy", LABELS)
    np.save(tmp_path / "x_test.npy", PIXELS[:10])
    np.save(tmp_path / "y_test.npy", LABELS[:10])
    data = open_source(tmp_path)
    assert np.array_equal(data.train.images, PIXELS)
    assert owner_of(data.train.images) is not None
    assert np.array_equal(data.test.labels, LABELS[:10])
    data.train.images[0] = 0
    assert np.array_equal(np.load(tmp_path / "x_train.npy"), PIXELS), "the file is not written to"


def test_arrays_of_floats_are_read(tmp_path):
    np.save(tmp_path / "images.npy", PIXELS[:, 0] / 255)
    np.save(tmp_path / "labels.npy", LABELS)
    np.save(tmp_path / "classes.npy", np.array(["cat", "dog"]))
    data = open_source(tmp_path)
    assert len(data.train) + len(data.test) == 40
    assert data.classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no array", "is no .npy file, or is damaged"),
        (np.array([{}], dtype=object), "holds Python objects, which are never loaded"),
        (b"cut", "is not as long as its header says"),
    ],
)
def test_arrays_that_cannot_be_used_are_refused(tmp_path, content, told):
    np.save(tmp_path / "labels.npy", LABELS)
    if isinstance(content, bytes):
        np.save(tmp_path / "images.npy", PIXELS)
        whole = (tmp_path / "images.npy").read_bytes()
        (tmp_path / "images.npy").write_bytes(whole[:-7] if content == b"cut" else content)
    else:
        np.save(tmp_path / "images.npy", content)
    with pytest.raises(DataError, match=told):
        open_source(tmp_path)


def shard(path, numbers, labels=LABELS, skip=()):
    with tarfile.open(path, "w") as archive:
        for number in numbers:
            png = io.BytesIO()
            Image.fromarray(PIXELS[number].transpose(1, 2, 0)).save(png, "PNG")
            for ending, content in (("png", png.getvalue()), ("cls", str(labels[number]).encode())):
                if (number, ending) not in skip:
                    info = tarfile.TarInfo(f"{number:04}.{ending}")
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))


def test_shards_of_webdataset_are_read_with_their_labels_and_parts(tmp_path):
    shard(tmp_path / "train-000000.tar", range(15))
    shard(tmp_path / "train-000001.tar", range(15, 30))
    shard(tmp_path / "test-000000.tar", range(30, 40))
    data = open_source(tmp_path)
    assert (len(data.train), len(data.test)) == (30, 10)
    assert data.classes == ("0", "1")
    first = [name.rpartition("/")[2] for name in data.train.names]
    for position, name in enumerate(first):
        number = int(name[:4])
        assert data.train.labels[position] == LABELS[number]
        assert np.array_equal(data.train.images[position], PIXELS[number])


def test_one_shard_is_a_set_by_itself(tmp_path):
    shard(tmp_path / "all.tar", range(40), labels=["cat", "dog"] * 20)
    data = open_source(tmp_path / "all.tar")
    assert data.classes == ("cat", "dog")
    assert len(data.train) + len(data.test) == 40


def test_an_image_without_a_label_is_named(tmp_path):
    shard(tmp_path / "train.tar", range(6), skip={(3, "cls")})
    with pytest.raises(DataError) as found:
        open_source(tmp_path)
    assert found.value.message.endswith("train.tar/0003.png has no label beside it")
