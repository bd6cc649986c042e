"""Losses: what every element adds, what they come to, and the derivative for every prediction.

With n predictions ŷ and targets y:

    mse            Σ (ŷ − y)² / n              ∂/∂ŷ = 2 (ŷ − y) / n
    l2             √ Σ (ŷ − y)²                ∂/∂ŷ = (ŷ − y) / l2      (0 where l2 is 0, as PyTorch's norm has it)
    mae            Σ |ŷ − y| / n               ∂/∂ŷ = sign(ŷ − y) / n   (0 where they are equal)
    cross-entropy  −log softmax(z)[target]     ∂/∂z = softmax(z) − one-hot(target), both over the mean of all rows

Cross entropy takes raw scores z (logits): the softmax is inside it, so the last layer of a classifier has no
activation. All is computed here from these formulas in float64 and compared with PyTorch's loss and its autograd.
"""

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...errors import UsageError, near
from ...language.counts import number_of
from ...shown import Table, Tabular
from ..ledger import LedgerError

Array = NDArray[np.float64]
NAMES = ("mse", "l2", "mae", "cross-entropy")
MAX_ELEMENTS = 1_000_000  # of a loss that is shown element by element, after broadcasting
LARGEST = 1e100  # whose squares and sums a float64 holds
AGREE = 1e-9  # relative; both sides are float64


@dataclass(frozen=True)
class Element:
    """One pair of the regression losses: ``term`` is the square or the absolute value of the difference."""

    index: tuple[int, ...]
    prediction: float
    target: float
    difference: float
    term: float


@dataclass(frozen=True)
class SampleLoss:
    """One sample of cross entropy, step by step: logits − maximum → exp → ÷ total → −log of the target's share."""

    target: int
    logits: tuple[float, ...]
    maximum: float
    shifted: tuple[float, ...]
    exponentials: tuple[float, ...]
    total: float
    probabilities: tuple[float, ...]
    loss: float


@dataclass(frozen=True, repr=False)
class Loss(Tabular):
    """A loss explained. ``elements`` (regression) or ``rows`` (cross entropy) are its parts, ``formula`` their sum with
    numbers, ``derivative`` has the shape of the predictions, ``reported`` is PyTorch's value, in float64.
    """

    name: str
    shape: tuple[int, ...]
    value: float
    reported: float
    formula: str
    derivative: Array
    elements: tuple[Element, ...] = ()
    rows: tuple[SampleLoss, ...] = ()
    warnings: tuple[str, ...] = ()

    def told(self) -> Iterator[str | Table]:
        """What each part adds, what they come to, and PyTorch's value."""
        if self.rows:
            slopes = self.derivative.reshape(len(self.rows), -1)
            yield Table(
                ("sample", "class", "logit", "probability", "∂loss/∂logit"),
                [
                    (i, f"{k} ←" if k == row.target else str(k), row.logits[k], row.probabilities[k], float(slope[k]))
                    for i, (row, slope) in enumerate(zip(self.rows, slopes, strict=True))
                    for k in range(len(row.logits))
                ],
            )
        else:
            part = "|difference|" if self.name == "mae" else "square"
            yield Table(
                ("index", "prediction", "target", "difference", part),
                [(",".join(map(str, e.index)), e.prediction, e.target, e.difference, e.term) for e in self.elements],
            )
        yield f"{self.name} = {self.formula}\nPyTorch: {self.reported:.9g}"
        yield from (f"warning: {warning}" for warning in self.warnings)


def loss(name: str, prediction: Array, target: Array) -> Loss:
    """Explain loss ``name`` of ``prediction`` and ``target``, both of any shape that PyTorch takes.

    Cross entropy takes logits (K,) or (N, K) and class indices () or (N,). Raises UsageError.
    """
    if name not in NAMES:
        raise UsageError(f"no loss is called {name[:40]!r}", near(name[:40], NAMES))
    if not prediction.size or not target.size:
        raise UsageError("there is nothing to compare: give at least one prediction and one target")
    largest = max(float(np.abs(prediction).max()), float(np.abs(target).max()))
    if largest > LARGEST:
        raise UsageError(f"{largest:g} is too large for a loss", f"numbers up to {LARGEST:g}")
    if name == "cross-entropy":
        return _cross_entropy(prediction, target)
    return _regression(name, prediction, target)


def value(name: str, prediction: Array, target: Array) -> float:
    """The loss alone, for curves. Targets of cross entropy are class indices."""
    return float(_torch(name, torch.from_numpy(prediction), torch.from_numpy(target)))


def _regression(name: str, prediction: Array, target: Array) -> Loss:
    try:
        shape = np.broadcast_shapes(prediction.shape, target.shape)
    except ValueError:
        raise UsageError(
            f"predictions {prediction.shape} and targets {target.shape} cannot be compared",
            "every prediction needs one target: give both the same shape",
        ) from None
    if math.prod(shape) > MAX_ELEMENTS:
        raise UsageError(f"{math.prod(shape):,} differences are too many to show", f"at most {MAX_ELEMENTS:,}")
    wide_prediction, wide_target = np.broadcast_to(prediction, shape), np.broadcast_to(target, shape)
    difference = wide_prediction - wide_target
    terms = np.abs(difference) if name == "mae" else difference**2
    n = difference.size
    # hypot is the root of the sum of squares without the squares, which may underflow
    result = math.hypot(*difference.ravel()) if name == "l2" else math.fsum(terms.ravel()) / n
    if name == "mse":
        wide = 2 * difference / n
    elif name == "mae":
        wide = np.sign(difference) / n
    else:
        wide = difference / result if result else np.zeros_like(difference)
    derivative = _unbroadcast(wide, prediction.shape)
    elements = tuple(
        Element(index, *map(float, (wide_prediction[index], wide_target[index], difference[index], terms[index])))
        for index in np.ndindex(shape)
    )
    reported = _checked(name, prediction, target, result, derivative)
    sum_text = _sum_text([e.term for e in elements])
    formula = f"√({sum_text}) = {result:.6g}" if name == "l2" else f"({sum_text}) / {n} = {result:.6g}"
    warned = _broadcast_warning(name, prediction, target, shape)
    return Loss(name, prediction.shape, result, reported, formula, derivative, elements, warnings=warned)


def _cross_entropy(logits: Array, target: Array) -> Loss:
    if logits.ndim not in (1, 2) or target.shape != logits.shape[:-1]:
        if target.shape == (1,) and logits.ndim == 1:
            return _cross_entropy(logits, target.reshape(()))
        same = target.shape == logits.shape and logits.ndim == 2
        raise UsageError(
            f"logits {logits.shape} and targets {target.shape} do not fit",
            "for one-hot targets, give the index of the one: targets.argmax(1)"
            if same
            else "logits are (K,) or (N, K), targets one class index a row: () or (N,)",
        )
    classes = logits.shape[-1]
    if not all(v == int(v) and 0 <= v < classes for v in target.ravel()):
        wrong = next(v for v in target.ravel() if not (v == int(v) and 0 <= v < classes))
        raise UsageError(
            f"target {wrong:g} is no class index", f"with {classes} logits a row, classes are 0..{classes - 1}"
        )
    if logits.size > MAX_ELEMENTS:
        raise UsageError(f"{logits.size:,} logits are too many to show", f"at most {MAX_ELEMENTS:,}")
    table, index = np.atleast_2d(logits), target.astype(np.int64).reshape(-1)
    rows = tuple(_row(z, int(t)) for z, t in zip(table, index, strict=True))
    result = math.fsum(row.loss for row in rows) / len(rows)
    probabilities = np.array([row.probabilities for row in rows])
    one_hot = np.eye(classes)[index]
    derivative = ((probabilities - one_hot) / len(rows)).reshape(logits.shape)
    reported = _checked("cross-entropy", logits, target, result, derivative)
    formula = f"({_sum_text([row.loss for row in rows])}) / {len(rows)} = {result:.6g}"
    warned = _softmax_warning(table, target, logits)
    return Loss("cross-entropy", logits.shape, result, reported, formula, derivative, rows=rows, warnings=warned)


def _row(logits: Array, target: int) -> SampleLoss:
    maximum = float(logits.max())  # taken off so that exp cannot overflow; it cancels in the quotient
    shifted = [float(z) - maximum for z in logits]
    exponentials = [math.exp(z) for z in shifted]
    total = math.fsum(exponentials)
    probabilities = tuple(e / total for e in exponentials)
    loss = math.log(total) - shifted[target]  # −log(exp(shifted)/total) without the division, which may underflow
    return SampleLoss(
        target, tuple(map(float, logits)), maximum, tuple(shifted), tuple(exponentials), total, probabilities, loss
    )


def _torch(name: str, prediction: Tensor, target: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Using a target size")  # our own warning says more
        match name:
            case "mse":
                return functional.mse_loss(prediction, target)
            case "mae":
                return functional.l1_loss(prediction, target)
            case "l2":
                return cast(Tensor, torch.linalg.vector_norm(prediction - target))
            case _:
                return functional.cross_entropy(prediction, target.long())


def _checked(name: str, prediction: Array, target: Array, result: float, derivative: Array) -> float:
    """PyTorch's value. Raises LedgerError if it or autograd's derivative is not ours."""
    leaf = torch.from_numpy(np.array(prediction)).requires_grad_()
    found = _torch(name, leaf, torch.from_numpy(np.array(target)))
    found.backward()
    assert leaf.grad is not None
    reported = float(found.detach())
    close = np.allclose(leaf.grad.numpy(), derivative, rtol=AGREE, atol=AGREE * float(np.abs(derivative).max()))
    if abs(reported - result) > AGREE * max(abs(result), AGREE) or not close:
        raise LedgerError(f"{name} is {result:.12g} by its formula, but PyTorch has {reported:.12g}")
    return reported


def _unbroadcast(wide: Array, shape: tuple[int, ...]) -> Array:
    """Sum the derivative over the axes along which a prediction was repeated."""
    extra = wide.ndim - len(shape)
    summed = wide.sum(axis=tuple(range(extra)))
    axes = tuple(i for i, n in enumerate(shape) if n == 1 and summed.shape[i] != 1)
    return np.asarray(summed.sum(axis=axes, keepdims=True) if axes else summed)


def _sum_text(terms: list[float]) -> str:
    shown = [f"{t:.6g}" for t in terms]
    if len(shown) > 8:
        shown = [*shown[:4], "…", *shown[-2:]]
    return " + ".join(shown)


def _broadcast_warning(name: str, prediction: Array, target: Array, shape: tuple[int, ...]) -> tuple[str, ...]:
    if prediction.shape == target.shape:
        return ()
    text = (
        f"predictions {prediction.shape} and targets {target.shape} have different shapes: PyTorch repeats them to "
        f"{shape} and compares {number_of(math.prod(shape), 'pair')}"
    )
    if prediction.size == target.size:
        meant = value(name, prediction, target.reshape(prediction.shape))
        return (f"{text}; element by element the loss would be {meant:.6g}: use target.reshape{prediction.shape}",)
    return (f"{text}; give every prediction its own target",)


def _softmax_warning(table: Array, target: Array, logits: Array) -> tuple[str, ...]:
    if table.shape[1] < 2 or (table < 0).any() or not np.allclose(table.sum(axis=1), 1, atol=1e-4):
        return ()
    with np.errstate(divide="ignore"):
        scores = np.log(np.maximum(logits, np.finfo(np.float64).tiny))
    meant = value("cross-entropy", scores, target)
    return (
        "every row is ≥ 0 and adds up to 1, so it looks like the output of a softmax: cross entropy has its own "
        f"softmax inside and wants raw scores. On these probabilities −log p would be {meant:.6g}; "
        "remove the softmax from the net's end",
    )
