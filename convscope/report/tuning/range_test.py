"""The picture of a learning-rate range test."""

from typing import TYPE_CHECKING

from ...training.range_test import RangeTest
from ..style import COLOURS, FAINT, INK, QUIET, new_figure, own_style, plain, quiet_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@own_style()
def draw_range_test(found: RangeTest, title: str) -> "Figure":
    """Loss against learning rate on a logarithmic axis, with the rate that is suggested."""
    figure = new_figure(7, 4)
    axes = figure.subplots()
    quiet_axes(axes)
    axes.set_xscale("log")
    axes.plot(found.rates, found.losses, color=FAINT, linewidth=1.2, label="loss of each update")
    axes.plot(found.rates, found.smoothed, color=COLOURS[0], linewidth=2, label="its running mean")
    axes.axvline(found.suggested, color=COLOURS[1], linestyle="--", linewidth=1.2)
    axes.set_ylim(0, 1.5 * max(found.smoothed[0], min(found.smoothed)))
    axes.annotate(
        f"--lr {found.suggested:g}",
        (found.suggested, 0.02),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        xytext=(6, 0),
        color=INK,
        fontsize=9,
    )
    axes.set_xlabel("learning rate")
    axes.set_ylabel("training loss")
    axes.set_title(plain(title, 90), loc="left", color=QUIET, fontsize=10)
    axes.legend(frameon=False, fontsize=8)
    return figure
