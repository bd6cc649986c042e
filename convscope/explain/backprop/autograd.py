"""The judge of back-propagation by hand: the same expression through torch.autograd, and through finite differences."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from ...errors import ConvscopeError
from .passes import Tape, UndefinedError, evaluate
from .values import Array, freeze, inline
from .walk import Walk

TOLERANCE = 1e-12  # of a float64 gradient, relative to the sum of |terms| behind it
BUG = 1e-6  # beyond this, cancelled digits are no explanation
DIFFERENCE_TOLERANCE = 1e-5  # of a central difference, relative to |terms| + |result| + 1
MAX_DIFFERENCES = 200  # elements whose finite difference is taken: each costs two evaluations

# (operator, number of inputs) → torch's own
TORCH: dict[tuple[str, int], Callable[..., torch.Tensor]] = {
    ("+", 2): torch.add, ("-", 2): torch.sub, ("*", 2): torch.mul, ("/", 2): torch.div, ("**", 2): torch.pow,
    ("@", 2): torch.matmul, ("-", 1): torch.neg, ("relu", 1): torch.relu, ("sigmoid", 1): torch.sigmoid,
    ("tanh", 1): torch.tanh, ("exp", 1): torch.exp, ("log", 1): torch.log, ("sqrt", 1): torch.sqrt,
    ("abs", 1): torch.abs, ("max", 2): torch.maximum, ("max", 1): torch.max, ("sum", 1): torch.sum,
    ("mean", 1): torch.mean,
}  # fmt: skip


@dataclass(frozen=True)
class Check:
    """Largest differences, relative to what they are measured against (see the tolerances above).

    ``finite_difference`` is None where none could be taken; ``finite_elements`` says how many were.
    """

    gradients: int
    autograd_difference: float
    finite_difference: float | None
    finite_elements: int

    @property
    def text(self) -> str:
        """One line for people."""
        same = "the same gradient" if self.gradients == 1 else f"the same {self.gradients} gradients"
        digits = "" if self.autograd_difference <= TOLERANCE else " (digits cancel here)"
        text = f"check: PyTorch's autograd gives {same} within {max(self.autograd_difference, TOLERANCE):.0e}{digits}"
        if self.finite_difference is None:
            return f"{text}; no finite difference could be taken"
        if self.finite_difference <= DIFFERENCE_TOLERANCE:
            return f"{text}, finite differences within {DIFFERENCE_TOLERANCE:.0e}"
        return f"{text}; finite differences are off by {self.finite_difference:.1g}: a kink or a steep place is near"


def check(tape: Tape, walk: Walk, passes: int = 1) -> Check:
    """Compare the gradients of ``walk`` with autograd's. Raises ConvscopeError where they differ."""
    return judge(walk, {i: passes * g for i, g in autograd_gradients(tape).items()}, finite_differences(tape), passes)


@np.errstate(all="ignore")
def judge(walk: Walk, autograd: Mapping[int, Array], finite: Mapping[int, Array], passes: int = 1) -> Check:
    """The :class:`Check` for gradients by node. ``finite`` may lack elements (NaN) or nodes."""
    result = abs(float(np.asarray(walk.nodes[-1].value).reshape(())))
    worst, off = 0.0, []
    for gradient in walk.gradients:
        ours, terms = np.asarray(gradient.value), np.asarray(gradient.magnitude)
        difference = np.abs(ours - autograd[gradient.node])
        relative = float((difference / np.maximum(terms, np.finfo(np.float64).tiny)).max())
        if not relative <= BUG:
            raise ConvscopeError(
                f"the gradient of {gradient.label} in {walk.source!r} is {inline(gradient.value)} by hand, "
                f"but {inline(freeze(autograd[gradient.node]))} by autograd",
                "this is a bug in convscope: please report it",
            )
        worst = max(worst, relative)
        if gradient.node in finite:
            relatives = np.abs(ours / passes - finite[gradient.node]) / (terms / passes + result + 1)
            off += relatives[np.isfinite(relatives)].ravel().tolist()
    return Check(len(walk.gradients), worst, max(off, default=None), len(off))


def autograd_gradients(tape: Tape) -> dict[int, Array]:
    """The gradient of every leaf variable by index, from torch.autograd in float64."""
    tensors: list[torch.Tensor] = []
    for item in tape.items:
        if item.operator is None:
            tensors.append(torch.tensor(item.value, requires_grad=item.kind in ("variable", "parameter")))
        else:
            tensors.append(TORCH[item.operator.name, len(item.inputs)](*(tensors[i] for i in item.inputs)))
    leaves = [i for i, tensor in enumerate(tensors) if tensor.is_leaf and tensor.requires_grad]
    found = torch.autograd.grad(tensors[-1].sum(), [tensors[i] for i in leaves])
    return {i: gradient.numpy() for i, gradient in zip(leaves, found, strict=True)}


def finite_differences(tape: Tape, step: float = 1e-5) -> dict[int, Array]:
    """(f(x+h) − f(x−h)) / 2h for the elements of every variable; NaN where f is not defined on both sides.

    h is ``step`` · max(1, |x|): near the cube root of float64's precision, where truncation and cancellation balance.
    """
    result, left = {}, MAX_DIFFERENCES
    for index, item in enumerate(tape.items):
        if item.kind not in ("variable", "parameter"):
            continue
        assert item.value is not None
        found = np.full(item.value.shape, np.nan)
        for place in list(np.ndindex(item.value.shape))[:left]:
            left -= 1
            h = step * max(1.0, abs(float(item.value[place])))
            found[place] = _difference(tape, index, place, h)
        result[index] = found
    return result


def _difference(tape: Tape, index: int, place: tuple[int, ...], h: float) -> float:
    ends = []
    for sign in (1, -1):
        value = np.array(tape.items[index].value)
        value[place] += sign * h
        try:
            ends.append(float(evaluate(tape, {index: value})[-1].reshape(())))
        except UndefinedError:
            return float("nan")
    return (ends[0] - ends[1]) / (2 * h)
