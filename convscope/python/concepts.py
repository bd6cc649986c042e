"""The concepts as functions of arrays: what ``convscope conv``, ``pool``, ``loss``, … do for numbers that are typed.

Parameters have PyTorch's names. Numbers may be arrays, tensors, lists, or the text that the command line takes
("1 2 / 3 4"). What comes back shows itself, in a terminal and in a notebook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..data.literal import read_array
from ..engine.plain import plain_torch
from ..errors import UsageError, near
from ..explain.concepts.window import PaddingMode
from ..shown import Records

if TYPE_CHECKING:
    from ..engine.devices import Devices
    from ..explain.backprop.walk import Walk
    from ..explain.concepts.batches import Batches
    from ..explain.concepts.convolution import Convolution
    from ..explain.concepts.descent import Descent
    from ..explain.concepts.losses import Loss
    from ..explain.concepts.pooling import Pooling
    from ..net.shapes import Row

Size = int | tuple[int, int]


@plain_torch()
def conv(
    input: Any,  # noqa: A002 - PyTorch's name
    weight: Any,
    bias: Any = None,
    *,
    stride: Size = 1,
    padding: Size | Literal["same", "valid"] = 0,
    padding_mode: PaddingMode = "zeros",
    dilation: Size = 1,
    groups: int = 1,
) -> Convolution:
    """A convolution of one image as torch.nn.Conv2d does it, every output element as a sum of products.

    ``input`` (H, W), (C, H, W) or (1, C, H, W); ``weight`` (kh, kw), (C, kh, kw) or (O, C/groups, kh, kw); ``bias``
    (O,). ``.output`` is (O, H', W'), ``.ledger(o, row, column)`` says why an element is what it is. On the command
    line: ``convscope conv``. Raises UsageError, and LayerError where they do not fit.
    """
    from ..explain.concepts.convolution import Settings, convolve

    if padding_mode not in get_args(PaddingMode):
        raise UsageError(f"no padding mode is called {padding_mode!r}", near(str(padding_mode), get_args(PaddingMode)))
    settings = Settings(
        _pair(stride, "stride"),
        padding if isinstance(padding, str) else _pair(padding, "padding", 0),
        padding_mode,
        _pair(dilation, "dilation"),
        groups,
    )
    image, kernels = _image(input), _numbers(weight, "weight")
    if not 2 <= kernels.ndim <= 4:
        raise UsageError(f"the weight has shape {kernels.shape}", "(kh, kw), (C, kh, kw) or (O, C/groups, kh, kw)")
    kernels = kernels.reshape((1,) * (4 - kernels.ndim) + kernels.shape)
    return convolve(image, kernels, None if bias is None else _numbers(bias, "bias").ravel(), settings)


@plain_torch()
def pool(
    input: Any,  # noqa: A002 - PyTorch's name
    kernel_size: Size = 2,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    kind: Literal["max", "avg"] = "max",
) -> Pooling:
    """Max or average pooling of one image (H, W), (C, H, W) or (1, C, H, W), as torch.nn.MaxPool2d and AvgPool2d do it.

    ``.winners`` has the place of each window's largest element. On the command line: ``convscope pool``. Raises
    UsageError, and LayerError where they do not fit.
    """
    from ..explain.concepts import pooling

    if kind not in ("max", "avg"):
        raise UsageError(f"no pooling is called {kind!r}", near(str(kind), ["max", "avg"]))
    if kind == "avg" and _pair(dilation, "dilation") != (1, 1):
        raise UsageError("average pooling has no dilation", "leave dilation out, or use max")
    window = _pair(kernel_size, "kernel_size")
    step = window if stride is None else _pair(stride, "stride")
    sides, gaps = _pair(padding, "padding", 0), _pair(dilation, "dilation")
    settings = pooling.PoolSettings(window, step, sides, gaps, ceil_mode, count_include_pad)
    return pooling.pool(kind, _image(input), settings)


@plain_torch()
def loss(name: str, prediction: Any, target: Any) -> Loss:
    """The loss ``name`` (mse, l2, mae or cross-entropy), term by term, with the derivative of every prediction.

    Cross entropy takes logits (K,) or (N, K) and class indices () or (N,). On the command line: ``convscope loss``.
    Raises UsageError.
    """
    from ..explain.concepts import losses

    wanted = _numbers(target, "target", np.float64)
    predicted = _numbers(prediction, "prediction", np.float64)
    if name == "cross-entropy" and wanted.size == 1 and predicted.ndim == 1:
        wanted = wanted.reshape(())
    return losses.loss(name, predicted, wanted)


@plain_torch()
def backprop(
    expression: str | None = None,
    values: Mapping[str, Any] | None = None,
    *,
    net: str | None = None,
    input: Any = None,  # noqa: A002 - the command line's name
    target: Any = None,
    loss: str = "mse",
    seed: int = 0,
    passes: int = 1,
) -> Walk:
    """The chain rule, node by node, for an ``expression`` of ``values`` by name, or for a small ``net`` and one sample.

    ``convscope.backprop("(w*x + b - y)**2", {"w": 3, "x": 2, "b": 1, "y": 5})``. Every gradient has been compared with
    autograd's and with finite differences. ``passes`` goes back so often without zeroing gradients. On the command
    line: ``convscope backprop``. Raises UsageError.
    """
    if (expression is None) == (net is None):
        raise UsageError("give either an expression or a net", 'such as convscope.backprop("w*x", {"w": 3, "x": 2})')
    if net is None:
        from ..explain.backprop.autograd import check
        from ..explain.backprop.expression import parse, run

        given = [f"{name}={_written(value, name)}" for name, value in (values or {}).items()]
        tape = parse(expression or "", given)
        walk = run(tape, passes)
        check(tape, walk, passes)
        return walk
    from ..explain.backprop.small_net import explain_net

    if input is None or target is None:
        raise UsageError("a net needs input and target", "such as input=[1, 2], target=[0.5]")
    words = _written(target, "target")
    return explain_net(net, _written(input, "input"), words.strip("[]"), loss, seed, passes)[0]


@plain_torch()
def descent(
    data: str | None = None,
    *,
    net: str = "note",
    samples: int | None = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    lr: float | None = None,
    surface: str | None = None,
    start: tuple[float, float] | None = None,
    optimizers: Sequence[str] = (),
    momentum: float = 0.9,
    adam_lr: float | None = None,
    seed: int = 0,
    data_dir: str | Path | None = None,
    offline: bool = False,
) -> Descent:
    """Descend with one sample, a mini-batch and all samples an update: same start, same samples seen.

    Without ``data``, a line is fitted to made-up samples (100, batches of 10, 20 epochs, lr 0.1); with them, ``net`` is
    trained (1,000, batches of 32, 5 epochs, lr 0.01); on a ``surface`` ("valley", "saddle", "two-minima") the gradient
    is exact (100 updates, lr 0.05). ``start`` is (w, b) on the map; ``optimizers`` ("momentum", "nesterov", "adam") are
    further paths by mini-batches, as torch.optim takes them. On the command line: ``convscope descent``. Raises
    UsageError, DataError, TrainingError.
    """
    from ..explain.concepts.asked import Asked

    asked = Asked(
        data=data,
        net=net,
        surface=surface,
        start=start,
        samples=samples,
        batch_size=batch_size,
        epochs=epochs,
        lr=lr,
        optimizers=[optimizers] if isinstance(optimizers, str) else optimizers,
        momentum=momentum,
        adam_lr=adam_lr,
        seed=seed,
        data_dir=None if data_dir is None else Path(data_dir),
        offline=offline,
    )
    return asked.descend(asked.objective())


def batches(samples: int = 60_000, batch_size: int = 64, drop_last: bool = False) -> Batches:
    """How many updates an epoch takes, and what the last batch holds. On the command line: ``convscope batches``.

    Raises UsageError.
    """
    from ..explain.concepts.batches import cut

    for name, value in (("samples", samples), ("batch_size", batch_size)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise UsageError(f"{name} is {str(value)[:60]!r}", "it must be a whole number")
    return cut(samples, batch_size, drop_last)


def shapes(net: str, image: tuple[int, int, int] | None = None, classes: int = 10) -> Records[Row]:
    """Shape, size formula, parameters and arithmetic of every layer of a named net or a spec.

    ``image`` is (C, H, W): by default the named net's, else (1, 28, 28). On the command line: ``convscope shapes``.
    Raises UsageError.
    """
    from ..net.shapes import table
    from ..net.zoo import ZOO, resolve

    own = ZOO[net.strip()].image if net.strip() in ZOO else (1, 28, 28)
    return Layers(table(resolve(net), own if image is None else image, classes))


class Layers(Records["Row"]):
    """The layers of a net, one a row."""

    columns = ("name", "text", "output", "formula", "parameters", "multiply_adds")


def devices() -> Devices:
    """GPUs, CPU, cores, vector width and engines of this machine. On the command line: ``convscope devices``."""
    from ..engine.devices import survey

    return survey()


def _numbers(value: Any, what: str, kind: Any = np.float32) -> NDArray[Any]:
    """Numbers as an array. Raises UsageError for what is none, or not finite."""
    if isinstance(value, str):
        return read_array(value, what).astype(kind)
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    try:
        array = np.array(value, dtype=kind)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{what} is no array of numbers", "give an array, a tensor, lists or '1 2 / 3 4'") from None
    if not array.size or not np.isfinite(array).all():
        raise UsageError(f"{what} is empty or holds numbers that are not finite", "give finite numbers")
    return array


def _image(value: Any) -> NDArray[np.float32]:
    array = _numbers(value, "input")
    if array.ndim == 4 and len(array) == 1:
        array = array[0]
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3:
        raise UsageError(
            f"the input has shape {array.shape}, expected (H, W), (C, H, W) or (1, C, H, W)", "one image at a time"
        )
    return array


def _pair(value: Size, what: str, least: int = 1) -> tuple[int, int]:
    both = (value, value) if isinstance(value, int) else tuple(value)
    if len(both) != 2 or not all(isinstance(n, int) and least <= n < 10**6 for n in both):
        raise UsageError(f"{what} is {value!r}, expected a whole number from {least} on, or (height, width)")
    return both[0], both[1]


def _written(value: Any, name: str) -> str:
    """Numbers as the parsers of expressions read them: 3, [1.0, 2.0], [[…]]."""
    if isinstance(value, str):
        return value
    array = _numbers(value, name, np.float64)
    whole = (array == np.round(array)).all() and np.abs(array).max() < 2**53
    return repr((array.astype(np.int64) if whole else array).tolist())
