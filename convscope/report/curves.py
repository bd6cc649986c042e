"""The curves of a run: loss and accuracy against epoch, for one run or several."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..language import say
from ..runs.folder import RunFolder
from ..runs.listing import told_apart
from ..runs.views import noted
from ..training.records import Epoch
from .style import COLOURS, INK, QUIET, new_figure, own_style, plain, quiet_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Line, marker and its face, None: the line's colour.
STYLES = {"training": (":", "s", "white"), "validation": ("--", "^", None), "test": ("-", "o", None)}


@own_style()
def draw_curves(folders: Sequence[RunFolder], views: Sequence[str] | None = None) -> "Figure":
    """Loss (left) and accuracy in per cent (right) against epoch.

    Of a single run, the accuracy of the weights that are kept has a larger point and stands above the axes, where no
    line crosses it. Each of several has a colour, and one legend stands beside the axes. Curves are without test-time
    views; below the name of a run stands its accuracy with them (``views``, where the runs have not noted it yet).
    """
    from matplotlib.ticker import MaxNLocator

    names = _names(folders, [noted(folder) for folder in folders] if views is None else views)
    several = len(folders) > 1
    figure = new_figure(12, max(4, 1.2 + 0.17 * len(folders))) if several else new_figure(10, 4)
    left, right = figure.subplots(1, 2)
    for number, folder in enumerate(folders):
        epochs = folder.epochs()
        if epochs:
            _draw_run(left, right, epochs, COLOURS[number % len(COLOURS)])
            if len(folders) == 1:
                _mark_kept(right, epochs)
    left.update_datalim([(0, 0)], updatex=False)  # the margin is that of 0..highest, so no marker is cut
    left.autoscale_view()
    left.set_ylim(bottom=0)
    for axes, title, unit in ((left, "Loss", "mean loss"), (right, "Accuracy", "accuracy in %")):
        quiet_axes(axes)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlabel("epoch")
        axes.set_ylabel(unit)
        axes.set_title(title, loc="left", color=INK)
        if not several and axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=8)
    if several:
        _name_lines(figure, left, names)
    elif folders:
        figure.suptitle(names[0], x=0.01, ha="left", fontsize=10, color=QUIET)
    return figure


def _names(folders: Sequence[RunFolder], views: Sequence[str]) -> list[str]:
    """The name of each run, and what it came to with views."""
    most = 40 if len(folders) > 1 else 120
    names = (plain(name, most, most // 2) for name in told_apart([folder.path for folder in folders]))
    return [f"{name}\n{plain(say(text))}" if text else name for name, text in zip(names, views, strict=True)]


def _name_lines(figure: "Figure", axes: "Axes", names: Sequence[str]) -> None:
    """A legend beside the axes: the colour of each run, and what the kinds of lines in ``axes`` are."""
    from matplotlib.lines import Line2D

    kinds = {str(line.get_label()): line for line in sorted(axes.get_lines(), key=lambda line: line.get_markersize())}
    colours = [
        Line2D([], [], color=COLOURS[number % len(COLOURS)], linewidth=1.8, label=name)
        for number, name in enumerate(names)
    ]
    styles = [
        Line2D(
            [],
            [],
            color=INK,
            linestyle=line.get_linestyle(),
            linewidth=1.8,
            marker=line.get_marker(),
            markersize=line.get_markersize(),
            markerfacecolor="white" if line.get_markerfacecolor() == "white" else INK,
            label=kind,
        )
        for kind, line in kinds.items()
    ]
    figure.legend(handles=colours + styles, loc="outside right upper", frameon=False, fontsize=8, handlelength=3)


def _draw_run(left: "Axes", right: "Axes", epochs: Sequence[Epoch], colour: str) -> None:
    """Training dotted, validation dashed, test solid; of a single epoch the markers alone tell them apart."""
    x = [epoch.epoch for epoch in epochs]
    size = 7 if len(x) == 1 else 4 if len(x) <= 30 else 0

    def line(axes: "Axes", values: Sequence[float], what: str) -> None:
        style, marker, face = STYLES[what]
        axes.plot(
            x,
            values,
            label=what,
            linestyle=style,
            color=colour,
            linewidth=1.8,
            marker=marker,
            markersize=size,
            markerfacecolor=face or colour,
        )

    line(left, [epoch.train_loss for epoch in epochs], "training")
    if epochs[0].val_loss is not None:
        line(left, [epoch.val_loss or 0.0 for epoch in epochs], "validation")
        line(right, [100 * (epoch.val_accuracy or 0.0) for epoch in epochs], "validation")
    line(left, [epoch.test_loss for epoch in epochs], "test")
    line(right, [100 * epoch.test_accuracy for epoch in epochs], "test")


def _mark_kept(axes: "Axes", epochs: Sequence[Epoch]) -> None:
    """The test accuracy of the weights that are kept: the best by validation, where there is one, else the last."""
    validated = [epoch for epoch in epochs if epoch.val_loss is not None and math.isfinite(epoch.val_loss)]
    kept = min(validated, key=lambda epoch: epoch.val_loss or 0.0) if validated else epochs[-1]
    accuracy = 100 * kept.test_accuracy
    axes.plot([kept.epoch], [accuracy], color=COLOURS[0], marker="o", markersize=7)
    text = f"{accuracy:.2f} %" + (f" (kept: epoch {kept.epoch})" if validated else "")
    axes.set_title(text, loc="right", fontsize=10, color=INK)
