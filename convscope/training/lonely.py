"""Batch normalisation of features takes its mean and variance over the batch, so it cannot take a single image.

A map (C, H, W) has H·W values a channel in every image; a feature has one. So a net that normalises features needs two
images in every batch: the last batch of an epoch is joined to the one before where it would hold one.
"""

from collections.abc import Sequence
from math import prod

from ..data.batches import Batches
from ..errors import UsageError
from ..net.ops import BatchNorm
from ..net.shapes import Row

JOINED = "the last batch of an epoch would hold one image, too few for {}: it is joined to the batch before"


def batches_of(rows: Sequence[Row], count: int, size: int) -> Batches:
    """How an epoch of ``count`` images is cut for the net of ``rows``. Raises UsageError where that is impossible."""
    return batches_for(lonely(rows), count, size)


def batches_for(name: str | None, count: int, size: int) -> Batches:
    """The same where ``name`` is the layer that cannot take a batch of one, None where there is none."""
    if name is None or count % size != 1 % size:
        return Batches(count, size)
    if count == 1:
        raise UsageError(
            f"there is a single training image, but {name} takes its mean over the batch",
            "add images, or take a net without batchnorm after flatten or linear",
        )
    if size == 1:
        raise UsageError(
            f"--batch-size is 1, but {name} takes its mean over the batch",
            "take a larger one, or a net without batchnorm after flatten or linear",
        )
    return Batches(count, size, joined=True)


def lonely(rows: Sequence[Row]) -> str | None:
    """The first layer that cannot take a batch of one while training."""
    found = (row.name for row in rows if isinstance(row.op, BatchNorm) and prod(row.input[1:]) == 1)
    return next(found, None)
