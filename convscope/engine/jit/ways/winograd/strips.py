"""dx of Winograd's way, a strip of tiles at a time: the inputs of neighbouring tiles overlap, and their parts add up.

A strip is some rows of tiles, whose sums stay in the cache. Once its tiles have given their parts, all rows but those
that the next strip also reaches are final: they become dx, and the others move to the top.
"""

from ...ir.arrays import Array, Index, chunks
from ...ir.kernel import Kernel
from ...ir.values import I64, PTR, Value
from ..gradient import Gradient
from ..way import Site
from .tiling import Tiles, both, values
from .toom_cook import transposed


class Strips:
    """The sums of a strip, and where its tiles lie."""

    def __init__(self, t: Tiles, site: Site) -> None:
        self.t = t
        self.each = list(chunks(t.tiles[0], max(1, t.group // t.tiles[1])))  # (start, stop, step) in rows of tiles
        self.firsts = [first for start, stop, step in self.each for first in range(start, stop, step)]
        above, left, below, right = t.conv.padding
        self.tops = [i for i, _ in t.starts()[:: t.tiles[1]]]  # the first row of every row of tiles
        _, height, width = site.node.shapes[0]
        reached = (self.each[0][2] - 1) * t.down.outputs + t.points[0]
        rest = above + height + below - self.tops[self.firsts[-1]]
        self.sums = site.array((t.conv.inputs, max(reached, rest), left + width + right))

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

    def finish(self, f: Kernel, strip: Index, rows: int, x: Array, dx: Gradient) -> None:
        """dx = sums · a'(x) of the rows that are final, without the border; the others become the next strip's first.

        ``strip`` is its first of ``rows`` rows of tiles.
        """
        sums, (above, left, _, _), tops = self.sums, self.t.conv.padding, self.tops
        last = above + x.height
        final = [(tops[i + rows] if i + rows < len(tops) else last) - top for i, top in enumerate(tops)]
        kept = [sums.height - n if i + rows < len(tops) else 0 for i, n in enumerate(final)]
        cleared = [sums.height if i + rows < len(tops) else 0 for i in range(len(tops))]
        begins = [max(above - top, 0) for top in tops]
        ends = [min(last - top, n) for top, n in zip(tops, final, strict=True)]
        top, moved, keep, clear, begin, end = (
            _looked_up(f, numbers, strip) for numbers in (tops, final, kept, cleared, begins, ends)
        )
        parts, known, out, vectors = f.array(sums), f.array(x), f.array(dx.array), f.lanes.vectors
        with f.loop(sums.channels) as c:
            with f.loop(end, begin) as i, f.loop(x.width) as j, f.loop(vectors) as v:
                at = c, top + i - above, j, v
                dx.put(f, parts[c, i, left + f.integer(j), v], known.load(at), *out.terms(at))
            with f.loop(keep) as i, f.loop(sums.width) as j, f.loop(vectors) as v:
                parts[c, i, j, v] = parts[c, moved + i, j, v]
            with f.loop(clear, keep) as i, f.loop(sums.width) as j, f.loop(vectors) as v:
                parts[c, i, j, v] = f.constant(0.0, f.lanes.vector)

    def _offsets(self) -> list[int]:
        """Bytes from the first sum of its strip to that of every tile."""
        return [
            (i - self.tops[max(first for first in self.firsts if first <= n // self.t.tiles[1])]) * self.sums.row
            + j * self.sums.pixel
            for n, (i, j) in enumerate(self.t.starts())
        ]


def _looked_up(f: Kernel, numbers: list[int], i: Index) -> Value:
    """Number ``i`` of a table of constants."""
    return f.load(I64, Value(f, f.module.table(numbers), PTR), (i, 8))
