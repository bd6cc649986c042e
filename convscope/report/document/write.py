"""``convscope report``: a run's document is written, and put where nothing of the user's is."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ...errors import UsageError
from ...language import chosen
from ...runs.folder import RunFolder
from ...storage.leaving import put, require_room
from ...storage.places import user_path
from .card import card as model_card
from .facts import RunFacts, gather
from .page import page

REPORT, CARD = "report.html", "README.md"  # in the run's folder


@dataclass(frozen=True)
class Reported:
    """The file at ``path``, ``bytes`` long, about ``runs``. ``notes`` are for the user."""

    path: Path
    bytes: int
    runs: tuple[str, ...]
    test_accuracy: float | None
    tta_accuracy: float | None
    tta: str
    notes: tuple[str, ...]

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def report(
    folder: RunFolder,
    output: Path | None = None,
    *,
    compare: Sequence[RunFolder] = (),
    card: bool = False,
    own: nn.Module | None = None,
    force: bool = False,
    offline: bool = False,
) -> Reported:
    """Write ``RUN/report.html`` about a run, with others beside it to ``compare``; or its model ``card``,
    ``RUN/README.md``; or either as ``output``.

    ``own`` takes up the weights of a net of somebody's own. Raises UsageError where there is a file already (unless
    ``force``), DataError where the folder is no run or has no weights, TrainingError where it cannot be written; then
    nothing is left behind.
    """
    if card and compare:
        raise UsageError("a model card is about one run", "leave out --card, or --compare")
    path = folder.path / (CARD if card else REPORT) if output is None else user_path(output)
    require_room(path, force, default=output is None)
    facts = gather(folder, own, offline=offline)
    others = [gather(other, offline=offline) for other in compare]
    content = (model_card(facts) if card else page(facts, others, chosen())).encode()
    put(path, content, default=output is None)
    runs = (facts, *others)
    notes = tuple(note for run in runs for note in _notes(run))
    return Reported(
        path=path,
        bytes=len(content),
        runs=tuple(str(run.folder.path) for run in runs),
        test_accuracy=_accuracy(facts),
        tta_accuracy=facts.summary.tta_accuracy if facts.summary else None,
        tta=facts.recipe.tta,
        notes=notes,
    )


def _accuracy(facts: RunFacts) -> float | None:
    return facts.tested.evaluation.accuracy if facts.tested else None


def _notes(run: RunFacts) -> list[str]:
    found = [f"{run.name}: {run.missing}; what its images would show is left out"] if run.missing else []
    return found + ([f"{run.name} is not finished"] if run.summary is None else [])
