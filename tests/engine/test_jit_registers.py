"""Blocks of sums: how large they are."""

import pytest

from convscope.engine.jit.ir import registers
from convscope.engine.jit.ir.arrays import chunks


@pytest.mark.parametrize(
    ("channels", "pixels", "vectors", "limit", "expected"),
    [
        (32, 16, 1, 20, (8, 2)),  # 10 numbers for 16 sums, not 17
        (16, 32, 1, 24, (8, 3)),
        (20, 12, 2, 20, (10, 1)),
        (32, 16, 1, 10, (4, 2)),
        (7, 9, 1, 20, (4, 5)),
        (3, 32, 1, 20, (3, 4)),  # few channels: more pixels
        (1, 9, 1, 20, (1, 9)),
        (128, 1, 1, 20, (19, 1)),  # a single pixel; 128 channels in seven parts
        (4, 4, 16, 10, (1, 1)),  # a pixel alone is more than there is room for
    ],
)
def test_a_block_loads_no_more_than_it_multiplies_where_that_can_be(channels, pixels, vectors, limit, expected):
    assert registers.tile(channels, pixels, vectors, limit) == expected


@pytest.mark.parametrize("vectors", [1, 2])
@pytest.mark.parametrize("limit", [10, 20])
def test_a_block_fits_the_registers_and_cuts_evenly(vectors, limit):
    for channels in range(1, 70):
        for pixels in (1, 2, 3, 8, 33):
            size, across = registers.tile(channels, pixels, vectors, limit)
            assert 1 <= size <= channels
            assert 1 <= across <= pixels
            assert size * across * vectors <= limit
            assert (size, across) == (next(chunks(channels, size))[2], next(chunks(pixels, across))[2])
