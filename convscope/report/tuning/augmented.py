"""The picture of an augmentation: training images, and what the net sees of each in the epochs."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ...data.batches import epoch_order
from ...data.images import Dataset
from ...recipe import Recipe
from ...training.augment import Augment, augmenter
from ..style import INK, new_figure, own_style, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def augmented(recipe: Recipe, data: Dataset, images: int, epochs: int, own: Augment | None = None) -> NDArray[np.uint8]:
    """Training images of different classes, each as it is and then as in epochs 1..``epochs``: uint8
    (``images``, ``epochs`` + 1, C, H, W), fewer where there are fewer."""
    train = data.train
    chosen = torch.from_numpy(_of_many_classes(train.labels, images, recipe.seed))
    pixels = torch.from_numpy(train.images)[chosen]
    augment = augmenter(recipe, data, own)
    seen = [pixels] + [pixels if augment is None else augment(pixels, chosen, epoch) for epoch in range(1, epochs + 1)]
    return np.stack([batch.numpy() for batch in seen], axis=1)


@own_style()
def draw_augmented(recipe: Recipe, seen: NDArray[np.uint8]) -> "Figure":
    """A row for each image of :func:`augmented`: itself, then as in every epoch."""
    count, columns, _, height, width = seen.shape
    figure = new_figure(1.1 * columns, 0.6 + 1.1 * count * min(3.0, height / width))
    figure.suptitle(plain(f"{recipe.data}: {recipe.augment}", 120), x=0.01, ha="left", color=INK, fontsize=10)
    grid = figure.subplots(count, columns, squeeze=False)
    for row, of_image in enumerate(seen):
        for column, image in enumerate(of_image):
            axes = grid[row, column]
            shown = image.transpose(1, 2, 0)
            axes.imshow(shown.repeat(3, 2) if shown.shape[2] == 1 else shown, interpolation="nearest")
            axes.axis("off")
            if row == 0:
                axes.set_title(f"epoch {column}" if column else "as it is", fontsize=8, color=INK)
    return figure


def _of_many_classes(labels: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """Images at random, one of each class before any class has a second; by class."""
    order = epoch_order(len(labels), seed, 1)
    rounds: dict[int, int] = {}
    turn = []
    for label in labels[order].tolist():
        rounds[label] = rounds.get(label, 0) + 1
        turn.append(rounds[label])
    chosen = order[np.argsort(turn, kind="stable")[:most]]
    return chosen[np.argsort(labels[chosen], kind="stable")]
