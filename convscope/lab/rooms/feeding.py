"""A tensor of any shape fed to a net: how far it comes, PyTorch's words, and changes that were tried."""

import re
from dataclasses import dataclass
from math import prod

import torch
from torch import nn

from ...errors import UsageError
from ...explain.concepts.shapes import Diagnosis, LayerError, check, fits, make
from ...net.build import build
from ...net.ops import Flatten, GlobalAvg, Join, Op, Shape, Shapes
from ...net.shapes import ShapeError
from ...net.tree import Net, layers, text

Image = tuple[int, int, int]
MAX_ELEMENTS = 2**31


@dataclass(frozen=True)
class Change:
    """A change after which the net takes the tensor: ``what`` in PyTorch's words, and the question after it."""

    what: str
    net: str
    image: Image
    feed: str


@dataclass(frozen=True)
class Fed:
    """``outputs`` by layer name, batch axis included, as far as the tensor came."""

    shape: Shape
    outputs: dict[str, Shape]
    failed: str | None
    diagnosis: Diagnosis | None
    changes: list[Change]


def warm() -> None:
    """Load what the first fake tensor needs (seconds), so that no user waits for it."""
    fits(nn.Linear(1, 1), (1, 1))


def parse_shape(feed: str) -> Shape:
    """ "64, 1, 28, 28" → (64, 1, 28, 28). Raises UsageError."""
    parts = [part for part in re.split(r"[\s,x×()\[\]]+", feed) if part]
    good = 1 <= len(parts) <= 5 and all(re.fullmatch(r"[0-9]{1,7}", part) and int(part) for part in parts)
    if not good or prod(map(int, parts)) > MAX_ELEMENTS:
        raise UsageError(f"{feed[:60]!r} is no shape of a tensor", "write its sizes, such as: 64, 1, 28, 28")
    return tuple(map(int, parts))


def feed(net: Net, image: Image, classes: int, words: str) -> Fed:
    """Feed a tensor of the shape ``words`` to the net made for ``image``. Raises UsageError and ShapeError."""
    shape = parse_shape(words)
    fit = fits(_module(net, image, classes), shape)
    outputs = {layer.name: layer.output for layer in fit.layers}
    changes = [] if fit.diagnosis is None else _changes(net, image, classes, shape)
    return Fed(shape, outputs, fit.name, fit.diagnosis, changes)


def refused(op: Op, shapes: Shapes) -> str:
    """PyTorch's words for a layer of the shape table that does not fit (C, H, W); empty where PyTorch has none."""
    if isinstance(op, Join):
        return ""
    try:
        check(make(lambda: op.module(shapes), shapes[0]), (1, *shapes[0]))
    except LayerError as error:
        return error.diagnosis.message
    return ""


def _module(net: Net, image: Image, classes: int) -> nn.Module:
    with torch.device("meta"):
        return build(net, image, classes)


def _changes(net: Net, image: Image, classes: int, shape: Shape) -> list[Change]:
    """The tensor put right, the net made for it, or a net that takes any size: those that work."""
    tried: list[tuple[str, Net, Image, Shape]] = []
    if len(shape) == 4:
        n, a, b, c = shape
        tried.append(("x.permute(0, 3, 1, 2)", net, image, (n, c, a, b)))
    if len(shape) == 3:
        tried.append(("x.unsqueeze(0)", net, image, (1, *shape)))
        tried.append(("x.unsqueeze(1)", net, image, (shape[0], 1, *shape[1:])))
    if len(shape) == 2:
        tried.append(("x[None, None]", net, image, (1, 1, *shape)))
    if len(shape) == 4:
        what = f"nn.Conv2d({shape[1]}, …)" if shape[1] != image[0] else "nn.Linear(in_features=…)"
        tried.append((what, net, (shape[1], shape[2], shape[3]), shape))
    flat = next((i for i, item in enumerate(net) if isinstance(item, Flatten)), None)
    if flat is not None and not any(isinstance(op, GlobalAvg) for _, op in layers(net)):
        tried.append(("nn.AdaptiveAvgPool2d(1)", (*net[:flat], GlobalAvg(), *net[flat:]), image, shape))
    found: dict[tuple[str, Image, Shape], Change] = {}
    for what, other, size, tensor in tried:
        try:
            if fits(_module(other, size, classes), tensor).diagnosis is None:
                key = (text(other), size, tensor)
                found.setdefault(key, Change(what, text(other), size, ", ".join(map(str, tensor))))
        except ShapeError:
            continue
    return list(found.values())
