"""The learning-rate range test: the rate grows with every update, and the loss says how far it may."""

import math
from dataclasses import dataclass

import torch

from ..data.batches import epoch_order
from ..data.images import Dataset
from ..errors import UsageError
from ..recipe import Recipe
from .augment import augmenter
from .prepared import prepare
from .pretrained import fits_head

# Choices that a range test does not heed: it has rates of its own, and ends where the loss grows.
NO_SAY = (
    "lr",
    "schedule",
    "warmup",
    "ema",
    "lookahead",
    "epochs",
    "patience",
    "target_loss",
    "max_seconds",
    "minutes",
)
SMOOTHING = 0.9
LOST = 4.0  # times the least smoothed loss: beyond that nothing more is learnt


@dataclass(frozen=True)
class RangeTest:
    """``losses`` of updates with growing ``rates``, ``smoothed`` as a running mean.

    ``largest`` is the rate with the least smoothed loss, beyond which it grows; ``suggested`` a tenth of it.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggested: float
    largest: float


def range_test(recipe: Recipe, data: Dataset, least: float, most: float, updates: int) -> RangeTest:
    """Train a net of ``recipe`` that is thrown away, the rate growing from ``least`` to ``most`` by equal factors.

    Smith 2015, arXiv 1506.01186, with the growth, the running mean and the tenth of S. Gugger and J. Howard
    (fastai, 2018). The test set is not used.
    Raises UsageError where the rates make no range, or nothing is learnt at any of them.
    """
    if not 0 < least < most:
        raise UsageError(f"the rates go from {least:g} to {most:g}", "--from must be above 0 and below --to")
    if fits_head(recipe):
        raise UsageError(f"{recipe.net} has its last layer fitted at once: there is no rate", "add --unfreeze 2")
    prepared, augment = prepare(recipe, data), augmenter(recipe, data)
    images = torch.from_numpy(data.train.images)
    rates: list[float] = []
    losses: list[float] = []
    smoothed: list[float] = []
    mean, epoch, at = 0.0, 0, prepared.batches.steps
    for update in range(updates):
        if at >= prepared.batches.steps:
            epoch, at = epoch + 1, 0
            order = torch.from_numpy(epoch_order(len(images), recipe.seed, epoch))
        index = order[prepared.batches.images(at) : prepared.batches.images(at + 1)]
        rate, at = least * (most / least) ** (update / max(1, updates - 1)), at + 1
        pixels = None if augment is None else augment(images[index], index, epoch)
        loss = float(prepared.engine.steps(index, len(index), [rate], pixels)[0])
        if not math.isfinite(loss):
            break
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        rates.append(rate)
        losses.append(loss)
        smoothed.append(mean / (1 - SMOOTHING ** (update + 1)))
        if smoothed[-1] > LOST * min(smoothed):
            break
    return _judged(rates, losses, smoothed)


def _judged(rates: list[float], losses: list[float], smoothed: list[float]) -> RangeTest:
    lowest = min(range(len(smoothed)), key=smoothed.__getitem__, default=0)
    if not lowest:
        raise UsageError("the loss falls at none of these rates", "begin lower: --from 1e-6")
    return RangeTest(tuple(rates), tuple(losses), tuple(smoothed), _two_digits(rates[lowest] / 10), rates[lowest])


def _two_digits(rate: float) -> float:
    return float(f"{rate:.1e}")
