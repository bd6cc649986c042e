"""The arithmetic of batches, against cutting a list by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.errors import UsageError
from convscope.explain.concepts.batches import cut, strip


@given(st.integers(1, 300), st.integers(1, 320), st.booleans())
def test_batches_are_what_cutting_gives(samples, batch_size, drop_last):
    parts = [range(samples)[i : i + batch_size] for i in range(0, samples, batch_size)]
    if drop_last:
        parts = [part for part in parts if len(part) == batch_size]
    if not parts:
        with pytest.raises(UsageError, match="no update is left"):
            cut(samples, batch_size, drop_last)
        return
    found = cut(samples, batch_size, drop_last)
    assert (found.updates, found.last) == (len(parts), len(parts[-1]))
    assert found.left_out == samples - sum(map(len, parts))
    shown = strip(found, 0, 1)
    assert [len(part) for part in shown] == [len(part) for part in parts]
    assert len({sample for part in shown for sample in part}) == samples - found.left_out


def test_the_notes_numbers():
    assert (cut(40_000, 32).updates, cut(40_000, 32).last) == (1_250, 32)
    assert (cut(60_000, 64).updates, cut(60_000, 64).last) == (938, 32)
    dropped = cut(60_000, 64, drop_last=True)
    assert (dropped.updates, dropped.last, dropped.left_out) == (937, 64, 32)


def test_regimes_have_their_names():
    assert cut(10, 1).regime == "batch size 1: stochastic gradient descent"
    assert cut(10, 4).regime == "mini-batch gradient descent"
    assert cut(10, 10).regime == cut(10, 99).regime == "full batch: gradient descent"


@pytest.mark.parametrize(("samples", "batch_size"), [(0, 1), (1, 0), (-3, 2), (10**13, 1)])
def test_absurd_numbers_are_refused(samples, batch_size):
    with pytest.raises(UsageError, match="expected a whole number from 1"):
        cut(samples, batch_size)
