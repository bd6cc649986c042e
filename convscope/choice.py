"""What one choice of a run means and which numbers it may be."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from annotated_types import BaseMetadata, Ge, GroupedMetadata, Gt, Le, Lt

from .errors import UsageError


@dataclass(frozen=True)
class Choice(GroupedMetadata):
    """What a choice of a run means, and which numbers it may be: ``ge`` ≤ value ≤ ``le``, or ``gt`` < value < ``lt``.

    It stands in the annotation of a field of :class:`~convscope.recipe.Recipe`, and nowhere else: the checks, the
    command line's options, the keywords of :func:`convscope.train` and the fields of the lab's page are made from it.
    ``short`` is the option's one letter, ``metavar`` what its help calls the value, ``usual`` says the default where it
    depends on others, ``page`` is where the page shows it, ``page_le`` the most that the page takes where that is less.
    """

    help: str
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    short: str = ""
    metavar: str | None = None
    usual: str = ""
    page: Literal["", "first", "more"] = ""
    page_le: int | None = None

    def __iter__(self) -> Iterator[BaseMetadata]:
        """The bounds as annotated-types has them, which pydantic reads."""
        for kind in (Ge, Gt, Le, Lt):
            bound = getattr(self, kind.__name__.lower())
            if bound is not None:
                yield kind(bound)

    def check(self, name: str, value: float, called: str) -> None:
        """Refuse a number outside the bounds. Raises UsageError, in which the choice is ``called`` something."""
        low, high = self.ge if self.gt is None else self.gt, self.le if self.lt is None else self.lt
        if low is None or high is None:
            return
        above = value >= low if self.gt is None else value > low
        below = value <= high if self.lt is None else value < high
        if not (above and below):  # NaN is refused too
            raise UsageError(f"{called} is {str(value)[:60]}", self.bounds(name))

    def bounds(self, name: str) -> str:
        """Which numbers it may be, as advice: "it must be a number with 0 ≤ lr ≤ 1"; "" where any will do."""
        low, high = self.ge if self.gt is None else self.gt, self.le if self.lt is None else self.lt
        if low is None or high is None:
            return ""
        signs = "≤" if self.gt is None else "<", "≤" if self.lt is None else "<"
        return f"it must be a number with {low} {signs[0]} {name} {signs[1]} {high:,}"
