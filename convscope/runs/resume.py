"""With which recipe a run resumes: the old one, or one with more epochs, and what the schedule makes of that."""

from dataclasses import replace
from pathlib import Path

from ..errors import DataError, UsageError
from ..language.counts import number_of
from ..recipe import Recipe, flag
from ..storage.places import as_argument
from ..training.pretrained import fits_head
from ..training.state import State
from ..training.stop import SENTENCES
from ..training.update.schedule import rate
from .summary import Summary


def go_on(
    recipe: Recipe, state: State, finished: bool, epochs: int | None, epoch_steps: int, path: Path
) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe for the updates to come, and what the user should know of it; ``state.stopped_by`` is brought in line.

    ``finished`` says whether the run has a summary. More ``epochs`` lift the choice that stopped the run, if one did:
    it is None in the new recipe, and that is how a run killed right after its extension knows. Raises UsageError
    where there is nothing to do.
    """
    if state.stopped_by == "epochs" or (state.stopped_by and getattr(recipe, state.stopped_by) is None):
        state.stopped_by = None
    stop = state.stopped_by
    if fits_head(recipe) and (epochs is not None or (finished and state.epoch >= recipe.epochs)):
        raise UsageError(
            f"{path} is finished: its last layer is fitted in one step, and more epochs would change nothing",
            "train its last blocks, too: convscope train DATA --net NAME --unfreeze 2",
        )
    if epochs is None:
        if finished and (stop or state.epoch >= recipe.epochs):
            done = f"{path} has already done its {number_of(recipe.epochs, 'epoch')}"
            more = f"give it more: convscope resume {as_argument(path)} --epochs {2 * recipe.epochs}"
            raise UsageError(f"the run {path} has ended: {SENTENCES[stop]}" if stop else done, more)
        return recipe, ()
    least = max(1, state.epoch + (finished or state.epoch_step > 0))
    if epochs < least:
        raise UsageError(
            f"--epochs {epochs} is too few: {path} has already done {state.epoch}",
            f"--epochs counts from the run's beginning: {least} or more",
        )
    new = replace(recipe, epochs=epochs)
    notes = _schedule_notes(recipe, new, state.step, epoch_steps)
    if stop:
        new = replace(new, **{stop: None})  # type: ignore[arg-type]  # all three may be None
        notes += (f"{flag(stop)}, which had stopped it, no longer holds",)
        state.stopped_by = None
    return new, notes


def require_unaltered(recipe: Recipe, summary: Summary | None, path: Path) -> None:
    """Raise DataError where recipe.json names another net or seed than the finished run in ``path`` had."""
    for name in ("net", "seed") if summary else ():
        now, then = (str(getattr(of, name))[:60] for of in (recipe, summary))
        if now != then:
            raise DataError(
                f"{path / 'recipe.json'} was altered: {name} is {now!r}, but the run was trained with {then!r}",
                "put that back, or train again",
            )


def _schedule_notes(old: Recipe, new: Recipe, step: int, epoch_steps: int) -> tuple[str, ...]:
    """What the change from ``old`` to ``new`` epochs does to the learning rate of update ``step`` (from 0)."""
    if old.epochs == new.epochs:
        return ()
    word = "extended" if new.epochs > old.epochs else "shortened"
    text = f"{word} from {old.epochs} to {new.epochs} epochs; "
    after = rate(new, step, epoch_steps)
    if new.schedule == "constant":
        return (f"{text}the learning rate stays {after:g} (constant schedule)",)
    before = rate(old, max(0, step - 1), epoch_steps)
    return (
        f"{text}the {new.schedule} schedule is computed again for {new.epochs}: "
        f"the last update had learning rate {before:.3g}, the next has {after:.3g}",
    )
