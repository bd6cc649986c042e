"""Runs side by side: what they came to, where their recipes differ, and whether the difference is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .facts import RunFacts


@dataclass(frozen=True)
class Pair:
    """The first run against another on the same test images: how many only one of them had right, and the probability
    of so uneven a split by chance (exact McNemar test, 1947). None where their test images are not the same.
    """

    other: str
    only_first: int
    only_other: int
    p: float


@dataclass(frozen=True)
class Comparison:
    """``differing`` are choices with their values, one a run; ``recalls`` those of every class, where all runs have
    the same ones."""

    runs: tuple[RunFacts, ...]
    differing: list[tuple[str, list[str]]]
    recalls: list[tuple[str, list[float | None]]]
    pairs: list[Pair | None]


def side_by_side(runs: Sequence[RunFacts]) -> Comparison:
    """Compare runs, the first with each of the others."""
    chosen = [{name: value for name, value, *_ in run.chosen if name != "remark"} for run in runs]
    differing = [
        (name, [choices[name] for choices in chosen])
        for name in chosen[0]
        if len({choices[name] for choices in chosen}) > 1
    ]
    return Comparison(tuple(runs), differing, _recalls(runs), [_pair(runs[0], other) for other in runs[1:]])


def _recalls(runs: Sequence[RunFacts]) -> list[tuple[str, list[float | None]]]:
    tested = [run.tested for run in runs]
    if len({run.model.classes for run in runs}) > 1:
        return []
    return [
        (name, [None if one is None else one.evaluation.classes[k].recall for one in tested])
        for k, name in enumerate(runs[0].model.classes)
    ]


def _pair(first: RunFacts, other: RunFacts) -> Pair | None:
    """Matched by pixels and class, as the parts of two runs may be in another order."""
    if first.tested is None or other.tested is None:
        return None
    keys, right = zip(*(_answers(run.tested) for run in (first, other)), strict=True)
    order = [np.argsort(key, kind="stable") for key in keys]
    if not np.array_equal(keys[0][order[0]], keys[1][order[1]]):
        return None
    a, b = (answers[places] for answers, places in zip(right, order, strict=True))
    only_first, only_other = int((a & ~b).sum()), int((b & ~a).sum())
    from scipy.stats import binomtest  # type: ignore[import-untyped]  # and late: it imports for half a second

    count = only_first + only_other
    return Pair(other.name, only_first, only_other, float(binomtest(only_first, count).pvalue) if count else 1.0)


def _answers(tested: Any) -> tuple[Any, Any]:
    """A key of each image (its pixels' hash and its class), and whether it is right."""
    names = np.array([tested.classes[label] for label in tested.images.labels.tolist()])
    keys = np.char.add(np.array([row.tobytes().hex() for row in tested.images.hashes]), names)
    return keys, tested.logits.argmax(1).numpy() == tested.images.labels
