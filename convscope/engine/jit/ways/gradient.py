"""The gradient of what a node makes: where it lies, and how its parts are summed up."""

from collections.abc import Callable
from dataclasses import dataclass

from ..ir.arrays import NO_BORDER, Array, Border, Index, Pair, Room, Shape
from ..ir.kernel import Kernel
from ..ir.values import Term, Value
from .layer import NONE, Activation

# Bytes from the first of some tiles to any, in an array with so many bytes between rows and columns that is pooled by
# so much.
Place = Callable[[int, int, Pair], Callable[[Index], Value]]
# A gradient by channel, tile and vector; then by row and column of the tile.
Slopes = Callable[[Index, Index, Index], Callable[[Index, Index], Value]]
# What forms a gradient where it is read, given where tiles of a size (rows, columns) lie.
Former = Callable[[Kernel, Place, Pair], Slopes]


@dataclass
class Store:
    """The memory of a gradient, or of several that are one."""

    room: Room
    shape: Shape
    pixel: int
    border: Border = NO_BORDER  # of zeros that a way wants around it, and clears

    @property
    def array(self) -> Array:
        """Where it lies."""
        array = Array(self.room, *self.shape, self.pixel, self.border)
        self.room.size = array.size
        return array


@dataclass
class Gradient:
    """The gradient of a node's result before its activation, summed over the nodes that read the result.

    Each of them multiplies its part by the slope of that activation; the first one stores it, later ones add.
    """

    store: Store
    act: Activation
    begun: bool = False
    given: bool = False  # that of a sum that reads the result lies there already, not multiplied by the slope
    on_demand: bool = False  # the node's way reads each number once, and would rather form it there
    former: Former | None = None  # does so: the array is not used

    @property
    def array(self) -> Array:
        """Where it lies."""
        return self.store.array

    def want(self, border: Border) -> None:
        """Have at least such a border around it."""
        top, left, bottom, right = (max(sides) for sides in zip(self.store.border, border, strict=True))
        self.store.border = top, left, bottom, right

    def put(self, f: Kernel, part: Value, result: Callable[[], Value], out: Value | Room, *terms: Term) -> None:
        """Add ``part``, the gradient of the node's ``result``, at an address of the array."""
        place = f.address(out, *terms)
        if self.given:
            part = part + f.load(part.type, place)
        if self.act != NONE:
            part = self.act.times_slope(f, part, result())
        f.store(part + f.load(part.type, place) if self.begun else part, place)

    def begin(self) -> None:
        """One part is there: the next ones are added to it."""
        self.begun, self.given = True, False
