"""The planner of memory: where every array of a block lies in a thread's *arena*.

An arena holds one block's images, activations and gradients, and the thread's sum of weight gradients.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from . import linear
from .conv import Conv, Masks
from .layout import LINE, Grid, Lanes
from .pool import Pool
from .stages import Shape, Stage


@dataclass(frozen=True)
class Buffers:
    """What a stage reads and writes: input and output, their gradients, and what its way back remembers."""

    x: Grid
    y: Grid
    dx: Grid | None
    dy: Grid
    masks: Masks | None  # of a fused max pool
    winners: Grid | None  # of a max pool on its own
    unpooled: Grid | None  # dy before the fused pool


@dataclass(frozen=True)
class Plan:
    """Where everything lies in an arena (bytes from its start)."""

    images: int
    labels: int
    weights: int
    loss: int
    gradients: int
    transposed: int
    stages: tuple[Buffers, ...]
    size: int


def parameter_count(stages: Sequence[Stage]) -> int:
    """How many numbers the net's parameters are."""
    convs = [s.op for s in stages if isinstance(s.op, Conv)]
    return sum(c.outputs * (c.fan_in * prod(c.kernel) + (c.bias is not None)) for c in convs)


def padded(count: int) -> int:
    """``count`` rounded up to whole cache lines of float32."""
    return -(-count // 16) * 16


class _Memory:
    """Hands out bytes, a cache line's multiple at a time."""

    def __init__(self) -> None:
        self.used = 0

    def take(self, size: int) -> int:
        start = self.used
        self.used += -(-size // LINE) * LINE
        return start


def plan(stages: Sequence[Stage], lanes: Lanes, training: bool) -> Plan:
    """Place all buffers. Gradients of neighbouring stages alternate between two rooms."""
    memory = _Memory()
    header = [memory.take(size * lanes.count) for size in (8, 4, 4, 4)]
    gradients = memory.take(4 * padded(parameter_count(stages)) if training else 0)
    x = _place(memory, stages[0].input, lanes, _border(stages[0]))
    outputs = []
    for i, stage in enumerate(stages):
        border = _border(stages[i + 1]) if i + 1 < len(stages) else (0, 0, 0, 0)
        outputs.append(_place(memory, stage.output, lanes, border))
    largest = max(_grid(0, s.output, lanes).size for s in stages)
    rooms = [memory.take(largest), memory.take(largest)] if training else [0, 0]
    unpool_sizes = [_unpooled(0, s, lanes, first_with_parameters(stages) == i) for i, s in enumerate(stages)]
    room = memory.take(max((g.size for g in unpool_sizes if g), default=0)) if training else 0
    buffers = []
    for i, stage in enumerate(stages):
        masks = winners = None
        if training and isinstance(stage.op, Conv) and stage.op.pool:
            masks = Masks(0, *stage.output[1:], lanes.vectors, prod(stage.op.pool) - 1)
            masks = Masks(memory.take(masks.size(stage.output[0])), *stage.output[1:], lanes.vectors, masks.bits)
        if training and isinstance(stage.op, Pool) and not stage.op.average:
            winners = _place(memory, stage.output, lanes, (0, 0, 0, 0))
        dx = _grid(rooms[(i + 1) % 2], stage.input, lanes) if training and i > first_with_parameters(stages) else None
        dy = _grid(rooms[i % 2], stage.output, lanes)
        unpooled = _unpooled(room, stage, lanes, first_with_parameters(stages) == i) if training else None
        buffers.append(Buffers(x if i == 0 else outputs[i - 1], outputs[i], dx, dy, masks, winners, unpooled))
    images_, labels, weights, loss = header
    rows = [linear.row(prod(s.input), lanes) for s in stages if isinstance(s.op, Conv) and s.output[1:] == (1, 1)]
    transposed = memory.take(lanes.count * max(rows, default=0) if training else 0)
    return Plan(images_, labels, weights, loss, gradients, transposed, tuple(buffers), memory.used)


def first_with_parameters(stages: Sequence[Stage]) -> int:
    """The first stage with parameters: no gradient is needed before it."""
    return next(i for i, s in enumerate(stages) if isinstance(s.op, Conv))


def _border(stage: Stage) -> tuple[int, int, int, int]:
    return stage.op.padding if isinstance(stage.op, Conv) else (0, 0, 0, 0)


def _grid(offset: int, shape: Shape, lanes: Lanes, border: tuple[int, int, int, int] = (0, 0, 0, 0)) -> Grid:
    return Grid(offset, *shape, lanes.pixel, border)


def _place(memory: _Memory, shape: Shape, lanes: Lanes, border: tuple[int, int, int, int]) -> Grid:
    return _grid(memory.take(_grid(0, shape, lanes, border).size), shape, lanes, border)


def _unpooled(offset: int, stage: Stage, lanes: Lanes, first: bool) -> Grid | None:
    """The convolution's own output gradient: all channels where an input gradient is needed, else those of a tile."""
    if not (isinstance(stage.op, Conv) and stage.op.pool):
        return None
    (kh, kw), (channels, height, width) = stage.op.pool, stage.output
    channels = min(channels, lanes.registers + 1) if first else channels
    return _grid(offset, (channels, height * kh, width * kw), lanes)
