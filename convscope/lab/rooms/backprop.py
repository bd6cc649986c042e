"""Room 2: back-propagation of an expression or a small net, as a graph with places for every box."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...errors import UsageError
from ...explain.backprop.autograd import check
from ...explain.backprop.expression import completed, parse, run
from ...explain.backprop.layout import Link, Rectangle, Size, layered
from ...explain.backprop.nudge import Nudge, nudges
from ...explain.backprop.small_net import Changes, explain_small, small_net
from ...explain.backprop.values import Value, grid, inline
from ...explain.backprop.walk import Walk, snapshot
from ...net.listing import listing
from ...net.shapes import table
from ...net.zoo import resolve
from ..programs.scripts import expression_script, net_script
from ..reply import Reply

router = APIRouter(prefix="/api/backprop", tags=["backprop"])

MOST_NODES = 80  # of a graph that can still be read
CHARACTER = 7.9  # pixels, of the monospace type in a box
LINE = 17
Text = Field(max_length=2_000)
Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Name = Annotated[str, Field(max_length=60)]
Place = Annotated[list[Annotated[int, Field(ge=0, le=10_000)]], Field(max_length=4)]


class BackpropRequest(BaseModel):
    """An expression with its values ("w=3 x=2"), or a net with its input, target and loss.

    Names without a value are 1, values without a name in the expression are left out. ``changes`` are numbers of the
    net that are others: ["linear1.weight", [0, 1], 0.5]. ``nudge`` is by how much every leaf is changed as a test.
    """

    mode: Literal["expression", "net"] = "expression"
    expression: str = Text
    values: str = Field("", max_length=20_000)
    net: str = Text
    input: str = Text
    target: str = Text
    loss: str = Field("mse", max_length=40)
    seed: int = Field(0, ge=0, le=2**31)
    passes: int = Field(1, ge=1, le=3)
    changes: list[tuple[Name, Place, Number]] = Field([], max_length=100)
    nudge: float = Field(0.01, gt=0, le=1, allow_inf_nan=False)


@dataclass(frozen=True)
class ShownValue:
    """A value for the eye: ``lines`` of at most four rows, ``text`` on one line, ``number`` where it is only one."""

    lines: list[str]
    text: str
    number: float | None


@dataclass(frozen=True)
class Box:
    """A node with its place in the drawing."""

    id: int
    label: str
    kind: str
    formula: str
    numbers: str
    remark: str
    requires_grad: bool
    value: ShownValue
    locals: list[str]
    place: Rectangle


@dataclass(frozen=True)
class Edge:
    """``source`` is argument ``argument`` of ``target``; ``label`` is room for what flows back."""

    source: int
    target: int
    points: tuple[tuple[float, float], ...]
    label: Rectangle | None


@dataclass(frozen=True)
class PassedOn:
    """What one node hands to one of its inputs. ``edge`` is the edge that it goes along."""

    input: int
    edge: int
    formula: str
    text: str
    local: str
    value: ShownValue
    accumulated: ShownValue
    note: str


@dataclass(frozen=True)
class WalkStep:
    """One step of the walk. ``cached`` are the nodes whose value is still kept after it."""

    phase: str
    node: int
    backward_pass: int
    text: str
    upstream: ShownValue | None
    given: list[PassedOn]
    cached: list[int]


@dataclass(frozen=True)
class BackpropReply:
    """The graph, its steps, what PyTorch says of the gradients, and the nudge test of every leaf.

    ``leaves`` are the values of the expression's names, in the order of the expression.
    """

    source: str
    width: float
    height: float
    boxes: list[Box]
    edges: list[Edge]
    steps: list[WalkStep]
    cached: list[int]
    check: str
    script: str
    leaves: list[tuple[str, Value]]
    nudges: tuple[Nudge, ...]
    passes: int


def answer(question: BackpropRequest) -> BackpropReply:
    """What room 2 shows. Raises UsageError."""
    if question.mode == "net":
        changes: Changes = {(name, tuple(place)): value for name, place, value in question.changes}
        small = small_net(question.net, question.input, question.target, question.loss, question.seed, changes)
        walk, judged = explain_small(small, question.passes)
        rows = table(resolve(question.net), small.sample.shape, _classes(small.module, small.sample))
        script, tape = net_script(walk, listing(rows), small, question.passes), small.tape
    else:
        given = completed(question.expression, assignments(question.values))
        tape = parse(question.expression, given)
        walk = run(tape, question.passes)
        judged = check(tape, walk, question.passes)
        script = expression_script(walk, question.passes)
    if len(walk.nodes) > MOST_NODES:
        raise UsageError(f"the graph has {len(walk.nodes)} nodes", f"the lab draws at most {MOST_NODES}")
    found = nudges(tape, walk, question.nudge, question.passes)
    return _drawn(walk, judged.text, script, found, question.passes)


def assignments(text: str) -> list[str]:
    """ "w=3, X=[[1, 2], [3, 4]]" → ["w=3", "X=[[1, 2], [3, 4]]"]."""
    return [part.strip(" ,;\n") for part in re.split(r"[\s,;]+(?=[^\W\d]\w*\s*=)", text.strip()) if part.strip(" ,;\n")]


def _classes(module: object, sample: np.ndarray) -> int:
    import torch

    assert isinstance(module, torch.nn.Module)
    with torch.no_grad():
        return int(module(torch.tensor(sample)[None]).shape[1])


def _drawn(walk: Walk, judged: str, script: str, found: tuple[Nudge, ...], passes: int) -> BackpropReply:
    final = snapshot(walk, len(walk.steps)).gradients
    sizes = [_size(node.label, node.formula or node.kind, node.value, final[node.id]) for node in walk.nodes]
    edges = [(i, node.id, place) for node in walk.nodes for place, i in enumerate(node.inputs)]
    number = {(target, place): n for n, (_, target, place) in enumerate(edges)}
    steps: list[WalkStep] = []
    given: dict[int, PassedOn] = {}
    for taken, step in enumerate(walk.steps, 1):
        node = walk.nodes[step.node]
        places = [place for place, i in enumerate(node.inputs) if walk.nodes[i].requires_grad]
        handed = [
            PassedOn(
                input=c.input,
                edge=number[node.id, place],
                formula=c.formula,
                text=c.text,
                local=local.formula,
                value=shown(c.value),
                accumulated=shown(c.accumulated),
                note=c.note,
            )
            for place, c, local in zip(places, step.contributions, node.locals, strict=False)
        ]
        given |= {one.edge: one for one in handed}
        upstream = None if step.upstream is None else shown(step.upstream)
        kept = _cached(walk, taken)
        steps.append(WalkStep(step.phase, step.node, step.backward_pass, step.text, upstream, handed, kept))
    labels = [_label(given.get(n)) for n in range(len(edges))]
    links = [Link(s, t, label) for (s, t, _), label in zip(edges, labels, strict=True)]
    layout = layered(sizes, links, rank_gap=15)
    boxes = [
        Box(
            node.id,
            node.label,
            node.kind,
            node.formula,
            node.numbers,
            node.remark,
            node.requires_grad,
            shown(node.value),
            [local.formula for local in node.locals],
            place,
        )
        for node, place in zip(walk.nodes, layout.boxes, strict=True)
    ]
    routes = zip(edges, layout.routes, strict=True)
    return BackpropReply(
        walk.source,
        layout.width,
        layout.height,
        boxes,
        [Edge(s, t, route.points, route.label) for (s, t, _), route in routes],
        steps,
        _cached(walk, 0),
        judged,
        script,
        [(node.label, node.value) for node in walk.nodes if node.kind == "variable"],
        found,
        passes,
    )


def _cached(walk: Walk, taken: int) -> list[int]:
    return [i for i, kept in enumerate(snapshot(walk, taken).cached) if kept]


def shown(value: Value) -> ShownValue:
    """A value as the page shows it."""
    return ShownValue(grid(value), inline(value), value if isinstance(value, float) else None)


def _size(label: str, formula: str, value: Value, gradient: Value | None) -> Size:
    """The room that a box needs in its final state: title and formula, then value and gradient side by side."""
    left, right = grid(value), [] if gradient is None else grid(gradient)
    columns = max(max(map(len, left)), 6) + (max([7, *map(len, right)]) + 2 if gradient is not None else 0)
    title = len(label) + min(len(formula), 34) + 3
    return Size(CHARACTER * max(columns, title) + 20, LINE * (2 + max(len(left), len(right))) + 18)


def _label(given: PassedOn | None) -> Size | None:
    if given is None:
        return None
    lines = label_lines(given)
    return Size(max(map(len, lines)) * CHARACTER + 12, 16 * len(lines) + 6)


def label_lines(given: PassedOn) -> list[str]:
    """What stands on an edge: the numbers, or for matrices the formula and what it makes."""
    return [given.text] if given.value.number is not None else [given.formula, *given.value.lines]


@router.post("")
def ask(question: BackpropRequest) -> Response:
    """The graph of an expression or a small net, with every step forward and back."""
    return Reply(answer(question))
