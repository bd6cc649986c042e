"""Test-time augmentation: the mean of what a net makes of several views of an image."""

from collections.abc import Callable

import torch
from torch import Tensor

from ...data.images import ImageSet
from ...recipe import LossName, ViewsName
from ..scores import score
from .sampling import shifted


def seen_accuracy(
    logits: Callable[[Tensor], Tensor], images: ImageSet | None, loss: LossName, views: ViewsName
) -> float | None:
    """The accuracy (0..1) on ``images`` by the mean over ``views``; None where there are no images, or no views."""
    if images is None or views == "none":
        return None
    found = seen(logits, torch.from_numpy(images.images), views)
    return score(found, torch.from_numpy(images.labels), loss).accuracy


def seen(logits: Callable[[Tensor], Tensor], images: Tensor, views: ViewsName) -> Tensor:
    """The mean of the logits (N, K) of all views of uint8 images (N, C, H, W).

    A shift of (1, 1) and one of (−1, −1) pixels, reflected at the edge, count half as much as the image where it is
    (K. Jordan, airbench: arXiv 2404.00498, section 3.5).
    """
    if "shift" in views:
        parts = [(0.5, images)]
        for by in (-1, 1):
            moved = torch.full((len(images),), by)
            parts.append((0.25, shifted(images, moved, moved, "reflect")))
    else:
        parts = [(1.0, images)]
    total = torch.zeros(())
    for share, pixels in parts:
        found = logits(pixels)
        if "flip" in views:
            found = (found + logits(pixels.flip(3).contiguous())) / 2
        total = total + share * found
    return total
