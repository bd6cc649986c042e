"""Three ways of descending as one picture: their paths on the map of the loss, and what each spends."""

from typing import TYPE_CHECKING

import numpy as np

from ..explain.concepts.descent import Descent, Regime
from ..explain.concepts.objectives import Terrain
from ..language.counts import number_of
from .style import COLOURS, INK, QUIET, new_figure, own_style, plain, quiet_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GRID = 160  # points along each side of the map
UNITS = {"updates": "updates (logarithmic)", "samples": "samples seen", "seconds": "seconds in updates (logarithmic)"}


@own_style()
def draw_descent(descent: Descent, terrain: Terrain | None = None) -> "Figure":
    """Loss against updates, samples and seconds; on the left the map with the paths, or the angles for a net."""
    figure = new_figure(12, 8)
    mosaic = figure.subplot_mosaic([["left", unit] for unit in UNITS], width_ratios=[1.25, 1])
    axes = mosaic["left"]
    if terrain:
        _draw_map(axes, descent, terrain)
    else:
        _draw_angles(axes, descent)
    for unit, title in UNITS.items():
        panel = mosaic[unit]
        quiet_axes(panel)
        for regime, colour in zip(descent.regimes, COLOURS, strict=False):
            x = [getattr(point, unit) for point in regime.points]
            y = [point.loss for point in regime.points]
            panel.plot(x, y, color=colour, linewidth=1.4, marker="o" if len(x) < 60 else "", markersize=3)
        if min(point.loss for regime in descent.regimes for point in regime.points) > 0:
            panel.set_yscale("log")
        if unit != "samples":
            panel.set_xscale("log", nonpositive="mask")  # the start, at 0, is not on it
        panel.set_xlabel(title)
        panel.set_ylabel("loss" if descent.samples == 1 else "loss over all samples")
    return figure


def _title(descent: Descent) -> str:
    if descent.samples == 1:
        return f"Paths on the {plain(descent.objective)}, {number_of(descent.epochs, 'update')}"
    return f"Paths on the loss of y ≈ w·x + b, {number_of(descent.epochs, 'epoch')}"


def _label(descent: Descent, regime: Regime) -> str:
    return regime.name if descent.samples == 1 else f"{regime.name} (batch size {regime.batch_size:,})"


def _draw_map(axes: "Axes", descent: Descent, terrain: Terrain) -> None:
    best = terrain.best()
    places = np.array([p.parameters for regime in descent.regimes for p in regime.points])
    low, high = np.minimum(places.min(0), best), np.maximum(places.max(0), best)
    margin = 0.12 * (high - low) + 1e-9
    ws, bs = (np.linspace(low[i] - margin[i], high[i] + margin[i], GRID) for i in (0, 1))
    heights = terrain.map(ws, bs)
    lowest, highest = float(heights.min()), float(heights.max())  # of a surface, the lowest may lie below 0
    levels = lowest + np.geomspace(0.002, 1, 18) * (highest - lowest)
    axes.contourf(ws, bs, heights, levels=levels, cmap="Greys", alpha=0.35, extend="both")
    axes.contour(ws, bs, heights, levels=levels, colors=QUIET, linewidths=0.5)
    for regime, colour in zip(descent.regimes, COLOURS, strict=False):
        path = np.array([p.parameters for p in regime.points])
        width = 1.8 if len(path) < 60 else 1.2 if len(path) < 600 else 0.7
        axes.plot(
            *path.T,
            color=colour,
            linewidth=width,
            marker="o" if len(path) < 60 else "",
            markersize=3.5,
            label=_label(descent, regime),
        )
    axes.plot(*descent.regimes[0].points[0].parameters, marker="s", color=INK, linestyle="", label="start", zorder=4)
    axes.plot(*best, marker="*", markersize=13, color=INK, linestyle="", label="least loss", zorder=4)
    axes.set_xlabel("w")
    axes.set_ylabel("b")
    axes.set_title(_title(descent), loc="left", color=INK)
    axes.legend(frameon=False, fontsize=9, loc="best")


def _draw_angles(axes: "Axes", descent: Descent) -> None:
    quiet_axes(axes)
    for regime, colour in zip(descent.regimes, COLOURS, strict=False):
        angles = [(p.samples, p.angle) for p in regime.points if p.angle is not None]
        axes.plot(
            *zip(*angles, strict=True),
            color=colour,
            linewidth=1.4,
            marker="o",
            markersize=4,
            label=_label(descent, regime),
        )
    axes.set_ylim(-3, 120)
    axes.set_yticks([0, 30, 60, 90, 120])
    axes.axhline(90, color=QUIET, linewidth=0.8, linestyle=":")
    axes.set_xlabel("samples seen")
    axes.set_ylabel("degrees between the batch's gradient and the full one")
    axes.set_title(f"How far a batch's gradient points astray: {plain(descent.objective)}", loc="left", color=INK)
    axes.legend(frameon=False, fontsize=9, loc="best")
