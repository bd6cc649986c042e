"""What more images would bring: a learning curve over shares of the training images, and the class that lacks them.

The test images judge the curve, and nothing is chosen by it. The classes are compared on training images alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..data.images import Dataset
from ..data.split import stratified_split
from ..engine.head import HeadEngine
from ..engine.head.worth import Worth, worth
from ..engine.plain import one_thread
from ..language.counts import number_of
from ..recipe import Recipe
from .loop import train
from .prepared import prepare
from .pretrained import fits_head
from .scores import wilson
from .state import State

SHARES = (0.25, 0.5)
DRAWS = 5  # of images for one share, where a fit takes no time
CLEAR = 2.0  # standard errors by which one class must be ahead


@dataclass(frozen=True)
class Point:
    """The test accuracy after training on ``images`` of the training images, with its 95 % interval (Wilson).

    It is the mean of ``draws`` drawings of so many images.
    """

    share: float
    images: int
    accuracy: float
    interval: tuple[float, float]
    draws: int = 1


@dataclass(frozen=True)
class ClassWorth:
    """What the last ``images`` of a class have brought: a gain ± error in expected accuracy (0..1)."""

    class_name: str
    images: int
    gain: float
    error: float


def learning_curve(recipe: Recipe, data: Dataset, accuracy: float) -> Iterator[Point]:
    """The points for a quarter and for half of the images, each trained as ``recipe`` says, and the run's own."""
    for share in SHARES:
        found = []
        draws = DRAWS if fits_head(recipe) else 1
        for draw in range(draws):
            _, kept = stratified_split(data.train.labels, share, recipe.seed + draw, data.classes)
            part = replace(data, train=data.train.take(kept))
            prepared, state = prepare(recipe, part), State()
            for _ in train(prepared.engine, recipe, part, state, batches=prepared.batches):
                pass
            found.append(state.last.test_accuracy or 0.0)
        yield _point(share, len(kept), float(np.mean(found)), len(data.test), draws)
    yield _point(1.0, len(data.train), accuracy, len(data.test), 1)


def _point(share: float, images: int, accuracy: float, tests: int, draws: int) -> Point:
    return Point(share, images, accuracy, wilson(round(accuracy * tests), tests), draws)


def class_worths(recipe: Recipe, data: Dataset) -> list[ClassWorth]:
    """What images of each class have brought, the most first; empty for a net that is not fitted in one step."""
    if not fits_head(recipe):
        return []
    engine = prepare(recipe, data).engine
    assert isinstance(engine, HeadEngine)
    labels = torch.from_numpy(data.train.labels)
    features = engine.features(torch.from_numpy(data.train.images))
    with one_thread():
        found: list[Worth] = worth(features, labels, len(data.classes), recipe.seed)
    return [ClassWorth(data.classes[one.label], one.left_out, one.gain, one.error) for one in found]


def lacking(found: list[ClassWorth]) -> str:
    """In one sentence, of which class more images would help most, as far as that can be told."""
    helpful = [one for one in found if one.gain > CLEAR * one.error]
    if not helpful:
        return "more images of no single class would help measurably"
    best = helpful[0]
    rivals = [
        one.class_name for one in helpful[1:] if best.gain - one.gain < CLEAR * (best.error**2 + one.error**2) ** 0.5
    ]
    if len(rivals) > len(found) // 2:
        return "no class stands out: more images of any would help about as much"
    names = " or ".join(repr(name) for name in (best.class_name, *rivals[:3]))
    return (
        f"{number_of(best.images, 'more image')} of {names} would help most: leaving so many out costs "
        f"{100 * best.gain:.2f} ± {100 * best.error:.2f} points of expected accuracy, and more bring less"
    )
