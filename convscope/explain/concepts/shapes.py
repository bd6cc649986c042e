"""Why a layer refuses its input: PyTorch's own message, what it means here, and the fix.

Whether a net takes an input, and what shape every layer makes of it, is found with fake tensors, which have shapes but
no data. They word some errors differently, so the failing layer alone is then run on real tensors that repeat a single
zero (stride 0, four bytes whatever their shape): its message is PyTorch's, to the letter.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod

import torch
from torch import nn

from ...errors import UsageError
from ...language.counts import number_of
from ...net.ops import shape_text

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Diagnosis:
    """Why ``layer`` refuses an input of shape ``input`` (batch axis included): PyTorch's ``message``, then ours."""

    layer: str
    input: Shape
    message: str
    problem: str
    fix: str


@dataclass(frozen=True)
class LayerShape:
    """What came out of one layer of a net, in the order of the calls."""

    name: str
    layer: str
    output: Shape


@dataclass(frozen=True)
class Fit:
    """How far an input comes in a net: the layers that took it and, where one refused, its ``name`` and why."""

    input: Shape
    layers: tuple[LayerShape, ...]
    name: str | None = None
    diagnosis: Diagnosis | None = None


class LayerError(UsageError):
    """A layer that refuses its input; the text is PyTorch's message and the ``diagnosis``, after ``before``."""

    def __init__(self, diagnosis: Diagnosis, before: str = "") -> None:
        self.diagnosis = d = diagnosis
        super().__init__(f"{before}{d.layer} refuses input {d.input}\n  PyTorch: {d.message}\n  {d.problem}", d.fix)


def make(layer: Callable[[], nn.Module], shape: Shape) -> nn.Module:
    """``layer()`` without memory for its weights. Raises LayerError where PyTorch refuses the parameters themselves."""
    try:
        with torch.device("meta"):
            return layer()
    except (ValueError, RuntimeError) as error:
        message = str(error)
    fix = "groups must divide both in_channels and out_channels"
    problem = "each group convolves its own share of the channels, so they must divide evenly"
    if "strided" in message:
        problem = "padding 'same' keeps the size, which a stride greater than 1 cannot do"
        fix = "give the padding in numbers: kernel // 2 for an odd kernel"
    elif "groups" not in message:
        problem, fix = "the layer cannot be made with these parameters", ""
    raise LayerError(Diagnosis("Conv2d", shape, message, problem, fix))


def check(layer: nn.Module, shape: Shape) -> None:
    """Raise LayerError if ``layer`` refuses an input of ``shape``; nothing is computed, no weights are needed."""
    fit = fits(layer, shape)
    if fit.diagnosis is not None:
        raise LayerError(fit.diagnosis)


def fits(net: nn.Module, shape: Shape) -> Fit:
    """Send a fake tensor of ``shape`` (batch axis included) through any module and note every layer's output shape."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    done: list[LayerShape] = []
    entered: list[tuple[str, nn.Module, Shape]] = []
    hooks = []
    for name, module in net.named_modules():
        if next(module.children(), None) is not None:
            continue

        def before(module: nn.Module, inputs: tuple[torch.Tensor, ...], name: str = name) -> None:
            entered.append((name, module, tuple(inputs[0].shape)))

        def after(module: nn.Module, _: object, output: torch.Tensor, name: str = name) -> None:
            done.append(LayerShape(name, str(module), tuple(output.shape)))

        hooks += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        with _silent(), FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
            stored = [*net.named_parameters(), *net.named_buffers()]
            fake = {name: torch.empty(tensor.shape, dtype=tensor.dtype) for name, tensor in stored}
            torch.func.functional_call(net, fake, (torch.empty(shape),))
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        name, layer, came = entered[-1] if len(entered) > len(done) else ("", net, shape)
        return Fit(shape, tuple(done), name, _diagnose(layer, came, str(error)))
    finally:
        for module, training in modes:
            module.training = training
        for hook in hooks:
            hook.remove()
    return Fit(shape, tuple(done))


def refusal(fit: Fit) -> LayerError:
    """The error of a net that refuses its input, with the layers up to the one that does."""
    assert fit.diagnosis is not None
    width = max(map(len, ["given", *(layer.name for layer in fit.layers), fit.name or ""]))
    rows = [
        ("given", str(fit.input)),
        *((layer.name, str(layer.output)) for layer in fit.layers),
        (fit.name or "", "✗"),
    ]
    table = "".join(f"  {name:<{width}}  {shape}\n" for name, shape in rows)
    return LayerError(fit.diagnosis, f"the net refuses its input\n{table}")


def _diagnose(layer: nn.Module, shape: Shape, fake: str) -> Diagnosis:
    message = _exact_message(layer, shape) or fake
    problem, fix = "PyTorch cannot run this layer on this input", "compare the shapes in the message"
    if isinstance(layer, nn.Conv2d):
        problem, fix = _conv(layer, shape)
    elif isinstance(layer, nn.Linear):
        problem, fix = _linear(layer, shape)
    elif isinstance(layer, nn.MaxPool2d | nn.AvgPool2d):
        problem, fix = _pool(layer, shape)
    elif isinstance(layer, nn.BatchNorm2d):
        problem = f"it normalises {number_of(layer.num_features, 'channel')}, but the input is {shape_text(shape)}"
        fix = f"make it for the channels that come: nn.BatchNorm2d({shape[1] if len(shape) == 4 else '...'})"
    return Diagnosis(str(layer), shape, message, problem, fix)


def _exact_message(layer: nn.Module, shape: Shape) -> str:
    """What PyTorch says to real tensors: all weights and the input are one zero, repeated. Empty for whole nets."""
    if next(layer.children(), None) is not None:
        return ""
    zero = torch.zeros(())
    tensors = {name: zero.expand(t.shape) for name, t in [*layer.named_parameters(), *layer.named_buffers()]}
    try:
        with torch.no_grad():
            torch.func.functional_call(layer, tensors, (zero.expand(shape),))
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        return str(error)
    return ""


def _conv(layer: nn.Conv2d, shape: Shape) -> tuple[str, str]:
    want = layer.in_channels
    if len(shape) not in (3, 4):
        return (
            f"a convolution takes (N, C, H, W) or one image (C, H, W), not {number_of(len(shape), 'axis', 'axes')}",
            "add the missing axes: x[None, None] makes (1, 1, H, W) of a picture (H, W)",
        )
    channels, size = shape[-3], shape[-2:]
    if channels != want:
        return _channels(shape, channels, want, layer.out_channels)
    if layer.padding_mode != "zeros" and not isinstance(layer.padding, str):
        limit = "smaller than the image" if layer.padding_mode == "reflect" else "no larger than the image"
        if any(p > n - (layer.padding_mode == "reflect") for p, n in zip(layer.padding, size, strict=True)):
            return (
                f"padding {layer.padding_mode!r} takes its values from the image, so it must be {limit}",
                f"use padding of at most {min(size) - (layer.padding_mode == 'reflect')} here, or padding_mode='zeros'",
            )
    reach = tuple(d * (k - 1) + 1 for d, k in zip(layer.dilation, layer.kernel_size, strict=True))
    gaps = (
        f" (dilation {layer.dilation} spreads its {shape_text(layer.kernel_size)} taps)"
        if reach != layer.kernel_size
        else ""
    )
    return (
        f"the window covers {shape_text(reach)} pixels{gaps}, but the image with its padding is smaller",
        "use a smaller kernel, less dilation, more padding (kernel // 2 keeps the size) or a larger image",
    )


def _channels(shape: Shape, channels: int, want: int, out: int) -> tuple[str, str]:
    problem = f"the layer is made for {want} channel{'s' * (want != 1)}, but the input has {channels}"
    if shape[-1] == want:
        order = "0, 3, 1, 2" if len(shape) == 4 else "2, 0, 1"
        return (
            f"{problem}: its last axis is {want}, so the channels seem to come last (NHWC)",
            f"PyTorch wants the channels before height and width: x.permute({order})",
        )
    if len(shape) == 3 and want == 1:
        return (
            f"{problem}: three axes are read as one image (C, H, W)",
            "if these are many grey images (N, H, W), add the channel axis: x.unsqueeze(1)",
        )
    other = {
        (3, 1): "make the images grey: x.mean(1, keepdim=True)",
        (1, 3): "repeat the grey channel: x.expand(-1, 3, -1, -1)",
        (4, 3): "drop the alpha channel: x[:, :3]",
    }
    fix = other.get((channels, want), f"feed {want} channel{'s' * (want != 1)}")
    return problem, f"make the layer for what comes: nn.Conv2d({channels}, {out}, ...); or {fix}"


def _linear(layer: nn.Linear, shape: Shape) -> tuple[str, str]:
    want, features = layer.in_features, prod(shape[1:])
    if len(shape) > 2:
        problem = (
            f"it takes rows of {number_of(want, 'feature')}, but images {shape_text(shape[1:])} come: "
            "they are not flattened"
        )
        if features == want:
            return problem, f"put nn.Flatten() before it: {' · '.join(map(str, shape[1:]))} = {want}, which fits"
        fix = f"put nn.Flatten() before it and make it nn.Linear({features}, {layer.out_features})"
        return f"{problem}, and they hold {number_of(features, 'number')}", fix
    return (
        f"it is made for {number_of(want, 'feature')}, but {shape[-1]} come; "
        "convolution and pooling take images of any size, a classifier fixes the size",
        f"make it nn.Linear({shape[-1]}, {layer.out_features}), or bring the images to the size that gives {want} "
        "features, or put nn.AdaptiveAvgPool2d before the flatten",
    )


def _pool(layer: nn.MaxPool2d | nn.AvgPool2d, shape: Shape) -> tuple[str, str]:
    kernel, padding = _pair(layer.kernel_size), _pair(layer.padding)
    if any(p > k // 2 for p, k in zip(padding, kernel, strict=True)):
        return (
            "with padding of more than half the window, some windows would see nothing but padding",
            f"use padding of at most {min(kernel) // 2}",
        )
    if len(shape) not in (3, 4):
        return (
            f"pooling takes (N, C, H, W) or (C, H, W), not {number_of(len(shape), 'axis', 'axes')}",
            "add the missing axes: x[None, None]",
        )
    return (
        f"its window of {shape_text(kernel)} does not fit into an image of {shape_text(shape[-2:])}",
        "use a smaller window, fewer pools before it, ceil_mode or a larger image",
    )


def _pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


@contextmanager
def _silent() -> Iterator[None]:
    """Keep the fake-tensor machinery from logging a traceback for what is an expected answer here."""
    log = logging.getLogger("torch._subclasses.fake_tensor")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before
