"""A window that slides over an image: the size of what comes out.

⌊(n + 2p − d(k−1) − 1) / s⌋ + 1, as torch.nn.Conv2d and MaxPool2d have it; with ``ceil_mode`` rounded up, but without
a last window that would begin in the padding behind the image.
"""

from ..words import Pair
from .base import Misfit, Shape


def window_size(size: int, kernel: int, stride: int, padding: int, dilation: int = 1, ceil_mode: bool = False) -> int:
    """Output size along one axis; zero or negative where the window does not fit."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return room // stride + 1
    result = -(-room // stride) + 1
    return result - (room >= 0 and (result - 1) * stride >= size + padding)


def window_formula(
    size: int, kernel: int, stride: int, padding: int, dilation: int = 1, ceil_mode: bool = False
) -> str:
    """The size formula with its numbers, such as "⌊(28 + 2·0 − 1·(5−1) − 1) / 1⌋ + 1 = 24"."""
    result = window_size(size, kernel, stride, padding, dilation, ceil_mode)
    left, right = "⌈⌉" if ceil_mode else "⌊⌋"
    body = f"{left}({size} + 2·{padding} − {dilation}·({kernel}−1) − 1) / {stride}{right} + 1"
    rounded = -(-(size + 2 * padding - dilation * (kernel - 1) - 1) // stride) + 1
    cut = f" = {rounded}, but no window begins behind the image:" if ceil_mode and rounded > result else " ="
    return f"{body}{cut} {result}"


def windows(
    shape: Shape, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair = (1, 1), ceil_mode: bool = False
) -> tuple[Pair, str]:
    """(height, width) of what comes out of an image (C, H, W), and the formula; of both axes where they differ."""
    numbers = list(zip(shape[1:], kernel, stride, padding, dilation, strict=True))
    height, width = (window_size(*n, ceil_mode) for n in numbers)
    if numbers[0] == numbers[1]:
        return (height, width), window_formula(*numbers[0], ceil_mode)
    return (height, width), f"{window_formula(*numbers[0], ceil_mode)}; {window_formula(*numbers[1], ceil_mode)}"


def too_large(shape: Shape, kernel: Pair, padding: Pair, dilation: Pair = (1, 1)) -> Misfit | None:
    """Why the window does not fit into an image (C, H, W) with its padding, None where it does."""
    for axis, word in enumerate(("height", "width")):
        size, reach = shape[1 + axis], dilation[axis] * (kernel[axis] - 1) + 1
        if reach > size + 2 * padding[axis]:
            return (
                f"its window covers {reach} pixels, but the {word} is {size} + 2·{padding[axis]}",
                "use a smaller window, more padding, fewer pools before it, or a larger image (--image-size)",
            )
    return None


def same_padding(kernel: Pair, dilation: Pair) -> tuple[Pair, Pair]:
    """What "same" adds before and after, as (height, width) pairs; PyTorch puts the odd one after."""
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    before = (total[0] // 2, total[1] // 2)
    return before, (total[0] - before[0], total[1] - before[1])
