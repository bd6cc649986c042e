"""The ledger of an element where ways through a net meet: a sum (skip connection) or tensors behind each other."""

from itertools import pairwise

import numpy as np

from ...net.joins import Add, Concat
from ..ledger import Factor, Ledger, Term
from .trace import Array, Call

Index = tuple[int, ...]


def joins(call: Call) -> bool:
    """Whether ``call`` is a join that has ledgers."""
    shapes = [operand.values.shape for operand in call.operands]
    if call.output is None:
        return False
    if isinstance(call.module, Add):
        enough = len(shapes) >= 2 if call.module.constant is None else len(shapes) == 1
        return enough and set(shapes) == {call.output.shape}
    if isinstance(call.module, Concat):
        axis = _axis(call.module, call.output)
        return axis >= 0 and sum(shape[axis] for shape in shapes) == call.output.shape[axis]
    return False


def add(call: Call, x: Array, y: Array, index: Index) -> Ledger:  # noqa: ARG001 - every maker of ledgers takes x
    """out[i] = a[i] + b[i] + …."""
    terms = [Term(0, Factor(o.source, index, float(o.values[index]))) for o in call.operands]
    assert isinstance(call.module, Add)
    if call.module.constant is not None:
        terms.append(Term(0, Factor(f"{call.module.constant:g}", (), float(np.float32(call.module.constant)))))
    return Ledger(call.name, index, tuple(terms), float(y[index]))


def cat(call: Call, x: Array, y: Array, index: Index) -> Ledger:  # noqa: ARG001
    """The same value, in the tensor that lies there."""
    assert isinstance(call.module, Concat)
    axis = _axis(call.module, y)
    starts = np.cumsum([0, *(o.values.shape[axis] for o in call.operands)]).tolist()
    n, first = next((n, a) for n, (a, b) in enumerate(pairwise(starts)) if a <= index[axis] < b)
    place = (*index[:axis], index[axis] - first, *index[axis + 1 :])
    term = Term(0, Factor(call.operands[n].source, place, float(call.operands[n].values[place])))
    return Ledger(call.name, index, (term,), float(y[index]), operation="identity")


def back(call: Call, source: str, upstream: Array, index: Index) -> tuple[Term, ...]:
    """What a join adds to the gradient of ``source``[index]: its own gradient at each place where that value went."""
    assert call.output is not None
    axis = _axis(call.module, call.output) if isinstance(call.module, Concat) else 0
    places, before = [], 0
    for operand in call.operands:
        if operand.source == source:
            places.append((*index[:axis], index[axis] + before, *index[axis + 1 :]))
        before += operand.values.shape[axis] if isinstance(call.module, Concat) else 0
    return tuple(Term(place[0], Factor(f"∂loss/∂{call.name}", place, float(upstream[place]))) for place in places)


def _axis(module: Concat, output: Array) -> int:
    """``module.dim`` without the batch axis; −1 is the batch axis itself."""
    return module.dim - 1 if module.dim >= 0 else module.dim + output.ndim
