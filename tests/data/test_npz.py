import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.data.readers.npz import read_npz
from convscope.data.sources import open_source
from convscope.errors import DataError

X = np.arange(20 * 36, dtype=np.uint16).reshape(20, 6, 6).astype(np.uint8)
Y = np.arange(20) % 2


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_both_layouts_are_read(place, save):
    save(place / "one.npz", images=X, labels=Y, classes=np.array(["even", "odd"]))
    one = read_npz(place / "one.npz")
    assert np.array_equal(one.train.images[:, 0], X)
    assert one.train.classes == ("even", "odd")
    assert one.test is None
    save(
        place / "keras.npz",
        x_train=X[:15],
        y_train=Y[:15].astype(np.uint8),
        x_test=np.asfortranarray(X[15:]),
        y_test=Y[15:],
    )
    keras = read_npz(place / "keras.npz")
    assert np.array_equal(keras.test.images[:, 0], X[15:])
    assert keras.test.labels.tolist() == Y[15:].tolist()
    data = open_source(place / "keras.npz")
    assert data.name == "keras"


def archive(path, method=zipfile.ZIP_STORED, **members):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def header(shape, descr="|u1"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


def packed(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"pictures": packed(X)}, "has no arrays images and labels; it holds pictures"),
        ({"x_train": packed(X), "labels": packed(Y)}, "has no array images; it holds labels, x_train"),
        (
            {"x_train": packed(X), "y_train": packed(Y), "x_val": packed(X)},
            "has no array y_val; it holds x_train, x_val",
        ),
        ({"images": packed(X), "labels": packed(Y[:-1])}, "20 images came with labels of shape (19,)"),
        ({"images": header((2, 2), "|O") + b"junk", "labels": packed(Y)}, "bad.npz holds Python objects"),
        ({"images": packed(X), "labels": packed(Y), "classes": packed(Y)}, "classes must be an array of names"),
        ({"images": header((10**6, 100, 100)), "labels": packed(Y)}, "claims 10,000,000,000 bytes, more than the file"),
        ({"images": header((-5, 2, 2)), "labels": packed(Y)}, "more than the file can hold"),
        ({"images": packed(X) + b"more", "labels": packed(Y)}, "is not as long as its header says (720 bytes)"),
        ({"images": b"no array", "labels": packed(Y)}, "cannot be read"),
        ({"images": packed(X), "labels": packed(np.full(20, -1))}, "labels run from -1 to -1"),
    ],
)
def test_bad_archives(place, members, text):
    path = archive(place / "bad.npz", **members)
    with pytest.raises(DataError) as caught:
        open_source(path)
    assert text in caught.value.message
    assert str(path) in caught.value.message


def test_a_directory_entry_that_lies_about_its_size_fails_before_memory_is_taken(place, monkeypatch):
    path = archive(place / "liar.npz", zipfile.ZIP_DEFLATED, images=header((10**6, 100, 100)), labels=packed(Y))
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\1\2")  # the directory: the uncompressed size stands 24 bytes in
    content[entry + 24 : entry + 28] = (4_000_000_000).to_bytes(4, "little")
    path.write_bytes(bytes(content))
    monkeypatch.setattr(np, "empty", None)
    with pytest.raises(DataError, match="claims 10,000,000,000 bytes, more than the file can hold"):
        read_npz(path)


def test_an_array_larger_than_memory_is_refused_with_its_size(place, monkeypatch):
    np.savez(place / "large.npz", images=X, labels=Y)
    monkeypatch.setattr("convscope.storage.memory.available_memory", lambda: 500)
    with pytest.raises(DataError, match=r"images of .*large\.npz needs 720 bytes of memory, but 500 bytes are free"):
        read_npz(place / "large.npz")


def test_no_archive_absent_or_oddly_packed(place):
    (place / "text.npz").write_text("hello")
    with pytest.raises(DataError, match=r"text\.npz is no \.npz archive, or is damaged"):
        read_npz(place / "text.npz")
    with pytest.raises(DataError, match=r"absent\.npz does not exist"):
        read_npz(place / "absent.npz")
    archive(place / "lzma.npz", zipfile.ZIP_LZMA, images=packed(X), labels=packed(Y))
    with pytest.raises(DataError, match=r"the array images of .*lzma\.npz is compressed in an unusual way"):
        read_npz(place / "lzma.npz")


def whole():
    file = io.BytesIO()
    np.savez_compressed(file, images=X[:4, :2, :2], labels=Y[:4], classes=np.array(["a", "b"]))
    return file.getvalue()


WHOLE = whole()


@given(data=st.data())
def test_any_damage_gives_data_or_the_projects_error(place, data):
    content = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = place / "damaged.npz"
    path.write_bytes(bytes(content[: data.draw(st.integers(len(content) - 40, len(content)))]))
    try:
        found = read_npz(path)
    except DataError:
        return
    assert np.array_equal(found.train.images[:, 0], X[:4, :2, :2])


@given(text=st.binary(max_size=80))
def test_any_array_header_gives_data_or_the_projects_error(place, text):
    content = b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text
    path = archive(place / "header.npz", images=content, labels=packed(Y))
    with pytest.raises(DataError):
        read_npz(path)


@pytest.mark.parametrize(
    "names",
    [
        "x_train y_train x_val y_val x_test y_test",
        "train_images train_labels val_images val_labels test_images test_labels",
        "X_train Y_train X_Valid Y_Valid X_test Y_test",
    ],
)
def test_three_parts_are_read_by_the_names_of_keras_and_medmnist(place, names):
    keys = names.split()
    arrays = dict(zip(keys, (X[:10], Y[:10, None], X[10:14], Y[10:14, None], X[14:], Y[14:, None]), strict=True))
    np.savez(place / "three.npz", **arrays, note=np.zeros(3))
    found = read_npz(place / "three.npz")
    assert [len(part) for part in (found.train, found.val, found.test)] == [10, 4, 6]
    assert np.array_equal(found.val.images[:, 0], X[10:14])
    assert found.notes == ("arrays that are not used: note",)
    np.savez(place / "two.npz", **{key: arrays[key] for key in keys[:4]})
    held = read_npz(place / "two.npz")
    assert (len(held.test), held.val) == (4, None)
    assert held.notes == (
        f"there is no test set with labels: {keys[2]} and {keys[3]} is used for tests, not for validation",
    )


@pytest.mark.parametrize("keys", ["X y", "x y", "arr_0 arr_1", "data target", "x_train y_train"])
def test_other_pairs_of_names(place, keys):
    first, second = keys.split()
    np.savez(place / "pair.npz", **{first: X, second: Y})
    found = read_npz(place / "pair.npz")
    assert (np.array_equal(found.train.images[:, 0], X), found.test, found.notes) == (True, None, ())


def test_rows_of_pixels_and_one_hot_labels(place):
    np.savez(place / "rows.npz", images=X.reshape(20, 36), labels=Y)
    assert np.array_equal(open_source(place / "rows.npz", image_size=6).train.images[0, 0], X[0])
    with pytest.raises(DataError, match="images of shape") as caught:
        open_source(place / "rows.npz")
    assert "36 = 6 × 6: give image_size=6" in caught.value.help
    np.savez(place / "hot.npz", images=X, labels=np.eye(2)[Y])
    with pytest.raises(DataError, match="are one-hot rows"):
        open_source(place / "hot.npz")


def test_two_classes_of_one_name_are_refused(place):
    np.savez(place / "twice.npz", images=X, labels=Y, classes=["a", "a"])
    with pytest.raises(DataError, match="two classes are called 'a'"):
        read_npz(place / "twice.npz")


def test_a_bomb_is_refused_before_it_is_unpacked(place, monkeypatch):
    """Before: 2.4 MB became 2.4 GB, and was trained in 39 s."""
    monkeypatch.setattr("convscope.data.readers.unpacking.HARMLESS", 1_000_000)
    np.savez_compressed(place / "bomb.npz", images=np.zeros((40, 256, 256), np.uint8), labels=np.arange(40) % 2)
    with pytest.raises(
        DataError,
        match=r"images of .*bomb\.npz unpacks 2\.6 kB to 2\.6 MB: that is taken for a decompression bomb",
    ):
        read_npz(place / "bomb.npz")
    np.savez(place / "flat.npz", images=np.zeros((40, 256, 256), np.uint8), labels=np.arange(40) % 2)
    assert len(read_npz(place / "flat.npz").train) == 40, "uncompressed, any size is what it is"
