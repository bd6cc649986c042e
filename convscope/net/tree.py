"""A net as it is written: layers, brackets whose branches are joined, and brackets that are repeated."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from .ops import Join, Op

Path = tuple[int, ...]  # where something stands in a net: places, from the outermost bracket in


@dataclass(frozen=True)
class Branches:
    """``[ … / … ]+`` or ``&``: all branches start from what comes in. With a single one, that itself is joined too."""

    join: Join
    branches: tuple["Net", ...]


@dataclass(frozen=True)
class Repeat:
    """``[ … ]x3``: the same layers again and again, each time with weights of their own."""

    times: int
    body: "Net"


Written = Op | Branches | Repeat
Net = tuple[Written, ...]


def text(net: Net) -> str:
    """The spec of ``net``: ``parse(text(net)) == net``."""
    words = [piece for _, piece in pieces(net)]
    ends = [" " if left in "[/" or right[0] in "/]" else " | " for left, right in pairwise(words)]
    return "".join(word + end for word, end in zip(words, [*ends, ""], strict=True))


def pieces(net: Net, at: Path = ()) -> Iterator[tuple[Path, str]]:
    """The words of the spec in reading order, layers and brackets, each with the path of what it belongs to."""
    for place, item in enumerate(net):
        path = (*at, place)
        match item:
            case Branches():
                yield path, "["
                for number, branch in enumerate(item.branches):
                    if number:
                        yield path, "/"
                    yield from pieces(branch, (*path, number))
                yield path, f"]{item.join.sign}"
            case Repeat(times, (Branches(),)):
                *inner, (where, closing) = pieces(item.body, (*path, 0))
                yield from inner
                yield where, f"{closing}x{times}"
            case Repeat():
                yield path, "["
                yield from pieces(item.body, (*path, 0))
                yield path, f"]x{item.times}"
            case _:
                yield path, item.text()


def size(net: Net) -> int:
    """How many layers a net has, repetitions and joins counted."""
    return sum(_size(item) for item in net)


def _size(item: Written) -> int:
    match item:
        case Branches():
            return 1 + sum(map(size, item.branches))
        case Repeat():
            return item.times * size(item.body)
    return 1


def layers(net: Net, at: Path = ()) -> Iterator[tuple[Path, Op]]:
    """Every layer as it is written, once, with its path."""
    for place, item in enumerate(net):
        match item:
            case Branches():
                for number, branch in enumerate(item.branches):
                    yield from layers(branch, (*at, place, number))
            case Repeat():
                yield from layers(item.body, (*at, place, 0))
            case _:
                yield (*at, place), item


def put(net: Net, path: Path, new: Net) -> Net:
    """``net`` with the item at ``path`` replaced by ``new``: one item, several, or none.

    Raises IndexError for a path that goes through a layer, or past the items or branches on its way.
    """
    place, *inner = path
    if not inner:
        return (*net[:place], *new, *net[place + 1 :])
    item, number, rest = net[place], inner[0], tuple(inner[1:])
    match item:
        case Branches():
            branches = list(item.branches)
            branches[number] = put(branches[number], rest, new)
            changed: Written = replace(item, branches=tuple(branches))
        case Repeat():
            changed = replace(item, body=put(item.body, rest, new))
        case _:
            raise IndexError(path)
    return (*net[:place], changed, *net[place + 1 :])
