"""Back-propagation, node by node: forward with cached values, then backward by upstream × local.

A *tape* lists the operations in forward order (an expression or a net makes one); :func:`backprop` runs it forward,
then backward, and returns a :class:`Walk`: every value, every local derivative, every contribution. Nothing here uses
autograd; :mod:`convscope.explain.backprop.autograd` checks the result against it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Formatter, ascii_lowercase

import numpy as np

from ...errors import UsageError
from .operators import Operator, Partial
from .values import Array, Value, freeze, inline, shape_text
from .walk import Contribution, Gradient, Kind, Local, Node, Walk, WalkStep

ARGUMENTS = ascii_lowercase  # what the texts of operators call their inputs


@dataclass(frozen=True)
class Item:
    """One line of a tape: a leaf with its ``value``, or an ``operator`` applied to earlier items."""

    label: str
    text: str
    kind: Kind
    inputs: tuple[int, ...] = ()
    operator: Operator | None = None
    value: Array | None = None
    position: tuple[int, int] = (0, 0)  # where ``text`` starts and ends in the source


@dataclass(frozen=True)
class Tape:
    """What is differentiated: items in forward order; the last one is the result. ``source`` is what the user typed."""

    source: str
    items: tuple[Item, ...]


class UndefinedError(UsageError):
    """A value or a derivative that does not exist; ``item`` is where."""

    def __init__(self, item: Item, message: str, help: str = "") -> None:  # noqa: A002 - the word that users read
        self.item = item
        super().__init__(message, help)


# What is not finite is reported with the name of its node, and not as a warning.
@np.errstate(all="ignore")
def evaluate(tape: Tape, replaced: Mapping[int, Array] | None = None) -> list[Array]:
    """The value of every item; leaves in ``replaced`` take those values. Raises :class:`UndefinedError`."""
    values: list[Array] = []
    for index, item in enumerate(tape.items):
        if item.operator is None:
            assert item.value is not None
            values.append((replaced or {}).get(index, item.value))
            continue
        inputs = [values[i] for i in item.inputs]
        complaint = item.operator.complaint(*inputs)
        if not complaint:
            values.append(np.asarray(item.operator.forward(*inputs), dtype=np.float64))
            if np.isfinite(values[-1]).all():
                continue
        given = {tape.items[i].text: inline(freeze(values[i])) for i in item.inputs if tape.items[i].kind != "constant"}
        raise UndefinedError(
            item,
            f"{item.text} is not defined: {complaint}"
            if complaint
            else f"{item.text} overflows: it is beyond ±1.8e308",
            "here the values are " + ", ".join(f"{text} = {value}" for text, value in given.items()) if given else "",
        )
    return values


@np.errstate(all="ignore")
def backprop(tape: Tape, passes: int = 1) -> Walk:
    """Run ``tape`` forward and ``passes`` times backward without setting the leaves' gradients to zero in between.

    Raises UsageError where the result is not a single number, has no variable, or something is not defined.
    """
    values = evaluate(tape)
    result = tape.items[-1]
    if values[-1].size != 1:
        raise UsageError(
            f"the result has shape {shape_text(values[-1].shape)}, but only a single number has a gradient",
            f"make it one number: sum({result.text}) or mean({result.text})",
        )
    needs = _requires_grad(tape)
    if not needs[-1]:
        raise UsageError(
            "the expression has no variable to differentiate with respect to",
            'name the values, such as: convscope backprop "w*x" w=3 x=2',
        )
    recording = _Recording(tape, values, needs)
    nodes = [recording.node(index) for index in range(len(values))]
    steps = [
        WalkStep("forward", node.id, 0, f"{node.label} = {node.formula} = {_equal(node.numbers, inline(node.value))}")
        for node in nodes
        if node.kind == "operation"
    ]
    for number in range(1, passes + 1):
        steps += recording.backward(number)
    gradients = tuple(
        Gradient(
            node.id, node.label, node.shape, freeze(recording.gradients[node.id]), freeze(recording.magnitudes[node.id])
        )
        for node in nodes
        if node.kind in ("variable", "parameter") and node.id in recording.gradients
    )
    return Walk(tape.source, tuple(nodes), tuple(steps), gradients)


def _requires_grad(tape: Tape) -> list[bool]:
    needs: list[bool] = []
    for item in tape.items:
        needs.append(item.kind in ("variable", "parameter") or any(needs[i] for i in item.inputs))
    return needs


def _equal(*texts: str) -> str:
    """Texts joined by " = ", repeated ones once."""
    return " = ".join(dict.fromkeys(text for text in texts if text))


@dataclass
class _Recording:
    """A tape with its values, and the gradients as they accumulate."""

    tape: Tape
    values: list[Array]
    needs: list[bool]
    gradients: dict[int, Array] = field(default_factory=dict)
    magnitudes: dict[int, Array] = field(default_factory=dict)

    def node(self, index: int) -> Node:
        item, value = self.tape.items[index], self.values[index]
        locals_ = tuple(self.local(index, place) for place in self.places(index))
        numbers = self.fill(index, item.operator.text, True) if item.operator else ""
        formula = self.fill(index, item.operator.text, False) if item.operator else ""
        return Node(index, item.label, item.kind, item.operator.name if item.operator else "", item.text, item.inputs,
                    value.shape, freeze(value), formula, numbers, self.needs[index], self.is_read(index), locals_,
                    item.operator.remark(*self.inputs(index)) if item.operator else "")  # fmt: skip

    def inputs(self, index: int) -> list[Array]:
        return [self.values[i] for i in self.tape.items[index].inputs]

    def places(self, index: int) -> list[int]:
        """The argument places of a node whose input takes part in the backward pass."""
        return [place for place, i in enumerate(self.tape.items[index].inputs) if self.needs[i]]

    def names(self, index: int) -> dict[str, int]:
        return dict(zip(ARGUMENTS, self.tape.items[index].inputs, strict=False)) | {"out": index}

    def fill(self, index: int, template: str, numbers: bool) -> str:
        """An operator's text with the labels of this node's inputs, or with their values ("" where one is a matrix)."""
        names = self.names(index)
        if not numbers:
            return template.format(**{name: self.tape.items[i].label for name, i in names.items()})
        if any(self.values[i].ndim for i in self.tape.items[index].inputs):
            return ""
        called = re.match(r"\w*\(", template)  # the arguments of a call need no brackets of their own
        write = inline if called else _operand
        return template.format(**{name: write(freeze(self.values[i])) for name, i in names.items()})

    def partial(self, index: int, place: int) -> Partial:
        operator = self.tape.items[index].operator
        assert operator is not None
        return operator.partials[place]

    def reads(self, index: int, place: int) -> tuple[int, ...]:
        """The nodes that a derivative's formula names: what the forward pass has to keep for it."""
        names, formula = self.names(index), self.partial(index, place).formula
        found = [names[name] for _, name, _, _ in Formatter().parse(formula) if name]
        return tuple(i for i in dict.fromkeys(found) if self.tape.items[i].kind != "constant")

    def is_read(self, index: int) -> bool:
        users = [i for i, item in enumerate(self.tape.items) if index in (*item.inputs, i)]
        return any(index in self.reads(user, place) for user in users for place in self.places(user))

    def derivative(self, index: int, place: int) -> Array | None:
        item = self.tape.items[index]
        found = self.partial(index, place).local(self.values[index], *self.inputs(index))
        if found is None:
            return None
        local = np.asarray(found, dtype=np.float64)
        if not np.isfinite(local).all():
            source = self.tape.items[item.inputs[place]]
            raise UndefinedError(
                item,
                f"the derivative of {item.text} with respect to {source.text} is not a finite number",
                f"here the value of {source.text} is {inline(freeze(self.inputs(index)[place]))}",
            )
        return local

    def local(self, index: int, place: int) -> Local:
        item, partial, value = self.tape.items[index], self.partial(index, place), self.derivative(index, place)
        source = self.tape.items[item.inputs[place]]
        frozen = None if value is None or partial.hidden else freeze(value)
        text = _equal(
            f"∂{item.label}/∂{source.label}",
            self.fill(index, partial.formula, False),
            self.fill(index, partial.formula, True),
            "" if frozen is None else inline(frozen),
        )
        return Local(item.inputs[place], text, frozen, self.reads(index, place))

    def backward(self, number: int) -> list[WalkStep]:
        """One backward pass: seed, then every node from the last to the first. Leaves keep what they have."""
        last = len(self.values) - 1
        for found in (self.gradients, self.magnitudes):
            for index in [i for i in found if self.tape.items[i].kind == "operation"]:
                del found[index]
            found[last] = found.get(last, 0.0) + np.ones_like(self.values[last])  # the result may itself be a leaf
        label = self.tape.items[last].label
        steps = [WalkStep("seed", last, number, f"∂{label}/∂{label} = 1", freeze(self.gradients[last]))]
        for index in range(last, -1, -1):
            if self.needs[index] and self.tape.items[index].operator:
                upstream = freeze(self.gradients[index])
                contributions = tuple(self.contribute(index, place) for place in self.places(index))
                reads = {i for place in self.places(index) for i in self.reads(index, place)}
                text = f"∂{label}/∂{self.tape.items[index].label} = {inline(upstream)} is complete and flows on"
                steps.append(WalkStep("backward", index, number, text, upstream, contributions, tuple(sorted(reads))))
        return steps

    def contribute(self, index: int, place: int) -> Contribution:
        """Upstream × local for one input, summed over the axes along which the input was broadcast, and added."""
        item, partial, local = self.tape.items[index], self.partial(index, place), self.derivative(index, place)
        target, upstream = item.inputs[place], self.gradients[index]
        full = np.asarray(partial.pull(upstream, local, *self.inputs(index)), dtype=np.float64)
        value, note = _unbroadcast(full, self.values[target].shape)
        self.gradients[target] = self.gradients.get(target, 0.0) + value
        if not np.isfinite(self.gradients[target]).all():
            source = self.tape.items[target].text
            raise UndefinedError(item, f"the gradient of {source} overflows here: it is beyond ±1.8e308")
        self.magnitudes[target] = self.magnitudes.get(target, 0.0) + self.magnitude(index, place, local)
        shown = None if local is None or partial.hidden else freeze(local)
        formula = partial.product.format(upstream="upstream", local=self.fill(index, partial.formula, False))
        written = formula
        if shown is not None:
            written = partial.product.format(upstream=_operand(freeze(upstream)), local=_operand(shown))
        return Contribution(
            target, formula, written, freeze(upstream), shown, freeze(value), freeze(self.gradients[target]), note
        )

    def magnitude(self, index: int, place: int, local: Array | None) -> Array:
        """The sum of |terms| behind a contribution, elementwise."""
        partial, inputs = self.partial(index, place), self.inputs(index)
        if partial.terms:
            local = partial.terms(self.values[index], *inputs)
        terms = partial.pull(self.magnitudes[index], None if local is None else np.abs(local), *map(np.abs, inputs))
        return _unbroadcast(np.asarray(terms, dtype=np.float64), inputs[place].shape)[0]


def _operand(value: Value, width: int = 24) -> str:
    """A value inside a formula: negative numbers in brackets."""
    text = inline(value, width)
    return f"({text})" if text.startswith("-") else text


def _unbroadcast(full: Array, shape: tuple[int, ...]) -> tuple[Array, str]:
    """Sum ``full`` over the axes along which a value of ``shape`` was repeated. Returns the sum and what was done."""
    if full.shape == shape:
        return full, ""
    before = full.shape
    added = tuple(range(full.ndim - len(shape)))
    repeated = tuple(i + len(added) for i, n in enumerate(shape) if n == 1 and before[i + len(added)] != 1)
    axes = added + repeated
    word = "axis" if len(axes) == 1 else "axes"
    note = f"summed over {word} {', '.join(map(str, axes))}: it was repeated to {shape_text(before)}"
    return full.sum(axis=axes).reshape(shape), note
