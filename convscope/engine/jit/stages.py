"""A torch net becomes stages: convolution (with its pool and activation), pool, activation. Or: why it cannot."""

import platform
from dataclasses import dataclass, replace
from math import prod

from torch import nn

from ...errors import UsageError
from ...net.graph import GraphNet
from ...net.ops import same_padding, shape_text, window_size
from . import machine
from .activation import Activation
from .conv import Conv
from .layout import Pair
from .pool import Pool

Shape = tuple[int, int, int]
ACTIVATIONS: dict[type[nn.Module], Activation] = {nn.ReLU: "relu", nn.Tanh: "tanh", nn.Sigmoid: "sigmoid"}
# Multiply-adds of one image beyond which PyTorch trains small batches faster. Measured: at batch 1 this engine is four
# times as fast with 0.4 M, 0.9 to 1.8 times with 6 M; at batch 4 1.4 times with 6 M, 0.85 with 16 M; at 8 it wins.
LARGE_ALONE, LARGE_FEW, FEW = 3_000_000, 10_000_000, 8
# Exactly these: a class derived from one of them may compute something else.
COVERED = {*ACTIVATIONS, nn.Linear, nn.Flatten, nn.Conv2d, nn.AdaptiveAvgPool2d, nn.MaxPool2d, nn.AvgPool2d}
FUSED = 4  # pixels of the largest pooling window whose convolution sums fit a tile of registers


@dataclass(frozen=True)
class Stage:
    """One step of the program: ``op`` (None: nothing), then ``act``, from ``input`` (C, H, W) to ``output``."""

    op: Conv | Pool | None
    act: Activation
    input: Shape
    output: Shape

    @property
    def decides(self) -> bool:
        """Whether its gradient depends on which of two numbers is larger."""
        largest = not self.op.average if isinstance(self.op, Pool) else bool(self.op and self.op.pool)
        return largest or self.act == "relu"


def why_not(net: nn.Module) -> str | None:
    """Why the CPU engine cannot run ``net``: the first layer it does not cover and the reason; None where it can."""
    if not machine.available():
        return f"no vector instructions are known for {platform.machine()} processors"
    if not isinstance(net, nn.Sequential) or type(net) not in (nn.Sequential, GraphNet):
        return f"the net is a {type(net).__name__}, not a torch.nn.Sequential"
    if len(net) != len(set(net)):
        return "a layer stands in it twice"
    if sum(p.numel() for p in net.parameters()) != sum(p.numel() for m in net for p in m.parameters()):
        return "two layers share their parameters"
    parameters = 0
    for name, module in net.named_children():
        reason = _not_covered(module)
        if reason:
            return f"{name}: {reason}"
        for parameter in module.parameters():
            parameters += 1
            if str(parameter.dtype) != "torch.float32" or parameter.device.type != "cpu":
                return f"{name}: its parameters are {parameter.dtype} on {parameter.device}, not float32 on the CPU"
            if not parameter.requires_grad:
                return f"{name}: its parameters are frozen"
    return None if parameters else "the net has no parameters"


def why_slower(net: nn.Sequential, image: Shape, batch_size: int) -> str | None:
    """Why PyTorch trains a net that is covered faster; None where it does not. Raises UsageError like ``stages``."""
    work = sum(
        prod(s.output) * prod(s.op.pool or (1, 1)) * s.op.fan_in * prod(s.op.kernel)
        for s in stages(net, image)
        if isinstance(s.op, Conv)
    )
    if batch_size < FEW and work > (LARGE_ALONE if batch_size == 1 else LARGE_FEW):
        return f"batches of {batch_size} leave its vectors idle, and the net has {work:,} multiply-adds"
    return None


def _not_covered(module: nn.Module) -> str:
    if type(module) not in COVERED:
        return f"{type(module).__name__} is not covered"
    if module._forward_hooks or module._forward_pre_hooks:
        return "it has hooks"
    match module:
        case nn.Flatten():
            return "" if (module.start_dim, module.end_dim) == (1, -1) else "it flattens some dimensions only"
        case nn.Conv2d():
            return "" if module.padding_mode == "zeros" else f"it pads with {module.padding_mode!r}"
        case nn.AdaptiveAvgPool2d():
            return "" if module.output_size in (1, (1, 1)) else "it pools to more than one pixel"
        case nn.MaxPool2d():
            plain = _pair(module.dilation) == (1, 1) and not module.ceil_mode and not module.return_indices
            return "" if plain else "it has dilation, ceil_mode or return_indices"
        case nn.AvgPool2d():
            counted = module.count_include_pad or _pair(module.padding) == (0, 0)
            plain = counted and not module.ceil_mode and module.divisor_override is None
            return "" if plain else "it has ceil_mode, a divisor_override, or does not count the padding"
    return ""


def stages(net: nn.Sequential, image: Shape) -> list[Stage]:
    """The stages of a net that ``why_not`` has no objection to, for images (C, H, W).

    Parameters are numbered in the order of ``net.parameters()``. Raises UsageError where the net does not fit.
    """
    result: list[Stage] = []
    shape, count, flat = image, 0, False
    for name, module in net.named_children():
        if isinstance(module, nn.ReLU | nn.Tanh | nn.Sigmoid):
            _activate(result, ACTIVATIONS[type(module)], shape)
            continue
        if isinstance(module, nn.Flatten):
            flat = True
            continue
        misfit = _misfit(module, shape, flat)
        if misfit:
            raise UsageError(f"the net does not fit images of {shape_text(image)}: {name} {misfit}")
        op: Conv | Pool
        if isinstance(module, nn.Linear):
            op, output = Conv(0, None, shape[0], module.out_features, shape[1:]), (module.out_features, 1, 1)
        elif isinstance(module, nn.Conv2d):
            op, output = _conv(module, shape)
        else:
            op, output = _pool(module, shape)
        if isinstance(op, Conv):
            sizes = [p.numel() for p in module.parameters()]  # weight, and bias if there is one
            op = replace(op, weight=count, bias=count + sizes[0] if len(sizes) == 2 else None)
            count += sum(sizes)
        elif _fusible(result, op):
            before = result.pop()
            assert isinstance(before.op, Conv)
            result.append(Stage(replace(before.op, pool=op.kernel), before.act, before.input, output))
            shape = output
            continue
        result.append(Stage(op, "", shape, output))
        shape = output
    return result


def _misfit(module: nn.Module, shape: Shape, flat: bool) -> str:
    """What is wrong with ``shape`` (C, H, W) as the input of a layer."""
    if isinstance(module, nn.Linear):
        if not flat:
            return "needs a flatten before it"
        return "" if module.in_features == prod(shape) else f"takes {module.in_features} values, but gets {prod(shape)}"
    if flat:
        return "needs an image, but comes after flatten"
    if isinstance(module, nn.Conv2d) and module.in_channels != shape[0]:
        return f"takes {module.in_channels} channels, but gets {shape[0]}"
    output = (_conv(module, shape) if isinstance(module, nn.Conv2d) else _pool(module, shape))[1]
    return "" if min(output) > 0 else f"has a window that is larger than its input, {shape_text(shape)}"


def _activate(result: list[Stage], act: Activation, shape: Shape) -> None:
    """Attach ``act`` to the stage before, or make it a stage of its own."""
    if result and not result[-1].act:
        result[-1] = replace(result[-1], act=act)
    elif not (result and result[-1].act == act == "relu"):  # relu of relu is relu
        result.append(Stage(None, act, shape, shape))


def _fusible(result: list[Stage], pool: Pool) -> bool:
    """Whether ``pool`` can become part of the stage before: a max of convolution sums, which ReLU does not reorder."""
    if pool.average or pool.stride != pool.kernel or pool.padding != (0, 0) or not 1 < prod(pool.kernel) <= FUSED:
        return False
    return (
        bool(result) and isinstance(result[-1].op, Conv) and not result[-1].op.pool and result[-1].act in ("", "relu")
    )


def _conv(module: nn.Conv2d, shape: Shape) -> tuple[Conv, Shape]:
    kernel, stride, dilation = _pair(module.kernel_size), _pair(module.stride), _pair(module.dilation)
    if module.padding == "same":
        before, after = same_padding(kernel, dilation)
    elif module.padding == "valid":
        before = after = (0, 0)
    else:
        before = after = _pair(module.padding)
    size = tuple(
        (n + b + a - d * (k - 1) - 1) // s + 1
        for n, b, a, d, k, s in zip(shape[1:], before, after, dilation, kernel, stride, strict=True)
    )
    conv = Conv(0, None, shape[0], module.out_channels, kernel, stride, (*before, *after), dilation, module.groups)
    return conv, (module.out_channels, size[0], size[1])


def _pool(module: nn.Module, shape: Shape) -> tuple[Pool, Shape]:
    if isinstance(module, nn.AdaptiveAvgPool2d):
        pool = Pool(True, shape[1:], shape[1:])
    else:
        assert isinstance(module, nn.MaxPool2d | nn.AvgPool2d)
        average = isinstance(module, nn.AvgPool2d)
        pool = Pool(average, _pair(module.kernel_size), _pair(module.stride), _pair(module.padding))
    numbers = zip(shape[1:], pool.kernel, pool.stride, pool.padding, strict=True)
    height, width = (window_size(*n) for n in numbers)
    return pool, (shape[0], height, width)


def _pair(value: object) -> Pair:
    if isinstance(value, tuple | list):
        return value[0], value[1]
    assert isinstance(value, int)
    return value, value
