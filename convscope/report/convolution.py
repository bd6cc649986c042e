"""The picture of a convolution: one window, its kernel, the products and the output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..explain.ledger_text import number
from .cells import DIGITS, WINDOW, draw_box, draw_padded, draw_plain, draw_window, headline, title_cells
from .style import new_figure, own_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..explain.concepts.convolution import Convolution
    from ..explain.ledger import Ledger

CHANNELS = 4  # drawn below each other


@own_style()
def draw_convolution(found: Convolution, place: tuple[int, ...]) -> Figure:
    """Input with its padding, the window of output element ``place``, the kernel, the products and the output.

    Where the input is too large for numbers, the window stands beside it once more.
    """
    o, row, column = place
    ledger = found.ledger(o, row, column)
    each = found.weight.shape[1]
    first = ledger.terms[0].channel
    shown = range(min(each, CHANNELS))
    window, products = (
        np.array(values).reshape(found.weight.shape[1:])
        for values in ([term.x.value for term in ledger.terms], [term.product for term in ledger.terms])
    )
    near = max(found.padded.shape[1:]) > DIGITS
    figure = new_figure(15.5 if near else 13.5, 1.2 + 3.3 * len(shown))
    grid = figure.add_gridspec(len(shown), 4 + near, width_ratios=[1.5, *[0.8] * near, 0.8, 0.8, 1.3])
    largest = float(np.abs(found.padded).max())
    for c in shown:
        cells, *windows, kernel, parts = (figure.add_subplot(grid[c, i]) for i in range(3 + near))
        draw_padded(cells, found.padded[first + c], found.rows, found.columns, largest)
        draw_window(cells, found.rows, found.columns, row, column)
        title_cells(cells, f"input channel {first + c}", found.padded.shape[1:])
        for axes in windows:
            draw_plain(axes, window[c], largest)
            title_cells(axes, "the window", window.shape[1:])
        draw_plain(kernel, found.weight[o, c], float(np.abs(found.weight[o]).max()))
        title_cells(kernel, f"× kernel {o}, channel {c}", found.weight.shape[2:])
        draw_plain(parts, products[c], float(np.abs(products).max()))
        title_cells(parts, f"= products, sum {products[c].sum():.6g}", products.shape[1:])
    output = figure.add_subplot(grid[:, -1])
    draw_plain(output, found.output[o], float(np.abs(found.output[o]).max()))
    draw_box(output, column, row, WINDOW)
    title_cells(output, f"output channel {o}", found.output.shape[1:])
    left_out = each - CHANNELS
    hidden = f"   ({left_out} more input channel{'s are' if left_out > 1 else ' is'} not drawn)" if left_out > 0 else ""
    headline(figure, f"output[{o},{row},{column}] = {_sum(ledger)}{number(ledger.reported)}{hidden}", found)
    return figure


def _sum(ledger: Ledger) -> str:
    """What makes the number: the products where they are few, else the sums of the channels; "" for one term."""
    parts = [part.total for part in ledger.subtotals]
    texts = [f"{value:.6g}" for value in parts[:6]] + ["…"] * (len(parts) > 6)
    if len(ledger.terms) <= 9:
        texts = [f"{t.x.value:.4g}·{_bracketed(t.w.value)}" for t in ledger.terms if t.w is not None]
    texts += [] if ledger.bias is None else [f"{ledger.bias.value:.6g}"]
    return f"{' + '.join(texts).replace('+ -', '− ')} = " if len(texts) > 1 else ""


def _bracketed(value: float) -> str:
    return f"({value:.4g})" if value < 0 else f"{value:.4g}"
