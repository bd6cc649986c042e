"""A kernel: a function over one block of images, and the words for the arrays that it works on."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from .arrays import Array, Index, Lanes, Room
from .function import Function, Module
from .values import I64, PTR, Term, Value

At = tuple[Index, Index, Index, Index]  # channel, row, column, vector of images
# The thread's arena, parameters, gradients, and what each block keeps from one phase to the next.
PARAMETERS = (("a", PTR), ("p", PTR), ("g", PTR), ("b", PTR))
# What else is given where all threads have met: all arenas, so many bytes from one to the next, and the net's buffers.
MET = (("arenas", PTR), ("stride", I64), ("threads", I64), ("thread", I64), ("running", PTR))


@dataclass(frozen=True)
class Header:
    """Where an arena keeps what a block is told of its images, lane by lane (bytes from its start)."""

    images: int  # their addresses
    labels: int
    weights: int  # 1 / (images of the batch); 0 in a lane without an image
    loss: int  # the sum of the losses
    numbers: int  # of the images in their set, for what is drawn
    key: int  # of the update, for what is drawn
    squares: int  # sums of the squares of a slice of the gradient, where it is clipped
    gradients: int  # of all parameters, summed over the thread's blocks
    size: int


class Kernel(Function):
    """``a`` is the thread's arena, ``p`` the parameters, ``g`` the thread's gradients, ``b`` what each block keeps.

    ``word`` and ``node`` say what it does, and for which node of the graph.
    """

    def __init__(
        self,
        module: Module,
        word: str,
        node: int | None,
        lanes: Lanes,
        header: Header,
        further: Sequence[tuple[str, str]] = (),
    ) -> None:
        name = word if node is None else f"{word}{node}"
        super().__init__(module, name, (*PARAMETERS, *further), module.exported)
        module.functions.append(self)
        self.word, self.node, self.lanes, self.header = word, node, lanes, header

    @property
    def images(self) -> Value:
        """Where the addresses of the block's images stand."""
        return self.address(self["a"], self.header.images)

    @property
    def labels(self) -> Value:
        """Where the labels stand, an int32 a lane."""
        return self.address(self["a"], self.header.labels)

    @property
    def weights(self) -> Value:
        """Where the weights of the lanes stand."""
        return self.address(self["a"], self.header.weights)

    @property
    def numbers(self) -> Value:
        """Where the numbers of the images stand, an int32 a lane."""
        return self.address(self["a"], self.header.numbers)

    @property
    def key(self) -> Value:
        """Where the update's key stands, an int32."""
        return self.address(self["a"], self.header.key)

    @property
    def loss(self) -> Value:
        """Where the loss is summed, lane by lane."""
        return self.address(self["a"], self.header.loss)

    def array(self, array: Array) -> "Here":
        """``array`` in this kernel."""
        return Here(self, array)

    @contextmanager
    def each(self, array: Array) -> Iterator[At]:
        """Loops over all vectors of ``array``."""
        with (
            self.loop(array.channels) as c,
            self.loop(array.height) as y,
            self.loop(array.width) as x,
            self.loop(self.lanes.vectors) as v,
        ):
            yield c, y, x, v


class Reduction(Kernel):
    """What every thread does once all of them have met: it sees what the others have computed."""

    def __init__(self, module: Module, word: str, node: int, lanes: Lanes, header: Header) -> None:
        super().__init__(module, word, node, lanes, header, MET)
        self.threads, self.thread, self.running = self["threads"], self["thread"], self["running"]
        self.theirs: dict[int, Room] = {}  # rooms of other threads into which it looks

    def elsewhere(self, thread: Index, room: Room, *terms: Term) -> Value:
        """An address in the room of another thread."""
        self.theirs[room.number] = room
        arena = self.address(self["arenas"], self.integer(thread) * self["stride"])
        return self.within(arena, room, *terms)


class Here:
    """An array in a kernel: ``x[c, i, j, v]`` loads a vector of images, ``x[c, i, j, v] = value`` stores one."""

    def __init__(self, f: Kernel, array: Array) -> None:
        self.f, self.array = f, array

    def terms(self, at: At) -> tuple[Room, int, Term, Term, Term, Term]:
        """The room and the terms of the address of vector ``at``."""
        c, y, x, v = at
        array = self.array
        return (array.room, array.origin, (c, array.channel), (y, array.row), (x, array.pixel), (v, self.f.lanes.bytes))

    def address(self, at: At, *further: Term) -> Value:
        """The address of vector ``at``, and further bytes."""
        return self.f.address(*self.terms(at), *further)

    def __getitem__(self, at: At) -> Value:
        return self.f.load(self.f.lanes.vector, *self.terms(at))

    def __setitem__(self, at: At, value: Value) -> None:
        self.f.store(value, *self.terms(at))

    def load(self, at: At) -> Callable[[], Value]:
        """Loads vector ``at`` once it is asked for."""
        return lambda: self[at]
