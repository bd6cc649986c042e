"""The pictures of an evaluation: confusion matrix and contact sheet."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..language.counts import number_of
from ..language.width import fit
from ..training.scores import confidence_text
from .style import FAINT, INK, NAME, QUIET, new_figure, own_style, plain, save_figure, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..runs.evaluation import Tested

LONGEST_NAME = 24  # columns of a class on an axis, or of a line below a picture
MOST_CELLS_WITH_NUMBERS = 30  # classes; beyond that the numbers would be unreadable


@dataclass(frozen=True)
class Picture:
    """One image (C, H, W) uint8 of a contact sheet and the lines below it."""

    image: NDArray[np.uint8]
    lines: tuple[str, ...]


def save_pictures(tested: "Tested", folder: Path, title: str, worst: int) -> None:
    """Write confusion.png, and worst.png with the ``worst`` most confident mistakes."""
    save_figure(draw_confusion(tested.evaluation.confusion, tested.classes), folder / "confusion.png")
    classes, images = tested.classes, tested.images
    mistakes = tested.mistakes(worst)
    sheet = [
        Picture(
            images.images[wrong.index],
            (
                fit(Path(images.name(wrong.index)).name, LONGEST_NAME, LONGEST_NAME - 1),
                f"label: {fit(classes[wrong.label], 17, 8)}",
                f"predicted: {fit(classes[wrong.predicted], 13, 6)}",
                confidence_text(tested.loss, wrong.confidence),  # alone: beside Arabic it would be turned round
            ),
        )
        for wrong in mistakes
    ]
    every = tested.evaluation.images - int(tested.evaluation.confusion.trace())
    what = f"the {len(sheet)} most confident of {number_of(every, 'mistake')}" if every else "no mistakes"
    save_figure(draw_sheet(sheet, f"{title}: {what}"), folder / "worst.png")


@own_style()
def draw_confusion(confusion: NDArray[np.int64], classes: Sequence[str]) -> "Figure":
    """Rows true, columns predicted; mistakes in orange by their share of the row, so that they stand out."""
    k = len(classes)
    share = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    mistakes = share.copy()
    np.fill_diagonal(mistakes, 0)
    size = min(16.0, max(4.5, 2 + 0.45 * k))
    figure = new_figure(size, size)
    axes = figure.subplots()
    top = max(float(mistakes.max()), 1e-9)
    shade = np.where(mistakes > 0, 0.2 + 0.8 * mistakes / top, np.nan)
    axes.imshow(shade, cmap="Oranges", vmin=0, vmax=2.2)  # the paler half, on which black print is readable
    axes.set_xticks(np.arange(1, k) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, k) - 0.5, minor=True)
    axes.grid(which="minor", color=FAINT, linewidth=0.8)
    if k <= MOST_CELLS_WITH_NUMBERS:
        for i, j in np.ndindex(k, k):
            if confusion[i, j]:
                weight = "bold" if i == j else "normal"
                axes.text(j, i, f"{confusion[i, j]}", ha="center", va="center", color=INK, fontsize=8, weight=weight)
        names = [short(name, LONGEST_NAME) for name in classes]
        upright = max(map(len, names)) <= 2
        turn, side = (0, "center") if upright else (60, "right")
        axes.set_xticks(range(k), names, rotation=turn, ha=side, rotation_mode="anchor", label=NAME)
        axes.set_yticks(range(k), names, label=NAME)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(f"{confusion.trace():,} of {confusion.sum():,} right; mistakes in orange", loc="left", color=INK)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_color(QUIET)
    return figure


@own_style()
def draw_sheet(pictures: Sequence[Picture], title: str) -> "Figure":
    """A contact sheet of pictures of one size, eight a row, each with its lines of text."""
    columns = 8
    rows = max(1, -(-len(pictures) // columns))
    _, height, width = pictures[0].image.shape if pictures else (1, 0, 1)
    figure = new_figure(1.5 * columns, 0.5 + rows * (0.8 + 1.5 * min(3.0, height / width)))
    figure.suptitle(plain(title, 120), x=0.01, ha="left", color=INK)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, picture in zip(grid.flat, pictures, strict=False):
        pixels = picture.image.transpose(1, 2, 0)  # (H, W, C)
        grey = pixels.shape[2] == 1
        axes.imshow(pixels[:, :, 0] if grey else pixels, cmap="gray" if grey else None, vmin=0, vmax=255)
        lines = "\n".join(plain(line, LONGEST_NAME) for line in picture.lines)
        axes.text(0.5, -0.05, lines, fontsize=7.5, color=INK, ha="center", va="top", transform=axes.transAxes)
    return figure
