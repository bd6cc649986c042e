"""What the options of ``convscope conv`` and ``pool`` say, as arrays and settings; absurd sizes are refused here."""

import re
from math import prod
from typing import TYPE_CHECKING, cast, get_args

from ...errors import UsageError, near
from ...net.ops import window_size

if TYPE_CHECKING:
    from ...explain.concepts.convolution import Array, Settings
    from ...explain.concepts.pooling import PoolSettings

MAX_ELEMENTS = 2**24  # of one array; float32: 64 MiB
LARGEST = 1e15
MAX_PRODUCTS = 2**34  # of one convolution: some seconds


def image(source: str | None, shape: str | None, seed: int) -> "tuple[Array, int]":
    """The input as float32 (C, H, W), and how many axes the user gave it: 2 (H, W), 3 or 4 with a batch of 1."""
    import torch

    from ...net.build import seeded

    if (source is None) == (shape is None):
        raise UsageError(
            "give the numbers with --input, or a size for random ones with --shape",
            "for example --input '1 2 3 / 4 5 6 / 7 8 9', or --shape 1x5x100x100",
        )
    if shape is not None:
        sizes = _random_shape(shape)
        with seeded(seed):
            array = torch.randn(sizes).numpy()
    else:
        array = _float32(source or "", "--input")
        if array.ndim == 1:
            array = array[None]
    if not 2 <= array.ndim <= 4 or (array.ndim == 4 and len(array) != 1):
        raise UsageError(
            f"the input has shape {array.shape}, expected (H, W), (C, H, W) or (1, C, H, W)", "one image at a time"
        )
    axes = array.ndim
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
    import torch

    from ...explain.concepts.shapes import make
    from ...net.build import seeded

    out, size, channels = random
    if literal and any(option is not None for option in random):
        raise UsageError(
            "--kernel gives the kernels, --out-channels, --kernel-size and --in-channels make random ones",
            "use one or the other",
        )
    if literal:
        weight = _literal_kernels(literal)
        return weight, _bias(bias, len(weight), None)
    if size is None:
        raise UsageError("give a kernel", "--kernel '1 0 / 0 1', or --kernel-size 3 --out-channels 10 for random ones")
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
            f"{what} is {text[:40]!r}, expected {len(shape)} whole numbers", f"for example {what} {example}"
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


def _random_shape(text: str) -> tuple[int, ...]:
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


def _literal_kernels(literal: list[str]) -> "Array":
    import numpy as np

    arrays = [_float32(text, "--kernel") for text in literal]
    if any(array.ndim > 4 for array in arrays):
        raise UsageError("a --kernel has more than four axes", "at most (out, in, height, width)")
    blocks = [array.reshape((1,) * (4 - array.ndim) + array.shape) for array in arrays]
    if len({block.shape[1:] for block in blocks}) > 1:
        shapes = ", ".join(str(block.shape[1:]) for block in blocks[:8])
        raise UsageError(f"the kernels have different shapes: {shapes}", "all need the same channels, height and width")
    return np.concatenate(blocks)


def _bias(text: str | None, count: int, random: "Array | None") -> "Array | None":

    if text is None or text.lower() in ("yes", "random"):
        if text is not None and random is None:
            raise UsageError("--bias random needs random kernels", "give one number a kernel, such as --bias 0.5")
        return random
    if text.lower() == "no":
        return None
    values = _float32(text, "--bias").ravel()
    if len(values) != count:
        raise UsageError(f"--bias has {len(values)} numbers for {count} kernels", "one number a kernel")
    return values


def _refuse_if_large(elements: int, products: int) -> None:
    if elements > MAX_ELEMENTS or products > MAX_PRODUCTS:
        much = f"{elements:,} numbers" if elements > MAX_ELEMENTS else f"{products:,} products"
        raise UsageError(
            f"this would take {much}, too many to explain",
            f"at most {MAX_ELEMENTS:,} numbers in an array and {MAX_PRODUCTS:,} products",
        )
