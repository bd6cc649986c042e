"""A walk of back-propagation as a picture: one self-contained SVG, light or dark as the reader's screen is.

Boxes hold value and gradient; every edge carries what flows back along it, upstream × local = contribution.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ..explain.backprop.layout import Layout, Link, Rectangle, Size, layered
from ..explain.backprop.values import Value, grid, inline
from ..explain.backprop.walk import Contribution, Node, Snapshot, Walk, snapshot
from ..language import say
from ..storage.leaving import MARK

CHARACTER = 7.9  # pixels of one character of 13 px monospace, generously
SMALL = 6.7  # of 11 px
LINE = 17  # pixels from line to line
PADDING = 12
MARGIN = 28
LONGEST = 40  # characters of a title or a formula in a box; what is longer ends in "…" and is whole in its tooltip

LIGHT = {
    "page": "#ffffff",
    "box": "#f7f8fa",
    "line": "#c3c9d2",
    "text": "#1c2430",
    "quiet": "#5d6878",
    "value": "#0b5fa8",
    "gradient": "#b3420b",
    "leaf": "#0b5fa8",
    "chip": "#dbeafb",
}
DARK = {
    "page": "#12161c",
    "box": "#1c222b",
    "line": "#47505d",
    "text": "#e8ecf1",
    "quiet": "#9aa6b5",
    "value": "#7cc0ff",
    "gradient": "#ffa066",
    "leaf": "#7cc0ff",
    "chip": "#1d3a57",
}

STYLE = """
svg{{font:13px ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}}
.s{{font-size:11px}} .b{{font-weight:700}} .e{{text-anchor:end}}
text{{fill:{text};white-space:pre}} .q{{fill:{quiet}}} .v{{fill:{value}}} .g{{fill:{gradient}}}
.page{{fill:{page}}} .box{{fill:{box};stroke:{line}}} .leaf{{stroke:{leaf};stroke-width:1.5}} .chip{{fill:{chip}}}
.edge{{fill:none;stroke:{line};stroke-width:1.4}} .tip{{fill:{line}}}
"""


def svg(walk: Walk, taken: int | None = None) -> str:
    """The graph after ``taken`` steps of the walk (default: all of them). The places do not depend on ``taken``."""
    now = snapshot(walk, len(walk.steps) if taken is None else taken)
    handed = _contributions(walk, len(walk.steps))
    seen = _contributions(walk, len(walk.steps) if taken is None else taken)
    final = snapshot(walk, len(walk.steps)).gradients
    boxes = [_Box.of(node, final[node.id]) for node in walk.nodes]
    edges = [(i, node.id, place) for node in walk.nodes for place, i in enumerate(node.inputs)]
    labels = [_label_size(handed.get((target, place))) for _, target, place in edges]
    links = [Link(source, target, label) for (source, target, _), label in zip(edges, labels, strict=True)]
    layout = layered([box.size for box in boxes], links)
    parts = [_route(route.points) for route in layout.routes]
    for (_, target, place), route in zip(edges, layout.routes, strict=True):
        if route.label:
            parts.append(_label(route.label, seen.get((target, place))))
    parts += [box.draw(place, now) for box, place in zip(boxes, layout.boxes, strict=True)]
    return _page(walk.source, layout, parts)


def _contributions(walk: Walk, taken: int) -> dict[tuple[int, int], Contribution]:
    """What has flowed back along each edge (node, argument place) in the last backward pass."""
    found: dict[tuple[int, int], Contribution] = {}
    for step in walk.steps[:taken]:
        if step.phase == "seed":
            found = {}
        inputs = walk.nodes[step.node].inputs
        places = [place for place, i in enumerate(inputs) if walk.nodes[i].requires_grad]
        found |= {(step.node, place): c for place, c in zip(places, step.contributions, strict=False)}
    return found


@dataclass(frozen=True)
class _Box:
    """A node's box: title, formula, value and gradient, each with the room that its final state needs."""

    node: Node
    title: str
    formula: str
    value: list[str]
    width: float
    size: Size

    @classmethod
    def of(cls, node: Node, final: Value | None) -> "_Box":
        value, gradient = grid(node.value), [] if final is None else grid(final)
        if node.kind == "constant":
            return cls(node, "", "", value, 0, Size(_width(value) + 2 * PADDING, LINE * len(value) + PADDING))
        title, formula = _short(node.label), _short(node.formula or node.kind)
        left = max(_width(value), 14 * SMALL if node.cached else 6 * SMALL)
        right = max(_width(gradient), 9 * SMALL) if node.requires_grad else 0
        width = max(left + (right + PADDING if right else 0), len(title) * 8.5 + 10 + len(formula) * SMALL)
        height = 2 * PADDING + LINE * (1 + max(len(value), len(gradient))) + 14
        return cls(node, title, formula, value, left, Size(width + 2 * PADDING, height))

    def draw(self, at: Rectangle, now: Snapshot) -> str:
        node, x, y = self.node, at.x + PADDING, at.y + PADDING + 11
        gradient, value = now.gradients[node.id], now.values[node.id]
        if node.kind == "constant":
            return _rect(at, "box") + _lines(x, at.y + PADDING / 2 + 13, self.value, "v")
        kind = "box" if node.kind == "operation" else "box leaf"
        parts = [
            f"<g><title>{escape(f'{node.label} = {node.text}: {inline(node.value, 200)}')}</title>",
            _rect(at, kind),
            _text(x, y, self.title, "b"),
            _text(at.x + at.width - PADDING, y, self.formula, "s q e"),
        ]
        top = y + LINE + 2
        if now.cached[node.id]:
            parts.append(_rect(Rectangle(x + 6 * SMALL, top - 11, 6 * SMALL + 8, 15), "chip"))
            parts.append(_text(x + 6 * SMALL + 4, top, say("cached"), "s v"))
        parts.append(_text(x, top, say("value"), "s q"))
        parts.append(_lines(x, top + LINE, ["—"] if value is None else self.value, "v"))
        if node.requires_grad:
            x += self.width + PADDING
            parts.append(_text(x, top, say("gradient"), "s q"))
            parts.append(_lines(x, top + LINE, ["—"] if gradient is None else grid(gradient), "g b"))
        return "".join(parts) + "</g>"


def _label_lines(contribution: Contribution) -> list[str]:
    """Numbers in full; for matrices the formula and what it makes."""
    if isinstance(contribution.value, float) and isinstance(contribution.upstream, float):
        return [f"← {contribution.text}"]
    return [f"← {_short(contribution.formula)}", *grid(contribution.value)]


def _label_size(contribution: Contribution | None) -> Size | None:
    if contribution is None:
        return None
    lines = _label_lines(contribution)
    return Size(max(map(len, lines)) * SMALL + 12, 15 * len(lines) + 6)


def _label(at: Rectangle, contribution: Contribution | None) -> str:
    if contribution is None:
        return ""
    lines = _label_lines(contribution)
    rows = [_text(at.x + 6, at.y + 14 + 15 * n, line, "s g") for n, line in enumerate(lines)]
    return f"<g><title>{escape(contribution.text)}</title>{_rect(at, 'page')}{''.join(rows)}</g>"


def _route(points: Sequence[tuple[float, float]]) -> str:
    """A smooth line through ``points`` with an arrow head at its end."""
    (x, y), *rest = points
    path = f"M{x:.1f} {y:.1f}"
    for i, j in rest:
        middle = (x + i) / 2
        path += f"C{middle:.1f} {y:.1f} {middle:.1f} {j:.1f} {i:.1f} {j:.1f}"
        x, y = i, j
    return f'<path class="edge" d="{path}"/><path class="tip" d="M{x:.1f} {y:.1f}l-8 -4v8z"/>'


def _page(title: str, layout: Layout, parts: Sequence[str]) -> str:
    width, top = max(layout.width, 480) + 2 * MARGIN, MARGIN + 40
    height = layout.height + top + MARGIN
    shown = title if len(title) * 8.6 <= width - 2 * MARGIN else title[: int((width - 2 * MARGIN) / 8.6) - 1] + "…"
    dark = STYLE.format(**DARK)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="{escape(title)}">'
        f"<metadata>{MARK}</metadata><style>{STYLE.format(**LIGHT)}@media(prefers-color-scheme:dark){{{dark}}}</style>"
        f'<rect class="page" width="100%" height="100%"/>'
        + f'<text class="b" style="font-size:14px" x="{MARGIN}" y="{MARGIN + 4}">{escape(shown)}</text>'
        + _text(MARGIN, MARGIN + 22, say("values flow forward →"), "s v")
        + _text(MARGIN + 24 * SMALL, MARGIN + 22, say("← gradients flow back: upstream × local"), "s g")
        + f'<g transform="translate({MARGIN} {top})">{"".join(parts)}</g></svg>\n'
    )


def _rect(at: Rectangle, classes: str) -> str:
    size = f'width="{at.width:.1f}" height="{at.height:.1f}"'
    return f'<rect class="{classes}" x="{at.x:.1f}" y="{at.y:.1f}" {size} rx="7"/>'


def _text(x: float, y: float, text: str, classes: str) -> str:
    return f'<text class="{classes}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _lines(x: float, y: float, lines: Sequence[str], classes: str) -> str:
    return "".join(_text(x, y + LINE * n, line, classes) for n, line in enumerate(lines))


def _width(lines: Sequence[str]) -> float:
    return max(map(len, lines), default=0) * CHARACTER


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
