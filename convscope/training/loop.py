"""The loop. It decides which images make a step and when to stop; an engine does the arithmetic.

``train`` is a generator of records. Whoever runs it prints, writes or draws them; between two records the state is
whole, so it can be saved at any of them and training continued from there to the same bits. To interrupt it is to ask
for no further record.
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..data.batches import EVALUATION_BATCH, Batches
from ..data.images import Dataset, ImageSet
from ..data.mapped.ahead import Ahead
from ..data.mapped.order import images_of_page, windows
from ..distributed.deal import logits_of
from ..distributed.team import ALONE, PeerLost, Team
from ..engine.base import Engine
from ..recipe import Recipe
from ..storage.memory import is_out_of_memory
from .augment import Augment, Augmentation, augmenter
from .diagnosis import Snapshot, is_finite, not_finite
from .pace import Pace, Pacer
from .records import Epoch, Evaluating, Progress, Record, Tick
from .scores import Score, score
from .state import Mean, Result, State
from .stop import stop
from .update.schedule import rate

__all__ = ["Epoch", "Evaluating", "Progress", "Record", "Tick", "train"]


@dataclass(frozen=True)
class _Call:
    """What the engine is asked for at once: the images of some updates, in order, and the rate of each update.

    ``logs`` says whether the last of them ends a log interval.
    """

    index: Tensor
    batch_size: int
    rates: list[float]
    logs: bool


def train(
    engine: Engine,
    recipe: Recipe,
    data: Dataset,
    state: State,
    pace: Pace | None = None,
    batches: Batches | None = None,
    augment: Augment | None = None,
    team: Team = ALONE,
) -> Iterator[Record]:
    """Train ``engine.net`` until the first stop: epochs, target loss, patience or seconds.

    ``state`` is where to start from, and is kept up to date. A stop within an epoch cuts it short: its weights are
    tested and the record is the last, but the epoch does not count as completed. ``augment`` is a function of the
    user's own, where the recipe names one. All of ``team`` take the same steps at once, by rank 0's clock. Raises
    NotFinite where the loss or the weights are not finite; the net then holds the last good weights. Raises PeerLost
    where another of the team ends; the net and ``state`` are then as before the updates under way.
    """
    pacer, pace, batches = Pacer(), pace or Pace(), batches or Batches(len(data.train), recipe.batch_size)
    augment = augmenter(recipe, data, augment)
    if state.epoch_step == 0:
        state.stopped_by = state.stopped_by or stop(recipe, state)
    while state.epoch_step > 0 or state.stopped_by is None:
        for call in _calls(recipe, data, batches, state, pacer, pace):
            losses = _take_steps(engine, recipe, data, state, call, pacer, augment, team)
            logged = _logged(state) if call.logs else None
            state.stopped_by = stop(recipe, state, logged.loss if logged else None)
            if logged:
                yield logged
            yield Tick(state.epoch + 1, state.epoch_step, batches.steps, state.step, float(losses.double().mean()))
        record = yield from _end_of_epoch(engine, recipe, data, state, batches.steps, team)
        cut_short = state.epoch_step > 0
        state.stopped_by = state.stopped_by or stop(recipe, state)
        yield record
        if cut_short:
            break


def _calls(recipe: Recipe, data: Dataset, batches: Batches, state: State, pacer: Pacer, pace: Pace) -> Iterator[_Call]:
    """The rest of the epoch in which ``state`` stands, as calls of the engine; ``state`` follows between two of them.

    No call goes beyond the end of a log interval.
    """
    images, epoch_steps = data.train.images, batches.steps
    page = images_of_page(images[0].nbytes)
    parts = windows(batches.count, recipe.seed, state.epoch + 1, recipe.window or 0, page)
    order, ahead = torch.from_numpy(np.concatenate(parts)), Ahead(images, parts, page)
    interval = min(recipe.log_interval, epoch_steps)
    while state.epoch_step < epoch_steps and state.stopped_by is None:
        done = batches.images(state.epoch_step)
        ahead.at(done)
        to_log = interval - state.epoch_step % interval
        together = 1 if recipe.ema else pace.most  # an average takes in the weights of every update
        if recipe.lookahead:
            together = min(together, recipe.lookahead - state.step % recipe.lookahead)
        in_window = -(-ahead.left(done) // batches.size)
        most = min(pacer.size, to_log, epoch_steps - state.epoch_step, together, in_window)
        steps, batch_size = batches.call(state.epoch_step, most)
        index = order[done : batches.images(state.epoch_step + steps)]
        rates = [rate(recipe, state.step + i, epoch_steps) for i in range(steps)]
        yield _Call(index, batch_size, rates, steps == to_log)


def _take_steps(
    engine: Engine,
    recipe: Recipe,
    data: Dataset,
    state: State,
    call: _Call,
    pacer: Pacer,
    augment: Augment | None,
    team: Team,
) -> Tensor:
    """Let the engine work and account for it; the loss of each update."""
    if recipe.lookahead:
        state.lookahead.begin(engine.net)
    good, where = Snapshot.of(engine), (state.epoch + 1, state.step)
    began = time.perf_counter()
    pixels = _shown(engine, data, state.epoch + 1, call, augment)
    try:
        losses = engine.steps(call.index, call.batch_size, call.rates, pixels).cpu()
        (seconds,) = team.first(time.perf_counter() - began)
    except (MemoryError, RuntimeError, PeerLost) as error:
        if isinstance(error, PeerLost) or is_out_of_memory(error):
            good.restore(engine)  # some of these updates may have been taken
        raise
    if not is_finite(engine, losses):
        if augment is not None and team.ranks > 1:  # those of the others, too
            pixels = augment(torch.from_numpy(data.train.images)[call.index], call.index, state.epoch + 1)
        raise not_finite(engine, recipe, data, where, good, call.index.split(call.batch_size), call.rates, pixels)
    steps, count = len(call.rates), len(call.index)
    pacer.took(steps, seconds)
    for i, loss in enumerate(losses.tolist()):
        state.interval.add(loss)
        state.mean.add(loss, min(call.batch_size, count - i * call.batch_size))
    state.images += count
    state.epoch_step += steps
    state.step += steps
    if recipe.lookahead and state.step % recipe.lookahead == 0:
        state.lookahead.step(engine.net)
    if recipe.ema:
        state.average.add(engine.net, recipe.ema, state.step)
    state.seconds.epoch += seconds
    state.seconds.train += seconds
    return losses


def _shown(engine: Engine, data: Dataset, epoch: int, call: _Call, augment: Augment | None) -> Tensor | None:
    """What the images of ``call`` look like in ``epoch``, those that this process computes; None: as they are.

    They are made where the engine keeps them. A function of the user's own is given them on the CPU.
    """
    if augment is None:
        return None
    kept = engine.images if isinstance(augment, Augmentation) else torch.from_numpy(data.train.images)
    places = _own_places(engine, call)
    if len(places) == len(call.index):
        return augment(kept[call.index.to(kept.device, non_blocking=True)], call.index, epoch)
    pixels = kept.new_zeros(len(call.index), *kept.shape[1:])
    if len(places):
        chosen = call.index[places]
        pixels[places.to(kept.device)] = augment(kept[chosen.to(kept.device)], chosen, epoch)
    return pixels


def _own_places(engine: Engine, call: _Call) -> Tensor:
    """Where in the images of ``call`` those lie that this process computes, int64."""
    parts = []
    for start in range(0, len(call.index), call.batch_size):
        own = engine.own(min(call.batch_size, len(call.index) - start), call.batch_size)
        parts.append(torch.arange(start + own.start, start + own.stop))
    return torch.cat(parts)


def _logged(state: State) -> Progress:
    """The mean loss of the interval that has just ended; the next begins."""
    record = Progress(state.epoch + 1, state.epoch_step, state.interval.value)
    state.interval = Mean()
    return record


def _score(
    engine: Engine, images: ImageSet, recipe: Recipe, epoch: int, team: Team
) -> Generator[Evaluating, None, tuple[Score, float]]:
    """The score on all of ``images``, in pieces of about CALL_SECONDS, and the seconds that it took."""
    pixels, labels = torch.from_numpy(images.images), torch.from_numpy(images.labels)
    logits: list[Tensor] = []
    pacer, start, total = Pacer(EVALUATION_BATCH), 0, 0.0
    while start < len(pixels):
        if start:
            yield Evaluating(epoch)
        began = time.perf_counter()
        logits.append(logits_of(engine.logits, pixels[start : start + pacer.size], EVALUATION_BATCH, team))
        (seconds,) = team.first(time.perf_counter() - began)
        start, total = start + pacer.size, total + seconds
        pacer.took(pacer.size, seconds)
    return score(torch.cat(logits), labels, recipe.loss), total


def _end_of_epoch(
    engine: Engine, recipe: Recipe, data: Dataset, state: State, epoch_steps: int, team: Team
) -> Generator[Evaluating, None, Epoch]:
    """Test, validate, remember the best, and begin the next epoch in ``state``.

    An epoch that a stop cut short is reported too, but does not count as completed.
    """
    epoch = state.epoch + 1
    if recipe.local_batchnorm and team.ranks > 1:  # each has moved its own running statistics
        engine.net.load_state_dict(team.share(engine.net.state_dict()))
    with state.average.shown(engine.net):
        test, seconds = yield from _score(engine, data.test, recipe, epoch, team)
        val = None
        if data.val is not None:
            val, more = yield from _score(engine, data.val, recipe, epoch, team)
            seconds += more
            state.best.offer(val.loss, epoch, engine.net)
    state.seconds.test += seconds
    record = Epoch(
        epoch=epoch,
        train_loss=state.mean.value,
        test_loss=test.loss,
        test_accuracy=test.accuracy,
        lr=rate(recipe, state.step - 1, epoch_steps),
        seconds=state.seconds.epoch,
        images_per_second=state.mean.count / max(state.seconds.epoch, 1e-9),
        val_loss=val.loss if val else None,
        val_accuracy=val.accuracy if val else None,
    )
    state.last = Result(record.train_loss, test.loss, test.accuracy)
    if state.epoch_step == epoch_steps:
        state.begin_epoch()
    return record
