"""Which kernel elements join which inputs and outputs, as a table: so no multiply-add is spent on zeros."""

from .arrays import Pair
from .function import Function
from .values import I64, PTR, Value


def taps(size: int, outputs: int, kernel: int, stride: int, padding: int, dilation: int) -> list[list[Pair]]:
    """For each input position i along one axis: the (k, o) with o·stride − padding + k·dilation = i.

    These are the kernel elements k through which input i reaches output o. Whatever the stride and the padding, a
    gradient flows back to input i exactly along them.
    """
    found: list[list[Pair]] = [[] for _ in range(size)]
    for o in range(outputs):
        for k in range(kernel):
            i = o * stride - padding + k * dilation
            if 0 <= i < size:
                found[i].append((k, o))
    return found


class TapTable:
    """``taps`` as a constant table of a program, with both numbers of a tap already multiplied by a stride in bytes."""

    def __init__(self, f: Function, found: list[list[Pair]], k_stride: int, o_stride: int) -> None:
        starts, entries = [0], []
        for here in found:
            entries += [n for k, o in here for n in (k * k_stride, o * o_stride)]
            starts.append(len(entries) // 2)
        self.f = f
        self.starts = Value(f, f.module.table(starts), PTR)
        self.entries = Value(f, f.module.table(entries or [0]), PTR)

    def span(self, i: "int | Value") -> tuple[Value, Value]:
        """First and last-plus-one tap of input position ``i``."""
        return self.f.load(I64, self.starts, (i, 8)), self.f.load(I64, self.starts, (i, 8), 8)

    def entry(self, t: "int | Value") -> tuple[Value, Value]:
        """(k·k_stride, o·o_stride) of tap ``t``."""
        return self.f.load(I64, self.entries, (t, 16)), self.f.load(I64, self.entries, (t, 16), 8)
