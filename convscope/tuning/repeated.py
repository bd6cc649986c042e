"""How much chance there is in a result: the same training with other seeds, or with other images to test on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np

from ..data.images import Dataset, sets_of, statistics
from ..data.sources import open_recipe
from ..distributed.agree import same_data
from ..distributed.team import ALONE, Team
from ..errors import DataError
from ..recipe import Recipe
from ..training.augment.views import seen_accuracy
from ..training.loop import train
from ..training.prepared import prepare
from ..training.state import State


@dataclass(frozen=True)
class Spread:
    """Results of ``n`` trainings: their mean, and their standard deviation (over n − 1; None for a single one)."""

    n: int
    mean: float
    sd: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of at least one value."""
        mean = sum(values) / len(values)
        squares = sum((value - mean) ** 2 for value in values)
        return cls(len(values), mean, sqrt(squares / (len(values) - 1)) if len(values) > 1 else None)

    def __str__(self) -> str:
        if self.sd is None:
            return f"{100 * self.mean:.2f} % (n = 1)"
        return f"{100 * self.mean:.2f} % ± {100 * self.sd:.2f} (sd, n = {self.n})"


def with_seeds(
    recipe: Recipe, data: Dataset, count: int, offline: bool = False, given: Any = None
) -> Iterator[tuple[Recipe, Dataset]]:
    """``recipe`` with its own and the next seeds, ``count`` in all, and the data as each of them divides them."""
    yield recipe, data
    for more in range(1, count):
        other = replace(recipe, seed=recipe.seed + more)
        yield other, open_recipe(other, offline, given)


@dataclass(frozen=True)
class Fold:
    """The accuracy (0..1) on the part left out, and by the mean over the views that the recipe asks for."""

    accuracy: float
    tta_accuracy: float | None = None


def folds(recipe: Recipe, data: Dataset, count: int, team: Team = ALONE) -> Iterator[Fold]:
    """The accuracy on each of ``count`` parts of the training images, of nets trained on the others.

    Every class gives its share to each part, by the seed (stratified k-fold, as scikit-learn's StratifiedKFold with
    shuffle). The test images are not used. All of ``team`` call it. Raises DataError where a class has too few images.
    """
    same_data(team, {name: images.fingerprint for name, images in sets_of(data).items()})
    labels = data.train.labels
    fewest = int(np.bincount(labels, minlength=len(data.classes)).min())
    if fewest < count:
        raise DataError(
            f"{count} folds need {count} images of every class, and one class has {fewest}", "take fewer folds"
        )
    fold = np.empty(len(labels), dtype=np.int64)
    rng = np.random.default_rng(recipe.seed)
    for label in range(len(data.classes)):
        members = rng.permutation(np.flatnonzero(labels == label))
        fold[members] = (np.arange(len(members)) + label) % count
    for number in range(count):
        rest, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        kept = data.train.take(rest)
        mean, std = statistics(kept.images)
        part = replace(data, train=kept, test=data.train.take(held), val=None, mean=mean, std=std)
        chosen = replace(recipe, patience=None)
        prepared, state = prepare(chosen, part, team=team), State()
        for _ in train(prepared.engine, chosen, part, state, batches=prepared.batches, team=prepared.team):
            pass
        with state.average.shown(prepared.engine.net):
            views = seen_accuracy(prepared.engine.logits, part.test, chosen.loss, chosen.tta)
        yield Fold(state.last.test_accuracy or 0.0, views)
