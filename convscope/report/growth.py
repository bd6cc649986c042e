"""The picture of a learning curve: test accuracy against the number of training images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..training.growth import Point
from .style import COLOURS, INK, new_figure, own_style, plain, quiet_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@own_style()
def draw_growth(points: Sequence[Point], name: str) -> "Figure":
    """Accuracies with their 95 % intervals, on a logarithmic axis of images: each doubling is as wide as the next."""
    figure = new_figure(6, 4)
    axes = figure.subplots()
    images = [point.images for point in points]
    accuracy = [100 * point.accuracy for point in points]
    below = [100 * (point.accuracy - point.interval[0]) for point in points]
    above = [100 * (point.interval[1] - point.accuracy) for point in points]
    axes.errorbar(images, accuracy, yerr=[below, above], marker="o", capsize=4, color=COLOURS[0])
    quiet_axes(axes)
    axes.set_xscale("log", base=2)
    axes.set_xticks(images, [f"{count:,}" for count in images])
    axes.minorticks_off()
    axes.set_xlabel("training images")
    axes.set_ylabel("test accuracy in %, with its 95 % interval")
    axes.set_title(f"{plain(name)}: what more images bring", loc="left", color=INK)
    return figure
