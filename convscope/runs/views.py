"""Test-time augmentation: the mean of what a net makes of several views of an image."""

from collections.abc import Callable
from typing import get_args

import torch
from torch import Tensor

from ..errors import UsageError, near
from ..recipe import ViewsName
from ..training.augment.sampling import shifted

TEXTS: dict[ViewsName, str] = {
    "none": "",
    "flip": "mean of each image and its mirror image",
    "shift": "mean of each image and two shifted by a pixel",
    "flip+shift": "mean of each image and two shifted by a pixel, and of their mirror images",
}


def views_of(text: str) -> ViewsName:
    """The views that a user names. Raises UsageError."""
    for known in TEXTS:
        if text == known:
            return known
    raise UsageError(f"--tta is {text[:40]!r}", near(text[:40], get_args(ViewsName)))


def accuracy_text(accuracy: float, views: ViewsName) -> str:
    """The accuracy by the mean over ``views``, below the one without."""
    return f"        {100 * accuracy:.2f} % with --tta {views}: {TEXTS[views]}"


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
