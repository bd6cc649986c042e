"""Blocks of sums: how large they are."""

import pytest

from convscope.engine.jit.ir import registers


@pytest.mark.parametrize(
    ("channels", "pixels", "vectors", "limit", "expected"),
    [
        (32, 16, 1, 20, (10, 2)),  # 12 numbers for 20 sums, not 21
        (20, 12, 2, 20, (10, 1)),
        (32, 16, 1, 10, (5, 2)),
        (7, 9, 1, 20, (6, 3)),
        (3, 32, 1, 20, (3, 6)),  # few channels: as many pixels as there is room for
        (1, 9, 1, 20, (1, 9)),
        (128, 1, 1, 20, (20, 1)),  # a single pixel
        (4, 4, 16, 10, (1, 1)),  # a pixel alone is more than there is room for
    ],
)
def test_a_block_loads_no_more_than_it_multiplies_where_that_can_be(channels, pixels, vectors, limit, expected):
    assert registers.tile(channels, pixels, vectors, limit) == expected


@pytest.mark.parametrize("vectors", [1, 2])
@pytest.mark.parametrize("limit", [10, 20])
def test_no_block_is_larger_than_the_registers(vectors, limit):
    for channels in range(1, 70):
        for pixels in (1, 2, 3, 8, 33):
            size, across = registers.tile(channels, pixels, vectors, limit)
            assert 1 <= size <= channels
            assert 1 <= across <= pixels
            assert size * across * vectors <= limit
