"""dx of Winograd's way, a strip of tiles at a time: the inputs of neighbouring tiles overlap, and their parts add up.

A strip is some rows of tiles, whose sums stay in the cache. Once its tiles have given their parts, all rows but those
that the next strip also reaches are final: they become dx, and the others move to the top.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ...ir.arrays import Index, chunks
from ...ir.kernel import Kernel
from ...ir.values import I64, PTR, Value
from ..gradient import Gradient
from ..way import Site
from .tiling import Tiles, both, values
from .toom_cook import transposed


class _Rows(NamedTuple):
    """Of the sums of a strip: ``begin`` to ``end`` become dx's rows from ``top`` + ``begin`` (padding counts) on.

    Then ``kept`` rows from ``moved`` on move to the top, and those up to ``cleared`` are zero again.
    """

    top: int
    begin: int
    end: int
    moved: int
    kept: int
    cleared: int


class Strips:
    """The sums of a strip, and where its tiles lie."""

    def __init__(self, t: Tiles, site: Site, dx: Gradient) -> None:
        self.t, self.x, self.dx = t, site.x[0], dx
        self.each = list(chunks(t.tiles[0], max(1, t.group // t.tiles[1])))  # (start, stop, step) in rows of tiles
        self._firsts = [first for start, stop, step in self.each for first in range(start, stop, step)]
        self._tops = [i for i, _ in t.starts()[:: t.tiles[1]]]  # the first row of every row of tiles
        above, left, below, right = t.conv.padding
        reached = (self.each[0][2] - 1) * t.down.outputs + t.points[0]
        rest = above + self.x.height + below - self._tops[self._firsts[-1]]  # more where a pool leaves rows over
        self.sums = site.array((t.conv.inputs, max(reached, rest), left + self.x.width + right))

    def begin(self, f: Kernel) -> None:
        """All sums are zero."""
        with f.loop(self.sums.size // f.lanes.bytes) as i:
            f.store(f.constant(0.0, f.lanes.vector), self.sums.room, (i, f.lanes.bytes))

    def add(self, f: Kernel, first: Index, size: int) -> None:
        """Sums += B dV Bᵀ of ``size`` tiles from ``first`` on."""
        t, lanes, sums = self.t, f.lanes, self.sums
        offsets = self._offsets()
        by_row, by_column, by_channel, by_tile = t.strides(t.conv.inputs, lanes)
        with f.loop(t.conv.inputs) as c, f.loop(size) as n, f.loop(lanes.vectors) as v:
            here = f.address(t.inputs, (c, by_channel), (n, by_tile), (v, lanes.bytes))
            corner = f.address(sums.room, (c, sums.channel), _looked_up(f, offsets, first + n), (v, lanes.bytes))
            row = both(f, transposed(t.down.input), transposed(t.along.input), values(f, here, by_row, by_column))
            with f.loop(t.points[0]) as i:
                for j, value in enumerate(row(i)):
                    out = f.address(corner, (i, sums.row), j * sums.pixel)
                    f.store(f.load(lanes.vector, out) + value, out)

    def finish(self, f: Kernel, strip: Index, step: int) -> None:
        """dx = sums · a'(x) of the rows that are final; the others become the next strip's first.

        ``strip`` is its first of ``step`` rows of tiles.
        """
        columns = zip(*(self._rows(n, step) for n in range(len(self._tops))), strict=True)  # by the first row of tiles
        top, begin, end, moved, kept, cleared = (_looked_up(f, numbers, strip) for numbers in columns)
        parts, known, out, vectors = f.array(self.sums), f.array(self.x), f.array(self.dx.array), f.lanes.vectors
        above, left, _, _ = self.t.conv.padding
        with f.loop(self.sums.channels) as c:
            with f.loop(end, begin) as i, f.loop(self.x.width) as j, f.loop(vectors) as v:
                at = c, top + i - above, j, v
                self.dx.put(f, parts[c, i, left + f.integer(j), v], known.load(at), *out.terms(at))
            with f.loop(kept) as i, f.loop(self.sums.width) as j, f.loop(vectors) as v:
                parts[c, i, j, v] = parts[c, moved + i, j, v]
            with f.loop(cleared, kept) as i, f.loop(self.sums.width) as j, f.loop(vectors) as v:
                parts[c, i, j, v] = f.constant(0.0, f.lanes.vector)

    def _rows(self, first: int, step: int) -> _Rows:
        """Of a strip that begins at row ``first`` of tiles."""
        above, top = self.t.conv.padding[0], self._tops[first]
        last = above + self.x.height
        if first + step >= len(self._tops):
            return _Rows(top, max(above - top, 0), last - top, 0, 0, 0)
        final, height = self._tops[first + step] - top, self.sums.height
        return _Rows(top, max(above - top, 0), min(last - top, final), final, height - final, height)

    def _offsets(self) -> list[int]:
        """Bytes from the first sum of its strip to that of every tile."""
        across = self.t.tiles[1]
        strips = [max(first for first in self._firsts if first <= n // across) for n in range(self.t.count)]
        return [
            (i - self._tops[strip]) * self.sums.row + j * self.sums.pixel
            for strip, (i, j) in zip(strips, self.t.starts(), strict=True)
        ]


def _looked_up(f: Kernel, numbers: Sequence[int], i: Index) -> Value:
    """Number ``i`` of a table of constants."""
    return f.load(I64, Value(f, f.module.table(numbers), PTR), (i, 8))
