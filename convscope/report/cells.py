"""Arrays as coloured cells with their numbers, windows framed in them: what convolution and pooling share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .style import COLOURS, INK, QUIET

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..explain.concepts.convolution import Convolution
    from ..explain.concepts.pooling import Pooling
    from ..explain.concepts.window import Axis

Array = NDArray[Any]
DIVERGING = "RdBu_r"  # blue below 0, white at 0, red above: told apart by colour-blind eyes too
WINDOW = COLOURS[4]
DIGITS = 14  # cells a side up to which numbers are printed into them


def draw_plain(axes: Axes, array: Array, limit: float) -> None:
    """An array (H, W) as coloured cells with its numbers, rows and columns counted from 0."""
    _paint(axes, array, limit, 0, 0)


def draw_padded(axes: Axes, padded: Array, rows: Axis, across: Axis, limit: float) -> None:
    """An input (H, W) with its padding hatched; positions count from the input's corner."""
    from matplotlib.patches import Rectangle

    _paint(axes, padded, limit, -rows.before, -across.before)
    height, width = padded.shape
    for x, y, w, h in (
        (-across.before, -rows.before, width, rows.before),
        (-across.before, rows.size, width, rows.after),
        (-across.before, 0, across.before, rows.size),
        (across.size, 0, across.after, rows.size),
    ):
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), w, h, fill=False, hatch="///", edgecolor="#c4c4c4", linewidth=0))
    right, bottom = across.size + across.after - across.dropped, rows.size + rows.after - rows.dropped
    for x, y, w, h in (
        (-across.before, bottom, width, rows.dropped),
        (right, -rows.before, across.dropped, height - rows.dropped),
    ):
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), w, h, facecolor="white", alpha=0.7, linewidth=0))
    for text in axes.texts:
        column, row = text.get_position()
        if column >= right or row >= bottom:
            text.set_color(QUIET)
    if rows.dropped or across.dropped:
        axes.set_xlabel("pale: no window reaches it", fontsize=8, color=QUIET)
    axes.add_patch(Rectangle((-0.5, -0.5), across.size, rows.size, fill=False, edgecolor=INK, linewidth=1.2))


def _paint(axes: Axes, array: Array, limit: float, top: int, left: int) -> None:
    from matplotlib import colormaps

    height, width = array.shape
    scaled = np.where(np.isfinite(array), array, 0) / (limit or 1)
    axes.imshow(
        scaled,
        cmap=colormaps[DIVERGING],
        vmin=-1,
        vmax=1,
        extent=(left - 0.5, left + width - 0.5, top + height - 0.5, top - 0.5),
    )
    if max(height, width) <= DIGITS:
        texts = _texts(array)
        longest = max(len(text) for row in texts for text in row)
        size = min(11.0, 330 / max(height, width) / longest)  # points; the narrowest grids are some 2.7 inches wide
        for y in range(height if size >= 4 else 0):
            for x in range(width):
                dark = abs(scaled[y, x]) > 0.6
                axes.text(
                    left + x,
                    top + y,
                    texts[y][x],
                    ha="center",
                    va="center",
                    fontsize=size,
                    color="white" if dark else INK,
                )
        axes.set_xticks(range(left, left + width))
        axes.set_yticks(range(top, top + height))
    axes.tick_params(length=0, labelsize=7, colors=QUIET)
    axes.spines[:].set_visible(False)


def draw_window(axes: Axes, rows: Axis, across: Axis, row: int, column: int) -> None:
    """The cells that one window reads; where it has gaps, its reach is dashed."""
    from matplotlib.patches import Rectangle

    top, left = rows.position(row, 0), across.position(column, 0)
    gaps = (rows.dilation, across.dilation) != (1, 1)
    style = {"linewidth": _stroke(axes) / 2, "linestyle": "--"} if gaps else {"linewidth": _stroke(axes)}
    axes.add_patch(
        Rectangle(
            (left - 0.5, top - 0.5), across.reach, rows.reach, fill=False, edgecolor=WINDOW, clip_on=False, **style
        )
    )
    for i in range(rows.kernel if gaps else 0):
        for j in range(across.kernel):
            draw_box(axes, across.position(column, j), rows.position(row, i), WINDOW)


def draw_box(axes: Axes, x: int, y: int, colour: str) -> None:
    """A frame round the cell in column ``x`` of row ``y``."""
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor=colour, linewidth=_stroke(axes), clip_on=False)
    )


def _stroke(axes: Axes) -> float:
    """How thick a frame may be, in points, so that it does not hide the cell that it is drawn round."""
    left, right, bottom, top = axes.images[0].get_extent()
    return min(3.5, max(1.5, 60 / max(abs(right - left), abs(top - bottom))))


def title_cells(axes: Axes, text: str, shape: tuple[int, ...]) -> None:
    """What the cells are, and their shape, above them."""
    axes.set_title(f"{text}   {'×'.join(map(str, shape))}", loc="left", fontsize=9, color=INK)


def _texts(array: Array) -> list[list[str]]:
    """Numbers for cells: whole ones whole, else all with as many decimals as give the largest three digits."""
    finite = array[np.isfinite(array)]
    largest = float(np.abs(finite).max(initial=0))
    whole = largest < 1e5 and (finite == finite.astype(int)).all()
    places = 0 if whole or not largest else max(0, 2 - math.floor(math.log10(largest)))
    return [[f"{v + 0.0:.{places}f}" if np.isfinite(v) else "−∞" for v in row] for row in array.tolist()]


def headline(figure: Figure, text: str, found: Convolution | Pooling) -> None:
    """``text`` and the size formulas, on a line of their own each where they are long."""
    height, width = found.rows.formula, found.columns.formula
    sizes = f"height {height}      width {width}" if len(height + width) < 100 else f"height {height}\nwidth  {width}"
    if height == width:
        sizes = f"height and width {height}"
    figure.suptitle(f"{text}\n{sizes}", x=0.01, ha="left", fontsize=11, color=INK)
