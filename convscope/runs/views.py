"""The names of views (``--tta``), and how an accuracy by their mean is worded. Nothing here needs PyTorch."""

from typing import get_args

from ..errors import ConvscopeError, UsageError, near
from ..recipe import Recipe, ViewsName
from .folder import RunFolder
from .summary import Summary

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
        return stated(folder.recipe(), folder.summary())
    except ConvscopeError:
        return ""


def stated(recipe: Recipe, summary: Summary | None) -> str:
    """The :func:`figure` of a run; nothing where it has none."""
    if summary is None or summary.tta_accuracy is None:
        return ""
    return figure(summary.tta_accuracy, recipe.tta)
