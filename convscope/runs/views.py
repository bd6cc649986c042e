"""Test-time augmentation: the mean of what a net makes of several views of an image."""

from collections.abc import Callable
from typing import get_args

import torch
from torch import Tensor

from ..data.images import ImageSet
from ..errors import ConvscopeError, UsageError, near
from ..recipe import LossName, ViewsName
from ..training.augment.sampling import shifted
from ..training.scores import score
from .folder import RunFolder

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


def others_of(views: ViewsName, trained: ViewsName) -> list[ViewsName]:
    """The views beside ``views`` by which an accuracy is stated of a run that was ``trained`` with some, too."""
    known: list[ViewsName] = ["none", trained] if trained != "none" else ["none"]
    return [other for other in known if other != views]


def figure(accuracy: float, views: ViewsName) -> str:
    """An accuracy and the views that it is the mean over, as it stands beside another one."""
    if views == "none":
        return f"{100 * accuracy:.2f} % without --tta"
    return f"{100 * accuracy:.2f} % with --tta {views}"


def beside(spread: object, views: ViewsName) -> str:
    """The mean and deviation of accuracies by the mean over ``views``, below those without."""
    return f"with --tta {views}: {spread}"


def explained(accuracy: float, views: ViewsName) -> str:
    """:func:`figure`, and what the views are."""
    return figure(accuracy, views) + (f": {TEXTS[views]}" if views != "none" else "")


def noted(folder: RunFolder) -> str:
    """The :func:`figure` that the run in ``folder`` noted; nothing where it has none, or cannot be read."""
    try:
        summary = folder.summary()
        if summary is None or summary.tta_accuracy is None:
            return ""
        return figure(summary.tta_accuracy, folder.recipe().tta)
    except ConvscopeError:
        return ""


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
