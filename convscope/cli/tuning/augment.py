"""``convscope augment``: what the net sees of the training images when they are augmented."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ...recipe import Recipe
from ...storage.loading import loading
from .. import terminal
from ..options import AsJson, ClassFrom, DataDir, ImageSize, Offline, data_argument, option, plot_option, together

IMAGES, EPOCHS = 8, 9


def register(app: typer.Typer) -> None:
    """Add this file's verbs."""
    app.command()(augment)


def augment(
    data: Annotated[list[str], data_argument()],
    spec: Annotated[str, option("augment")] = "auto",
    plot: Annotated[Path, plot_option()] = Path("augment.png"),
    seed: Annotated[int, option("seed", help="That of the run: it decides what is drawn.")] = 0,
    image_size: ImageSize = None,
    class_from: ClassFrom = None,
    data_dir: DataDir = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Draw training images as a net sees them, epoch by epoch, with an augmentation."""
    recipe = Recipe(
        together(data),
        augment=spec,
        seed=seed,
        image_size=image_size,
        class_from=class_from,
        data_dir=str(data_dir) if data_dir else None,
    )
    with loading():
        from ...data.sources import open_recipe
        from ...report.style import save_plot
        from ...report.tuning.augmented import augmented, draw_augmented
        from ...training.augment import check, settled

    check(recipe)  # a wrong word is told before any data are read
    opened = open_recipe(recipe, offline)
    recipe = settled(recipe, opened)
    recipe = replace(recipe, data=opened.name)
    save_plot(draw_augmented(recipe, augmented(recipe, opened, IMAGES, EPOCHS)), plot)
    if as_json:
        terminal.emit_json({"data": together(data), "augment": recipe.augment, "seed": seed, "plot": plot})
        return
    terminal.out().print(f"augment {recipe.augment}\nplot    {plot}", markup=False)
