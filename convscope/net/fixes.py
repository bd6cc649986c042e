"""What would make a net fit: changes that were tried, not guessed. A change counts when the net then gets further."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from .ops import Conv, Depthwise, Flatten, Join, Linear, Op, Pair, Pool
from .shapes import ShapeError, table
from .tree import Net, Path, layers, put, text

MAX_IMAGE = 512


@dataclass(frozen=True)
class Fix:
    """One change: ``what`` in words, and the net and image after it. ``whole``: nothing else is wrong then."""

    what: str
    net: str
    image: tuple[int, int, int]
    whole: bool


def fixes(net: Net, image: tuple[int, int, int], classes: int) -> list[Fix]:
    """Ways to make ``net`` fit ``image``; none where they fit. Those that fix everything come first."""
    failed = _reach(net, image, classes)
    if failed is None:
        return []
    found: dict[tuple[str, tuple[int, int, int]], Fix] = {}
    for what, other, size in _candidates(net, image, classes, failed):
        after = _reach(other, size, classes)
        if after is None or len(after.rows) > len(failed.rows):
            found.setdefault((text(other), size), Fix(what, text(other), size, after is None))
    return sorted(found.values(), key=lambda fix: not fix.whole)[:6]


def _reach(net: Net, image: tuple[int, int, int], classes: int) -> ShapeError | None:
    try:
        table(net, image, classes)
    except ShapeError as error:
        return error
    return None


Image = tuple[int, int, int]
Change = tuple[str, Net, Image]


def _candidates(net: Net, image: Image, classes: int, failed: ShapeError) -> Iterator[Change]:
    """(words, net, image) of every change worth trying."""
    written = dict(layers(net))
    if failed.problem.startswith("the net ends"):
        yield from _ends(net, image)
        return
    op = written.get(failed.path)  # None: a join, or what the net put in itself
    if isinstance(op, Conv) and (failed.shapes[0][0] % op.groups or op.out % op.groups):
        yield from (
            (f"{op.text()} → {new.text()}", put(net, failed.path, (new,)), image) for new in _groups(op, failed)
        )
    elif isinstance(op, Conv | Pool):
        for new in _windows(op, failed):
            yield f"{op.text()} → {new.text()}", put(net, failed.path, (new,)), image
        yield from _less(net, image, failed, written)
        for size in range(max(image[1:]), MAX_IMAGE + 1):
            larger = (image[0], size, size)
            if _reach(net, larger, classes) is None:
                yield f"{image[1]}×{image[2]} → {size}×{size}", net, larger
                break
    elif isinstance(failed.op, Join):
        yield "padding=same", _same(net, failed.path), image
    yield from _ends(net, image, failed.path)


def _groups(op: Conv, failed: ShapeError) -> Iterator[Op]:
    """Other numbers of groups, or of output channels."""
    channels = failed.shapes[0][0]
    for groups in range(min(channels, op.out), 0, -1):
        if channels % groups == op.out % groups == 0:
            yield replace(op, groups=groups)
    yield replace(op, out=-(-op.out // op.groups) * op.groups)


def _windows(op: Conv | Pool, failed: ShapeError) -> Iterator[Op]:
    """A smaller window, or more padding."""
    _, height, width = failed.shapes[0]
    fit: Pair = (min(op.kernel[0], max(height, 1)), min(op.kernel[1], max(width, 1)))
    if isinstance(op, Pool):
        half = (min(op.padding[0], fit[0] // 2), min(op.padding[1], fit[1] // 2))
        yield replace(op, kernel=fit, stride=fit, padding=half)
        return
    yield replace(op, kernel=fit)
    yield replace(op, dilation=(1, 1))
    yield replace(op, padding=(op.kernel[0] // 2, op.kernel[1] // 2))


def _same(net: Net, bracket: Path) -> Net:
    """``net`` with convolutions inside the bracket that keep the size, so that what comes out can be joined."""
    for path, op in list(layers(net)):
        if path[: len(bracket)] == bracket and isinstance(op, Conv | Depthwise) and op.stride == (1, 1):
            net = put(net, path, (replace(op, padding="same"),))
    return net


def _less(net: Net, image: Image, failed: ShapeError, written: dict[Path, Op]) -> Iterator[Change]:
    """Without the last pool before the failing layer, or without that layer."""
    pool = next((row for row in reversed(failed.rows) if isinstance(row.op, Pool)), None)
    if pool is not None and _may_go(pool.path, written):
        yield f"without {pool.name}", put(net, pool.path, ()), image
    if len(written) > 1 and _may_go(failed.path, written):
        yield f"without {failed.layer}", put(net, failed.path, ()), image


def _may_go(path: Path, written: dict[Path, Op]) -> bool:
    """Whether the branch of what stands at ``path`` is not empty without it."""
    return not path[:-1] or any(other != path and other[: len(path) - 1] == path[:-1] for other in written)


def _ends(net: Net, image: Image, failed: Path | None = None) -> Iterator[Change]:
    """A linear layer for the classes at the end; ``failed`` is what does not fit, None where all but the end does."""
    last = net[-1]
    if not isinstance(last, Linear):
        flat = any(isinstance(op, Flatten) for _, op in layers(net))
        yield "… | linear", (*net, *(() if flat else (Flatten(),)), Linear()), image
    elif failed in (None, (len(net) - 1,)):
        yield f"{last.text()} → linear", (*net[:-1], replace(last, out=None)), image
