"""Many image files → one uint8 array: their common shape is chosen from the headers, then all are decoded in parallel.

Threads serve: Pillow lets go of the interpreter while it decodes, and no process must be started.
"""

import contextlib
import math
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...language import say
from ...storage.cores import cores
from ...storage.memory import require_memory
from ..preparation import DEEPEST, Preparation, depth
from .decode import Header, count_values, decode, quiet_decoder, read_header
from .source import Source

BLOCK = 256  # files in one task, or fewer where their pixels take more than BLOCK_BYTES
BLOCK_BYTES = 4_000_000
LARGEST_COMMON = 256  # a size that all images share is kept up to here
DEFAULT_SIDE = 64
Shape = tuple[int, int, int]
Result = TypeVar("Result")


def survey(paths: Sequence[Source]) -> tuple[dict[int, Header], dict[int, str]]:
    """The headers of image files by index, and for the others what is wrong with them."""
    headers: dict[int, Header] = {}
    bad: dict[int, str] = {}

    def look(start: int) -> None:
        for index in range(start, min(start + BLOCK, len(paths))):
            try:
                headers[index] = read_header(paths[index])
            except DataError as error:
                bad[index] = error.message

    with quiet_decoder():
        for _ in in_parallel(look, range(0, len(paths), BLOCK), "reading headers", len(paths)):
            pass
    return headers, bad


def choose_shape(headers: Iterable[Header], image_size: int | None) -> tuple[Shape, tuple[str, ...]]:
    """(C, H, W) into which images with these headers are brought, and what the user should know of it.

    Height and width: ``image_size`` for both; else the size that all images share, up to 256; else a square with the
    median of their longer sides, at most 64. C is 1 where every mode is grey, else 3.
    """
    headers = list(headers)
    channels = 1 if all(header.grey for header in headers) else 3
    sizes = Counter((header.height, header.width) for header in headers)
    (height, width), _ = sizes.most_common(1)[0]
    if image_size is None and len(sizes) == 1 and max(height, width) <= LARGEST_COMMON:
        return (channels, height, width), ()
    side = image_size or min(DEFAULT_SIDE, int(np.median([max(header.height, header.width) for header in headers])))
    if sizes.keys() == {(side, side)}:
        return (channels, side, side), ()
    kinds = f"{len(sizes)} different sizes" if len(sizes) > 1 else f"{height}×{width} pixels"
    hint = "" if image_size else " (choose with --image-size)"
    return (channels, side, side), (f"images of {kinds} are fitted into {side}×{side}{hint}",)


def choose_depth(paths: Sequence[Source], headers: dict[int, Header]) -> tuple[int, int] | None:
    """Which values of 16-bit images become 0 and 255, by the values of all of them; None where none has 16 bits.

    The range is the data's, not the format's: a camera of 12 bits, or a scanner's narrow range, uses a small part of
    16 bits. Among images of 8 bits, whose black and white are 0 and 255, the range begins at 0 and ends with all bits
    of the largest value. Unreadable images are passed over.
    """
    deep = [index for index, header in headers.items() if header.deep]
    if not deep:
        return None
    counts = np.zeros(DEEPEST + 1, dtype=np.int64)

    def count(start: int) -> NDArray[np.int64]:
        found = np.zeros(DEEPEST + 1, dtype=np.int64)
        for index in deep[start : start + BLOCK]:
            with contextlib.suppress(DataError):
                values = count_values(paths[index])
                found += 0 if values is None else values
        return found

    with quiet_decoder():
        for found in in_parallel(count, range(0, len(deep), BLOCK), "reading 16-bit images", len(deep)):
            counts += found
    if not counts.any():
        return None
    low, high = depth(counts)
    return (low, high) if len(deep) == len(headers) else (0, max(255, 2 ** high.bit_length() - 1))


class Decoding:
    """The decoding of ``paths`` to uint8 (N, C, H, W), as ordered blocks of up to 4 MB.

    ``bad`` (index → what is wrong) grows while blocks are taken; the pixels of a bad image are zero. ``coloured``
    says whether any pixel so far had red, green and blue that differ.
    """

    def __init__(self, paths: Sequence[Source], preparation: Preparation, bad: dict[int, str]) -> None:
        self.paths, self.preparation, self.bad, self.coloured = paths, preparation, dict(bad), False
        self.shape = (len(paths), *preparation.image)
        self.step = max(1, min(BLOCK, BLOCK_BYTES // math.prod(preparation.image)))

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        return math.prod(self.shape)

    def blocks(self, first: int = 0) -> Iterator[NDArray[np.uint8]]:
        """Decode, from a block on. Ends early, with the threads stopped, when the caller stops asking."""
        starts = range(first * self.step, len(self.paths), self.step)
        with quiet_decoder():
            yield from in_parallel(self._block, starts, "decoding images", len(self.paths))

    def bad_of(self, number: int) -> dict[int, str]:
        """What is wrong with images of a block that was made."""
        block = range(number * self.step, (number + 1) * self.step)
        return {index: self.bad[index] for index in block if index in self.bad}

    def in_memory(self, what: str, thin: bool) -> NDArray[np.uint8]:
        """All blocks as one array; grey in colour is made grey where it may be ``thin``.

        Raises DataError, naming ``what``, where it does not fit into memory.
        """
        require_memory(self.nbytes, what)
        images = np.empty(self.shape, dtype=np.uint8)
        for number, block in enumerate(self.blocks()):
            images[number * self.step : number * self.step + len(block)] = block
        return np.ascontiguousarray(images[:, :1]) if thin and not self.coloured else images

    def _block(self, start: int) -> NDArray[np.uint8]:
        _, channels, height, width = self.shape
        paths = self.paths[start : start + self.step]
        block = np.zeros((len(paths), channels, height, width), dtype=np.uint8)
        for index, path in enumerate(paths):
            if start + index not in self.bad:
                try:
                    block[index] = decode(path, self.preparation)
                except DataError as error:
                    self.bad[start + index] = error.message
        if channels == 3 and not self.coloured:
            red, green, blue = block.transpose(1, 0, 2, 3)
            self.coloured = not (np.array_equal(red, green) and np.array_equal(green, blue))
        return block


def in_parallel(
    work: Callable[[int], Result], starts: range, label: str = "", total: int | None = None
) -> Iterator[Result]:
    """``work(start)`` for each start on all cores; results in order, few ahead of what is taken.

    A bar with ``label`` on stderr where that is a terminal.
    """
    from tqdm import tqdm

    workers = min(16, cores())
    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[Result]] = deque()
    ahead = iter(starts)
    try:
        unit, unseen = f" {say('images')}", not (label and sys.stderr.isatty())
        with tqdm(total=total, initial=starts.start, desc=say(label), unit=unit, disable=unseen, leave=False) as bar:
            for start in starts:
                waiting.extend(pool.submit(work, following) for following in islice(ahead, 2 * workers - len(waiting)))
                yield waiting.popleft().result()
                bar.update(min(starts.step, starts.stop - start))
    finally:
        pool.shutdown(cancel_futures=True)
