"""Loss and accuracy against epoch, for one run or several."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..runs import RunFolder
from .style import COLOURS, INK, QUIET, new_figure, quiet_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_curves(folders: Sequence[RunFolder]) -> "Figure":
    """Loss (left) and accuracy in per cent (right) against epoch."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(10, 4)
    left, right = figure.subplots(1, 2)
    for folder, colour in zip(folders, COLOURS * (len(folders) // len(COLOURS) + 1), strict=False):
        epochs = folder.epochs()
        if not epochs:
            continue
        x = [epoch.epoch for epoch in epochs]
        name = f"{folder.name} " if len(folders) > 1 else ""
        style = {"color": colour, "linewidth": 1.8, "marker": "o", "markersize": 3.5 if len(x) <= 30 else 0}
        left.plot(x, [epoch.train_loss for epoch in epochs], label=f"{name}train", **(style | {"linestyle": ":"}))
        left.plot(x, [epoch.test_loss for epoch in epochs], label=f"{name}test", **style)
        right.plot(x, [100 * epoch.test_accuracy for epoch in epochs], label=f"{name}test", **style)
        if epochs[0].val_accuracy is not None:
            values = [100 * (epoch.val_accuracy or 0) for epoch in epochs]
            right.plot(x, values, label=f"{name}validation", **(style | {"linestyle": "--"}))
        if len(folders) == 1:
            right.annotate(f"{100 * epochs[-1].test_accuracy:.2f} %", (x[-1], 100 * epochs[-1].test_accuracy),
                           textcoords="offset points", xytext=(0, -14), ha="right", color=INK)  # fmt: skip
    left.update_datalim([(0, 0)], updatex=False)  # the margin is that of 0..highest, so no marker is cut
    left.autoscale_view()
    left.set_ylim(bottom=0)
    for axes, title, unit in ((left, "Loss", "mean loss"), (right, "Accuracy on the test images", "accuracy in %")):
        quiet_axes(axes)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("epoch")
        axes.set_ylabel(unit)
        axes.set_title(title, loc="left", color=INK)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=8)
    if len(folders) == 1:
        figure.suptitle(folders[0].name, x=0.01, ha="left", fontsize=10, color=QUIET)
    return figure
