"""Machine code for augmentation, in the words of the jit engine: the bytes are those that torch makes, much sooner."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from torch import Tensor

Shape = tuple[int, int, int]
Native = Callable[[int, int], None]  # (job, number of the worker)
# Writes the text of a program whose function ``run(job, thread)`` works on images of this shape.
Writer = Callable[[Shape, bool], str]


@cache
def there_is() -> bool:
    """Whether there is machine code for this processor."""
    from ...engine.jit.machine.host import available  # llvmlite is slow to import

    return bool(available())


def run(write: Writer, variant: bool, images: Tensor, arrays: Sequence[Tensor], *numbers: int) -> Tensor:
    """uint8 (M, C, H, W) that the program of ``write`` makes of ``images`` on the CPU, by as many threads as torch has.

    Its job holds the places of the images, of the result and of ``arrays``, the number of images and of workers, and
    ``numbers``. ``variant`` is what ``write`` is told of what it writes.
    """
    images = images.contiguous()
    result = torch.empty_like(images)
    kept = [images, result, *(array.contiguous() for array in arrays)]
    _, channels, height, width = images.shape
    function = _compiled(write, (channels, height, width), variant)
    workers = min(torch.get_num_threads(), len(images))
    job = np.array([*(array.data_ptr() for array in kept), len(images), workers, *numbers], np.int64)
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        list(pool.map(lambda number: function(job.ctypes.data, number), range(workers)))
    return result


@cache
def _compiled(write: Writer, shape: Shape, variant: bool) -> Native:
    from ...engine.jit.machine.host import COMPILING, Code, machine
    from ...engine.jit.machine.runtime import native

    with COMPILING:
        code = Code(write(shape, variant), machine(), None)
    _CODES.append(code)  # it lives as long as its functions
    return native(code.address("run"))


_CODES: list[object] = []
