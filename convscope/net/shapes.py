"""A net is laid out for an image: shape, parameters and arithmetic of every layer, worked out without torch.

What does not fit is said with what to do about it.
"""

from collections import Counter
from dataclasses import dataclass, field
from math import prod

from ..errors import UsageError
from ..language.counts import number_of
from .ops import Add, Join, Op, Projection, Shape, Shapes, shape_text
from .tree import Branches, Net, Path, Repeat, Written
from .wiring import IMAGE, Inputs, brackets

MAX_ELEMENTS = 2**31  # of one layer's output for one image: more is surely a slip, and would take 8 GiB


@dataclass(frozen=True)
class Node:
    """One layer of the graph: ``inputs`` are the names of what goes into it."""

    name: str
    op: Op
    inputs: Inputs


@dataclass(frozen=True)
class Row(Node):
    """A node with its numbers. ``multiply_adds`` is for one image, forward.

    ``text`` is what was written; where the net decided itself, ``note`` says why. ``path`` is its place in the tree.
    """

    text: str
    shapes: Shapes
    output: Shape
    formula: str
    parameters: int
    multiply_adds: int
    path: Path
    note: str = ""

    @property
    def input(self) -> Shape:
        """The shape of its first input."""
        return self.shapes[0]


class ShapeError(UsageError):
    """The net does not fit the image. ``rows`` are the layers before the failing one, ``layer`` its name.

    ``op`` is what failed (None: the net's end), ``path`` its place in the tree, ``shapes`` what came to it.
    """

    def __init__(self, rows: list[Row], failed: "_Failed", problem: str, fix: str) -> None:
        self.rows, self.problem, self.fix = rows, problem, fix
        self.layer, self.text, self.op, self.path, self.shapes = failed
        names = [*drawn(rows)[1:], self.layer]
        wide, wider = max(11, *map(len, names)) + 1, max(27, len(self.text), *(len(row.text) for row in rows)) + 1
        lines = [f"{self.layer} ({self.text}) does not fit: {problem}"]
        lines += [
            f"  {name:<{wide}}{row.text:<{wider}}{shape_text(row.output)}"
            for row, name in zip(rows, names, strict=False)
        ]
        lines += [f"  {self.layer:<{wide}}{self.text:<{wider}}✗"]
        super().__init__("\n".join(lines), fix)


_Failed = tuple[str, str, Op | None, Path, Shapes]  # name, text, op, path, shapes of its inputs


def drawn(rows: list[Row], first: str = "input") -> list[str]:
    """The names for a table's first column, ``first`` and then the rows', with brackets where branches are."""
    marks = brackets([row.name for row in rows], [row.inputs for row in rows])
    names = [first, *(row.name for row in rows)]
    return [f"{mark} {name}" if mark else name for mark, name in zip(marks, names, strict=True)]


def table(net: Net, image: tuple[int, int, int], classes: int) -> list[Row]:
    """The rows for ``net`` on an image (C, H, W). Raises ShapeError with the rows up to the failing layer."""
    layout = _Layout(classes, {IMAGE: image})
    layout.sequence(net, IMAGE, ())
    rows = layout.rows
    last = rows[-1]
    if last.output != (classes,):
        fix = "end the net with 'linear' (no number: the classes)"
        if len(last.output) == 3 and last.output == (classes, 1, 1):
            fix = "end the net with 'flatten'"
        ends = number_of(last.output[0], "value") if len(last.output) == 1 else f"{shape_text(last.output)} values"
        problem = f"the net ends with {ends}, but the data have {number_of(classes, 'class', 'classes')}"
        raise ShapeError(rows[:-1], (last.name, last.text, None, last.path, last.shapes), problem, fix)
    return rows


@dataclass
class _Layout:
    """Lays out node by node."""

    classes: int
    shapes: dict[str, Shape]
    rows: list[Row] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def sequence(self, net: Net, source: str, at: Path) -> str:
        """Lay out ``net`` behind the node ``source``; the name of what it ends with."""
        for place, item in enumerate(net):
            source = self.item(item, source, (*at, place))
        return source

    def item(self, item: Written, source: str, at: Path) -> str:
        match item:
            case Branches():
                return self.branches(item, source, at)
            case Repeat():
                for _ in range(item.times):
                    source = self.sequence(item.body, source, (*at, 0))
                return source
        return self.node(item, (source,), at)

    def branches(self, item: Branches, source: str, at: Path) -> str:
        """The branches, each from ``source``, and the node that joins them."""
        ends = [self.sequence(branch, source, (*at, number)) for number, branch in enumerate(item.branches)]
        if len(ends) > 1:
            return self.node(item.join, tuple(ends), at)
        if isinstance(item.join, Add):
            return self.node(item.join, (ends[0], self.shortcut(source, ends[0], at)), at)
        return self.node(item.join, (source, ends[0]), at)

    def shortcut(self, source: str, end: str, at: Path) -> str:
        """What is added to ``end``: ``source``, by way of a projection where the shapes differ."""
        before, after = self.shapes[source], self.shapes[end]
        projection = None if before == after else Projection.between(before, after)
        if projection is None:
            return source
        note = f"put in, since {source} is {shape_text(before)} and what it is added to {shape_text(after)}"
        return self.node(projection, (source,), at, note)

    def node(self, written: Op, inputs: Inputs, at: Path, note: str = "") -> str:
        """One node; its name is its kind with a running number, as the net's modules bear it."""
        self.counts[written.kind] += 1
        apart = "_" if written.kind[-1].isdigit() else ""  # relu6_1: the 61st relu is another
        name = f"{written.kind}{apart}{self.counts[written.kind]}"
        text = f" {written.sign} ".join(inputs) if isinstance(written, Join) else written.text()
        shapes = tuple(self.shapes[source] for source in inputs)
        op = written.here(shapes, self.classes)
        problem = op.problem(shapes)
        if not problem and max(prod(op.output(shapes)), op.parameters(shapes)) > MAX_ELEMENTS:
            problem = ("its output or its weights are absurdly large", "take fewer channels or a smaller image")
        if problem:
            raise ShapeError(self.rows, (name, text, op, at, shapes), *problem)
        output = op.output(shapes)
        self.shapes[name] = output
        self.rows.append(
            Row(
                name=name,
                op=op,
                inputs=inputs,
                text=text,
                shapes=shapes,
                output=output,
                formula=op.formula(shapes),
                parameters=op.parameters(shapes),
                multiply_adds=op.multiply_adds(shapes),
                path=at,
                note=note,
            )
        )
        return name
