"""The picture of a pooling: every window's winner, the output, and where the gradient goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..explain.ledger_text import number
from .cells import WINDOW, draw_box, draw_padded, draw_plain, draw_window, headline, title_cells
from .style import COLOURS, new_figure, own_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..explain.concepts.pooling import Pooling

WINNER = COLOURS[2]


@own_style()
def draw_pooling(found: Pooling, place: tuple[int, ...]) -> Figure:
    """One channel's input with the window of ``place`` and every window's winner, the output, and the gradient."""
    c, row, column = place
    ledger = found.ledger(c, row, column)
    figure = new_figure(13, 4.9)
    cells, output, gradient = figure.subplots(1, 3, width_ratios=[1.3, 0.9, 1.3])
    empty = -np.inf if found.kind == "max" else 0.0
    sides = [(axis.before, axis.after) for axis in (found.rows, found.columns)]
    padded = np.pad(found.input[c], sides, constant_values=empty)
    draw_padded(cells, padded, found.rows, found.columns, float(np.abs(found.input).max()))
    draw_window(cells, found.rows, found.columns, row, column)
    if found.winners is not None:
        for r, q in {tuple(pair) for pair in found.winners[c].reshape(-1, 2).tolist()}:
            _circle(cells, q, r)
    circled = found.winners is not None
    title_cells(cells, f"input channel {c}, winners circled" if circled else f"input channel {c}", padded.shape)
    draw_plain(output, found.output[c], float(np.abs(found.output).max()))
    draw_box(output, column, row, WINDOW)
    title_cells(output, f"output channel {c}", found.output.shape[1:])
    down = found.input_gradient(np.ones_like(found.output))[c]
    draw_plain(gradient, down, float(np.abs(down).max()))
    title_cells(gradient, "gradient of the output's sum for the input", down.shape)
    count = f"{len(ledger.terms)} cell{'s' * (len(ledger.terms) != 1)}"
    largest = f"output[{c},{row},{column}] = the largest of {count} = {number(ledger.reported)}"
    mean = f"output[{c},{row},{column}] = the mean of {count} = {number(ledger.reported)}"
    headline(figure, largest if found.kind == "max" else mean, found)
    return figure


def _circle(axes: Axes, x: int, y: int) -> None:
    from matplotlib.patches import Circle

    axes.add_patch(Circle((x, y), 0.42, fill=False, edgecolor=WINNER, linewidth=2))
