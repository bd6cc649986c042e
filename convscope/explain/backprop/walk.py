"""What back-propagation returns: the walk forward and back as plain data, and what is known after any of its steps."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ...shown import Table, Tabular
from .values import Value, inline, shape_text

Kind = Literal["variable", "parameter", "data", "constant", "operation"]  # the first two get gradients


@dataclass(frozen=True)
class Local:
    """The derivative of a node with respect to one of its inputs: ``formula`` "∂v1/∂w = x = 2".

    ``value`` is None where it is no single array (a layer); ``reads`` are the nodes whose cached values it needs.
    """

    input: int
    formula: str
    value: Value | None
    reads: tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One node of the graph. ``id`` is its place in forward order; ``cached``: the backward pass reads its value.

    ``formula`` is the operation with labels ("w * x"), ``numbers`` the same with values ("3 * 2"; "" for matrices).
    """

    id: int
    label: str
    kind: Kind
    op: str
    text: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    value: Value
    formula: str
    numbers: str
    requires_grad: bool
    cached: bool
    locals: tuple[Local, ...]
    remark: str


@dataclass(frozen=True)
class Contribution:
    """What one node hands to one of its inputs in the backward pass: ``formula`` "upstream × x", ``numbers`` "1 × 2".

    ``value`` is what that makes, ``note`` tells of a sum over broadcast axes; ``accumulated`` is the input's gradient
    after this += .
    """

    input: int
    formula: str
    numbers: str
    upstream: Value
    local: Value | None
    value: Value
    accumulated: Value
    note: str

    @property
    def text(self) -> str:
        """One line for people: "1 × 2 = 2"."""
        return f"{self.numbers} = {inline(self.value)}" + (f" ({self.note})" if self.note else "")


@dataclass(frozen=True)
class WalkStep:
    """One position of the slider. Forward: ``node`` gets its value. Seed: the result's gradient becomes 1. Backward:
    ``node``, whose gradient is complete, hands a contribution to each input and its cached values are released.
    """

    phase: Literal["forward", "seed", "backward"]
    node: int
    backward_pass: int
    text: str
    upstream: Value | None = None
    contributions: tuple[Contribution, ...] = ()
    reads: tuple[int, ...] = ()


@dataclass(frozen=True)
class Gradient:
    """The result's derivative with respect to one leaf. ``magnitude`` is the sum of |terms| behind each element: what a
    rounding error has to be compared with.
    """

    node: int
    label: str
    shape: tuple[int, ...]
    value: Value
    magnitude: Value


@dataclass(frozen=True, repr=False)
class Walk(Tabular):
    """The whole walk: ``nodes`` in forward order, ``steps`` forward then backward, ``gradients`` of the leaves."""

    source: str
    nodes: tuple[Node, ...]
    steps: tuple[WalkStep, ...]
    gradients: tuple[Gradient, ...]

    def told(self) -> Iterator[str | Table]:
        """The gradients of the leaves, then the forward values, in order."""
        yield self.source
        yield Table(
            ("name", "value", "gradient", "shape"),
            [(g.label, inline(self.nodes[g.node].value), inline(g.value), shape_text(g.shape)) for g in self.gradients],
        )
        yield Table(
            ("node", "operation", "numbers", "value"),
            [(node.label, node.formula or node.kind, node.numbers, inline(node.value)) for node in self.nodes],
        )


@dataclass(frozen=True)
class Snapshot:
    """What is known after some steps: None is "not computed yet" and is shown as "—", never as 0."""

    values: tuple[Value | None, ...]
    gradients: tuple[Value | None, ...]
    cached: tuple[bool, ...]


def snapshot(walk: Walk, taken: int) -> Snapshot:
    """What is known after ``taken`` of the walk's steps. Leaves are known from the start."""
    values = [None if node.kind == "operation" else node.value for node in walk.nodes]
    gradients: list[Value | None] = [None] * len(values)
    for step in walk.steps[:taken]:
        if step.phase == "forward":
            values[step.node] = walk.nodes[step.node].value
        elif step.phase == "seed":  # a new backward pass: only leaves keep what they have
            gradients = [None if n.kind == "operation" else g for n, g in zip(walk.nodes, gradients, strict=True)]
            gradients[step.node] = step.upstream
        for contribution in step.contributions:
            gradients[contribution.input] = contribution.accumulated
    to_come = {node for step in walk.steps[taken:] for node in step.reads}
    cached = tuple(value is not None and i in to_come for i, value in enumerate(values))
    return Snapshot(tuple(values), tuple(gradients), cached)
