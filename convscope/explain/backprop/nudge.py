"""The nudge test: what a gradient promises for a small change of a leaf, and what the result really does."""

from dataclasses import dataclass

import numpy as np

from .passes import Tape, UndefinedError, evaluate
from .walk import Walk

MOST = 24  # numbers that are nudged, in forward order


@dataclass(frozen=True)
class Nudge:
    """One number of a leaf, ``label`` such as "w" or "W[0, 1]": ``gradient`` is the result's derivative, ``predicted``
    is change × gradient, ``measured`` the result's change; None where the result is not defined there.
    """

    node: int
    leaf: str
    place: tuple[int, ...]
    label: str
    value: float
    gradient: float | None
    predicted: float | None
    measured: float | None


def nudges(tape: Tape, walk: Walk, change: float = 0.01, passes: int = 1) -> tuple[Nudge, ...]:
    """Every number of every variable, parameter and datum, changed by ``change`` alone; data have no gradient."""
    result = float(np.asarray(walk.nodes[-1].value).reshape(()))
    gradients = {found.node: np.asarray(found.value) / passes for found in walk.gradients}
    found: list[Nudge] = []
    for index, item in enumerate(tape.items):
        if item.value is None or item.kind == "constant":
            continue
        for place in np.ndindex(item.value.shape):
            if len(found) == MOST:
                return tuple(found)
            gradient = float(gradients[index][place]) if index in gradients else None
            at = f"[{', '.join(map(str, place))}]" if place else ""
            found.append(
                Nudge(
                    node=index,
                    leaf=item.label,
                    place=place,
                    label=item.label + at,
                    value=float(item.value[place]),
                    gradient=gradient,
                    predicted=None if gradient is None else change * gradient,
                    measured=None if gradient is None else _measured(tape, index, place, change, result),
                )
            )
    return tuple(found)


def _measured(tape: Tape, index: int, place: tuple[int, ...], change: float, result: float) -> float | None:
    value = np.array(tape.items[index].value)
    value[place] += change
    try:
        return float(evaluate(tape, {index: value})[-1].reshape(())) - result
    except UndefinedError:
        return None
