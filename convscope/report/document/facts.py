"""All that a run's documents say, gathered once: from its folder, its data, and a test of its net."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from torch import nn

from ...data.images import Dataset
from ...data.sources import data_name
from ...errors import DataError
from ...net.model import Model
from ...net.own.net import CUSTOM
from ...net.shapes import Row, table
from ...net.spec import parse
from ...net.zoo import net_name
from ...recipe import CHOICES, Recipe
from ...runs.evaluation import Tested, own_test_set, test_model, warning
from ...runs.folder import RunFolder
from ...runs.own_data import own_data
from ...runs.summary import Summary
from ...runs.views import explained
from ...training.finding import Finding
from ...training.loop import Epoch
from .repeat import command, shown


@dataclass(frozen=True)
class RunFacts:
    """A run: what it chose, what it was trained on, what it came to.

    ``data`` and ``tested`` are None where its images are gone, and ``missing`` says why; ``notes`` are what is to be
    known of them. ``summary`` is None where it is not finished.
    """

    folder: RunFolder
    recipe: Recipe
    environment: dict[str, Any]
    summary: Summary | None
    epochs: list[Epoch]
    model: Model
    data: Dataset | None
    tested: Tested | None
    finding: Finding | None
    notes: tuple[str, ...]
    missing: str = ""

    @property
    def name(self) -> str:
        """The run's folder."""
        return self.folder.name

    @property
    def views(self) -> str:
        """The accuracy by the mean over test-time views, as the run noted it; empty where it has none."""
        if self.summary is None or self.summary.tta_accuracy is None:
            return ""
        return explained(self.summary.tta_accuracy, self.recipe.tta)

    @property
    def data_name(self) -> str:
        """What the data are called."""
        return data_name(self.recipe.data)

    @property
    def net_name(self) -> str:
        """What the net is called."""
        return net_name(self.recipe.net)

    @cached_property
    def rows(self) -> list[Row]:
        """The layers with their arithmetic; none for a net of somebody's own, which has no text."""
        if self.model.spec == CUSTOM or not isinstance(self.model.net, nn.Sequential):
            return []
        return table(parse(self.model.spec), self.model.image, len(self.model.classes))

    @property
    def parameters(self) -> int:
        """How many numbers the net has learnt."""
        return sum(parameter.numel() for parameter in self.model.net.parameters())

    @property
    def multiply_adds(self) -> int | None:
        """Of one image, forward; None where the layers are not known."""
        return sum(row.multiply_adds for row in self.rows) if self.rows else None

    @property
    def command(self) -> str:
        """What repeats the run."""
        return command(shown(self.recipe))

    @property
    def chosen(self) -> list[tuple[str, str, bool, str]]:
        """Every choice: its name, its value, whether it differs from the default, and what it means."""
        recipe = shown(self.recipe)
        return [
            (name, _text(getattr(recipe, name)), getattr(recipe, name) != known.default, known.choice.help)
            for name, known in CHOICES.items()
        ]


def gather(folder: RunFolder, own: nn.Module | None = None, *, offline: bool = False) -> RunFacts:
    """Read and test a run; ``own`` takes up its weights where its net is a module of somebody's own. Raises DataError
    where it is no run, or has no weights yet.
    """
    recipe, model = folder.recipe(), folder.model(own)
    known = RunFacts(
        folder=folder,
        recipe=recipe,
        environment=folder.environment(),
        summary=folder.summary(),
        epochs=folder.epochs(),
        model=model,
        data=None,
        tested=None,
        finding=None,
        notes=(),
    )
    try:
        found = own_data(folder, offline=offline)
    except DataError as error:
        return replace(known, missing=error.message)
    data = found.data
    if not len(data.test):
        return replace(known, data=data, notes=data.notes, missing="the run has no test images")
    test = own_test_set(folder, replace(found, new=None))
    tested = test_model(model, test.images)
    notes = tuple(dict.fromkeys((*data.notes, *test.notes)))
    return replace(known, data=data, tested=tested, finding=warning(folder, tested, test), notes=notes)


def _text(value: object) -> str:
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
