"""The loop. It decides which images make a step and when to stop; an engine does the arithmetic.

``train`` is a generator of records. Whoever runs it prints, writes or draws them; between two records the state is
whole, so it can be saved at any of them and training continued from there to the same bits. To interrupt it is to ask
for no further record.
"""

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, fields

import torch
from torch import Tensor

from ..data.batches import epoch_order, steps_per_epoch
from ..data.images import Dataset, ImageSet
from ..engine.base import EVALUATION_BATCH, Engine
from ..recipe import Recipe
from .diagnosis import Snapshot, is_finite, not_finite
from .schedule import learning_rate
from .scores import Score, score

# One call of the engine takes about this long, so that Ctrl-C, progress and stops are answered in time.
CALL_SECONDS = 0.1


@dataclass(frozen=True)
class Tick:
    """Some updates have been taken: ``epoch_step`` of ``epoch_steps`` in ``epoch`` (from 1), ``step`` in all.

    ``loss`` is the mean loss of these updates, those since the last Tick.
    """

    epoch: int
    epoch_step: int
    epoch_steps: int
    step: int
    loss: float


@dataclass(frozen=True)
class Progress:
    """The mean loss of the last log interval, which ended with update ``step`` (from 1) of ``epoch``."""

    epoch: int
    step: int
    loss: float


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to. Accuracies are fractions; ``seconds`` is the time in training steps alone."""

    epoch: int
    train_loss: float
    test_loss: float
    test_accuracy: float
    lr: float
    seconds: float
    images_per_second: float
    val_loss: float | None = None
    val_accuracy: float | None = None


@dataclass(frozen=True)
class Evaluating:
    """A part of the test after ``epoch`` is done: nothing to show, but a place where one can stop."""

    epoch: int


Record = Tick | Progress | Epoch | Evaluating


@dataclass
class Pace:
    """How many updates the engine may take in one call; who drives the loop may change it between two records."""

    most: int = 2**31


@dataclass
class State:
    """Where a run stands. Everything but ``best_weights`` is numbers and text, and goes into JSON."""

    epoch: int = 0  # epochs completed
    epoch_step: int = 0  # updates taken in the epoch under way
    step: int = 0
    images: int = 0  # seen in all
    interval_loss: float = 0.0  # Σ loss over the updates since the last Progress
    interval_steps: int = 0
    epoch_loss: float = 0.0  # Σ loss · images over the epoch under way
    epoch_images: int = 0
    epoch_seconds: float = 0.0
    train_seconds: float = 0.0
    test_seconds: float = 0.0
    train_loss: float | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None
    best_val_loss: float | None = None
    best_epoch: int | None = None
    epochs_since_best: int = 0
    stopped_by: str | None = None
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def numbers(self) -> dict[str, int | float | str | None]:
        """All but the weights, for JSON."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "best_weights"}


def train(engine: Engine, recipe: Recipe, data: Dataset, state: State, pace: Pace | None = None) -> Iterator[Record]:
    """Train ``engine.net`` until the first stop: epochs, target loss, patience or seconds.

    ``state`` is where to start from, and is kept up to date. A stop within an epoch cuts it short: its weights are
    tested and the record is the last, but the epoch does not count as completed. Raises NotFinite where the loss or
    the weights are not finite; the net then holds the last good weights.
    """
    pace = pace or Pace()
    count, batch_size = len(data.train), recipe.batch_size
    epoch_steps = steps_per_epoch(count, batch_size)
    interval = min(recipe.log_interval, epoch_steps)
    call_steps = 1
    while state.epoch_step > 0 or (state.epoch < recipe.epochs and state.stopped_by is None):
        order = torch.from_numpy(epoch_order(count, recipe.seed, state.epoch + 1))
        while state.epoch_step < epoch_steps and state.stopped_by is None:
            to_log = interval - state.epoch_step % interval
            steps = min(call_steps, to_log, epoch_steps - state.epoch_step, pace.most)
            start = state.epoch_step * batch_size
            index = order[start : start + steps * batch_size]
            lrs = [_rate(recipe, state.step + i, epoch_steps) for i in range(steps)]
            loss, seconds = _take_steps(engine, recipe, data, state, index, lrs)
            call_steps = max(1, min(2 * call_steps, int(steps * CALL_SECONDS / max(seconds, 1e-6))))
            logged = None
            if steps == to_log:
                logged = Progress(state.epoch + 1, state.epoch_step, state.interval_loss / state.interval_steps)
                state.interval_loss, state.interval_steps = 0.0, 0
                if recipe.target_loss is not None and logged.loss <= recipe.target_loss:
                    state.stopped_by = "target_loss"
            if recipe.max_seconds is not None and state.train_seconds + state.test_seconds >= recipe.max_seconds:
                state.stopped_by = state.stopped_by or "max_seconds"
            if logged:
                yield logged
            yield Tick(state.epoch + 1, state.epoch_step, epoch_steps, state.step, loss)
        yield (yield from _end_of_epoch(engine, recipe, data, state, epoch_steps))
        if state.epoch_step > 0:  # cut short
            break
    state.stopped_by = state.stopped_by or "epochs"


def _rate(recipe: Recipe, step: int, epoch_steps: int) -> float:
    return learning_rate(recipe.schedule, recipe.lr, step, epoch_steps * recipe.epochs)


def _take_steps(
    engine: Engine, recipe: Recipe, data: Dataset, state: State, index: Tensor, lrs: list[float]
) -> tuple[float, float]:
    """Let the engine work and account for it; the mean loss of the steps and the seconds that they took."""
    good, where = Snapshot.of(engine), (state.epoch + 1, state.step)
    began = time.perf_counter()
    losses = engine.steps(index, recipe.batch_size, lrs).cpu()
    seconds = time.perf_counter() - began
    if not is_finite(engine, losses):
        raise not_finite(engine, recipe, data, where, good, index, lrs)
    for i, loss in enumerate(losses.tolist()):
        images = min(recipe.batch_size, len(index) - i * recipe.batch_size)
        state.interval_loss += loss
        state.epoch_loss += loss * images
    state.interval_steps += len(lrs)
    state.epoch_images += len(index)
    state.images += len(index)
    state.epoch_step += len(lrs)
    state.step += len(lrs)
    state.epoch_seconds += seconds
    state.train_seconds += seconds
    return float(losses.double().mean()), seconds


def _score(
    engine: Engine, images: ImageSet, recipe: Recipe, epoch: int
) -> Generator[Evaluating, None, tuple[Score, float]]:
    """The score on all of ``images``, in pieces of about CALL_SECONDS, and the seconds that it took."""
    pixels, labels = torch.from_numpy(images.images), torch.from_numpy(images.labels)
    logits: list[Tensor] = []
    start, size, total = 0, EVALUATION_BATCH, 0.0
    while start < len(pixels):
        if start:
            yield Evaluating(epoch)
        began = time.perf_counter()
        logits.append(engine.logits(pixels[start : start + size]))
        seconds = time.perf_counter() - began
        start, total = start + size, total + seconds
        pieces = min(2 * size, int(size * CALL_SECONDS / max(seconds, 1e-6))) // EVALUATION_BATCH
        size = max(1, pieces) * EVALUATION_BATCH
    return score(torch.cat(logits), labels, recipe.loss), total


def _end_of_epoch(
    engine: Engine, recipe: Recipe, data: Dataset, state: State, epoch_steps: int
) -> Generator[Evaluating, None, Epoch]:
    """Test, validate, remember the best, and begin the next epoch in ``state``.

    An epoch that a stop cut short is reported too, but does not count as completed. A validation loss that is not
    finite is never the best.
    """
    test, seconds = yield from _score(engine, data.test, recipe, state.epoch + 1)
    val = None
    if data.val is not None:
        val, more = yield from _score(engine, data.val, recipe, state.epoch + 1)
        seconds += more
    state.test_seconds += seconds

    record = Epoch(
        epoch=state.epoch + 1,
        train_loss=state.epoch_loss / state.epoch_images,
        test_loss=test.loss,
        test_accuracy=test.accuracy,
        lr=_rate(recipe, state.step - 1, epoch_steps),
        seconds=state.epoch_seconds,
        images_per_second=state.epoch_images / max(state.epoch_seconds, 1e-9),
        val_loss=val.loss if val else None,
        val_accuracy=val.accuracy if val else None,
    )
    state.train_loss, state.test_loss, state.test_accuracy = record.train_loss, test.loss, test.accuracy
    if val is not None:
        if math.isfinite(val.loss) and (state.best_val_loss is None or val.loss < state.best_val_loss):
            state.best_val_loss, state.best_epoch, state.epochs_since_best = val.loss, record.epoch, 0
            state.best_weights = {name: tensor.detach().clone() for name, tensor in engine.net.state_dict().items()}
        else:
            state.epochs_since_best += 1
        if recipe.patience is not None and state.epochs_since_best >= recipe.patience:
            state.stopped_by = state.stopped_by or "patience"
    if state.epoch_step == epoch_steps:
        state.epoch += 1
        state.epoch_step, state.epoch_images = 0, 0
        state.epoch_loss, state.epoch_seconds = 0.0, 0.0
        state.interval_loss, state.interval_steps = 0.0, 0  # the few updates after the last full interval
    return record
