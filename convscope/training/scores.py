"""Logits and labels → how good a net is, in one number and in full."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..language import Name
from ..language.counts import number_of
from ..net.loss import loss_of
from ..recipe import LossName
from ..shown import Table, Tabular


@dataclass(frozen=True)
class Score:
    """Mean loss, and the fraction of images whose largest logit is that of their class (0..1)."""

    loss: float
    accuracy: float


def score(logits: Tensor, labels: Tensor, loss: LossName = "cross-entropy") -> Score:
    """Score logits float32 (N, K) against labels int64 (N,)."""
    correct = int((logits.argmax(1) == labels).sum())
    value = float(loss_of(loss, logits.double(), labels))
    return Score(value, correct / len(labels))


def probabilities(logits: Tensor) -> Tensor:
    """softmax over classes: (N, K) → (N, K), rows sum to 1, in float64."""
    return torch.softmax(logits.double(), dim=1)


Confidence = Literal["probability", "score"]


def confidence_of(loss: LossName) -> Confidence:
    """What the answers of a net that was trained with ``loss`` are called: only cross entropy makes probabilities."""
    return "probability" if loss == "cross-entropy" else "score"


def confidences(logits: Tensor, loss: LossName) -> Tensor:
    """How sure a net is of each class, float64 (N, K), the larger the surer.

    Probabilities (:func:`probabilities`) where it was trained with cross entropy. With mse or mae its raw outputs were
    trained to be 1 for the class and 0 for the others: they are scores, and no softmax makes probabilities of them.
    """
    return probabilities(logits) if confidence_of(loss) == "probability" else logits.double()


def confidence_text(loss: LossName, value: float, digits: int = 1) -> str:
    """A confidence for people: 98.3 % of a probability, 0.983 of a score."""
    if confidence_of(loss) == "probability":
        return f"{100 * value:.{digits}f} %"
    return f"score {value:.{digits + 2}f}"


@dataclass(frozen=True)
class ClassScore:
    """One class: fractions, and the number of its images (support). None where a fraction would be 0/0."""

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


@dataclass(frozen=True, repr=False)
class Evaluation(Tabular):
    """A net on one set of images. ``interval`` is the 95 % interval of the accuracy (Wilson 1927).

    ``confusion`` int64 (K, K): row is the true class, column the predicted one. ``calibration_error`` is the mean
    distance between confidence and accuracy over 15 bins of confidence (ECE; Guo et al. 2017), None where the net was
    not trained with cross entropy and so gives no probabilities.
    """

    images: int
    loss: float
    accuracy: float
    interval: tuple[float, float]
    calibration_error: float | None
    classes: tuple[ClassScore, ...]
    confusion: NDArray[np.int64]

    def told(self) -> Iterator[str | Table]:
        """Accuracy, every class, and the confusion matrix."""
        low, high = self.interval
        yield (
            f"accuracy    {100 * self.accuracy:.2f} % of {number_of(self.images, 'image')} "
            f"(95 % interval {100 * low:.2f} % to {100 * high:.2f} %)"
        )
        yield f"loss        {self.loss:.4g}"
        if self.calibration_error is not None:
            yield f"calibration {100 * self.calibration_error:.2f} % mean distance of confidence from accuracy"
        names = ("class", "precision", "recall", "f1", "support")
        yield Table(names, [(Name(c.name), c.precision, c.recall, c.f1, c.support) for c in self.classes])
        yield "confusion: rows are true classes, columns predicted ones"
        rows = zip(self.classes, self.confusion.tolist(), strict=True)
        yield Table(("", *(Name(c.name) for c in self.classes)), [(Name(c.name), *counts) for c, counts in rows])


def evaluate(logits: Tensor, labels: Tensor, classes: tuple[str, ...], loss: LossName = "cross-entropy") -> Evaluation:
    """Everything about logits float32 (N, K) against labels int64 (N,). Classes without images are allowed."""
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support  # imports for a second

    total = score(logits, labels, loss)
    predicted, true = logits.argmax(1).numpy(), labels.numpy()
    p = probabilities(logits).numpy()
    every = np.arange(len(classes))
    rows = precision_recall_fscore_support(true, predicted, labels=every, zero_division=np.nan)
    return Evaluation(
        images=len(labels),
        loss=total.loss,
        accuracy=total.accuracy,
        interval=wilson(round(total.accuracy * len(labels)), len(labels)),
        calibration_error=calibration_error(p, true) if np.isfinite(p).all() and loss == "cross-entropy" else None,
        classes=tuple(
            ClassScore(name, _known(precision), _known(recall), _known(f1), int(support))
            for name, precision, recall, f1, support in zip(classes, *rows, strict=True)
        ),
        confusion=confusion_matrix(true, predicted, labels=every).astype(np.int64),
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def wilson(successes: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """The interval that holds the true fraction with 95 % confidence after ``successes`` of ``count`` (Wilson 1927).

    ``z`` is the normal quantile of another confidence. Raises ZeroDivisionError for a ``count`` of 0.
    """
    p = successes / count
    centre = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def calibration_error(p: NDArray[np.float64], labels: NDArray[np.int64], bins: int = 15) -> float:
    """Σ over bins of (share of images) · |mean confidence − accuracy|, for probabilities (N, K)."""
    confidence, right = p.max(1), p.argmax(1) == labels
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[bin_of == b].mean() - right[bin_of == b].mean()) * (bin_of == b).mean()
        for b in np.unique(bin_of)
    ]
    return float(sum(gaps))


def most_wrong(logits: Tensor, labels: Tensor, most: int, loss: LossName = "cross-entropy") -> NDArray[np.int64]:
    """Indices of the misclassified images, the most confident mistake first, at most ``most``."""
    p = confidences(logits, loss)
    wrong = (logits.argmax(1) != labels).nonzero().flatten()
    order = p[wrong].max(1).values.argsort(descending=True, stable=True)
    return wrong[order][:most].numpy()
