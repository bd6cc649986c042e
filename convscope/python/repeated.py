"""How much chance there is in a result, as functions: ``seeds`` and ``folds``. Several processes do both together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import job
from ..auto import agreed
from ..distributed.join import joined
from ..engine.plain import plain_torch
from ..errors import UsageError
from ..recipe import ViewsName
from ..runs.folder import RunFolder
from ..runs.listing import columns, entry
from ..runs.views import beside
from ..shown import Part, Table, Tabular
from ..tuning import repeated
from ..tuning.repeated import Spread
from .progress import counted
from .run import Run
from .training import run_folder, settled_for, with_choices


@dataclass(frozen=True, repr=False)
class Seeds(Tabular):
    """One training with several seeds: ``runs``, and the ``spread`` of their test accuracies (mean and sd)."""

    runs: tuple[Run, ...]

    @property
    def spread(self) -> Spread:
        """Mean and standard deviation of the test accuracies."""
        return Spread.of([run.accuracy for run in self.runs])

    def told(self) -> Iterator[Part]:
        """A row a seed, then the mean."""
        rows = [{**entry(run.folder), "seed": run.recipe.seed} for run in self.runs]
        names = columns(rows, ("seed", "test_accuracy", "train_seconds", "run"))
        yield Table(names, [[row[name] for name in names] for row in rows])
        yield f"test accuracy {self.spread}"
        views = [row["tta_accuracy"] for row in rows if row["tta_accuracy"] is not None]
        if views:
            yield beside(Spread.of(views), rows[0]["tta"])


@with_choices
@plain_torch()
def seeds(
    data: Any = "digits",
    count: int = 5,
    *,
    out: str | Path = "runs",
    offline: bool = False,
    progress: bool = True,
    **choices: Any,
) -> Seeds:
    """Train ``count`` runs that differ in their seed alone: how much chance there is in the test accuracy.

    ``data`` and the choices are those of :func:`convscope.train`; the first seed is ``seed``. On the command line:
    ``convscope train --seeds``. Raises UsageError, DataError, TrainingError.
    """
    given, folder = None if isinstance(data, str | Path) else data, run_folder(out)
    with joined() as team:
        ready, paths = settled_for(data, choices, offline, agreed(team)), []
        pairs = repeated.with_seeds(ready.recipe, ready.data, _count(count, 1), offline, given)
        for recipe, divided in counted(pairs, "training runs", progress and team.leads, count):
            *_, last = job.start(recipe, divided, folder, team=team)
            paths += [str(last.folder.path)] if isinstance(last, job.Finished) else []
        return Seeds(tuple(Run(RunFolder(Path(path))) for path in team.gather_json(paths)[0]))


@dataclass(frozen=True, repr=False)
class Folds(Tabular):
    """K-fold cross-validation: the accuracy on each part of the training images, of a net trained on the others.

    ``tta_accuracies`` are those by the mean over the views ``tta``; empty where there are none.
    """

    accuracies: tuple[float, ...]
    tta_accuracies: tuple[float, ...] = ()
    tta: ViewsName = "none"

    @property
    def spread(self) -> Spread:
        """Mean and standard deviation of the accuracies."""
        return Spread.of(self.accuracies)

    def told(self) -> Iterator[Part]:
        """A row a fold, then the mean."""
        views = self.tta_accuracies or (None,) * len(self.accuracies)
        rows = [
            {"fold": number, "accuracy": accuracy, "tta_accuracy": seen, "tta": self.tta}
            for number, (accuracy, seen) in enumerate(zip(self.accuracies, views, strict=True), 1)
        ]
        names = columns(rows, ("fold", "accuracy"))
        yield Table(names, [[row[name] for name in names] for row in rows])
        yield f"accuracy on the part left out {self.spread}"
        if self.tta_accuracies:
            yield beside(Spread.of(self.tta_accuracies), self.tta)


@with_choices
@plain_torch()
def folds(
    data: Any = "digits", count: int = 5, *, offline: bool = False, progress: bool = True, **choices: Any
) -> Folds:
    """Test on each of ``count`` parts of the training images a net that was trained on the others; nothing is kept.

    Every class gives its share to each part; the test images are not used. ``data`` and the choices are those of
    :func:`convscope.train`. On the command line: ``convscope train --folds``. Raises UsageError, DataError.
    """
    with joined() as team:
        ready = settled_for(data, choices, offline, agreed(team))
        found = repeated.folds(ready.recipe, ready.data, _count(count, 2), team)
        every = list(counted(found, "training folds", progress and team.leads, count))
        views = tuple(one.tta_accuracy for one in every if one.tta_accuracy is not None)
        return Folds(tuple(one.accuracy for one in every), views, ready.recipe.tta)


def _count(count: int, least: int) -> int:
    if not isinstance(count, int) or not least <= count <= 1000:
        raise UsageError(f"the count is {count!r}", f"it must be a whole number from {least} to 1,000")
    return count
