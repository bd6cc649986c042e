"""A run's own data, read again: the one way to them for resume, evaluate, explain and the lab.

A path says little about what lies there now. So what is read is compared with what the run began with, image by image:

unchanged               the very parts, in the same order
images added            the parts of then; what is new was neither trained on nor tested, and is a set of its own
names changed           the parts of then: pixels and classes decide
anything else           a DataError that says what has changed: images gone or altered, classes, sizes
"""

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data.folders.named import BETWEEN, several
from ..data.images import Dataset, ImageSet, sets_of, statistics
from ..data.preparation import Preparation
from ..data.preparing import prepared
from ..data.sources import ARRAYS, NAMES, locate, open_recipe, read_parts
from ..errors import DataError
from ..language.counts import some
from ..recipe import Recipe
from ..storage.memory import require_memory
from .folder import RunFolder
from .images import RunImages
from .matching import Matching, count

HELP = "put them back as they were, give --data PATH if they were moved, or start a new run with convscope train"


@dataclass(frozen=True)
class OwnData:
    """``data`` are divided as when the run began; ``new`` holds the images that came since, None where there are none.

    None of ``new`` has the pixels of an image that the run was trained on. ``notes`` say what the user should know.
    """

    data: Dataset
    new: ImageSet | None = None
    notes: tuple[str, ...] = ()


def own_data(
    folder: RunFolder,
    data: Any = None,
    *,
    data_dir: Path | None = None,
    offline: bool = False,
    skip_bad: bool = False,
) -> OwnData:
    """The data that the run in ``folder`` began with, from where they were, or from ``data`` where they are now.

    ``data_dir`` and ``skip_bad`` are as for :func:`~convscope.data.sources.open_source`. Raises DataError where they
    are gone or have changed.
    """
    recipe = folder.recipe()
    if data_dir is not None:
        recipe = replace(recipe, data_dir=str(data_dir))
    place = _where(folder, recipe, data, moved=data_dir is not None)
    opened = open_recipe(recipe, offline, place, skip_bad)
    try:
        return compare(folder, opened)
    except DataError:
        # What came since may decide size, colour or depth of all pictures otherwise than those of then did.
        again = _prepared_as_then(folder, recipe, recipe.data if place is None else place, offline, opened)
        if again is not None:
            with contextlib.suppress(DataError):
                return compare(folder, again)
        raise


def _prepared_as_then(folder: RunFolder, recipe: Recipe, place: Any, offline: bool, opened: Dataset) -> Dataset | None:
    """The images of ``opened``, each prepared as the run's net wants them; None where they are, or nobody knows how."""
    try:
        wanted = folder.model().stored
        if wanted is None or wanted == opened.preparation:
            return None
        data_dir = Path(recipe.data_dir) if recipe.data_dir else None
        parts = read_parts(place, data_dir, offline, None, recipe.skip_bad, wanted, recipe.class_from)
    except DataError:
        return None
    test = parts.train.take(np.arange(0)) if parts.test is None else parts.test
    return replace(opened, train=parts.train, test=test, val=parts.val, preparation=wanted)


def compare(folder: RunFolder, data: Dataset) -> OwnData:
    """``data`` divided as the run in ``folder`` divided them. Raises DataError where they have changed."""
    environment = folder.environment()
    known = environment.get("data")
    known = known if isinstance(known, dict) else {}
    before = known.get("fingerprints")
    before = before if isinstance(before, dict) else {}
    now = {name: images.fingerprint for name, images in sets_of(data).items()}
    if now == before:
        return OwnData(data)
    began = folder.images()
    if began is None:  # a run of an older version
        changed = sorted(name for name in {*now, *before} if now.get(name) != before.get(name))
        what = f"the {' and '.join(changed)} images or labels are not those that {folder.name} began with"
        raise DataError(what, HELP)
    shape = known.get("shape")
    return _match(folder.name, began, data, tuple(shape) if isinstance(shape, list) else data.train.shape)


def place_of(folder: RunFolder) -> str | None:
    """Where the run's data lay when it began, None where they were built in or given in Python, or nobody knows."""
    known = folder.environment().get("data")
    place = known.get("place") if isinstance(known, dict) else None
    return place if isinstance(place, str) and place else None


def _where(folder: RunFolder, recipe: Recipe, data: Any, moved: bool) -> Any:
    """What to open: ``data``, or the place where the run found its own, or what the recipe says."""
    if data is not None or recipe.data in NAMES or moved:
        return data
    place = place_of(folder)
    if place is not None and all(Path(one).exists() for one in several(place)):
        return place
    known = folder.environment().get("data")
    unnamed = "" if recipe.data == ARRAYS else None  # in a run of an older version
    if isinstance(known, dict) and known.get("place", unnamed) == "":
        given = ARRAYS if recipe.data == ARRAYS else f"data ({recipe.data})"
        raise DataError(f"{given} that were given in Python are not kept", "give them again: resume(run, data=…)")
    try:
        data_dir = Path(recipe.data_dir) if recipe.data_dir else None
        return BETWEEN.join(str(locate(one, data_dir)) for one in several(recipe.data))
    except DataError:
        if place is None:
            raise
        raise DataError(
            f"the data of {folder.name} are no longer at {place}",
            "say where they are now with --data PATH, which resume, evaluate, explain and lab take",
        ) from None


def _match(run: str, began: RunImages, data: Dataset, shape: tuple[int, ...]) -> OwnData:
    """The images of ``data`` put into the parts that they were in. Raises DataError where that cannot be."""
    if data.train.shape[1:] != shape[1:]:
        (_, height, width), (_, h, w) = data.train.shape, shape
        raise _changed(run, [f"the images are now {height}×{width} pixels, then they were {h}×{w}"])
    fitted = Preparation((shape[0], *data.train.shape[1:]))
    sets = [prepared(images, fitted, data.name) for images in sets_of(data).values()]
    matching = Matching(began, sets)
    problems = matching.problems(data.classes)
    if problems:
        raise _changed(run, problems)
    pool = _joined(sets, began.classes, data.name)
    parts = {name: pool.take(index) for name, index in matching.found.items()}
    mean, std = statistics(parts["train"].images)
    fresh = pool.take(matching.rest) if len(matching.rest) else None
    restored = replace(
        data,
        train=parts["train"],
        test=parts["test"],
        val=parts.get("val"),
        mean=mean,
        std=std,
        notes=(),
        preparation=data.preparation and replace(data.preparation, image=parts["train"].shape),
    )
    return _with_notes(run, began, restored, fresh, matching.renamed())


def _with_notes(run: str, began: RunImages, data: Dataset, fresh: ImageSet | None, renamed: int) -> OwnData:
    notes = []
    if renamed:
        notes.append(f"{count(renamed, 'image')} got another name since {run} began: the pixels are the same")
    if fresh is not None:
        seen = began.seen(fresh)
        copies, fresh = int(seen.sum()), fresh.take(np.flatnonzero(~seen))
        if copies:
            notes.append(f"{count(copies, 'image')} came since {run} began with the pixels of one that it knows")
        if len(fresh):
            names = some([fresh.name(i) for i in range(len(fresh))], 4)
            notes.append(f"{count(len(fresh), 'image')} came since {run} began and are not used: {names}")
    return OwnData(data, fresh if fresh is not None and len(fresh) else None, tuple(notes))


def _joined(sets: list[ImageSet], classes: tuple[str, ...], name: str) -> ImageSet:
    """All images in one set whose labels index ``classes``."""
    require_memory(2 * sum(images.images.nbytes for images in sets), name)
    number = {name: index for index, name in enumerate(classes)}
    labels = [number[images.classes[label]] for images in sets for label in images.labels.tolist()]
    names = [images.name(i) for images in sets for i in range(len(images))]
    pixels = np.concatenate([images.images for images in sets])
    return ImageSet(pixels, np.array(labels, dtype=np.int64), classes, names)


def _changed(run: str, problems: list[str]) -> DataError:
    return DataError(f"the data are not those that {run} began with: {'; '.join(problems)}", HELP)
