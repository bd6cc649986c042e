"""What ``convscope conv`` and ``convscope pool`` have in common: the element that is explained, JSON, and lines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .. import terminal
from . import reading, text
from .options import save_plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...explain.concepts.convolution import Array, Convolution
    from ...explain.concepts.pooling import Pooling
    from ...explain.ledger import Ledger


Found = TypeVar("Found", bound="Convolution | Pooling")


@dataclass(frozen=True)
class Answer(Generic[Found]):
    """A convolution or a pooling, and how it is to be shown: ``axes`` are those of the input as the user gave it.

    ``at`` is the element of the output that is explained, if any.
    """

    found: Found
    axes: int
    at: str | None
    steps: bool
    sort: bool
    whole: bool

    @property
    def place(self) -> tuple[int, ...] | None:
        """Channel, row and column of the element that is explained. Raises UsageError."""
        return None if self.at is None else reading.index(self.at, self.found.output.shape, "--at")

    @property
    def ledgers(self) -> "list[Ledger]":
        """That element's ledger, if there is one."""
        place = self.place
        return [] if place is None else [self.found.ledger(*place)]

    @property
    def output(self) -> "Array":
        """The output, with as many axes as the input was given with."""
        output = self.found.output
        return (
            output[0] if self.axes == 2 and len(output) == 1 else output.reshape((1,) * (self.axes - 3) + output.shape)
        )

    def draw(self, draw: "Callable[[Found, tuple[int, ...]], Figure]", plot: Path) -> None:
        """Save the picture of the window that is explained, else of the first."""
        save_plot(draw(self.found, self.place or (0, 0, 0)), plot)

    def emit(self, weight: Mapping[str, Any], more: Mapping[str, Any], ledgers: "list[Ledger]") -> None:
        """The one JSON object; ``weight`` and ``more`` are what only one of the two verbs has."""
        found = self.found
        terminal.emit_json(
            {
                "output": self.output,
                "input_shape": (1, *found.input.shape),
                **weight,
                "output_shape": (1, *found.output.shape),
                "height": found.rows,
                "width": found.columns,
                **more,
                "ledgers": ledgers,
                "steps": list(found.steps(self._channel)) if self.steps else None,
            }
        )

    def show_rest(self, ledgers: "list[Ledger]") -> None:
        """The walk of the window and the ledgers, as far as they were asked for."""
        if self.steps:
            text.show_steps(self.found, self._channel, self.whole)
        text.show_ledgers(ledgers, self.sort, self.whole)

    @property
    def _channel(self) -> int:
        """The channel of the output whose windows are walked through."""
        return self.place[0] if self.place else 0
