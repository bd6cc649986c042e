"""The operators of expressions: each with its forward formula and, right below it, its derivatives.

An operator is written once as code and once as text; ``{a}``, ``{b}`` are the inputs and ``{out}`` the result. What
the text of a derivative names is exactly what the forward pass has to cache for the backward pass. A comparison in it
stands for 1 where it holds and 0 elsewhere.
The idea of an operator as a forward line with its derivative beneath is micrograd's (Karpathy); values at kinks and
ties are those of torch.autograd.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from ...language.counts import number_of
from .values import Array, shape_text

MAX_ELEMENTS = 1_000  # of one value: more cannot be read by anybody


@dataclass(frozen=True)
class Partial:
    """The derivative of an operator with respect to one of its inputs.

    ``local(out, *inputs)`` is ∂out/∂input (None where that is no single array), ``pull(upstream, local, *inputs)`` what
    the input receives (before it is summed over broadcast axes), ``product`` how that is written.
    """

    formula: str
    local: Callable[..., Array | None]
    pull: Callable[..., Array] = lambda upstream, local, *inputs: upstream * local
    product: str = "{upstream} × {local}"
    terms: Callable[..., Array] | None = None  # Σ|terms| of the formula where digits can cancel in it
    hidden: bool = False  # ``local`` is not for showing


@dataclass(frozen=True)
class Operator:
    """One operator. ``complaint(*inputs)`` says why it is not defined there, or is empty."""

    name: str
    text: str
    forward: Callable[..., Array]
    partials: tuple[Partial, ...]
    complaint: Callable[..., str] = lambda *inputs: ""
    remark: Callable[..., str] = lambda *inputs: ""


def _fits(a: Array, b: Array) -> str:
    """Why two shapes do not broadcast, or broadcast into something absurdly large."""
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        return f"shapes {shape_text(a.shape)} and {shape_text(b.shape)} do not fit together"
    return _large(prod(shape))


def _large(size: int) -> str:
    return f"the result would have {size:,} elements, at most {MAX_ELEMENTS:,} are allowed" * (size > MAX_ELEMENTS)


ONE = Partial("1", lambda out, *inputs: np.ones_like(out))
MINUS_ONE = Partial("-1", lambda out, *inputs: -np.ones_like(out))

ADD = Operator("+", "{a} + {b}", lambda a, b: a + b, (ONE, ONE), _fits)

SUBTRACT = Operator("-", "{a} - {b}", lambda a, b: a - b, (ONE, MINUS_ONE), _fits)

MULTIPLY = Operator(
    "*",
    "{a} * {b}",
    lambda a, b: a * b,
    (Partial("{b}", lambda out, a, b: b), Partial("{a}", lambda out, a, b: a)),
    _fits,
)

DIVIDE = Operator(
    "/",
    "{a} / {b}",
    lambda a, b: a / b,
    (Partial("1/{b}", lambda out, a, b: 1 / b), Partial("−{a}/{b}²", lambda out, a, b: -a / b / b)),
    lambda a, b: _fits(a, b) or "division by zero" * bool((b == 0).any()),
)

NEGATE = Operator("-", "-{a}", lambda a: -a, (MINUS_ONE,))


def _power_base(a: Array, b: Array) -> Array:
    return np.where(b == 0, 0.0, b * a ** (b - 1))


def _power_exponent(out: Array, a: Array) -> Array:
    return np.where(a == 0, 0.0, out * np.log(np.where(a == 0, 1.0, a)))


def _power_complaint(a: Array, b: Array) -> str:
    if trouble := _fits(a, b):
        return trouble
    if ((a == 0) & (b < 0)).any():
        return "zero to a negative power"
    return "a negative number to a power that is not whole" * bool(((a < 0) & (b != np.floor(b))).any())


POWER = Operator(
    "**",
    "{a} ** {b}",
    lambda a, b: a**b,
    (
        Partial("{b}·{a}^({b}−1)", lambda out, a, b: _power_base(a, b)),
        Partial("{out}·ln {a}", lambda out, a, b: _power_exponent(out, a)),
    ),
    _power_complaint,
)


def _matrices(a: Array, b: Array) -> tuple[Array, Array]:
    """Both factors as matrices: a vector on the left is a row, on the right a column, as in torch.matmul."""
    return (a[None] if a.ndim == 1 else a), (b[:, None] if b.ndim == 1 else b)


def _pull_left(upstream: Array, local: Array, a: Array, b: Array) -> Array:
    rows, columns = _matrices(a, b)
    return (upstream.reshape(len(rows), columns.shape[1]) @ local).reshape(a.shape)


def _pull_right(upstream: Array, local: Array, a: Array, b: Array) -> Array:
    rows, columns = _matrices(a, b)
    return (local @ upstream.reshape(len(rows), columns.shape[1])).reshape(b.shape)


def _matmul_complaint(a: Array, b: Array) -> str:
    if not a.ndim or not b.ndim:
        return "@ multiplies matrices and vectors; write * for a number"
    if a.shape[-1] != b.shape[0]:
        return (
            f"the left factor ({shape_text(a.shape)}) has {number_of(a.shape[-1], 'column')}, "
            f"but the right one ({shape_text(b.shape)}) has {number_of(b.shape[0], 'row')}"
        )
    return _large(prod(a.shape[:-1]) * prod(b.shape[1:]))


MATMUL = Operator(
    "@",
    "{a} @ {b}",
    lambda a, b: np.asarray(a @ b),
    (
        Partial("{b}ᵀ", lambda out, a, b: _matrices(a, b)[1].T, _pull_left, "{upstream} @ {local}"),
        Partial("{a}ᵀ", lambda out, a, b: _matrices(a, b)[0].T, _pull_right, "{local} @ {upstream}"),
    ),
    _matmul_complaint,
)

RELU = Operator(
    "relu",
    "relu({a})",
    lambda a: np.maximum(a, 0),
    (Partial("({a} > 0)", lambda out, a: np.where(a > 0, 1.0, 0.0)),),
    remark=lambda a: "at the kink relu(0) PyTorch takes the derivative 0" * bool((a == 0).any()),
)

RELU6 = Operator(
    "relu6",
    "relu6({a})",
    lambda a: np.clip(a, 0, 6),
    (Partial("(0 < {a} < 6)", lambda out, a: np.where((a > 0) & (a < 6), 1.0, 0.0)),),
    remark=lambda a: "at the kinks 0 and 6 PyTorch takes the derivative 0" * bool(((a == 0) | (a == 6)).any()),
)

# 1/(1 + e^−a) = e^min(a,0) / (1 + e^−|a|), which neither overflows nor cancels.
SIGMOID = Operator(
    "sigmoid",
    "sigmoid({a})",
    lambda a: np.exp(np.minimum(a, 0)) / (1 + np.exp(-np.abs(a))),
    (Partial("{out}·(1−{out})", lambda out, a: out * (1 - out), terms=lambda out, a: out * (1 + out)),),
)

TANH = Operator(
    "tanh",
    "tanh({a})",
    np.tanh,
    (Partial("1−{out}²", lambda out, a: 1 - out * out, terms=lambda out, a: 1 + out * out),),
)

EXP = Operator("exp", "exp({a})", np.exp, (Partial("{out}", lambda out, a: out),))

LOG = Operator(
    "log",
    "log({a})",
    np.log,
    (Partial("1/{a}", lambda out, a: 1 / a),),
    lambda a: "log needs numbers above 0" * bool((a <= 0).any()),
)

SQRT = Operator(
    "sqrt",
    "sqrt({a})",
    np.sqrt,
    (Partial("1/(2·{out})", lambda out, a: 0.5 / out),),
    lambda a: "sqrt needs numbers from 0 on" * bool((a < 0).any()),
)

ABS = Operator(
    "abs",
    "abs({a})",
    np.abs,
    (Partial("sign {a}", lambda out, a: np.sign(a)),),
    remark=lambda a: "at the kink abs(0) PyTorch takes the derivative 0" * bool((a == 0).any()),
)


def _winner(a: Array, b: Array) -> Array:
    return np.where(a > b, 1.0, np.where(a == b, 0.5, 0.0))


MAXIMUM = Operator(
    "max",
    "max({a}, {b})",
    np.maximum,
    (
        Partial("({a} > {b})", lambda out, a, b: _winner(a, b)),
        Partial("({b} > {a})", lambda out, a, b: _winner(b, a)),
    ),
    _fits,
    lambda a, b: "a tie: PyTorch gives each side one half" * bool((a == b).any()),
)

SUM = Operator("sum", "sum({a})", lambda a: np.asarray(a.sum()), (Partial("1", lambda out, a: np.ones_like(a)),))

MEAN = Operator(
    "mean", "mean({a})", lambda a: np.asarray(a.mean()), (Partial("1/n", lambda out, a: np.full_like(a, 1 / a.size)),)
)

LARGEST = Operator(
    "max",
    "max({a})",
    lambda a: np.asarray(a.max()),
    (Partial("({a} = {out})", lambda out, a: np.where(a == out, 1.0, 0.0) / (a == out).sum()),),
    remark=lambda a: "a tie: PyTorch shares the gradient evenly" * bool((a == a.max()).sum() > 1),
)

# What a function is called in an expression → its operator by number of arguments.
FUNCTIONS = {
    "relu": {1: RELU},
    "sigmoid": {1: SIGMOID},
    "tanh": {1: TANH},
    "exp": {1: EXP},
    "log": {1: LOG},
    "sqrt": {1: SQRT},
    "abs": {1: ABS},
    "max": {1: LARGEST, 2: MAXIMUM},
    "sum": {1: SUM},
    "mean": {1: MEAN},
}
