"""``--minutes``: as many epochs as fit, so that the schedule comes to its end in time."""

import time
from dataclasses import replace

import torch

from ..data.batches import EVALUATION_BATCH
from ..data.images import Dataset
from ..language.counts import number_of
from ..recipe import Recipe
from ..training.loop import Tick, train
from ..training.prepared import prepare
from ..training.pretrained import fits_head
from ..training.state import State

MEASURED = 2.0  # seconds of training by which the rest is judged
ROOM = 0.95  # of the minutes: the rest is for a machine that becomes slower
MOST = 10  # times as many epochs as usual, where nobody said how many at most


def planned(recipe: Recipe, data: Dataset, bounded: bool) -> tuple[Recipe, str]:
    """``recipe`` with the epochs that fit into its minutes, and how many these are, in words.

    ``bounded``: the recipe's epochs were asked for, and no more are taken. Where not even one epoch fits, it is cut
    short when the minutes are over.
    """
    if recipe.minutes is None or fits_head(recipe):
        return recipe, ""
    seconds = epoch_seconds(recipe, data)
    room = 60 * recipe.minutes * ROOM
    epochs = min(max(1, int(room / seconds)), recipe.epochs * (1 if bounded else MOST))
    limit = 60 * recipe.minutes
    told = f"--minutes {recipe.minutes:g}: {number_of(epochs, 'epoch')} of about {seconds:.2g} s"
    if seconds > room:
        told = f"--minutes {recipe.minutes:g}: one epoch takes about {seconds:.2g} s and is cut short"
    return replace(recipe, epochs=epochs, max_seconds=min(recipe.max_seconds or limit, limit)), told


def epoch_seconds(recipe: Recipe, data: Dataset) -> float:
    """Seconds of an epoch and its tests, judged by a net that is thrown away."""
    prepared, state = prepare(recipe, data), State()
    unbounded = replace(recipe, max_seconds=None, target_loss=None, patience=None)
    first: tuple[float, int] | None = None
    rate = 0.0
    for record in train(prepared.engine, unbounded, data, state, batches=prepared.batches):
        if not isinstance(record, Tick):
            continue
        now = state.seconds.train, state.images
        if first is None:
            first = now  # the first updates are slower: memory is touched, programs are read
            continue
        rate = (now[1] - first[1]) / max(now[0] - first[0], 1e-9)
        if now[0] - first[0] >= MEASURED:
            break
    if not rate:
        rate = state.images / max(state.seconds.train, 1e-9)
    some = torch.from_numpy(data.test.images[:EVALUATION_BATCH])
    began = time.perf_counter()
    prepared.engine.logits(some)
    tests = len(data.test) + (len(data.val) if data.val else 0)
    return len(data.train) / rate + (time.perf_counter() - began) * tests / len(some)
