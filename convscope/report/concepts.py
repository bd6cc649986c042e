"""Pictures of the note's concepts: losses beside each other, one window of a convolution, the winners of a pooling."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..explain.concepts.losses import value
from ..explain.ledger_text import number
from .style import COLOURS, INK, QUIET, new_figure, quiet_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..explain.concepts.convolution import Convolution
    from ..explain.concepts.pooling import Pooling
    from ..explain.concepts.window import Axis
    from ..explain.ledger import Ledger

Array = NDArray[Any]
DIVERGING = "RdBu_r"  # blue below 0, white at 0, red above: told apart by colour-blind eyes too
WINDOW, WINNER = COLOURS[4], COLOURS[2]
CHANNELS = 4  # drawn below each other
DIGITS = 14  # cells a side up to which numbers are printed into them


def draw_loss(name: str, prediction: Array, target: Array, index: int) -> Figure:
    """All losses as a function of prediction ``index`` (flat), the others held; a dot where it is, with its slope.

    For cross entropy the others compare the logits with the one-hot target.
    """
    names = ["mse", "l2", "mae"]
    targets = dict.fromkeys(names, target)
    if name == "cross-entropy":
        one_hot = np.eye(prediction.shape[-1])[target.astype(int)]
        targets = {"cross-entropy": target, **dict.fromkeys(names, one_hot)}
    here = float(prediction.ravel()[index])
    goal = float(next(reversed(targets.values())).ravel()[min(index, next(reversed(targets.values())).size - 1)])
    reach = 1.6 * max(abs(here - goal), 1.0)
    x = np.unique(np.append(np.linspace(goal - reach, goal + reach, 401), here))
    figure = new_figure(3.3 * len(targets), 3.4)
    all_axes = figure.subplots(1, len(targets), squeeze=False)[0]
    for axes, (loss, wanted), colour in zip(all_axes, targets.items(), COLOURS, strict=False):
        values = [value(loss, _with(prediction, index, v), wanted) for v in x]
        now, step = value(loss, prediction, wanted), reach / 400
        pair = [value(loss, _with(prediction, index, here + s), wanted) for s in (-step, step)]
        slope = (pair[1] - pair[0]) / (2 * step)
        axes.plot(x, values, color=colour, linewidth=2)
        near = np.array([here - reach / 4, here + reach / 4])
        axes.plot(near, now + slope * (near - here), color=INK, linewidth=1, linestyle="--")
        axes.plot([here], [now], "o", color=INK)
        axes.annotate(f"{now:.4g}", (here, now), textcoords="offset points", xytext=(7, -4), color=INK)
        if loss != "cross-entropy":
            axes.axvline(goal, color=QUIET, linewidth=0.8, linestyle=":")
        quiet_axes(axes)
        axes.set_ylim(bottom=min(0.0, *values))
        axes.set_title(loss, loc="left", color=INK, fontweight="bold" if loss == name else "normal")
        axes.set_xlabel(f"{'logit' if name == 'cross-entropy' else 'prediction'} {index}")
    all_axes[0].set_ylabel("loss")
    figure.suptitle("Loss against one prediction; dotted: its target, dashed: the slope where it is", x=0.01, ha="left",
                    fontsize=10, color=INK)  # fmt: skip
    return figure


def draw_convolution(found: Convolution, place: tuple[int, ...]) -> Figure:
    """Input with its padding, the window of output element ``place``, the kernel, the products and the output.

    Where the input is too large for numbers, the window stands beside it once more.
    """
    o, row, column = place
    ledger = found.ledger(o, row, column)
    each = found.weight.shape[1]
    first = ledger.terms[0].channel
    shown = range(min(each, CHANNELS))
    window, products = (np.array(values).reshape(found.weight.shape[1:]) for values in
                        ([term.x.value for term in ledger.terms], [term.product for term in ledger.terms]))  # fmt: skip
    near = max(found.padded.shape[1:]) > DIGITS
    figure = new_figure(15.5 if near else 13.5, 1.2 + 3.3 * len(shown))
    grid = figure.add_gridspec(len(shown), 4 + near, width_ratios=[1.5, *[0.8] * near, 0.8, 0.8, 1.3])
    largest = float(np.abs(found.padded).max())
    for c in shown:
        cells, *windows, kernel, parts = (figure.add_subplot(grid[c, i]) for i in range(3 + near))
        _cells(cells, found.padded[first + c], found.rows, found.columns, largest)
        _taps(cells, found.rows, found.columns, row, column)
        _title(cells, f"input channel {first + c}", found.padded.shape[1:])
        for axes in windows:
            draw_plain(axes, window[c], largest)
            _title(axes, "the window", window.shape[1:])
        draw_plain(kernel, found.weight[o, c], float(np.abs(found.weight[o]).max()))
        _title(kernel, f"× kernel {o}, channel {c}", found.weight.shape[2:])
        draw_plain(parts, products[c], float(np.abs(products).max()))
        _title(parts, f"= products, sum {products[c].sum():.6g}", products.shape[1:])
    output = figure.add_subplot(grid[:, -1])
    draw_plain(output, found.output[o], float(np.abs(found.output[o]).max()))
    draw_box(output, column, row, WINDOW)
    _title(output, f"output channel {o}", found.output.shape[1:])
    left_out = each - CHANNELS
    hidden = f"   ({left_out} more input channel{'s are' if left_out > 1 else ' is'} not drawn)" if left_out > 0 else ""
    _headline(figure, f"output[{o},{row},{column}] = {_sum(ledger)}{number(ledger.reported)}{hidden}", found)
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


def _headline(figure: Figure, text: str, found: Convolution | Pooling) -> None:
    """``text`` and the size formulas, on a line of their own each where they are long."""
    height, width = found.rows.formula, found.columns.formula
    sizes = f"height {height}      width {width}" if len(height + width) < 100 else f"height {height}\nwidth  {width}"
    if height == width:
        sizes = f"height and width {height}"
    figure.suptitle(f"{text}\n{sizes}", x=0.01, ha="left", fontsize=11, color=INK)


def draw_pooling(found: Pooling, place: tuple[int, ...]) -> Figure:
    """One channel's input with the window of ``place`` and every window's winner, the output, and the gradient."""
    c, row, column = place
    ledger = found.ledger(c, row, column)
    figure = new_figure(13, 4.9)
    cells, output, gradient = figure.subplots(1, 3, width_ratios=[1.3, 0.9, 1.3])
    empty = -np.inf if found.kind == "max" else 0.0
    sides = [(axis.before, axis.after) for axis in (found.rows, found.columns)]
    padded = np.pad(found.input[c], sides, constant_values=empty)
    _cells(cells, padded, found.rows, found.columns, float(np.abs(found.input).max()))
    _taps(cells, found.rows, found.columns, row, column)
    if found.winners is not None:
        for r, q in {tuple(pair) for pair in found.winners[c].reshape(-1, 2).tolist()}:
            _circle(cells, q, r)
    _title(cells, f"input channel {c}" + (", winners circled" if found.winners is not None else ""), padded.shape)
    draw_plain(output, found.output[c], float(np.abs(found.output).max()))
    draw_box(output, column, row, WINDOW)
    _title(output, f"output channel {c}", found.output.shape[1:])
    down = found.input_gradient(np.ones_like(found.output))[c]
    draw_plain(gradient, down, float(np.abs(down).max()))
    _title(gradient, "gradient of the output's sum for the input", down.shape)
    kind = "the largest" if found.kind == "max" else "the mean"
    count = f"{len(ledger.terms)} cell{'s' * (len(ledger.terms) != 1)}"
    _headline(figure, f"output[{c},{row},{column}] = {kind} of {count} = {number(ledger.reported)}", found)
    return figure


def _with(prediction: Array, index: int, number: float) -> Array:
    changed = prediction.copy()
    changed.ravel()[index] = number
    return changed


def draw_plain(axes: Axes, array: Array, limit: float) -> None:
    """An array (H, W) as coloured cells with its numbers, rows and columns counted from 0."""
    _paint(axes, array, limit, 0, 0)


def _cells(axes: Axes, padded: Array, rows: Axis, across: Axis, limit: float) -> None:
    """An input (H, W) with its padding hatched; positions count from the input's corner."""
    from matplotlib.patches import Rectangle

    _paint(axes, padded, limit, -rows.before, -across.before)
    height, width = padded.shape
    for x, y, w, h in (
        (-across.before, -rows.before, width, rows.before), (-across.before, rows.size, width, rows.after),
        (-across.before, 0, across.before, rows.size), (across.size, 0, across.after, rows.size),
    ):  # fmt: skip
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
    axes.imshow(scaled, cmap=colormaps[DIVERGING], vmin=-1, vmax=1,
                extent=(left - 0.5, left + width - 0.5, top + height - 0.5, top - 0.5))  # fmt: skip
    if max(height, width) <= DIGITS:
        texts = _texts(array)
        longest = max(len(text) for row in texts for text in row)
        size = min(11.0, 330 / max(height, width) / longest)  # points; the narrowest grids are some 2.7 inches wide
        for y in range(height if size >= 4 else 0):
            for x in range(width):
                dark = abs(scaled[y, x]) > 0.6
                axes.text(left + x, top + y, texts[y][x], ha="center", va="center", fontsize=size,
                          color="white" if dark else INK)  # fmt: skip
        axes.set_xticks(range(left, left + width))
        axes.set_yticks(range(top, top + height))
    axes.tick_params(length=0, labelsize=7, colors=QUIET)
    axes.spines[:].set_visible(False)


def _taps(axes: Axes, rows: Axis, across: Axis, row: int, column: int) -> None:
    """The cells that one window reads; where it has gaps, its reach is dashed."""
    from matplotlib.patches import Rectangle

    top, left = rows.position(row, 0), across.position(column, 0)
    gaps = (rows.dilation, across.dilation) != (1, 1)
    style = {"linewidth": _stroke(axes) / 2, "linestyle": "--"} if gaps else {"linewidth": _stroke(axes)}
    axes.add_patch(Rectangle((left - 0.5, top - 0.5), across.reach, rows.reach, fill=False, edgecolor=WINDOW,
                             clip_on=False, **style))  # fmt: skip
    for i in range(rows.kernel if gaps else 0):
        for j in range(across.kernel):
            draw_box(axes, across.position(column, j), rows.position(row, i), WINDOW)


def draw_box(axes: Axes, x: int, y: int, colour: str) -> None:
    """A frame round the cell in column ``x`` of row ``y``."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor=colour, linewidth=_stroke(axes),
                             clip_on=False))  # fmt: skip


def _stroke(axes: Axes) -> float:
    """How thick a frame may be, in points, so that it does not hide the cell that it is drawn round."""
    left, right, bottom, top = axes.images[0].get_extent()
    return min(3.5, max(1.5, 60 / max(abs(right - left), abs(top - bottom))))


def _circle(axes: Axes, x: int, y: int) -> None:
    from matplotlib.patches import Circle

    axes.add_patch(Circle((x, y), 0.42, fill=False, edgecolor=WINNER, linewidth=2))


def _title(axes: Axes, text: str, shape: tuple[int, ...]) -> None:
    axes.set_title(f"{text}   {'×'.join(map(str, shape))}", loc="left", fontsize=9, color=INK)


def _texts(array: Array) -> list[list[str]]:
    """Numbers for cells: whole ones whole, else all with as many decimals as give the largest three digits."""
    finite = array[np.isfinite(array)]
    largest = float(np.abs(finite).max(initial=0))
    whole = largest < 1e5 and (finite == finite.astype(int)).all()
    places = 0 if whole or not largest else max(0, 2 - math.floor(math.log10(largest)))
    return [[f"{v + 0.0:.{places}f}" if np.isfinite(v) else "−∞" for v in row] for row in array.tolist()]
