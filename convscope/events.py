"""What a run tells while it is trained: that it starts, then record by record, at last that it has ended."""

from dataclasses import dataclass

from .data.batches import Batches
from .data.images import Dataset
from .distributed.team import ALONE, Team
from .net.model import Model
from .net.shapes import Row
from .recipe import Recipe
from .runs.folder import RunFolder
from .runs.summary import Summary
from .training.loop import Record


@dataclass(frozen=True, repr=False)
class Started:
    """A run begins or resumes. ``rows`` are the net's layers, ``resumed_at`` the update it resumes from (0: none).

    ``model`` holds the very net that is trained: between two events its weights may be read.
    """

    folder: RunFolder
    recipe: Recipe
    data: Dataset
    model: Model
    rows: list[Row]
    engine: str
    device: str
    threads: int
    batches: Batches
    notes: tuple[str, ...]
    resumed_at: int = 0
    team: Team = ALONE

    @property
    def epoch_steps(self) -> int:
        """Updates in an epoch."""
        return self.batches.steps

    def __repr__(self) -> str:
        return f"Started({self.folder.path}: {self.recipe.net} on {self.data.name}, {self.engine} on {self.device})"


@dataclass(frozen=True)
class Finished:
    """A run has ended; ``summary`` is the content of summary.json, ``notes`` say what went wrong beside it, ``waited``
    is the share of the time (0..1) in which this process waited for others of its team."""

    folder: RunFolder
    summary: Summary
    notes: tuple[str, ...] = ()
    waited: float = 0.0


Event = Started | Record | Finished
