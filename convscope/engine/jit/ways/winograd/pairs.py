"""How the sums of weight gradients lie in memory, so that sums over lanes become neighbours."""

from ...ir.arrays import Index, Lanes
from ...ir.values import Value
from .tiling import Tiling


class Pairs:
    """How dU lies in an arena: [row of points][column of points][tile of pairs][pair].

    A tile is ``outputs`` × ``inputs`` channels: as many sums as are kept in registers at a time. Sums over images are
    sums over lanes; those of a tile become neighbours, so that vectors of them are added to what the memory holds.
    """

    def __init__(self, t: Tiling, lanes: Lanes) -> None:
        self.lanes, self.conv = lanes, t.conv
        size = max(8, lanes.width)
        shapes = [(size // n, n) for n in (1, 2, 4, 8, 16) if n <= size]
        self.outputs, self.inputs = min(shapes, key=lambda shape: (self._tiles(*shape), sum(shape)))
        self.tile = 4 * size  # bytes from one to the next
        self.column = self._tiles(self.outputs, self.inputs) * self.tile
        self.row = t.points[1] * self.column
        self.room = t.points[0] * self.row

    def _tiles(self, outputs: int, inputs: int) -> int:
        return -(-self.conv.outputs // outputs) * -(-self.conv.inputs // inputs)

    def each(self) -> list[tuple[tuple[int, int, int], tuple[int, int, int]]]:
        """Loops over whole tiles and partial ones: (start, stop, size) of the output and of the input channels."""
        return [(o, c) for o in _parts(self.conv.outputs, self.outputs) for c in _parts(self.conv.inputs, self.inputs)]

    def at(self, o: Index, c: Index) -> list[tuple[Index, int]]:
        """The terms of the address of the tile whose first pair is (o, c)."""
        across = -(-self.conv.inputs // self.inputs)
        return [(o // self.outputs, across * self.tile), (c // self.inputs, self.tile)]

    def vectors(self, sums: list[list[Value]]) -> list[list[Value]]:
        """The sums [output][input] of a tile, cut into what fills the lanes of one vector."""
        missing = [sums[0][0]] * (self.inputs - len(sums[0]))  # pairs that do not exist: nobody looks at them
        pairs = [total for row in sums for total in (*row, *missing)]
        return [pairs[k : k + self.lanes.width] for k in range(0, len(pairs), self.lanes.width)]


def _parts(count: int, size: int) -> list[tuple[int, int, int]]:
    whole = count // size * size
    return [part for part in ((0, whole, size), (whole, count, count - whole)) if part[0] < part[1]]
