"""``convscope train --seeds`` and ``--folds``: one training several times, and what chance does to its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...language import say
from ...language.width import ljust
from ...recipe import ViewsName
from .. import terminal

if TYPE_CHECKING:
    from ...auto import Settled
    from ...distributed.team import Team


def check(seeds: int, folds: int | None, curve: bool, film: bool, tta: ViewsName) -> None:
    """Raise UsageError for options that do not go together; a film is of one run."""
    asked = [
        name for name, given in (("--seeds", seeds > 1), ("--folds", folds is not None), ("--curve", curve)) if given
    ]
    if film and asked and asked != ["--curve"]:
        asked.append("--film")
    if curve and tta != "none":  # its points are of images as they are
        asked.append("--tta")
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} do not go together", "one question at a time")


def with_seeds(
    settled: Settled, team: Team, count: int, out: Path, *, offline: bool, quiet: bool, as_json: bool
) -> None:
    """A run for each seed, a line for each run, and the mean; rank 0 alone hears of them."""
    from ... import job
    from ...runs.views import figure
    from ...tuning import repeated

    rows: list[dict[str, Any]] = []
    for chosen, divided in repeated.with_seeds(settled.recipe, settled.data, count, offline):
        for event in job.start(chosen, divided, out, team=team):
            if isinstance(event, job.Finished):
                summary = event.summary
                rows.append({"seed": chosen.seed, **asdict(summary)})
                if quiet and not as_json:
                    print(summary.run)
                more = [f"{summary.train_seconds:.2f} s of training", summary.run]
                if summary.tta_accuracy is not None:
                    more.insert(0, figure(summary.tta_accuracy, chosen.tta))
                _line(as_json or quiet, f"seed {chosen.seed}", summary.test_accuracy, *more)
    if team.leads and (as_json or not quiet):
        plain, views = ([row[name] for row in rows] for name in ("test_accuracy", "tta_accuracy"))
        _end(as_json, {"runs": rows}, plain, "test accuracy", settled.recipe.tta, views)


def fold(settled: Settled, team: Team, count: int, *, quiet: bool, as_json: bool) -> None:
    """A line for each fold, and the mean. No run is kept: each has been trained on a part of the images."""
    from ...runs.views import figure
    from ...tuning import repeated

    tta, plain, views = settled.recipe.tta, list[float](), list[float | None]()
    for one in repeated.folds(settled.recipe, settled.data, count, team):
        plain.append(one.accuracy)
        views.append(one.tta_accuracy)
        more = [] if one.tta_accuracy is None else [figure(one.tta_accuracy, tta)]
        _line(as_json or quiet or not team.leads, f"fold {len(plain)} of {count}", one.accuracy, *more)
    if team.leads:
        told = {"folds": plain, "tta_folds": views if tta != "none" else None}
        _end(as_json, told, plain, "accuracy on the part left out", tta, views)


def _line(as_json: bool, name: str, accuracy: float | None, *more: str) -> None:
    if not as_json:
        cells = [ljust(say(name), 12), f"{100 * (accuracy or 0):6.2f} %", *map(say, more)]
        terminal.out().print("  ".join(cells), markup=False)


def _end(
    as_json: bool,
    told: dict[str, Any],
    values: Sequence[float | None],
    what: str,
    tta: ViewsName,
    with_views: Sequence[float | None],
) -> None:
    from ...runs.views import beside
    from ...tuning.repeated import Spread

    spread = Spread.of([value or 0.0 for value in values])
    views = None if tta == "none" else Spread.of([value or 0.0 for value in with_views])
    if as_json:
        told |= {"mean": spread.mean, "sd": spread.sd, "n": spread.n, "tta": tta}
        terminal.emit_json(told | {"tta_mean": views and views.mean, "tta_sd": views and views.sd})
    else:
        terminal.out().print(f"\n{what} {spread}", markup=False)
        if views is not None:
            terminal.out().print(beside(views, tta), markup=False)
