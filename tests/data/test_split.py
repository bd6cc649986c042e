import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.data.split import stratified_split
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
    with pytest.raises(DataError, match="class 'owl' has a single image, which cannot be in both parts of a split"):
        stratified_split(np.array([0, 0, 1]), 0.2, 0, ("cat", "owl"))
