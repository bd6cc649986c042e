"""How an epoch is cut into batches: the arithmetic of samples, batch size and updates."""

from collections.abc import Iterator
from dataclasses import dataclass

from ...data.batches import epoch_order, steps_per_epoch
from ...errors import UsageError
from ...language.counts import number_of
from ...shown import Shown

MAX_SAMPLES = 10**12
STRIP_SAMPLES = 120  # an epoch of at most so many samples is shown sample by sample


@dataclass(frozen=True, repr=False)
class Batches(Shown):
    """The batches of an epoch. ``last`` is the size of the last one; ``left_out`` samples take no part in the epoch."""

    samples: int
    batch_size: int
    drop_last: bool
    regime: str
    updates: int
    last: int
    left_out: int

    def told(self) -> Iterator[str]:
        """The division and the last batch."""
        left, right = ("⌊", "⌋") if self.drop_last else ("⌈", "⌉")
        yield f"{number_of(self.samples, 'sample')} in batches of {self.batch_size:,} ({self.regime})"
        yield f"updates in an epoch   {left}{self.samples:,} / {self.batch_size:,}{right} = {self.updates:,}"
        yield f"the last batch holds  {self.last:,}"
        yield f"left out of an epoch  {self.left_out:,}"


def cut(samples: int, batch_size: int, drop_last: bool = False) -> Batches:
    """An epoch of ``samples`` in batches of ``batch_size``; ``drop_last`` leaves a smaller last batch out.

    Raises UsageError for numbers below one, and where dropping leaves nothing.
    """
    for name, value in (("--samples", samples), ("--batch-size", batch_size)):
        if not 1 <= value <= MAX_SAMPLES:
            raise UsageError(f"{name} is {value}, expected a whole number from 1 to {MAX_SAMPLES:,}")
    rest = samples % batch_size
    if drop_last and samples < batch_size:
        raise UsageError(
            f"with --drop-last no update is left: {number_of(samples, 'sample')} cannot fill a batch of {batch_size:,}",
            "take a smaller batch, or keep the last one",
        )
    updates = samples // batch_size if drop_last else steps_per_epoch(samples, batch_size)
    last = batch_size if drop_last or not rest else rest
    return Batches(samples, batch_size, drop_last, regime(samples, batch_size), updates, last, rest if drop_last else 0)


def regime(samples: int, batch_size: int) -> str:
    """What descent with this batch size is called."""
    if batch_size >= samples:
        return "full batch: gradient descent"
    return "batch size 1: stochastic gradient descent" if batch_size == 1 else "mini-batch gradient descent"


def strip(batches: Batches, seed: int, epoch: int) -> tuple[tuple[int, ...], ...]:
    """The sample numbers in each batch of ``epoch`` (from 1), in the order in which ``convscope train`` takes them."""
    order = epoch_order(batches.samples, seed, epoch).tolist()
    starts = [i * batches.batch_size for i in range(batches.updates)]
    return tuple(tuple(order[start : start + batches.batch_size]) for start in starts)
