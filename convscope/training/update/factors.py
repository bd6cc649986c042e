"""Parameters with a rate of their own: what ``--lr-factors`` says, as a multiple of the rate for each parameter."""

import math
from collections.abc import Iterable
from fnmatch import fnmatchcase

from ...errors import UsageError
from ...language.counts import some

EXAMPLE = "for example --lr-factors 'conv1.* = 0.1, *.bias = 2'"


def read(text: str) -> list[tuple[str, float]]:
    """'conv1.* = 0.1, *.bias = 2' as (pattern, factor) in their order. Raises UsageError."""
    return [_one(part) for part in text.split(",")] if text.strip() else []


def _one(part: str) -> tuple[str, float]:
    pattern, equals, number = (piece.strip() for piece in part.partition("="))
    try:
        factor = float(number)
    except ValueError:
        factor = math.nan
    if not (pattern and equals and 0 <= factor <= 1e6):
        raise UsageError(
            f"--lr-factors has {part.strip()[:60]!r}, which is no PATTERN = FACTOR with 0 ≤ factor ≤ 1,000,000", EXAMPLE
        )
    return pattern, factor


def lr_factors(text: str, parameters: Iterable[str]) -> dict[str, float]:
    """The factor of each of ``parameters`` (names as in the state dict) that a pattern fits; the last counts.

    ``*`` stands for any letters, as in the shell. Raises UsageError for a pattern that fits none.
    """
    names = list(parameters)
    found: dict[str, float] = {}
    for pattern, factor in read(text):
        fitting = [name for name in names if fnmatchcase(name, pattern)]
        if not fitting:
            raise UsageError(
                f"--lr-factors has {pattern[:60]!r}, which fits no parameter that is trained",
                f"there are {some(names, 8)}",
            )
        found |= dict.fromkeys(fitting, factor)
    return found
