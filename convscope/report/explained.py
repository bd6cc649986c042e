"""Pictures of one image in one net: feature maps of every layer, one activation with its window, why this class."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from ..explain.ledger_text import number
from ..language.counts import number_of
from ..training.scores import confidence_of
from .cells import DIVERGING, WINDOW, Array, draw_box, draw_plain
from .style import COLOURS, INK, NAME, QUIET, new_figure, own_style, plain, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..explain.ledger import Ledger
    from ..explain.trained.explanation import Explanation
    from ..explain.trained.receptive import ReceptiveField
    from ..explain.trained.saliency import Saliency
    from ..explain.trained.trace import Call

IN_A_ROW, MOST_MAPS, MOST_ROWS = 20, 40, 14
SHORT = 16  # numbers of a vector that are written into its cells
FEW, LONGEST = 5, 48  # bars that fill the height of their axes, columns of a class's name beside its bar


@own_style()
def draw_maps(found: Explanation, title: str) -> Figure:
    """The image, every layer's maps, and the probabilities. Each layer has its own scale, with white at zero."""
    calls = [
        c for c in found.trace.calls.values() if c.output is not None and c.output.ndim in (1, 3) and c.output.size
    ]
    calls = [c for c in calls if not (c.source in found.trace.calls and c.kind in ("Flatten", "Dropout", "view"))]
    left_out = max(0, len(calls) - MOST_ROWS)
    calls = calls[: MOST_ROWS - 1] + calls[-1:] if left_out else calls
    sheets = [_sheet(c.output) for c in calls if c.output is not None]
    heights = [max(0.35, min(2.4, 11 * len(sheet) / sheet.shape[1])) if len(sheet) > 1 else 0.35 for sheet in sheets]
    figure = new_figure(13, 3.1 + sum(heights) + 0.25 * len(calls))
    grid = figure.add_gridspec(len(calls) + 1, 1, height_ratios=[2.2, *heights])
    top = grid[0].subgridspec(1, 2, width_ratios=[1, 3])
    _image(figure.add_subplot(top[0]), found, "what the net sees")
    _confidences(figure.add_subplot(top[1]), found)
    for i, (call, sheet) in enumerate(zip(calls, sheets, strict=True)):
        assert call.output is not None
        axes = figure.add_subplot(grid[i + 1])
        limit = float(np.nanmax(np.abs(sheet))) or 1.0
        shown = axes.imshow(sheet, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
        if call.output.ndim == 1:
            axes.set_aspect("auto")
            _numbers(axes, call.output, limit, found.classes if call is calls[-1] else ())
        axes.set_anchor("W")
        shape = "×".join(map(str, call.output.shape))
        more = f", the first {MOST_MAPS} drawn" if call.output.ndim == 3 and len(call.output) > MOST_MAPS else ""
        low, high = float(call.output.min()), float(call.output.max())
        reads = f"   reads {', '.join(call.inputs)}" if len(call.inputs) > 1 else ""
        axes.set_title(
            plain(f"{call.name}   {shape}{reads}{more}   {low:.3g} … {high:.3g}", 150),
            loc="left",
            fontsize=9,
            color=INK,
        )
        axes.set_axis_off()
        bar = figure.colorbar(shown, ax=axes, fraction=0.012, pad=0.01, ticks=[-limit, 0, limit], panchor=False)
        bar.ax.set_yticklabels([f"{-limit:.2g}", "0", f"{limit:.2g}"], fontsize=7)
        bar.outline.set_visible(False)
    hidden = f"   (not drawn: {number_of(left_out, 'layer')} in the middle)" if left_out else ""
    figure.suptitle(plain(title + hidden, 200), x=0.01, ha="left", fontsize=11, color=INK)
    return figure


@own_style()
def draw_activation(found: Explanation, ledger: Ledger, field: ReceptiveField) -> Figure:
    """One activation: its receptive field in the image, the window that it reads (in the channel that adds most), and
    its own map."""
    call = found.trace.calls[ledger.name]
    figure = new_figure(13, 4.8)
    image, window, output = figure.subplots(1, 3)
    _image(image, found, f"image, receptive field {field.mask.sum()} pixels")
    if field.mask.any():
        _outline(image, field.top, field.bottom, field.left, field.right)
        veil = np.ones((*field.mask.shape, 4)) * [1, 1, 1, 0.55]
        veil[field.mask, 3] = 0
        image.imshow(veil)
    reads, source = _read(call, ledger)
    cells = [term.x for term in ledger.terms if term.x.tensor == reads]
    assert call.output is not None
    if source.ndim == 3 and len(cells[0].index) == 3:
        channel = max(ledger.subtotals, key=lambda part: abs(part.total)).channel if ledger.subtotals else 0
        channel = channel if ledger.subtotals and len(ledger.subtotals) > 1 else cells[0].index[0]
        draw_plain(window, source[channel], float(np.abs(source).max()))
        rows, columns = ([cell.index[a] for cell in cells if cell.index[0] == channel] for a in (1, 2))
        _outline(window, min(rows), max(rows), min(columns), max(columns))
        sums = {part.channel: part.total for part in ledger.subtotals}
        adds = f", adds {sums[channel]:.4g} to the sum" if len(sums) > 1 else ""
        window.set_title(plain(f"{reads}, channel {channel}: the window{adds}"), loc="left", fontsize=9, color=INK)
    else:
        _vector(window, source.ravel(), f"{reads}: {number_of(source.size, 'number')}")
    if call.output.ndim == 3:
        c, row, column = ledger.index
        draw_plain(output, call.output[c], float(np.abs(call.output).max()))
        draw_box(output, column, row, WINDOW)
        output.set_title(plain(f"{call.name}, channel {c}"), loc="left", fontsize=9, color=INK)
    else:
        _vector(output, call.output.ravel(), f"{call.name}: {number_of(call.output.size, 'number')}", ledger.index[-1])
    figure.suptitle(plain(f"{ledger.text} = {number(ledger.reported)}", 200), x=0.01, ha="left", fontsize=11, color=INK)
    return figure


def _read(call: Call, ledger: Ledger) -> tuple[str, Array]:
    """The tensor that a ledger's terms come from; where branches meet, the one of the largest term."""
    if call.operands:
        largest = max(ledger.terms, key=lambda term: abs(term.product)).x.tensor
        return next((o.source, o.values) for o in call.operands if o.source == largest)
    assert call.input is not None
    return call.reads, call.input


@own_style()
def draw_saliency(found: Explanation, why: Saliency) -> Figure:
    """Image, gradient × input, occlusion and Grad-CAM side by side; red speaks for the class, blue against it."""
    figure = new_figure(14, 4.2)
    axes = figure.subplots(1, 4)
    _image(axes[0], found, "what the net sees")
    maps = [
        ("gradient × input", why.gradient_input),
        (f"occlusion by {why.square}×{why.square}", why.occlusion),
        (f"Grad-CAM at {why.layer}" if why.layer else "no convolution: no Grad-CAM", why.grad_cam),
    ]
    height, width = why.gradient_input.shape
    grey = found.trace.image.mean(0)
    for place, (name, values) in zip(axes[1:], maps, strict=True):
        place.set_title(plain(name), loc="left", fontsize=10, color=INK)
        place.set_axis_off()
        if values is None:
            continue
        limit = float(np.abs(values).max()) or 1.0
        extent = (-0.5, width - 0.5, height - 0.5, -0.5)
        shown = place.imshow(values, cmap=DIVERGING, vmin=-limit, vmax=limit, extent=extent)
        place.contour(grey, levels=[float(grey.min() + grey.max()) / 2], colors=QUIET, linewidths=0.8)
        bar = figure.colorbar(shown, ax=place, fraction=0.045, pad=0.02, ticks=[-limit, 0, limit])
        bar.ax.set_yticklabels([f"{-limit:.2g}", "0", f"{limit:.2g}"], fontsize=7)
        bar.outline.set_visible(False)
    name = f"Why class {found.classes[why.target]} (score {why.score:.4g})"
    text = f"{name}: red speaks for it, blue against it; the grey line is the image's outline"
    figure.suptitle(plain(text, 200), x=0.01, ha="left", fontsize=11, color=INK)
    return figure


def _sheet(output: Array) -> Array:
    """All maps of a layer on one sheet, a gap (NaN) between them; a vector is one row."""
    if output.ndim == 1:
        return output[None].astype(float)
    maps = output[:MOST_MAPS]
    count, height, width = maps.shape
    across = min(count, IN_A_ROW)
    gap = max(1, width // 14)
    sheet = np.full((ceil(count / across) * (height + gap) - gap, IN_A_ROW * (width + gap) - gap), np.nan)
    for i, one in enumerate(maps):
        top, left = i // across * (height + gap), i % across * (width + gap)
        sheet[top : top + height, left : left + width] = one
    return sheet


def _numbers(axes: Axes, values: Array, limit: float, classes: tuple[str, ...]) -> None:
    """The numbers of a short vector in its cells, below the names of the classes where they are given."""
    if len(values) > SHORT:
        return
    names = [f"{short(name, 12)}\n" for name in classes] if len(classes) == len(values) else [""] * len(values)
    for x, (name, value) in enumerate(zip(names, values.tolist(), strict=True)):
        axes.text(
            x,
            0,
            f"{name}{value:.3g}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if abs(value) > 0.6 * limit else INK,
        )


def _image(axes: Axes, found: Explanation, title: str) -> None:
    image = found.trace.image
    span = float(image.max() - image.min()) or 1.0
    pixels = (image - image.min()) / span
    axes.imshow(pixels.transpose(1, 2, 0) if len(image) == 3 else pixels[0], cmap="gray", vmin=0, vmax=1)
    axes.set_title(title, loc="left", fontsize=9, color=INK)
    axes.set_axis_off()


def _confidences(axes: Axes, found: Explanation) -> None:
    p, word = found.confidences, confidence_of(found.loss)
    order = np.argsort(-p, kind="stable")[:10]
    if len(p) <= 10:
        order = np.arange(len(p))
    colours = [COLOURS[1] if k == found.predicted else COLOURS[0] for k in order]
    scale = 100 if word == "probability" else 1
    axes.barh(range(len(order)), scale * p[order], color=colours)
    axes.set_yticks(range(len(order)), [short(found.classes[k], LONGEST) for k in order], label=NAME)
    for y, k in enumerate(order):
        text = "<0.01" if word == "probability" and p[k] < 1e-4 else f"{scale * p[k]:.3g}"
        axes.annotate(
            text,
            (max(0, scale * p[k]), y),
            va="center",
            textcoords="offset points",
            xytext=(3, 0),
            fontsize=8,
            color=INK,
        )
    axes.set_xlim(min(0, 1.12 * scale * p.min()), 1.12 * max(scale, scale * p.max()))
    axes.set_ylim(max(len(order), FEW) - 0.5, -0.5)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.axvline(0, color=INK, linewidth=0.8)  # a score may be negative
    axes.set_xticks([])
    axes.tick_params(length=0, labelsize=9)
    axes.set_title("probability in %" if word == "probability" else "score", loc="left", fontsize=9, color=INK)


def _vector(axes: Axes, values: Array, title: str, marked: int | None = None) -> None:
    axes.bar(range(len(values)), values, width=0.9, color=COLOURS[0])
    if marked is not None:
        axes.bar([marked], [values[marked]], width=max(0.9, len(values) / 100), color=WINDOW)
    axes.axhline(0, color=QUIET, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7, colors=QUIET)
    axes.set_title(plain(title), loc="left", fontsize=9, color=INK)


def _outline(axes: Axes, top: int, bottom: int, left: int, right: int) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle(
            (left - 0.5, top - 0.5),
            right - left + 1,
            bottom - top + 1,
            fill=False,
            edgecolor=WINDOW,
            linewidth=3,
            clip_on=False,
        )
    )
