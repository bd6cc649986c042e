"""Tools that help to choose how to train, as functions: ``lr``, ``augment`` and ``sweep``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.sources import data_name, open_recipe
from ..distributed import voice
from ..engine.plain import plain_torch
from ..errors import DataError, UsageError, near
from ..recipe import CHOICES, Recipe, flag
from ..report.curves import draw_curves
from ..report.style import picture
from ..report.tuning.augmented import augmented, draw_augmented
from ..report.tuning.range_test import draw_range_test
from ..runs.own_data import compare
from ..shown import Part, Picture, Shown, Table, Tabular
from ..training.augment import Augment, named, settled
from ..training.augment import check as check_augment
from ..training.range_test import NO_SAY, RangeTest, range_test
from ..tuning import sweep as sweeping
from .progress import counted
from .run import Run
from .training import run_folder, settled_for, with_choices

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

EXAMPLE = 'values={"lr": [0.01, 0.1], "net": ["note", "mlp"]}'


@dataclass(frozen=True, repr=False)
class Rates(Tabular):
    """A learning-rate range test: ``suggested`` is a tenth of ``largest``, beyond which the loss grows."""

    found: RangeTest
    title: str

    @property
    def suggested(self) -> float:
        """The learning rate to try."""
        return self.found.suggested

    @property
    def largest(self) -> float:
        """The rate with the least smoothed loss."""
        return self.found.largest

    def told(self) -> Iterator[Part]:
        """The suggestion, every update, and, in a notebook, the picture."""
        yield f"{self.title}\nlr {self.suggested:g}: a tenth of {self.largest:.2g}, beyond which the loss grows"
        found = self.found
        yield Table(("lr", "loss", "smoothed"), list(zip(found.rates, found.losses, found.smoothed, strict=True)))
        yield Picture("loss against learning rate", lambda: picture(self.plot()))

    def plot(self) -> Figure:
        """Loss against learning rate, with the rate that is suggested."""
        return draw_range_test(self.found, self.title)


@with_choices
@plain_torch()
def lr(
    data: Any = "digits",
    *,
    least: float = 1e-5,
    most: float = 10.0,
    updates: int = 120,
    offline: bool = False,
    **choices: Any,
) -> Rates:
    """Let the learning rate grow from ``least`` to ``most`` in ``updates`` updates, and suggest one by the loss.

    ``data`` and the choices are those of :func:`convscope.train`; the net is thrown away, and the test images are not
    used. On the command line: ``convscope lr``. Raises UsageError, DataError.
    """
    idle = [flag(name) for name in NO_SAY if name in choices]
    if idle:
        raise UsageError(f"{', '.join(idle)} has no say in a range test", "leave it out; least and most are the rates")
    voice.alone("a range test")
    if not 10 <= updates <= 100_000:
        raise UsageError(f"updates is {updates}", "take 10 to 100,000")
    ready = settled_for(data, choices, offline)
    found = range_test(ready.recipe, ready.data, least, most, updates)
    return Rates(found, f"{ready.data.name}: {ready.recipe.net}, {ready.recipe.optimizer}")


@dataclass(frozen=True, repr=False)
class Augmented(Shown):
    """Training images as a net sees them: ``images`` uint8 (images, epochs + 1, C, H, W), each first as it is."""

    recipe: Recipe
    images: NDArray[np.uint8]

    @property
    def augment(self) -> str:
        """The steps, written out."""
        return self.recipe.augment

    def told(self) -> Iterator[Part]:
        """The steps, and, in a notebook, the images."""
        yield f"augment {self.augment}\nimages  {self.images.shape}"
        yield Picture("a row an image: as it is, then as in every epoch", lambda: picture(self.plot()))

    def plot(self) -> Figure:
        """A row an image: as it is, then as in every epoch."""
        return draw_augmented(self.recipe, self.images)


def augment(
    data: Any = "digits",
    augment: str | Augment = "auto",
    *,
    images: int = 8,
    epochs: int = 9,
    seed: int = 0,
    image_size: int | None = None,
    class_from: str | None = None,
    data_dir: str | None = None,
    offline: bool = False,
) -> Augmented:
    """What a net sees of ``images`` training images in ``epochs`` epochs, with an augmentation or your own function.

    On the command line: ``convscope augment``. Raises UsageError, DataError.
    """
    if not (1 <= images <= 100 and 1 <= epochs <= 100):
        raise UsageError(f"images is {images} and epochs is {epochs}", "take 1 to 100 of each")
    own = None if isinstance(augment, str) else augment
    spec = augment if isinstance(augment, str) else named(augment)
    name, given = (str(data), None) if isinstance(data, str | Path) else (data_name(data), data)
    recipe = Recipe(name, augment=spec, seed=seed, image_size=image_size, class_from=class_from, data_dir=data_dir)
    check_augment(recipe)  # a wrong word is told before any data are read
    opened = open_recipe(recipe, offline, given)
    recipe = replace(settled(recipe, opened), data=opened.name)
    return Augmented(recipe, augmented(recipe, opened, images, epochs, own))


@dataclass(frozen=True, repr=False)
class Sweep(Tabular):
    """Runs of every combination of ``names``, the best first, ranked by images that were held out of training."""

    names: tuple[str, ...]
    runs: tuple[Run, ...]

    @property
    def best(self) -> Run:
        """The run with the highest accuracy on the images held out."""
        return self.runs[0]

    def told(self) -> Iterator[Part]:
        """A row a run, and, in a notebook, the curves."""
        rows = [sweeping.row(run.folder, self.names) for run in self.runs]
        columns = sweeping.columns(rows, self.names)
        yield Table(columns, [[row[name] for name in columns] for row in rows])
        yield "ranked by training images that were held out; the test images ranked nothing"
        yield Picture("loss and accuracy against epoch", lambda: picture(self.plot()))

    def plot(self) -> Figure:
        """The curves of all runs."""
        return draw_curves([run.folder for run in self.runs])


@with_choices
@plain_torch()
def sweep(
    data: Any = "digits",
    values: Mapping[str, Sequence[Any]] | None = None,
    *,
    val_fraction: float = 0.1,
    out: str | Path = "sweep",
    offline: bool = False,
    progress: bool = True,
    **choices: Any,
) -> Sweep:
    """Train every combination of ``values``, such as {"lr": [0.01, 0.1], "net": ["note", "mlp"]}, and rank the runs.

    ``val_fraction`` of the training images are held out for that; the test images rank nothing. ``data`` and the other
    choices are those of :func:`convscope.train`. Called again, it continues where it was stopped: what is finished in
    ``out`` is not trained again. On the command line: ``convscope sweep``. Raises UsageError, DataError, TrainingError.
    """
    voice.alone("a sweep")
    listed = _listed(values)
    fixed = {**choices, "val_fraction": val_fraction}
    first = settled_for(data, fixed | {name: found[0] for name, found in listed.items()}, offline)
    folder, runs = run_folder(out), []
    every = sweeping.combinations(first.recipe, listed)
    for recipe in counted(every, "runs", progress):
        taken = {name: getattr(recipe, name) for name in listed}
        ready = settled_for(data, fixed | taken, offline)
        begun = sweeping.begun(settled(ready.recipe, ready.data), folder)
        if begun is not None and compare(begun, ready.data).notes:
            raise DataError(f"{begun.path} was trained on other images", "give another folder: out=…")
        runs.append(Run(sweeping.trained(ready.recipe, ready.data, folder)))
    ranked = sorted(runs, key=lambda run: sweeping.best_validation(run.folder), reverse=True)
    return Sweep(tuple(listed), tuple(ranked))


def _listed(values: Any) -> dict[str, list[Any]]:
    """The values of each choice. Raises UsageError for what is none."""
    if not isinstance(values, Mapping) or not values:
        raise UsageError("nothing is swept over", f"for example {EXAMPLE}")
    for name, found in values.items():
        if name not in CHOICES or name == "data":
            raise UsageError(f"{name!r} is no choice to sweep over", near(str(name), CHOICES))
        if not isinstance(found, list | tuple | set | range) or not found:
            raise UsageError(f"the values of {name} are {found!r}", f"give a list of them: {EXAMPLE}")
    return {name: list(found) for name, found in values.items()}
