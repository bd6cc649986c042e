"""All that ``convscope check`` finds: what the pixels and files say, and what a classifier thinks of the labels."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data.check import AlikeClasses, Place, Report, SuspectLabel, look
from ..data.images import ImageSet
from .features import features
from .labels import FEWEST, Judgement, judge

TELLING = 0.6  # share of the labels that the classifier must agree with, to be asked about the others


def check(
    data: Any,
    data_dir: Path | None = None,
    offline: bool = False,
    image_size: int | None = None,
    class_from: str | None = None,
) -> Report:
    """Look at all of ``data``, which may be given as for :func:`convscope.train`. On the command line: ``convscope
    check``. Raises DataError where there is nothing to look at: no such data, no image in them."""
    return examined(data, data_dir, offline, image_size, class_from)[0]


def examined(
    data: Any,
    data_dir: Path | None = None,
    offline: bool = False,
    image_size: int | None = None,
    class_from: str | None = None,
) -> tuple[Report, dict[str, ImageSet]]:
    """The report of :func:`check`, and the parts of the data that it is about."""
    report, sets = look(data, data_dir, offline, image_size, class_from)
    return _with_labels(report, sets), sets


def _with_labels(report: Report, sets: dict[str, ImageSet]) -> Report:
    """The report with what a classifier thinks of the labels of all parts together."""
    parts = [(part, images) for part, images in sets.items() if len(images)]
    classes = sets["train"].classes
    labels = np.concatenate([images.labels for _, images in parts])
    shapes = {images.shape for _, images in parts}
    if len(shapes) > 1 or len(labels) == 0 or np.bincount(labels, minlength=len(classes)).min() < FEWEST:
        return report
    pixels = parts[0][1].images if len(parts) == 1 else np.concatenate([images.images for _, images in parts])
    rows, what = features(pixels)
    found = judge(rows, labels, len(classes))
    if found is None:
        return report
    places = [(part, index) for part, images in parts for index in range(len(images))]
    judged = f"{what}: {100 * found.accuracy:.1f} % of {len(labels):,} labels are the likeliest class"
    if found.accuracy < TELLING:
        return replace(report, judged_by=f"{judged}, too few to doubt the others", alike=_alike(found, classes))
    suspects = []
    for suspect in found.suspects():
        part, index = places[suspect.index]
        place = Place(part, sets[part].name(index), classes[labels[suspect.index]])
        suspects.append(SuspectLabel(place, index, classes[suspect.likelier], suspect.own, suspect.other))
    return replace(report, judged_by=judged, suspects=tuple(suspects), alike=_alike(found, classes))


def _alike(found: Judgement, classes: tuple[str, ...]) -> tuple[AlikeClasses, ...]:
    return tuple(AlikeClasses(classes[pair.one], classes[pair.other], float(pair.share)) for pair in found.alike())
