"""Values of an ONNX graph that are written as formulas: ``(a - b) * 2`` adds the nodes that compute it.

Numbers are double, so that arithmetic is NumPy's; truth values are bool; what counts or indexes is int64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto

from .graph import Graph

DOUBLE, INT64, BOOL = TensorProto.DOUBLE, TensorProto.INT64, TensorProto.BOOL


@dataclass(frozen=True, eq=False)
class Value:
    """A value by its name in ``g``: the graph, or the part of one, in which its nodes are put."""

    g: Graph
    name: str

    def op(self, kind: str, *others: Value | float, **attributes: Any) -> Value:
        """A node of this and other values; plain numbers become constants of double."""
        names = [other.name if isinstance(other, Value) else self.number(other).name for other in others]
        return Value(self.g, self.g.node(kind, [self.name, *names], **attributes))

    def number(self, value: float) -> Value:
        """A constant."""
        return Value(self.g, self.g.constant(value, np.float64))

    def at(self, g: Graph) -> Value:
        """The same value for a part of the graph."""
        return Value(g, self.name)

    def __add__(self, other: Value | float) -> Value:
        return self.op("Add", other)

    def __sub__(self, other: Value | float) -> Value:
        return self.op("Sub", other)

    def __rsub__(self, other: float) -> Value:
        return self.number(other) - self

    def __mul__(self, other: Value | float) -> Value:
        return self.op("Mul", other)

    def __truediv__(self, other: Value | float) -> Value:
        return self.op("Div", other)

    def __rtruediv__(self, other: float) -> Value:
        return self.number(other) / self

    def __lt__(self, other: Value | float) -> Value:
        return self.op("Less", other)

    def __le__(self, other: Value | float) -> Value:
        return self.op("LessOrEqual", other)

    def __gt__(self, other: Value | float) -> Value:
        return self.op("Greater", other)

    def __ge__(self, other: Value | float) -> Value:
        return self.op("GreaterOrEqual", other)

    def __and__(self, other: Value) -> Value:
        return self.op("And", other)

    def __or__(self, other: Value) -> Value:
        return self.op("Or", other)

    def __neg__(self) -> Value:
        return self.op("Neg")

    def __invert__(self) -> Value:
        return self.op("Not")

    def equals(self, other: Value | float) -> Value:
        """Whether they are equal, element by element."""
        return self.op("Equal", other)

    def most(self, other: Value | float) -> Value:
        """The larger of both."""
        return self.op("Max", other)

    def least(self, other: Value | float) -> Value:
        """The smaller of both."""
        return self.op("Min", other)

    def choose(self, yes: Value | float, no: Value | float) -> Value:
        """Of a truth value: ``yes`` where it holds, else ``no``."""
        return self.op("Where", yes, no)

    def floor(self) -> Value:
        """Rounded down."""
        return self.op("Floor")

    def rint(self) -> Value:
        """Rounded, halves to even, as Python and NumPy do."""
        return self.op("Round")

    def double(self) -> Value:
        """As double."""
        return Value(self.g, self.g.cast(self.name, DOUBLE))

    def whole(self) -> Value:
        """As int64."""
        return Value(self.g, self.g.cast(self.name, INT64))

    def total(self, axis: int | None = None) -> Value:
        """The sum of all elements, or along an axis."""
        return self._reduced("ReduceSum", axis)

    def highest(self, axis: int | None = None) -> Value:
        """The largest element, or those along an axis."""
        return self._reduced("ReduceMax", axis)

    def lowest(self) -> Value:
        """The smallest element."""
        return self._reduced("ReduceMin", None)

    def size(self, axis: int) -> Value:
        """How long an axis is, as double."""
        return self.op("Shape", start=axis, end=axis + 1).op("Squeeze").double()

    def shaped(self, *shape: int) -> Value:
        """In another shape: 0 keeps an axis, −1 takes what is left."""
        return self.op("Reshape", Value(self.g, self.g.numbers(shape)))

    def column(self) -> Value:
        """A scalar of any type as int64 (1,)."""
        return self.whole().shaped(1)

    def part(self, starts: list[Value | int], ends: list[Value | int], steps: list[Value | int] | None = None) -> Value:
        """The elements of the first axes from ``starts`` to ``ends``."""
        axes = Value(self.g, self.g.numbers(range(len(starts))))
        given = [starts, ends, *([steps] if steps else [])]
        lists = [self._list(values) for values in given]
        return self.op("Slice", *lists[:2], axes, *lists[2:])

    def item(self, index: int, axis: int = 0) -> Value:
        """One element along an axis, which is then gone."""
        return self.op("Gather", Value(self.g, self.g.constant(index, np.int64)), axis=axis)

    def _list(self, values: list[Value | int]) -> Value:
        found = [v.column() if isinstance(v, Value) else Value(self.g, self.g.numbers([v])) for v in values]
        return found[0].op("Concat", *found[1:], axis=0)

    def _reduced(self, kind: str, axis: int | None) -> Value:
        if axis is None:
            return self.op(kind, keepdims=0)
        return self.op(kind, Value(self.g, self.g.numbers([axis])), keepdims=0)
