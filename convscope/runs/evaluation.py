"""A run put to the test: on which images, with what result, which of them were wrong, and the table of all."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.folders.named import absolute
from ..data.images import ImageSet
from ..data.sources import NAMES, data_name, read_parts
from ..errors import DataError
from ..language.counts import number_of, some
from ..net.loss import losses_of
from ..net.model import Model
from ..recipe import LossName, ViewsName
from ..storage.places import as_argument
from ..training.augment.views import seen
from ..training.finding import Facts, Finding, finding
from ..training.scores import Evaluation, confidence_of, confidences, evaluate, most_wrong
from .folder import RunFolder
from .own_data import OwnData, own_data, place_of


@dataclass(frozen=True)
class TestSet:
    """Images to test a run on; ``name`` is that of the folder for the results, ``notes`` are for the user.

    ``trained_on`` counts those that were left out because the run had been trained on their pixels, ``own`` says
    whether they belong to the run's own data, ``recorded`` whether the run itself was tested on these very ones.
    """

    images: ImageSet
    name: str
    notes: tuple[str, ...] = ()
    trained_on: int = 0
    own: bool = True
    recorded: bool = False


@dataclass(frozen=True)
class Mistake:
    """Test image ``index``, taken for class ``predicted`` with that ``confidence`` while it is of class ``label``.

    The confidence is a probability or a score (:func:`~convscope.training.scores.confidences`).
    """

    index: int
    label: int
    predicted: int
    confidence: float


@dataclass(frozen=True)
class Tested:
    """A net's answers to the images of a test set: ``logits`` float32 (N, K), and what they come to."""

    classes: tuple[str, ...]
    loss: LossName
    images: ImageSet
    logits: Tensor
    evaluation: Evaluation

    def mistakes(self, most: int) -> list[Mistake]:
        """The misclassified images, the most confident mistake first, at most ``most``."""
        return self._answers(most_wrong(self.logits, torch.from_numpy(self.images.labels), most, self.loss))

    def cell(self, label: int, predicted: int) -> list[Mistake]:
        """The images of class ``label`` that are taken for ``predicted``, the surest first."""
        p = confidences(self.logits, self.loss)
        chosen = np.flatnonzero((self.images.labels == label) & (p.argmax(1).numpy() == predicted))
        return self._answers(chosen[np.argsort(-p.max(1).values.numpy()[chosen], kind="stable")])

    def _answers(self, index: NDArray[np.int64]) -> list[Mistake]:
        p = confidences(self.logits, self.loss)
        labels = self.images.labels
        return [Mistake(i, int(labels[i]), int(p[i].argmax()), float(p[i].max())) for i in index.tolist()]

    def table(self) -> Iterator[list[str]]:
        """predictions.csv: its header, and one row an image."""
        p = confidences(self.logits, self.loss)
        top, classes, word = p.argmax(1), self.classes, confidence_of(self.loss)
        losses = losses_of(self.loss, self.logits, torch.from_numpy(self.images.labels))
        yield ["file", "label", "prediction", word, f"label_{word}", "loss"]
        for i, label in enumerate(self.images.labels.tolist()):
            numbers = [f"{float(value):.6f}" for value in (p[i, top[i]], p[i, label], losses[i])]
            yield [self.images.name(i), classes[label], classes[int(top[i])], *numbers]


def test_model(model: Model, images: ImageSet, views: ViewsName = "none") -> Tested:  # noqa: PT028 - no test
    """What ``model`` makes of ``images``, whose labels index its classes; of several ``views`` of each, the mean."""
    logits = seen(model.logits, torch.from_numpy(images.images), views)
    result = evaluate(logits, torch.from_numpy(images.labels), model.classes, model.loss)
    return Tested(model.classes, model.loss, images, logits, result)


def warning(folder: RunFolder, tested: Tested, test: TestSet, views: ViewsName = "none") -> Finding | None:
    """Why the result on ``test`` by ``views`` is no success; None where nothing speaks against it."""
    summary, result = folder.summary(), tested.evaluation
    facts = Facts.of(
        folder.recipe(),
        len(tested.classes),
        tested.images.labels,
        result.accuracy,
        summary.train_loss if summary else None,
        summary.steps if summary else 0,
    )
    named = np.flatnonzero(result.confusion.sum(0))
    only = tested.classes[named[0]] if len(named) == 1 else None
    recorded = summary.test_accuracy if summary and test.recorded and views == "none" else None
    return finding(replace(facts, only=only, own=test.own, recorded=recorded))


def own_test_set(folder: RunFolder, own: OwnData) -> TestSet:
    """The run's own test images."""
    notes = list(own.notes)
    if own.new is not None:
        notes.append(
            f"convscope evaluate {as_argument(folder.path)} --new tests {number_of(len(own.new), 'new image')}"
        )
    began = folder.images()
    known = 0 if began is None else int(began.seen(own.data.test).sum())
    if known:
        notes.append(
            f"{known:,} of the {number_of(len(own.data.test), 'test image')} have the pixels of one that was trained on"
        )
    return TestSet(own.data.test, "evaluation", tuple(notes), recorded=True)


def new_test_set(folder: RunFolder, own: OwnData) -> TestSet:
    """The images that came to the run's data since it began. Raises DataError where there are none."""
    if own.new is None:
        raise DataError(
            f"no images came to the data of {folder.name} since it began",
            f"its own test images: convscope evaluate {as_argument(folder.path)}",
        )
    note = f"tested on the {number_of(len(own.new), 'image')} that came since {folder.name} began"
    return TestSet(own.new, "evaluation-new", (note,))


def other_test_set(
    folder: RunFolder,
    model: Model,
    data: Any,
    *,
    data_dir: Path | None = None,
    offline: bool = False,
    skip_bad: bool = False,
) -> TestSet:
    """The test part of other data, or all where none came with them, as the net takes it; its classes match by name.

    Images that the run was trained on are left out and counted, unless there are no others. Raises DataError for
    data that are absent, have unknown classes or no images.
    """
    recipe = folder.recipe()
    place = data_dir or (Path(recipe.data_dir) if recipe.data_dir else None)
    bad = skip_bad or recipe.skip_bad
    try:
        parts = read_parts(data, place, offline, None, bad, model.preparation)
    except DataError:  # no class folders: named, perhaps, as the run's own are
        if recipe.class_from is None:
            raise
        parts = read_parts(data, place, offline, None, bad, model.preparation, recipe.class_from)
    images = parts.train if parts.test is None else parts.test
    name = str(data) if isinstance(data, str | Path) else data_name(data)
    images = _by_class(images, model, name)
    what = "image" if parts.test is None else "test image"
    notes = [f"tested on the {number_of(len(images), what)} of {name}"]
    if parts.skipped:
        notes.insert(0, f"{parts.skipped:,} unreadable image{'s' * (parts.skipped != 1)} left out")
    difference = model.look.difference(images.images, parts.side) if model.look else None
    if difference:
        notes.append(difference)
    began = folder.images()
    seen = np.zeros(len(images), dtype=bool) if began is None else began.seen(images)
    known = int(seen.sum())
    if began is None:
        notes.append(f"{folder.name} was begun by an older version: whether it was trained on any of them is not known")
    elif known == len(images):
        notes.append(f"all of them were trained on: the result says nothing about images that {folder.name} never saw")
    elif known:
        notes.append(f"{known:,} of {number_of(len(images), 'image')} were trained on and are left out")
        images = images.take(np.flatnonzero(~seen))
    return TestSet(images, f"evaluation-{data_name(data)}", tuple(notes), known, own=False)


def images_to_test(
    folder: RunFolder,
    model: Model,
    data: Any = None,
    *,
    moved: Any = None,
    new: bool = False,
    data_dir: Path | None = None,
    offline: bool = False,
    skip_bad: bool = False,
) -> TestSet:
    """The run's own test images, or those ``new`` among its own data (now at ``moved``), or those of other ``data``."""
    if data is not None and not _is_own(folder, data):
        return other_test_set(folder, model, data, data_dir=data_dir, offline=offline, skip_bad=skip_bad)
    own = own_data(folder, moved, data_dir=data_dir, offline=offline, skip_bad=skip_bad)
    return new_test_set(folder, own) if new else own_test_set(folder, own)


def _is_own(folder: RunFolder, data: Any) -> bool:
    """Whether ``data`` name the place of the run's own."""
    if not isinstance(data, str | Path):
        return False
    name = folder.recipe().data
    if name in NAMES:
        return str(data) == name
    return absolute(data) == (place_of(folder) or absolute(name))


def _by_class(images: ImageSet, model: Model, data: str) -> ImageSet:
    """The same images with labels that index the net's classes, matched by name."""
    unknown = [name for name in images.classes if name not in model.classes]
    if unknown:
        raise DataError(
            f"{data} has classes that the net does not know: {some(unknown, 5)}",
            f"the net knows: {some(model.classes, 20)}",
        )
    if not len(images):
        raise DataError(f"{data} holds no images to test on", "put images into it, or name other data")
    number = np.array([model.classes.index(name) for name in images.classes])
    return replace(images, labels=number[images.labels], classes=model.classes)
