import mmap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.data import split
from convscope.data.images import ImageSet
from convscope.data.pictures.maps import kept, let_go, mapped, room
from convscope.data.sources import open_source
from convscope.data.split import divided, stratified_split
from convscope.errors import DataError


@given(
    counts=st.lists(st.integers(2, 40), min_size=1, max_size=6),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**31),
)
def test_each_class_gives_its_share(counts, fraction, seed):
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))
    rest, held = stratified_split(labels, fraction, seed)
    assert np.array_equal(np.sort(np.concatenate([rest, held])), np.arange(len(labels)))
    assert (np.diff(rest) > 0).all()
    assert (np.diff(held) > 0).all()
    for label, count in enumerate(counts):
        share = int((labels[held] == label).sum())
        assert 1 <= share <= count - 1
        assert abs(share - fraction * count) <= 1
    again = stratified_split(labels, fraction, seed)
    assert np.array_equal(held, again[1])


def test_the_seed_draws_and_the_total_is_rounded_up():
    labels = np.repeat(np.arange(10), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
    held = stratified_split(labels, 0.2, 0)[1]
    assert len(held) == 360
    assert not np.array_equal(held, stratified_split(labels, 0.2, 1)[1])


def test_a_single_image_cannot_be_in_both_parts():
    with pytest.raises(DataError, match="a class with one image cannot be in both parts of a split: 'owl'"):
        stratified_split(np.array([0, 0, 1]), 0.2, 0, ("cat", "owl"))


@pytest.mark.parametrize("piece", [1, 500, 10**6])
def test_a_set_is_divided_piece_by_piece(monkeypatch, piece):
    monkeypatch.setattr(split, "PIECE", piece)
    rng = np.random.default_rng(0)
    images = ImageSet(rng.integers(0, 256, (31, 1, 6, 6), dtype=np.uint8), np.arange(31) % 3, ("a", "b", "c"))
    gone = []
    monkeypatch.setattr(split, "emptied", lambda pixels: gone.append(len(pixels)))
    rest, held = stratified_split(images.labels, 0.3, 0)
    for part, index in zip(divided(images, rest, held, "them"), (rest, held), strict=True):
        assert part.fingerprint == images.take(index).fingerprint
        assert part.names == images.take(index).names
    assert sum(gone) == 31


def test_pixels_that_were_let_go_are_read_again_and_those_of_others_are_kept(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, 50_000, dtype=np.uint8)
    (tmp_path / "pixels").write_bytes(b"x" * 100 + pixels.tobytes())
    with (tmp_path / "pixels").open("rb") as file:
        ours = mapped(file, 100, (50, 1000))
        theirs = np.memmap(file, np.uint8, "c", 100, (50_000,))
    theirs[:] = 7
    for array in (ours, ours[3:40], ours[:0], theirs, np.zeros(9, np.uint8)):
        let_go(array)
    assert np.array_equal(ours.ravel(), pixels)
    assert (theirs == 7).all(), "changes of somebody's own would be lost"


def halves(pixels):
    """Whether a split of ``pixels`` was right, and what is left of them."""
    images, before = ImageSet(pixels, np.arange(len(pixels)) % 2, ("a", "b")), pixels.copy()
    index = np.arange(0, len(pixels), 2), np.arange(1, len(pixels), 2)
    parts = divided(images, *index, "them")
    assert all(np.array_equal(part.images, before[one]) for part, one in zip(parts, index, strict=True))
    return pixels


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="memory cannot be given back in pieces here")
def test_memory_that_was_taken_for_pixels_is_given_back_as_they_are_divided(monkeypatch):
    monkeypatch.setattr(split, "PIECE", 2**20)
    shape = (64, 1, 256, 256)  # 16 pages an image
    taken, seen, theirs = room(shape), room(shape), np.empty(shape, np.uint8)
    for pixels in (taken, seen, theirs):
        pixels[:] = 1 + np.arange(64, dtype=np.uint8)[:, None, None, None]
    kept(seen)
    assert not halves(taken).any(), "pages that were given back are zeros"
    assert halves(seen).all(), "a set was made of them: it is somebody's"
    assert halves(theirs).all()


def test_sets_that_were_opened_can_be_opened_again_and_their_caller_keeps_his_arrays():
    rng = np.random.default_rng(0)
    floats, labels = rng.random((80, 256, 256, 1), dtype=np.float32), np.arange(80) % 2
    before = floats.copy()
    first = open_source((floats, labels))
    assert np.array_equal(floats, before)
    pixels = first.train.images.copy()
    assert np.array_equal(
        np.rint(floats[:, None, :, :, 0] * np.float32(255))[[int(n) for n in first.train.names]], pixels
    )
    open_source(first.train)
    open_source((first.train.images, first.train.labels))
    assert np.array_equal(first.train.images, pixels)
