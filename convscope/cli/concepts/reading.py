"""What the options of ``convscope conv`` and ``pool`` say, as arrays and settings; absurd sizes are refused here."""

import math
import re
from math import prod
from typing import TYPE_CHECKING, cast, get_args

from ...errors import UsageError, near
from ...language.counts import number_of, some
from ...net.ops import window_size
from .. import terminal

if TYPE_CHECKING:
    from ...explain.concepts.convolution import Array, Settings
    from ...explain.concepts.pooling import PoolSettings

MAX_ELEMENTS = 2**24  # of one array; float32: 64 MiB
LARGEST = 1e15
MAX_PRODUCTS = 2**34  # of one convolution: some seconds


def image(source: str | None, shape: str | None, seed: int) -> "tuple[Array, int]":
    """The input as float32 (C, H, W), and how many axes the user gave it: 2 (H, W), 3 or 4 with a batch of 1.

    ``shape`` is that of random numbers, or the one that the numbers of ``source`` are to have.
    """
    if source is None and shape is None:
        raise UsageError(
            "give the numbers with --input, or a size for random ones with --shape",
            "for example --input '1 2 3 / 4 5 6 / 7 8 9', or --shape 1x5x100x100",
        )
    array = _random(_sizes(shape), seed) if source is None and shape else _given(source or "", shape)
    if not 2 <= array.ndim <= 4 or (array.ndim == 4 and len(array) != 1):
        raise UsageError(
            f"the input has shape {array.shape}, expected (H, W), (C, H, W) or (1, C, H, W)", "one image at a time"
        )
    axes = array.ndim
    if last := channels_last(array.shape[-3:]):
        terminal.note(last)
    return array.reshape((1,) * (3 - axes) + array.shape) if axes < 4 else array[0], axes


def settings(stride: str, padding: str, mode: str, dilation: str, groups: int) -> "Settings":
    """The options of a convolution as its Settings."""
    from ...explain.concepts.convolution import Settings
    from ...explain.concepts.window import PaddingMode

    if mode not in get_args(PaddingMode):
        raise UsageError(f"no padding mode is called {mode[:40]!r}", near(mode[:40], get_args(PaddingMode)))
    sides = padding if padding in ("same", "valid") else pair(padding, "--padding", 0)
    return Settings(pair(stride, "--stride"), sides, cast(PaddingMode, mode), pair(dilation, "--dilation"), groups)  # type: ignore[arg-type]  # checked above


def pool_settings(
    kernel_size: str, stride: str | None, padding: str, dilation: str, ceil_mode: bool, count_include_pad: bool
) -> "PoolSettings":
    """The options of a pooling as its PoolSettings."""
    from ...explain.concepts.pooling import PoolSettings

    window = pair(kernel_size, "--kernel-size")
    step = window if stride is None else pair(stride, "--stride")
    sides, gaps = pair(padding, "--padding", 0), pair(dilation, "--dilation")
    return PoolSettings(window, step, sides, gaps, ceil_mode, count_include_pad)


def kernels(
    literal: list[str] | None,
    random: tuple[int | None, str | None, int | None],
    bias: str | None,
    image: "Array",
    chosen: "Settings",
    seed: int,
    drawn: bool,
) -> "tuple[Array, Array | None]":
    """Weight (O, C/groups, kh, kw) and bias (O,) or None; ``random`` is (out channels, kernel size, in channels).

    Random ones are PyTorch's initial weights: ``torch.manual_seed(seed)``, then the input if it is ``drawn``, then
    ``torch.nn.Conv2d(...)``.
    """
    out, size, channels = random
    if literal and (out is not None or channels is not None):
        raise UsageError(
            "--kernel gives the kernels, --out-channels and --in-channels make random ones", "use one or the other"
        )
    if literal:
        weight = _literal_kernels(literal, size)
        return weight, _bias(bias, len(weight), None)
    if size is None:
        raise UsageError("give a kernel", "--kernel '1 0 / 0 1', or --kernel-size 3 --out-channels 10 for random ones")
    import torch

    from ...explain.concepts.shapes import make
    from ...net.build import seeded

    window, out = pair(size, "--kernel-size"), 1 if out is None else out
    channels = len(image) if channels is None else channels
    if out < 1 or channels < 1:
        raise UsageError("channels are counted from 1", "for example --out-channels 10")
    shape = (out, -(-channels // chosen.groups), *window)
    bounded(image.shape, shape, chosen)

    def layer() -> torch.nn.Conv2d:
        return torch.nn.Conv2d(channels, out, window, chosen.stride, chosen.padding, chosen.dilation, chosen.groups)

    make(layer, (1, *image.shape))
    with seeded(seed):
        if drawn:
            torch.randn(image.shape)
        found = layer()
    assert found.bias is not None
    return found.weight.detach().numpy(), _bias(bias, out, found.bias.detach().numpy())


def bounded(image: tuple[int, ...], weight: tuple[int, ...], chosen: "Settings") -> None:
    """Raise UsageError where the arithmetic would be absurdly large. What does not fit at all is left to PyTorch."""
    before, after = chosen.sides((weight[2], weight[3]))
    sizes = [image[1 + a] + before[a] + after[a] for a in (0, 1)]
    output = [max(0, window_size(sizes[a], weight[2 + a], chosen.stride[a], 0, chosen.dilation[a])) for a in (0, 1)]
    elements = max(prod(weight), image[0] * prod(sizes), weight[0] * prod(output))
    _refuse_if_large(elements, weight[0] * prod(output) * prod(weight[1:]))


def bounded_pool(image: tuple[int, ...], chosen: "PoolSettings") -> None:
    """As :func:`bounded`, for pooling."""
    sizes = [image[1 + a] + 2 * chosen.padding[a] for a in (0, 1)]
    _refuse_if_large(image[0] * prod(sizes), image[0] * prod(sizes) * prod(chosen.kernel_size))


def index(text: str, shape: tuple[int, ...], what: str) -> tuple[int, ...]:
    """ "0,1,1" → (0, 1, 1), within ``shape``."""
    words = text.replace(",", " ").split()
    if len(words) != len(shape) or not all(re.fullmatch("[0-9]{1,9}", word) for word in words):
        example = ",".join("0" * len(shape))
        raise UsageError(
            f"{what} is {text[:40]!r}, expected {number_of(len(shape), 'whole number')}",
            f"for example {what} {example}",
        )
    place = tuple(map(int, words))
    if any(i >= n for i, n in zip(place, shape, strict=True)):
        last = ",".join(str(n - 1) for n in shape)
        raise UsageError(
            f"{what} {text[:40]} lies outside the shape {shape}", f"indices count from 0; the last is {last}"
        )
    return place


def pair(text: str, what: str, least: int = 1) -> tuple[int, int]:
    """ "3" → (3, 3), "3x5" → (3, 5): height x width."""
    words = text.lower().replace("×", "x").split("x")
    if len(words) > 2 or not all(re.fullmatch("[0-9]{1,6}", word) and int(word) >= least for word in words):
        raise UsageError(
            f"{what} is {text[:40]!r}, expected a whole number from {least} on, or height x width",
            f"for example {what} 3 or {what} 3x5",
        )
    return int(words[0]), int(words[-1])


def channels_last(shape: tuple[int, ...]) -> str:
    """A sentence where an image (C, H, W) looks as if its channels stood last: 6×6×3. Else ""."""
    if len(shape) != 3 or shape[2] not in (1, 3, 4) or min(shape[:2]) < 5:
        return ""
    height, width, channels = shape
    return (
        f"{'x'.join(map(str, shape))} is read as {height} channels of {width}×{channels}, for PyTorch wants the "
        f"channels first; if it is {channels} of {height}×{width}, write {channels}x{height}x{width}"
    )


def _random(sizes: tuple[int, ...], seed: int) -> "Array":
    """The numbers of torch.randn after ``torch.manual_seed(seed)``."""
    import torch

    from ...net.build import seeded

    with seeded(seed):
        return torch.randn(sizes).numpy()


def _given(source: str, shape: str | None) -> "Array":
    """The numbers of --input, in the shape that --shape gives them."""
    array = _float32(source, "--input")
    if shape is not None:
        sizes = _sizes(shape)
        if prod(sizes) != array.size:
            side = math.isqrt(array.size)
            square = f"{array.size:,} = {side}·{side}: --shape {side}x{side}" if side * side == array.size else ""
            raise UsageError(
                f"--input has {number_of(array.size, 'number')}, but --shape {shape[:40]} has {prod(sizes):,}", square
            )
        return array.reshape(sizes)
    if array.ndim == 1:
        _note_square("--input", len(array), "--shape {0}x{0}")
        return array[None]
    return array


def _note_square(what: str, count: int, way: str) -> None:
    """A row of numbers that would make a square may have been meant as one, as ``.view(1, 1, 5, 5)`` makes it."""
    side = math.isqrt(count)
    if side > 1 and side * side == count:
        terminal.note(
            f"{what} is a row of {count} numbers; {count} = {side}·{side}: {way.format(side)} makes a square of them"
        )


def _sizes(text: str) -> tuple[int, ...]:
    words = text.lower().replace("×", "x").split("x")
    if not 2 <= len(words) <= 4 or not all(re.fullmatch("[0-9]{1,8}", word) and int(word) for word in words):
        raise UsageError(
            f"--shape is {text[:40]!r}, expected sizes such as 1x5x100x100", "batch x channels x height x width"
        )
    sizes = tuple(map(int, words))
    _refuse_if_large(prod(sizes), 0)
    return sizes


def _float32(text: str, what: str) -> "Array":
    """The numbers of an option, no larger than float32 can multiply and add up."""
    import numpy as np

    from ...data.literal import read_array

    array = read_array(text, what)
    if np.abs(array).max() > LARGEST:
        raise UsageError(
            f"{what} holds numbers beyond {LARGEST:g}, whose products float32 cannot hold", "scale them down"
        )
    return array.astype(np.float32)


def _literal_kernels(literal: list[str], size: str | None) -> "Array":
    """The kernels that are written; ``size`` makes rows of numbers into windows of that size, a channel each."""
    import numpy as np

    arrays = [_float32(text, "--kernel") for text in literal]
    if size is not None:
        arrays = [_windows(array, pair(size, "--kernel-size")) for array in arrays]
    elif arrays[0].ndim == 1:
        _note_square("--kernel", arrays[0].size, "--kernel-size {0}")
    if any(array.ndim > 4 for array in arrays):
        raise UsageError("a --kernel has more than four axes", "at most (out, in, height, width)")
    blocks = [array.reshape((1,) * (4 - array.ndim) + array.shape) for array in arrays]
    if len({block.shape[1:] for block in blocks}) > 1:
        shapes = some((str(block.shape[1:]) for block in blocks), 8)
        raise UsageError(f"the kernels have different shapes: {shapes}", "all need the same channels, height and width")
    return np.concatenate(blocks)


def _windows(array: "Array", window: tuple[int, int]) -> "Array":
    """Numbers (n,) as (channels, height, width)."""
    if array.ndim > 1 and array.shape[-2:] != window:
        raise UsageError(
            f"a --kernel is {array.shape[-2]}×{array.shape[-1]}, but --kernel-size is {window[0]}×{window[1]}",
            "leave --kernel-size out: it makes windows of rows of numbers",
        )
    if array.size % prod(window):
        numbers = number_of(array.size, "number")
        raise UsageError(
            f"a --kernel has {numbers}, but windows of {window[0]}×{window[1]} have {prod(window)}",
            "give height · width numbers for each channel",
        )
    return array.reshape(-1, *window) if array.ndim == 1 else array


def _bias(text: str | None, count: int, random: "Array | None") -> "Array | None":

    if text is None or text.lower() in ("yes", "random"):
        if text is not None and random is None:
            raise UsageError("--bias random needs random kernels", "give one number a kernel, such as --bias 0.5")
        return random
    if text.lower() == "no":
        return None
    values = _float32(text, "--bias").ravel()
    if len(values) != count:
        raise UsageError(
            f"--bias has {number_of(len(values), 'number')} for {number_of(count, 'kernel')}", "one number a kernel"
        )
    return values


def _refuse_if_large(elements: int, products: int) -> None:
    if elements > MAX_ELEMENTS or products > MAX_PRODUCTS:
        much = f"{elements:,} numbers" if elements > MAX_ELEMENTS else f"{products:,} products"
        raise UsageError(
            f"this would take {much}, too many to explain",
            f"at most {MAX_ELEMENTS:,} numbers in an array and {MAX_PRODUCTS:,} products",
        )
