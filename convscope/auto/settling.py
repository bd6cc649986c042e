"""A recipe that leaves its net open, or asks for a pretrained one, and its data → the recipe that is run."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.images import Dataset, statistics
from ..data.sources import open_recipe
from ..data.split import stratified_split
from ..engine.devices import resolve
from ..errors import UsageError
from ..language.counts import number_of
from ..net.pretrained.catalogue import PRETRAINED
from ..net.pretrained.weights import available
from ..net.shapes import table
from ..net.zoo import resolve as resolve_net
from ..recipe import Recipe, flag
from ..training.loop import train
from ..training.prepared import prepare
from ..training.pretrained import one_step
from ..training.state import State
from . import choose as rules
from .choose import Choice, Facts, choose, pretrained_changes
from .planning import planned

HELD_OUT = 0.2  # of the training images, to compare two nets
ARITHMETIC = 1.2e11  # multiply-adds, backward pass included, that the comparison gives a net from scratch at first
FEWEST_EPOCHS = 3
FAR = 0.2  # of the held-out images: who is so far behind after that will not catch up


@dataclass(frozen=True)
class Settled:
    """The recipe to run, the data as its net wants them, and why ``auto`` chose that net (empty: it did not).

    The recipe's remark says so, too.
    """

    recipe: Recipe
    data: Dataset
    chosen: str = ""

    @property
    def remarked(self) -> "Settled":
        """The same with the reason among the remarks."""
        remark = "; ".join(filter(None, (self.recipe.remark, self.chosen)))
        return replace(self, recipe=replace(self.recipe, remark=remark))


def settle(recipe: Recipe, given: Iterable[str] = (), offline: bool = False, data: Any = None) -> Settled:
    """Choose the net of ``recipe`` where that is ``auto``, the size of images that it wants, how it is trained, and how
    many epochs fit into its minutes.

    ``given`` are the names of the choices that the user made: these stay. ``data`` are given in Python. Raises what
    opening the data and building the net raise.
    """
    given = frozenset(given)
    settled = _settled(recipe, given, offline, data)
    fitting, told = planned(settled.recipe, settled.data, "epochs" in given)
    if not told:
        return settled
    return replace(settled, recipe=fitting, chosen="; ".join(filter(None, (settled.chosen, told))))


def _settled(recipe: Recipe, given: frozenset[str], offline: bool, data: Any) -> Settled:
    name = recipe.net.strip()
    if name in PRETRAINED:
        _refuse_training(recipe, given)
        opened = open_recipe(recipe, offline, data)
        chosen = replace(recipe, **pretrained_changes(opened.side or max(opened.train.shape[1:]), given))
        return _as_wanted(chosen, recipe, opened, offline, data)
    if name != "auto":
        return Settled(recipe, open_recipe(recipe, offline, data))
    opened = open_recipe(recipe, offline, data)
    if recipe.data in rules.NOTE:
        return Settled(replace(recipe, net="note"), opened)
    choice = choose(_facts(recipe, opened, given))
    settled = _with(choice, recipe, opened, offline, data)
    if choice.rival is not None:
        settled = _better(settled, _with(choice.rival, recipe, opened, offline, data))
    return settled.remarked


def _refuse_training(recipe: Recipe, given: frozenset[str]) -> None:
    """No choice is passed over in silence: a last layer that is fitted in closed form knows no descent."""
    as_usual = replace(Recipe(), epochs=one_step(recipe).epochs)  # the recipe of such a run makes every choice, so
    made = [choice for choice in rules.TRAINING if choice in given and choice not in ("loss", "engine")]
    idle = [flag(choice) for choice in made if getattr(recipe, choice) != getattr(as_usual, choice)]
    if idle and recipe.unfreeze == 0:
        raise UsageError(
            f"{', '.join(idle)} changes nothing where only the last layer of {recipe.net} is fitted",
            "leave it out, or train its last blocks, too: --unfreeze 2",
        )


def _facts(recipe: Recipe, data: Dataset, given: frozenset[str]) -> Facts:
    return Facts(
        data=recipe.data,
        shape=data.train.shape,
        images=len(data.train),
        classes=len(data.classes),
        fewest=int(np.bincount(data.train.labels).min()),
        side=data.side,
        installed=available(rules.PRETRAINED),
        allowed=not recipe.no_pretrained,
        given=given,
        device=str(resolve(recipe.device)),
        minutes=recipe.minutes or (None if recipe.max_seconds is None else recipe.max_seconds / 60),
    )


def _with(choice: Choice, recipe: Recipe, opened: Dataset, offline: bool, data: Any) -> Settled:
    """``recipe`` with ``choice``; the data are opened again only where their size changes."""
    unfreeze = recipe.unfreeze if choice.net in PRETRAINED else 0
    wanted = replace(recipe, net=choice.net, unfreeze=unfreeze, **choice.changes)
    chosen = _as_wanted(wanted, recipe, opened, offline, data)
    return replace(chosen, chosen=f"{choice.net}: {choice.reason}")


def _as_wanted(chosen: Recipe, recipe: Recipe, opened: Dataset, offline: bool, data: Any) -> Settled:
    """``chosen`` with its data: those that ``recipe`` has ``opened``, where their size is the same."""
    if chosen.image_size == recipe.image_size or opened.train.shape[1:] == (chosen.image_size,) * 2:
        return Settled(replace(chosen, image_size=recipe.image_size), opened)
    return Settled(chosen, open_recipe(chosen, offline, data))


def _better(one: Settled, other: Settled) -> Settled:
    """Whichever classifies more of the held-out training images; ``one`` where they are equal.

    ``other`` is first trained for as long as ARITHMETIC allows, and to its end where the race is close.
    """
    rest, held = stratified_split(one.data.train.labels, HELD_OUT, one.recipe.seed, one.data.classes)
    mine = _right(one, rest, held)
    for tried in (_within_reach(other, len(rest)), other.recipe):
        theirs = _right(replace(other, recipe=tried), rest, held)
        if tried.epochs == other.recipe.epochs or mine == len(held) or mine - theirs > FAR * len(held):
            break
    best = one if mine >= theirs else other
    told = (
        f"{best.chosen}; of {len(held):,} training images held out to compare: {one.recipe.net} "
        f"{100 * mine / len(held):.1f} %, {tried.net} {100 * theirs / len(held):.1f} % "
        f"in {number_of(tried.epochs, 'epoch')}"
    )
    return replace(best, chosen=told)


def _within_reach(settled: Settled, images: int) -> Recipe:
    """The recipe with no more epochs than ARITHMETIC allows."""
    recipe, data = settled.recipe, settled.data
    rows = table(resolve_net(recipe.net), data.train.shape, len(data.classes))
    epoch = 3 * images * sum(row.multiply_adds for row in rows)
    return replace(recipe, epochs=min(recipe.epochs, max(FEWEST_EPOCHS, int(ARITHMETIC / epoch))))


def _right(settled: Settled, rest: NDArray[np.int64], held: NDArray[np.int64]) -> int:
    """How many of the training images at ``held`` a net classifies rightly that was trained on those at ``rest``."""
    train_set, test_set = settled.data.train.take(rest), settled.data.train.take(held)
    mean, std = statistics(train_set.images)
    part = replace(settled.data, train=train_set, test=test_set, val=None, mean=mean, std=std)
    recipe = one_step(replace(settled.recipe, unfreeze=0, patience=None, max_seconds=None))
    prepared, state = prepare(recipe, part), State()
    for _ in train(prepared.engine, recipe, part, state, batches=prepared.batches):
        pass
    return round((state.last.test_accuracy or 0.0) * len(held))
