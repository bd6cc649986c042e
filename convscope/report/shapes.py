"""A net as the tensors that flow through it: every layer's output as a block, channels × height × width."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from ..language.counts import number_of
from ..net.ops import shape_text
from ..net.wiring import IMAGE, Jump, jumps
from .style import COLOURS, INK, QUIET, new_figure, own_style, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..net.shapes import Row

Shape = tuple[int, ...]
TALL = 1.15  # of the highest block; sides grow with the square root, so that 4×4 beside 224×224 is still seen
MOST = 40  # layers
SLANT = 0.5  # how steeply depth goes up
STEP = 1.7  # from one block to the next
LEVEL = 0.16  # from one way over the blocks to the next


@own_style()
def draw_shapes(title: str, image: Shape, rows: list[Row]) -> Figure:
    """The ``image`` (C, H, W) and the output of every layer, from left to right."""
    shown = rows[:MOST]
    shapes = [image, *(row.output for row in shown)]
    side = TALL / sqrt(max(n for shape in shapes for n in shape[1:] or (1,)))
    deep = 0.45 / sqrt(max(shape[0] for shape in shapes))
    axes_width = STEP * len(shapes)
    names, texts = ["input", *(row.name for row in shown)], ["", *(row.text for row in shown)]
    skips = jumps(names[1:], [row.inputs for row in shown])
    above = LEVEL * (1 + max(jump.level for jump in skips)) if skips else 0.0
    figure = new_figure(max(8.0, axes_width), 3.1 + above)
    axes = figure.add_subplot()
    inputs = [(), *(row.inputs for row in shown)]
    for i, (shape, name, text) in enumerate(zip(shapes, names, texts, strict=True)):
        _block(axes, STEP * i, shape, side, deep, COLOURS[4] if i == 0 else COLOURS[0])
        axes.text(STEP * i, -0.15, plain(name), ha="center", va="top", fontsize=10, color=INK, fontweight="bold")
        axes.text(STEP * i, -0.42, shape_text(shape), ha="center", va="top", fontsize=10, color=INK)
        axes.text(STEP * i, -0.69, plain(text, 22), ha="center", va="top", fontsize=8, color=QUIET)
        if i and (names[i - 1] if i > 1 else IMAGE) in inputs[i]:
            arrow = {"arrowstyle": "->", "color": QUIET}
            axes.annotate("", (STEP * i - 0.7, TALL / 2), (STEP * i - 1.0, TALL / 2), arrowprops=arrow)
    for jump in skips:
        _jump(axes, jump)
    axes.set_xlim(-0.95, axes_width - 0.75)
    axes.set_ylim(-0.9, TALL + 0.25 + above)
    axes.set_aspect("equal")
    axes.set_axis_off()
    total = sum(row.parameters for row in rows), sum(row.multiply_adds for row in rows)
    more = f"; not drawn: {number_of(len(rows) - MOST, 'more layer')}" if len(rows) > MOST else ""
    axes.set_title(
        f"{plain(title, 90)}: {total[0]:,} parameters, {total[1]:,} multiply-adds an image{more}\n"
        "front: height × width, depth: channels (sides grow with the square root); a column: features",
        loc="left",
        fontsize=10,
        color=INK,
    )
    return figure


def _jump(axes: Axes, jump: Jump) -> None:
    """A way over the blocks, from what is read to who reads it."""
    top, bottom = TALL + 0.25 + LEVEL * jump.level, TALL + 0.22
    left, right = STEP * jump.source + 0.06, STEP * jump.target - 0.06
    axes.plot([left, left, right], [bottom, top, top], color=COLOURS[1], linewidth=1.2, solid_joinstyle="round")
    arrow = {"arrowstyle": "->", "color": COLOURS[1], "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (right, bottom), (right, top), arrowprops=arrow)


def _block(axes: Axes, x: float, shape: Shape, side: float, deep: float, colour: str) -> None:
    """A box for (C, H, W), a flat column for (F,), its middle at ``x``."""
    from matplotlib.patches import Polygon

    depth = deep * sqrt(shape[0]) if len(shape) == 3 else 0.0
    height, width = (side * sqrt(n) for n in shape[1:]) if len(shape) == 3 else (TALL * sqrt(shape[0] / 1024), 0.1)
    height, width = min(max(height, 0.05), TALL), max(width, 0.05)
    left, bottom = x - (width + depth) / 2, (TALL - height) / 2
    up = SLANT * depth
    faces = {
        0.35: [(0, 0), (width, 0), (width, height), (0, height)],
        0.2: [(0, height), (width, height), (width + depth, height + up), (depth, height + up)],
        0.55: [(width, 0), (width + depth, up), (width + depth, height + up), (width, height)],
    }
    for strength, corners in faces.items():
        points = [(left + a, bottom + b) for a, b in corners]
        axes.add_patch(Polygon(points, facecolor=(colour, strength), edgecolor=INK, linewidth=0.8))
