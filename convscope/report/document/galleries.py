"""The pictures of a run's document: samples, cells of the confusion matrix, mistakes and why, doubted labels, maps."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...data.images import ImageSet
from ...explain.trained.explanation import Explanation, explain
from ...explain.trained.saliency import grad_cam, last_convolution
from ...explain.trained.trace import trace
from ...language.width import fit
from ...runs.evaluation import Tested
from ...training.scores import confidence_text
from .answers import Doubt, doubts
from .facts import RunFacts
from .thumbs import Room, Thumb

SAMPLES, SAMPLED = 8, 30  # training images of a class; classes
WORST, DOUBTED, IN_A_CELL = 24, 24, 12
MAPPED = 10  # classes whose feature maps are shown
MOST_LAYERS, MOST_MAPS, IN_A_ROW, LARGEST_MAP = 14, 32, 16, 32


@dataclass(frozen=True)
class Shown:
    """An image with the words below it: its name, and what it is or is taken for. ``maps`` say why, by their names."""

    picture: Thumb
    name: str
    words: str
    maps: tuple[tuple[str, Thumb], ...] = ()


@dataclass(frozen=True)
class Cell:
    """The images of class ``label`` that are taken for ``predicted``: ``count`` in all, of which some are shown."""

    label: int
    predicted: int
    count: int
    images: tuple[Shown, ...]


@dataclass(frozen=True)
class Layer:
    """The output of a layer for one image: its shape, its range, its maps on one sheet."""

    name: str
    shape: tuple[int, ...]
    low: float
    high: float
    sheet: Thumb


@dataclass(frozen=True)
class Maps:
    """One image of a class and what every layer makes of it. ``hidden`` layers in the middle are left out."""

    class_name: str
    image: Shown
    layers: tuple[Layer, ...]
    hidden: int


def samples(images: ImageSet, room: Room) -> list[tuple[str, list[Thumb]]]:
    """The first training images of every class, for at most 30 classes."""
    found = []
    for k, name in enumerate(images.classes[:SAMPLED]):
        first = np.flatnonzero(images.labels == k)[:SAMPLES]
        thumbs = [room.image(images.images[i], f"{name}: {_file(images, i)}") for i in first.tolist()]
        found.append((name, [thumb for thumb in thumbs if thumb]))
    return found


def worst(facts: RunFacts, tested: Tested, room: Room) -> list[Shown]:
    """The most confident mistakes, each with what spoke for the class that it was taken for."""
    return [
        shown
        for wrong in tested.mistakes(WORST)
        if (
            shown := _shown(
                tested,
                wrong.index,
                f"{tested.classes[wrong.label]} → {tested.classes[wrong.predicted]} "
                f"({confidence_text(tested.loss, wrong.confidence)})",
                room,
                _why(facts, tested.images.images[wrong.index], wrong.predicted, room),
            )
        )
    ]


def doubted(tested: Tested, room: Room) -> tuple[int, list[Shown]]:
    """How many labels are probably wrong, and the images of the likeliest."""
    every: list[Doubt] = doubts(tested)
    found = []
    for doubt in every[:DOUBTED]:
        words = (
            f"{tested.classes[doubt.label]} ({100 * doubt.p_label:.1f} %) "
            f"→ {tested.classes[doubt.likely]}? ({100 * doubt.p_likely:.1f} %)"
        )
        shown = _shown(tested, doubt.index, words, room)
        found += [shown] if shown else []
    return len(every), found


def cells(tested: Tested, room: Room) -> list[Cell]:
    """The images of every cell of the confusion matrix that has some: first the mistakes, the most frequent first."""
    confusion = tested.evaluation.confusion
    places = sorted(zip(*np.nonzero(confusion), strict=True), key=lambda at: (at[0] == at[1], -confusion[at], at))
    found = []
    for label, predicted in places:
        answers = tested.cell(int(label), int(predicted))
        shown = [
            _shown(tested, one.index, confidence_text(tested.loss, one.confidence), room) for one in answers[:IN_A_CELL]
        ]
        found.append(Cell(int(label), int(predicted), len(answers), tuple(one for one in shown if one)))
    return found


def feature_maps(facts: RunFacts, tested: Tested, room: Room) -> list[Maps]:
    """Of each of the first ten classes the first test image that is right (else the first), through every layer."""
    labels, right = tested.images.labels, tested.logits.argmax(1).numpy() == tested.images.labels
    found = []
    for k, name in enumerate(tested.classes[:MAPPED]):
        mine = np.flatnonzero(labels == k)
        if not len(mine):
            continue
        index = int(mine[np.argmax(right[mine])])
        image = _shown(tested, index, name, room)
        if image is None:
            break
        explained = explain(facts.model, tested.images.images[index], prepared=True)
        layers, hidden = _layers(explained, room)
        found.append(Maps(name, image, tuple(layers), hidden))
    return found


def _layers(found: Explanation, room: Room) -> tuple[list[Layer], int]:
    calls = [
        call
        for call in found.trace.calls.values()
        if call.output is not None
        and call.output.ndim in (1, 3)
        and call.output.size
        and not (call.source in found.trace.calls and call.kind in ("Flatten", "Dropout", "view"))
    ]
    hidden = max(0, len(calls) - MOST_LAYERS)
    calls = calls[: MOST_LAYERS - 1] + calls[-1:] if hidden else calls
    layers = []
    for call in calls:
        output = call.output
        assert output is not None
        sheet = room.heat(sheet_of(output), f"{call.name} {'×'.join(map(str, output.shape))}")
        if sheet:
            layers.append(Layer(call.name, output.shape, float(output.min()), float(output.max()), sheet))
    return layers, hidden


def sheet_of(output: NDArray[np.float32]) -> NDArray[np.float64]:
    """At most 32 maps (C, H, W) of a layer on one sheet, NaN between them; a vector as one row."""
    if output.ndim == 1:
        return output[None, :256].astype(float)
    maps = output[:MOST_MAPS].astype(float)
    step = -(-max(maps.shape[1:]) // LARGEST_MAP)
    if step > 1:  # means of squares
        height, width = (side // step * step for side in maps.shape[1:])
        maps = maps[:, : height or None, : width or None]
        tall, wide = max(1, height // step), max(1, width // step)
        maps = np.stack([_means(_means(one.T, tall).T, wide) for one in maps])
    count, height, width = maps.shape
    rows = -(-count // IN_A_ROW)
    across = -(-count // rows)
    sheet = np.full((rows * (height + 1) - 1, across * (width + 1) - 1), np.nan)
    for i, one in enumerate(maps):
        top, left = i // across * (height + 1), i % across * (width + 1)
        sheet[top : top + height, left : left + width] = one
    return sheet


def _means(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """The last axis in ``count`` equal parts, each its mean."""
    return np.asarray(values.reshape(*values.shape[:-1], count, -1).mean(-1))


def _why(facts: RunFacts, pixels: NDArray[np.uint8], target: int, room: Room) -> tuple[tuple[str, Thumb], ...]:
    """Gradient × input, and Grad-CAM where the net has a convolution: what spoke for class ``target``."""
    given = explain(facts.model, pixels, prepared=True).given
    traced = trace(facts.model.net, given, target, of="score")
    assert traced.image_gradient is not None
    maps = {"gradient × input": (traced.image_gradient.astype(np.float64) * traced.image).sum(0)}
    layer = last_convolution(traced)
    if layer is not None:
        maps[f"Grad-CAM {layer}"] = grad_cam(traced, layer)
    drawn = [(name, room.heat(values, name)) for name, values in maps.items()]
    return tuple((name, thumb) for name, thumb in drawn if thumb)


def _shown(
    tested: Tested, index: int, words: str, room: Room, maps: tuple[tuple[str, Thumb], ...] = ()
) -> Shown | None:
    name = _file(tested.images, index)
    thumb = room.image(tested.images.images[index], f"{words}, {name}")
    return Shown(thumb, name, words, maps) if thumb else None


def _file(images: ImageSet, index: int) -> str:
    return fit(Path(images.name(index)).name, 40, 39)
