"""Axis: one axis of a sliding window. Which input position every tap of every output position reads.

Convolution and pooling share it; rows are one Axis, columns another.
"""

from dataclasses import dataclass, field
from typing import Literal

from ...net.ops import window_formula, window_size

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


@dataclass(frozen=True)
class Axis:
    """``size`` positions with ``before`` and ``after`` of padding, under a window of ``kernel`` taps.

    Positions count from the input's first one, so padding lies below 0 and from ``size`` on. ``origin`` has, for each
    position of the padded axis, the input position whose value stands there, or None where the padding has no origin
    (zeros). ``output`` is the number of window positions; ``dropped`` how many positions at the end no window
    reaches (what the floor in the formula cuts off); with ``ceil`` windows may start in the input or the padding
    before it and reach beyond the end, as in PyTorch's pooling.
    """

    size: int
    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1
    mode: PaddingMode = "zeros"
    ceil: bool = False
    output: int = field(init=False)
    dropped: int = field(init=False)
    origin: tuple[int | None, ...] = field(init=False)
    formula: str = field(init=False)

    def __post_init__(self) -> None:
        span = self.size + self.before + self.after
        free = span - self.reach  # how far the window can move
        if self.ceil:
            output = -(-free // self.stride) + 1
            if (output - 1) * self.stride >= self.size + self.before:
                output -= 1  # the last window would start beyond the input: it does not count
        else:
            output = free // self.stride + 1
        positions = range(-self.before, self.size + self.after)
        for name, value in {
            "output": output,
            "dropped": max(0, free - (output - 1) * self.stride),
            "origin": tuple(self._origin(p) for p in positions),
            "formula": self._formula(output),
        }.items():
            object.__setattr__(self, name, value)

    @property
    def reach(self) -> int:
        """How many positions the window covers, gaps included: dilation·(kernel−1) + 1."""
        return self.dilation * (self.kernel - 1) + 1

    def position(self, out: int, tap: int) -> int:
        """The position that tap ``tap`` of the window at output position ``out`` reads."""
        return out * self.stride + tap * self.dilation - self.before

    def source(self, position: int) -> int | None:
        """The input position whose value stands at ``position``; None for zeros, and beyond the padding."""
        place = position + self.before
        return self.origin[place] if 0 <= place < len(self.origin) else None

    def covers(self, position: int) -> bool:
        """Whether ``position`` lies in the input or its padding, not beyond (as the last window may with ``ceil``)."""
        return -self.before <= position < self.size + self.after

    def readers(self, position: int) -> list[tuple[int, int]]:
        """All (output position, tap) that read the value at input position ``position``, copies in padding included."""
        pairs = ((out, tap) for out in range(self.output) for tap in range(self.kernel))
        return [(out, tap) for out, tap in pairs if self.source(self.position(out, tap)) == position]

    def _origin(self, position: int) -> int | None:
        last = self.size - 1
        if 0 <= position <= last:
            return position
        match self.mode:
            case "zeros":
                return None
            case "replicate":
                return 0 if position < 0 else last
            case "circular":
                return position % self.size
            case "reflect":
                return -position if position < 0 else 2 * last - position

    def _formula(self, output: int) -> str:
        if self.before == self.after and not self.ceil:
            assert output == window_size(self.size, self.kernel, self.stride, self.before, self.dilation)
            return window_formula(self.size, self.kernel, self.stride, self.before, self.dilation)
        padding = f"2·{self.before}" if self.before == self.after else f"{self.before} + {self.after}"
        left, right = ("⌈", "⌉") if self.ceil else ("⌊", "⌋")
        whole = f"{left}({self.size} + {padding} − {self.dilation}·({self.kernel}−1) − 1) / {self.stride}{right} + 1"
        full = -(-(self.size + self.before + self.after - self.reach) // self.stride) + 1
        if self.ceil and full != output:
            return f"{whole} = {full}, less 1 that would start beyond the input = {output}"
        return f"{whole} = {output}"


@dataclass(frozen=True)
class Window:
    """One window: its output position and ``value``, and the rows and columns that its taps read (padding outside)."""

    row: int
    column: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    value: float

    @classmethod
    def of(cls, rows: Axis, columns: Axis, row: int, column: int, value: float) -> "Window":
        """The window at output position (row, column)."""
        taps = tuple(rows.position(row, i) for i in range(rows.kernel))
        return cls(row, column, taps, tuple(columns.position(column, j) for j in range(columns.kernel)), value)
