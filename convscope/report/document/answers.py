"""What a net's answers to its test images tell beyond right and wrong: how its confidence fits, which labels do not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...runs.evaluation import Tested
from ...training.scores import confidence_of, confidences

BINS = 15  # of the calibration error


@dataclass(frozen=True)
class Bin:
    """The answers with a confidence of ``low`` to ``high``: how many, their mean confidence, and the share right."""

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Doubt:
    """Test image ``index``, labelled ``label``, that is more probably of class ``likely``; both probabilities."""

    index: int
    label: int
    likely: int
    p_label: float
    p_likely: float


def reliability(tested: Tested) -> list[Bin]:
    """The bins that hold answers, of 15 equal ones; none where the net gives no probabilities (Guo et al. 2017)."""
    if confidence_of(tested.loss) != "probability":
        return []
    p = confidences(tested.logits, tested.loss).numpy()
    confidence, right = p.max(1), p.argmax(1) == tested.images.labels
    number = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        Bin(
            low=b / BINS,
            high=(b + 1) / BINS,
            images=int((number == b).sum()),
            confidence=float(confidence[number == b].mean()),
            accuracy=float(right[number == b].mean()),
        )
        for b in np.unique(number).tolist()
    ]


def doubts(tested: Tested) -> list[Doubt]:
    """Test images whose label is probably wrong, the likeliest first: confident learning (Northcutt et al. 2021).

    A class's threshold is the mean probability that images of its label get for it. An image whose probability of
    another class reaches that class's threshold, and is above that of its label, is doubted; they are ranked by how far
    the label's probability lies below. The net was not trained on the test images, as the method asks. None where it
    gives no probabilities.
    """
    if confidence_of(tested.loss) != "probability":
        return []
    p, labels = confidences(tested.logits, tested.loss).numpy(), tested.images.labels
    threshold = np.full(p.shape[1], np.inf)
    for label in np.unique(labels).tolist():
        threshold[label] = p[labels == label, label].mean()
    counted: NDArray[np.float64] = np.where(p >= threshold, p, -1.0)
    every = np.arange(len(labels))
    own = p[every, labels]
    counted[every, labels] = -1.0
    likely = counted.argmax(1)
    chosen = np.flatnonzero(counted[every, likely] > own)
    order = chosen[np.argsort(own[chosen] - p[chosen, likely[chosen]], kind="stable")]
    return [Doubt(i, int(labels[i]), int(likely[i]), float(own[i]), float(p[i, likely[i]])) for i in order.tolist()]
