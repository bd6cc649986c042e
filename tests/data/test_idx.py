import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from convscope.data.readers.idx import read_idx, read_pair, write_idx
from convscope.errors import DataError


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("idx")


def packed(array):
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def outcome(path, dims):
    """The array, or the project's own error; any other exception fails the test."""
    try:
        return read_idx(path, dims)
    except DataError as error:
        return error


@given(
    array=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=7)), zipped=st.booleans()
)
def test_what_is_written_is_read(place, array, zipped):
    path = place / ("a.gz" if zipped else "a")
    write_idx(path, array)
    assert np.array_equal(read_idx(path, array.ndim), array)


@given(content=st.binary(max_size=60), head=st.sampled_from([b"", b"\0\0\x08\x03", b"\0\0\x08\x01", b"\x1f\x8b\x08\0"]))
def test_any_bytes_are_an_array_or_a_clear_error(place, content, head):
    path = place / "fuzz"
    path.write_bytes(head + content)
    for dims in (1, 3):
        got = outcome(path, dims)
        if isinstance(got, DataError):
            assert str(path) in got.message
        else:
            assert packed(got) == (gzip.decompress(head + content) if head[:1] == b"\x1f" else head + content)


@given(data=st.data())
def test_damage_to_a_compressed_file_is_found(place, data):
    array = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    content = bytearray(gzip.compress(packed(array), mtime=0))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    path = place / "damaged.gz"
    path.write_bytes(bytes(content))
    got = outcome(path, 3)
    if isinstance(got, DataError):
        assert str(path) in got.message
    else:  # some bits of the gzip header mean nothing, such as the time
        assert np.array_equal(got, array)


IMAGES = np.zeros((2, 3, 4), np.uint8)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\x89PNG\r\n\x1a\n", "is no IDX file: it begins with 89 50 4e 47, expected the magic number 00 00 08 03"),
        (b"", "is no IDX file: it begins with nothing"),
        (packed(np.zeros(5, np.uint8)), "holds uint8 values in 1 dimension (magic number 00 00 08 01), expected"),
        (b"\0\0\x0d\x03" + packed(IMAGES)[4:], "holds float32 values in 3 dimensions"),
        (packed(IMAGES)[:9], "is truncated: its header ends after 9 bytes"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 0, 2**32 - 1, 2**32 - 1), "promises 0×4294967295×4294967295 = 0 bytes, more"),
        (packed(IMAGES)[:-1], "is truncated: its header promises 2×3×4 = 24 bytes, more than it can hold"),
        (gzip.compress(packed(IMAGES)[:-1], mtime=0), "is truncated: 1 of 24 bytes are missing (2×3×4 was promised)"),
        (gzip.compress(packed(IMAGES), mtime=0)[:-9], "is truncated: its gzip data end too early"),
        (packed(IMAGES) + b"x", "is longer than its header says: 2×3×4 = 24 bytes end before the file does"),
        (gzip.compress(packed(IMAGES) + b"x", mtime=0), "is longer than its header says"),
        (gzip.compress(packed(IMAGES), mtime=0)[:-8] + b"12345678", "cannot be read: CRC check failed"),
    ],
)
def test_bad_files_are_named_with_what_is_wrong(place, content, text):
    path = place / "bad"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_idx(path, 3)
    assert caught.value.message.startswith(f"{path} ")
    assert text in caught.value.message
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_hundred_bytes_that_claim_ten_gigabytes_fail_before_memory_is_taken(place, pack, monkeypatch):
    path = place / "liar"
    path.write_bytes(pack(struct.pack(">4B3I", 0, 0, 8, 3, 10**6, 100, 100) + bytes(80)))
    monkeypatch.setattr(np, "empty", None)
    with pytest.raises(DataError, match=r"promises 1000000×100×100 = 10,000,000,000 bytes, more than it can hold"):
        read_idx(path, 3)


def test_a_file_larger_than_memory_is_refused_with_its_size(place, monkeypatch):
    path = place / "large"
    write_idx(path, IMAGES)
    monkeypatch.setattr("convscope.storage.memory.available_memory", lambda: 10)
    with pytest.raises(DataError, match="large needs 24 bytes of memory, but 10 bytes are free"):
        read_idx(path, 3)


def test_an_absent_file_and_a_wrong_sum(place):
    with pytest.raises(DataError, match="absent does not exist"):
        read_idx(place / "absent", 3)
    path = place / "sum"
    write_idx(path, IMAGES)
    with pytest.raises(DataError, match=r"sum is not the published file: expected SHA-256 00 .*, got [0-9a-f]{64}"):
        read_idx(path, 3, sha256="00")


def test_counts_of_images_and_labels_must_agree(place):
    write_idx(place / "x", IMAGES)
    write_idx(place / "y", np.zeros(3, np.uint8))
    with pytest.raises(DataError, match=r"x holds 2 images, but .*y holds 3 labels"):
        read_pair(place / "x", place / "y")
    write_idx(place / "y", np.array([1, 0], np.uint8))
    images, labels = read_pair(place / "x", place / "y")
    assert images.shape == (2, 1, 3, 4)
    assert labels.tolist() == [1, 0]
    assert labels.dtype == np.int64


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("convscope.data.readers.unpacking.HARMLESS", 1_000_000)
    write_idx(tmp_path / "bomb.gz", np.zeros((40, 256, 256), np.uint8))
    with pytest.raises(DataError, match="taken for a decompression bomb"):
        read_idx(tmp_path / "bomb.gz", 3)
