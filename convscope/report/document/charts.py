"""Charts as SVG whose colours and fonts are the document's: curves against epochs, and confidence against accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isfinite, log10

from ...training.loop import Epoch
from .answers import Bin

WIDTH, HEIGHT = 480, 260
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 30
MOST_POINTS = 400  # of a line; longer ones are thinned out


@dataclass(frozen=True)
class Line:
    """Points (x, y) and the style classes of the document, such as "test c1"."""

    points: Sequence[tuple[float, float]]
    style: str
    title: str


def curves(runs: Sequence[tuple[str, Sequence[Epoch]]], what: str) -> str:
    """The "loss" or "accuracy" (in %) of runs against epochs: training dotted, validation dashed, test solid."""
    lines = []
    for number, (name, epochs) in enumerate(runs):
        for part in ("train", "val", "test"):
            points = [(e.epoch, y) for e in epochs if (y := _value(e, part, what)) is not None]
            if points:
                lines.append(Line(_thinned(points), f"{part} c{number % 6}", f"{name} {part} {what}"))
    ys = [y for line in lines for _, y in line.points] or [0.0, 1.0]
    low = 0.0 if what == "loss" else min(ys)
    last = max((x for line in lines for x, _ in line.points), default=1.0)
    marker = last <= 30
    axes = _Axes((min(1.0, last), max(last, 2.0)), (low, max(ys)))
    drawn = "".join(_line(axes, line, marker) for line in lines)
    return _svg(axes, drawn, f"{what} / epoch")


def calibration(bins: Sequence[Bin]) -> str:
    """Bars of accuracy against confidence in per cent; on the diagonal a confidence is what it says."""
    axes = _Axes((0.0, 100.0), (0.0, 100.0))
    bars = "".join(
        f'<rect class="bar" x="{axes.x(100 * b.low):.1f}" y="{axes.y(100 * b.accuracy):.1f}" '
        f'width="{axes.x(100 * b.high) - axes.x(100 * b.low) - 1:.1f}" '
        f'height="{max(0.0, axes.y(0) - axes.y(100 * b.accuracy)):.1f}">'
        f"<title>{b.images:,}: {100 * b.confidence:.1f} % → {100 * b.accuracy:.1f} %</title></rect>"
        f'<circle class="dot" cx="{axes.x(100 * b.confidence):.1f}" cy="{axes.y(100 * b.accuracy):.1f}" r="3"/>'
        for b in bins
    )
    ends = f'x1="{axes.x(0):.1f}" y1="{axes.y(0):.1f}" x2="{axes.x(100):.1f}" y2="{axes.y(100):.1f}"'
    return _svg(axes, f'{bars}<line class="diagonal" {ends}/>', "accuracy / confidence (%)")


class _Axes:
    """From numbers to places in the picture; the ticks are round numbers."""

    def __init__(self, xs: tuple[float, float], ys: tuple[float, float]) -> None:
        self.xticks = [tick for tick in _ticks(*xs) if tick == round(tick)]  # epochs, or per cent
        self.yticks = _ticks(*ys)
        self.xs = xs
        self.ys = min(ys[0], self.yticks[0]), max(ys[1], self.yticks[-1])

    def x(self, value: float) -> float:
        low, high = self.xs
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high = self.ys
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _ticks(low: float, high: float) -> list[float]:
    """At most seven round numbers from below ``low`` to above ``high``: steps of 1, 2 or 5 times a power of ten."""
    span = high - low if high > low else max(abs(high), 1.0)
    power = 10.0 ** floor(log10(span / 5))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= 5)
    first, last = floor(low / step), ceil((low + span) / step)
    return [round(step * n, 10) for n in range(first, last + 1)]


def _svg(axes: _Axes, drawn: str, text: str) -> str:
    grid = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{axes.y(t):.1f}" y2="{axes.y(t):.1f}"/>'
        f'<text x="{LEFT - 6}" y="{axes.y(t) + 4:.1f}" text-anchor="end">{t:g}</text>'
        for t in axes.yticks
    )
    below = "".join(
        f'<text x="{axes.x(t):.1f}" y="{HEIGHT - 10}" text-anchor="middle">{t:g}</text>'
        for t in axes.xticks
        if axes.xs[0] <= t <= axes.xs[1]
    )
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(text)}">{grid}{below}{drawn}</svg>'


def _line(axes: _Axes, line: Line, marker: bool) -> str:
    points = [(axes.x(x), axes.y(y)) for x, y in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in points) if marker else ""
    return f'<g class="{line.style}"><title>{escape(line.title)}</title><polyline points="{path}"/>{dots}</g>'


def _thinned(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    step = -(-len(points) // MOST_POINTS)
    return points if step == 1 else [*points[:-1:step], points[-1]]


def _value(epoch: Epoch, part: str, what: str) -> float | None:
    value = getattr(epoch, f"{part}_{what}", None)
    if value is None or not isfinite(value):
        return None
    return float(100 * value if what == "accuracy" else value)
