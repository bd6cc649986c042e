"""Which floats of one arena each step's output takes: outputs that are never needed at the same time share theirs."""

from dataclasses import dataclass
from math import prod

from ..net.wiring import IMAGE
from .program import Program
from .steps import Elementwise, Flatten, Scale


@dataclass(frozen=True)
class ArenaPlan:
    """``places``: the first float of every output, by the step's name and "image" for the input; ``floats`` in all."""

    places: dict[str, int]
    floats: int


@dataclass
class _Buffer:
    size: int
    begin: int  # the step that fills it; −1: the image
    end: int  # the last step that reads it


def plan(found: Program) -> ArenaPlan:
    """Buffers by lifetime: the largest first, each at the lowest place where none lies that lives at the same time.

    A flatten is its input under another name, and what changes every number by itself does so in place where nobody
    reads that input afterwards.
    """
    last = {name: number for number, step in enumerate(found.steps) for name in step.inputs}
    last[found.result] = len(found.steps)
    buffers = {IMAGE: _Buffer(prod(found.image), -1, last.get(IMAGE, 0))}
    holder = {IMAGE: IMAGE}
    for number, step in enumerate(found.steps):
        until = last.get(step.name, number)
        into = holder[step.inputs[0]]
        dies = buffers[into].end <= number
        if isinstance(step.op, Flatten) or (isinstance(step.op, Elementwise | Scale) and dies):
            holder[step.name] = into
            buffers[into].end = max(buffers[into].end, until)
        else:
            holder[step.name] = step.name
            buffers[step.name] = _Buffer(prod(step.output), number, until)
    places: dict[str, int] = {}
    for name, buffer in sorted(buffers.items(), key=lambda item: -item[1].size):
        beside = [
            (places[other], places[other] + buffers[other].size)
            for other in places
            if buffers[other].begin <= buffer.end and buffer.begin <= buffers[other].end
        ]
        places[name] = _lowest(buffer.size, sorted(beside))
    floats = max(places[name] + buffer.size for name, buffer in buffers.items())
    return ArenaPlan({name: places[into] for name, into in holder.items()}, floats)


def _lowest(size: int, taken: list[tuple[int, int]]) -> int:
    place = 0
    for begin, end in taken:
        if place + size <= begin:
            break
        place = max(place, end)
    return place
