"""The picture of a loss: all losses beside each other as functions of one prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..explain.concepts.losses import value
from .cells import Array
from .style import COLOURS, INK, QUIET, new_figure, own_style, quiet_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@own_style()
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
    figure.suptitle(
        "Loss against one prediction; dotted: its target, dashed: the slope where it is",
        x=0.01,
        ha="left",
        fontsize=10,
        color=INK,
    )
    return figure


def _with(prediction: Array, index: int, number: float) -> Array:
    changed = prediction.copy()
    changed.ravel()[index] = number
    return changed
