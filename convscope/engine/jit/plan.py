"""The planner of memory: where every array of a block lies in a thread's *arena*.

An arena holds one block's images, activations and gradients, and the thread's sum of weight gradients.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from . import linear
from .conv import Conv, Masks
from .layout import LINE, Grid, Lanes
from .pool import Pool
from .stages import Shape, Stage
from .tiling import Tiling, tiling
from .winograd_back import Pairs
from .winograd_thin import apart_room


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
    tiling: Tiling | None  # of a convolution that is computed by fewer multiplications


@dataclass(frozen=True)
class Plan:
    """Where everything lies in an arena (bytes from its start)."""

    images: int
    labels: int
    weights: int
    loss: int
    gradients: int
    cleared: int  # bytes from ``gradients`` on that a step begins with as zeros
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
    tilings = _tilings(stages, lanes)
    if training:
        tilings = [t and _with_sums(memory, t, lanes) for t in tilings]
    cleared = memory.used - gradients
    tilings = _with_scratch(memory, stages, tilings, lanes, training)
    x = _place(memory, stages[0].input, lanes, _border(stages[0]))
    outputs = []
    for i, stage in enumerate(stages):
        border = _border(stages[i + 1]) if i + 1 < len(stages) else (0, 0, 0, 0)
        outputs.append(_place(memory, stage.output, lanes, border))
    largest = max(_grid(0, s.output, lanes).size for s in stages)
    rooms = [memory.take(largest), memory.take(largest)] if training else [0, 0]
    first = first_with_parameters(stages)
    unpool_sizes = [_unpooled(0, s, lanes, first == i) for i, s in enumerate(stages) if not tilings[i]]
    room = memory.take(max((g.size for g in unpool_sizes if g), default=0)) if training else 0
    buffers = []
    for i, stage in enumerate(stages):
        masks = winners = None
        if training and isinstance(stage.op, Conv) and stage.op.pool:
            masks = Masks(0, *stage.output[1:], lanes.vectors, prod(stage.op.pool) - 1)
            masks = replace(masks, offset=memory.take(stage.output[0] * masks.channel))
        if training and isinstance(stage.op, Pool) and not stage.op.average:
            winners = _place(memory, stage.output, lanes, (0, 0, 0, 0))
        dx = _grid(rooms[(i + 1) % 2], stage.input, lanes) if training and i > first else None
        dy = _grid(rooms[i % 2], stage.output, lanes)
        unpooled = _unpooled(room, stage, lanes, first == i) if training and not tilings[i] else None
        source = outputs[i - 1] if i else x
        buffers.append(Buffers(source, outputs[i], dx, dy, masks, winners, unpooled, tilings[i]))
    images_, labels, weights, loss = header
    rows = [linear.row(prod(s.input), lanes) for s in stages if isinstance(s.op, Conv) and s.output[1:] == (1, 1)]
    transposed = memory.take(lanes.count * max(rows, default=0) if training else 0)
    return Plan(images_, labels, weights, loss, gradients, cleared, transposed, tuple(buffers), memory.used)


def _tilings(stages: Sequence[Stage], lanes: Lanes) -> list[Tiling | None]:
    """Which convolutions are computed by fewer multiplications."""
    found: list[Tiling | None] = []
    for i, stage in enumerate(stages):
        if isinstance(stage.op, Conv):
            (kh, kw), (_, height, width) = stage.op.pool or (1, 1), stage.output
            first = i == first_with_parameters(stages)
            found.append(tiling(stage.op, (height * kh, width * kw), lanes, first))
        else:
            found.append(None)
    return found


def _with_sums(memory: _Memory, t: Tiling, lanes: Lanes) -> Tiling:
    """A place for the sums of weight gradients."""
    gradients = memory.take(Pairs(t, lanes).room)
    return replace(t, gradients=gradients, apart=memory.take(apart_room(t, lanes) if t.thin else 0))


def _with_scratch(memory: _Memory, stages: Sequence[Stage], tilings: Sequence[Tiling | None], lanes: Lanes,
                  training: bool) -> list[Tiling | None]:  # fmt: skip
    """A place for transformed weights, and the scratch memory that all tilings share."""
    chosen = [t for t in tilings if t]
    inputs = memory.take(max((t.room(t.conv.inputs, lanes) for t in chosen), default=0))
    outputs = memory.take(max((t.room(t.conv.outputs, lanes) for t in chosen if not t.thin), default=0))
    size = [max(t.points) * t.weight_strides()[0] if t else 0 for t in tilings]  # of one image, columns come first
    tilings = [t and replace(t, weights=memory.take(size[i]), inputs=inputs, outputs=outputs)
               for i, t in enumerate(tilings)]  # fmt: skip
    if not training:
        return tilings
    grids = [_grid(memory.used, stage.input, lanes, _border(stage)) for stage in stages]
    first = first_with_parameters(stages)
    tilings = [t and replace(t, dx=grid if i > first else None)
               for i, (t, grid) in enumerate(zip(tilings, grids, strict=True))]  # fmt: skip
    memory.take(max((t.dx.size for t in tilings if t and t.dx), default=0))
    return tilings


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
