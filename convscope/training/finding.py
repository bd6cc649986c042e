"""Why a result is no success: what a test says of a net, the likely cause, and one thing to try.

A number alone does not say so: 95 % right is nothing where 95 % of the images are of one class.
"""

from dataclasses import dataclass
from math import log
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..recipe import LossName, OptimizerName, Recipe

FEWEST = 10  # test images: fewer say nothing
MOVED = 0.02  # of the images are answered otherwise: other machines and precisions change fewer
NEAR = 0.95  # of the loss of a net that knows nothing: so near, it has learnt next to nothing
BY_HEART = 0.5  # of that loss: the training images are known well
MOSTLY = 0.6  # of the images in one class: the others are easily passed over
# Learning rates (of SGD and SGDW, over 1 − momentum) outside which the rate is the likely cause.
RATES: dict[OptimizerName, tuple[float, float]] = {
    "sgd": (1e-3, 0.5),
    "sgdw": (1e-3, 0.5),
    "muon": (1e-3, 0.5),
    "adam": (1e-5, 1e-2),
    "adamw": (1e-5, 1e-2),
}
FEW_UPDATES = 200

Cause = Literal[
    "other weights", "other data", "imbalance", "by heart", "rate too large", "rate too small", "few updates", "unknown"
]
CAUSES: dict[Cause, tuple[str, str]] = {
    "other weights": (
        "the weights are not those that were tested then: the file is damaged, or another one took its place",
        "copy the run again, or train again",
    ),
    "other data": (
        "these data may look unlike the training images, or their classes may mean something else",
        "look at worst.png and at the same images in convscope explain",
    ),
    "imbalance": (
        "most of the images are of one class",
        "give the other classes more images, and judge by the recall of each class",
    ),
    "by heart": (
        "the training images were learnt by heart: their loss is far lower",
        "more images, a smaller net or --weight-decay 0.001; are the labels right (convscope check)?",
    ),
    "rate too large": ("the learning rate is likely too large", "try --lr {smaller:g}"),
    "rate too small": ("the learning rate is likely too small", "try --lr {larger:g}"),
    "few updates": ("there were only {updates:,} updates", "try --epochs {more}"),
    "unknown": (
        "the net has learnt too little from its training images",
        "try --optimizer adam --lr 0.001, and look at the data with convscope check",
    ),
}


@dataclass(frozen=True)
class Facts:
    """What is known of a test. ``largest`` is the share of the images that are of their commonest class.

    ``only`` is the class that all images were taken for, None where there were several or nobody looked.
    ``train_loss`` is the mean loss of the last epoch. ``own`` says whether the images were the run's own test images,
    ``recorded`` which accuracy the run itself found on these very ones, None where it was not tested on them.
    """

    recipe: Recipe
    images: int
    classes: int
    largest: float
    accuracy: float | None
    train_loss: float | None
    updates: int
    only: str | None = None
    own: bool = True
    recorded: float | None = None

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        classes: int,
        labels: NDArray[np.int64],
        accuracy: float | None,
        train_loss: float | None,
        updates: int,
    ) -> "Facts":
        """The facts of a test on images with ``labels`` (N,), of the run's own, before the answers are looked at."""
        largest = float(np.bincount(labels).max() / len(labels)) if len(labels) else 1.0
        return cls(recipe, len(labels), classes, largest, accuracy, train_loss, updates)

    @property
    def differs(self) -> bool:
        """Whether the run itself found another accuracy on these images, by more than one of them."""
        if self.recorded is None or self.accuracy is None:
            return False
        return abs(self.accuracy - self.recorded) * self.images > max(1.5, MOVED * self.images)

    @property
    def no_better_than_one_class(self) -> bool:
        """Whether a net that names the commonest class every time would have been as good. False where few images
        or a single class can tell nothing."""
        telling = self.images >= FEWEST and self.largest < 1 and self.accuracy is not None
        return telling and self.accuracy is not None and self.accuracy <= self.largest + 1e-9

    @property
    def learnt_nothing(self) -> bool:
        """Whether the training loss is still that of a net that knows nothing, and the accuracy little above chance."""
        if self.train_loss is None or self.accuracy is None or self.images < FEWEST:
            return False
        low = min(2 * self.largest, (1 + self.largest) / 2)
        return self.accuracy < low and self.train_loss >= NEAR * guessing(self.recipe.loss, self.classes)


@dataclass(frozen=True)
class Finding:
    """What is wrong, why that is likely so, and one thing to try."""

    what: str
    cause: Cause
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}; {self.remedy}"


def guessing(loss: LossName, classes: int) -> float:
    """The loss of a net that knows nothing and answers always the same, on classes of equal size.

    cross-entropy  ln K: every class at 1/K
    mse            (K − 1)/K²: every output 1/K
    mae            1/K: every output 0
    """
    if loss == "cross-entropy":
        return log(classes)
    return (classes - 1) / classes**2 if loss == "mse" else 1 / classes


def finding(facts: Facts) -> Finding | None:
    """Why the result of ``facts`` is no success; None where nothing speaks against it."""
    what = _what(facts)
    if what is None:
        return None
    cause = _cause(facts)
    recipe = facts.recipe
    values = {
        "smaller": recipe.lr / 10,
        "larger": recipe.lr * 10,
        "updates": facts.updates,
        "more": 5 * recipe.epochs,
    }
    why, remedy = (text.format(**values) for text in CAUSES[cause])
    return Finding(what, cause, why, remedy)


def _what(facts: Facts) -> str | None:
    if facts.differs:
        now, then = (f"{100 * (share or 0):.2f} %" for share in (facts.accuracy, facts.recorded))
        return f"{now} are right, but the run recorded {then} on these very images"
    if facts.no_better_than_one_class:
        if facts.only is not None:
            return f"every one of the {facts.images:,} images is taken for class {facts.only!r}"
        return (
            f"{100 * (facts.accuracy or 0):.2f} % is no better than naming the commonest class every time, "
            f"which {100 * facts.largest:.2f} % of the images have"
        )
    if facts.own and facts.learnt_nothing:
        known = guessing(facts.recipe.loss, facts.classes)
        return f"the training loss {facts.train_loss:.4g} is near {known:.4g}, that of a net that knows nothing"
    return None


def _cause(facts: Facts) -> Cause:
    if facts.differs:
        return "other weights"
    if not facts.own:
        return "other data"
    if facts.largest >= max(MOSTLY, 1.5 / facts.classes):
        return "imbalance"
    recipe = facts.recipe
    if facts.train_loss is not None and facts.train_loss <= BY_HEART * guessing(recipe.loss, facts.classes):
        return "by heart"
    low, high = RATES[recipe.optimizer]
    rate = recipe.lr / (1 - recipe.momentum) if recipe.optimizer in ("sgd", "sgdw") else recipe.lr
    if rate >= high:
        return "rate too large"
    if rate <= low:
        return "rate too small"
    return "few updates" if facts.updates < FEW_UPDATES else "unknown"
