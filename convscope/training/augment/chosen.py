"""The augmentation that a recipe chooses."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ...data.images import Dataset
from ...errors import UsageError
from ...recipe import Recipe
from .spec import Augment, Augmentation, parse
from .usual import USUAL, usual

OWN = "own "  # begins the name of a function that was given in Python, in a recipe


def named(function: Callable[..., Any]) -> str:
    """How a recipe calls a user's own function. Raises UsageError where it cannot be called as an augmentation is."""
    try:
        inspect.signature(function).bind("images", "numbers", "epoch")
    except TypeError:
        raise UsageError(
            "augment cannot be called with images, numbers and epoch",
            "write def augment(images, numbers, epoch): …, which returns uint8 of the images' shape",
        ) from None
    except ValueError:  # a function of C tells nothing of what it takes
        pass
    return OWN + getattr(function, "__name__", type(function).__name__)


def check(recipe: Recipe) -> None:
    """Refuse an augmentation that cannot be read. Raises SpecError that points at the word."""
    if recipe.augment.strip() not in USUAL and not recipe.augment.startswith(OWN):
        parse(recipe.augment)


def settled(recipe: Recipe, data: Dataset) -> Recipe:
    """``recipe`` with the steps that its augmentation stands for on ``data``. Raises SpecError."""
    if recipe.augment.startswith(OWN):
        return recipe
    text = usual(recipe.augment, recipe.data, data.classes, data.train.shape)
    return replace(recipe, augment=Augmentation.of(text).text)


def augmenter(recipe: Recipe, data: Dataset, own: Augment | None = None) -> Augment | None:
    """What changes the training images, None where they stay as they are. ``own`` is the user's own function.

    Raises UsageError where the recipe names such a function, and it is not given.
    """
    if recipe.augment.startswith(OWN):
        if own is None:
            name = recipe.augment.removeprefix(OWN)[:60]
            raise UsageError(
                f"the run's augmentation is the function {name!r}, which was given in Python",
                "give it again: convscope.resume(run, augment=…)",
            )
        return own
    found = Augmentation.of(settled(recipe, data).augment, recipe.seed)
    return found if found.steps else None
