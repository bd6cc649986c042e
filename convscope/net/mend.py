"""What would make a net fit: changes that were tried, not guessed. A change counts when the net then gets further."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from .layers import Conv, Flatten, Layer, Linear, Pair, Pool
from .shapes import Row, ShapeError, table
from .spec import layer_text, text

MAX_IMAGE = 512


@dataclass(frozen=True)
class Mend:
    """One change: ``what`` in words, and the net and image after it. ``whole``: nothing else is wrong then."""

    what: str
    net: str
    image: tuple[int, int, int]
    whole: bool


def mends(layers: tuple[Layer, ...], image: tuple[int, int, int], classes: int) -> list[Mend]:
    """Ways to make ``layers`` fit ``image``; none where they fit. Those that mend everything come first."""
    failed = _reach(layers, image, classes)
    if failed is None:
        return []
    found: dict[tuple[str, tuple[int, int, int]], Mend] = {}
    for what, net, size in _candidates(layers, image, classes, failed):
        after = _reach(net, size, classes)
        if after is None or len(after.rows) > len(failed.rows):
            found.setdefault((text(net), size), Mend(what, text(net), size, after is None))
    return sorted(found.values(), key=lambda mend: not mend.whole)[:6]


def _reach(layers: tuple[Layer, ...], image: tuple[int, int, int], classes: int) -> ShapeError | None:
    try:
        table(layers, image, classes)
    except ShapeError as error:
        return error
    return None


def _candidates(
    layers: tuple[Layer, ...], image: tuple[int, int, int], classes: int, failed: ShapeError
) -> Iterator[tuple[str, tuple[Layer, ...], tuple[int, int, int]]]:
    """(words, net, image) of every change worth trying."""
    rows: list[Row] = failed.rows
    at = len(rows)
    layer, shape = layers[at], rows[-1].output if rows else image

    def put(new: Layer) -> tuple[str, tuple[Layer, ...], tuple[int, int, int]]:
        return f"{layer_text(layer)} → {layer_text(new)}", (*layers[:at], new, *layers[at + 1 :]), image

    if failed.problem.startswith("the net ends"):
        pass
    elif isinstance(layer, Conv) and (shape[0] % layer.groups or layer.out % layer.groups):
        for groups in range(min(shape[0], layer.out), 0, -1):
            if shape[0] % groups == layer.out % groups == 0:
                yield put(replace(layer, groups=groups))
        up = -(-layer.out // layer.groups) * layer.groups
        yield put(replace(layer, out=up))
    elif isinstance(layer, Conv | Pool):
        fit: Pair = (min(layer.kernel[0], max(shape[1], 1)), min(layer.kernel[1], max(shape[2], 1)))
        yield put(replace(layer, kernel=fit, stride=fit) if isinstance(layer, Pool) else replace(layer, kernel=fit))
        if isinstance(layer, Conv):
            yield put(replace(layer, dilation=(1, 1)))
            yield put(replace(layer, padding=(layer.kernel[0] // 2, layer.kernel[1] // 2)))
        for index in range(at - 1, -1, -1):
            if isinstance(layers[index], Pool):
                yield f"without {rows[index].name}", (*layers[:index], *layers[index + 1 :]), image
                break
        if len(layers) > 1:
            yield f"without {failed.layer}", (*layers[:at], *layers[at + 1 :]), image
        for size in range(max(image[1:]), MAX_IMAGE + 1):
            larger = (image[0], size, size)
            if _reach(layers, larger, classes) is None:
                yield f"{image[1]}×{image[2]} → {size}×{size}", layers, larger
                break
    if not isinstance(layers[-1], Linear):
        flat = any(isinstance(layer, Flatten) for layer in layers)
        yield "… | linear", (*layers, *(() if flat else (Flatten(),)), Linear()), image
    elif at == len(layers) - 1:
        yield f"{layer_text(layer)} → linear", (*layers[:-1], replace(layers[-1], out=None)), image
