"""What a channel answers to: the images that excite it most, and a picture that is made to excite it.

Activation maximisation (D. Erhan, Y. Bengio, A. Courville and P. Vincent, Visualizing Higher-Layer Features of a Deep
Network, 2009) goes up the gradient of the channel's mean over its map, from a little noise around the mean pixel:

    x ← clip(x + η · g / rms(g)),    g = ∂ mean(channel) / ∂x

Left alone, that finds high frequencies which no photograph has. Regularised as by J. Yosinski, J. Clune, A. Nguyen,
T. Fuchs and H. Lipson (Understanding Neural Networks Through Deep Visualization, 2015): after every step x decays
towards the mean pixel, and every fourth time it is blurred by (1, 2, 1)/4 in both directions. The image is also moved
by up to a pixel before every step, so that no pixel counts alone (A. Mordvintsev, C. Olah and M. Tyka, Inceptionism,
2015).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ...data.batches import images_together
from ...engine.plain import plain_torch
from ...errors import UsageError, near
from ...net.model import Model, evaluation
from .trace import Trace

NINE = 9
STEPS, FEWEST = 128, 24
WHOLE = 64 * 64  # pixels of an image for which all steps are taken; of larger ones fewer
STEP = 0.05  # of what a pixel can be, in one step


@dataclass(frozen=True)
class Excited:
    """Image ``image`` of the set, in which ``layer[index]``, the largest element of the channel, is ``value``."""

    image: int
    value: float
    index: tuple[int, ...]


@dataclass(frozen=True)
class Regularisation:
    """``decay`` of the distance to the mean pixel at every step, blur at every ``blur``-th (0: never), ``jitter``
    pixels at most that the image is moved by.
    """

    decay: float = 0.01
    blur: int = 4
    jitter: int = 1


@dataclass(frozen=True)
class Maximised:
    """A picture made for a channel: ``pixels`` float (C, H, W) in 0 … 255, the channel's mean over its map before the
    first and after every step (``means``), and its largest element in that picture.
    """

    pixels: NDArray[np.float32]
    means: tuple[float, ...]
    largest: float


def with_channels(trace: Trace) -> dict[str, tuple[int, ...]]:
    """The layers whose channels can be asked for, with the shapes of their outputs (C, h, w) or (F,)."""
    modules = dict(trace.net.named_modules())
    return {
        call.name: call.output.shape
        for call in trace.calls.values()
        if call.name in modules and call.output is not None and call.output.ndim in (1, 3) and call.output.size
    }


def best_images(
    model: Model,
    images: NDArray[np.uint8],
    layer: str,
    channel: int,
    count: int = NINE,
    check: Callable[[], None] = lambda: None,
) -> list[Excited]:
    """The ``count`` of ``images`` uint8 (N, C, H, W) with the largest element of the channel, the largest first.

    ``check`` is called again and again; what it raises ends that. Raises UsageError for an unknown layer or channel.
    """
    found: list[tuple[Tensor, Tensor]] = []
    shape = torch.Size()
    with evaluation(model.net), _watched(model.net, layer, channel) as seen:
        together = images_together(*model.image[1:])
        for start in range(0, len(images), together):
            check()
            seen.clear()
            model.logits(torch.from_numpy(np.ascontiguousarray(images[start : start + together])))
            shape = seen[0].shape[1:]
            top = seen[0].reshape(len(seen[0]), -1).max(1)
            found.append((top.values.float().cpu(), top.indices.cpu()))
    values, places = (torch.cat(part).numpy() for part in zip(*found, strict=True))
    order = np.argsort(-values, kind="stable")[:count]
    return [
        Excited(int(n), float(values[n]), (channel, *(int(i) for i in np.unravel_index(int(places[n]), shape))))
        if shape
        else Excited(int(n), float(values[n]), (channel,))
        for n in order
    ]


@plain_torch()
def maximise(
    model: Model,
    layer: str,
    channel: int,
    steps: int | None = None,
    regularisation: Regularisation | None = None,
    seed: int = 0,
    check: Callable[[], None] = lambda: None,
) -> Maximised:
    """Make a picture that excites a channel, the same one for the same ``seed``.

    Takes :data:`STEPS` steps, of images of more than 64×64 pixels as many fewer. ``check`` is called before each; what
    it raises ends that. Raises UsageError for an unknown layer or channel.
    """
    chosen = regularisation or Regularisation()
    height, width = model.image[1:]
    count = max(FEWEST, min(STEPS, STEPS * WHOLE // (height * width))) if steps is None else steps
    device = next(model.net.parameters()).device
    random = torch.Generator().manual_seed(seed)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (model.mean, model.std))
    x = (mean + 0.02 * torch.randn(model.image, generator=random)).clamp(0, 1)
    means = []
    with evaluation(model.net), _watched(model.net, layer, channel) as seen, torch.enable_grad():
        for step in range(count + 1):
            check()
            by = torch.randint(-chosen.jitter, chosen.jitter + 1, (2,), generator=random).tolist()
            moved = torch.roll(x, by, (1, 2)) if step < count else x
            leaf = moved.clone().requires_grad_()
            seen.clear()
            model.net(((leaf - mean) / std).to(device)[None])
            excited = seen[0][0]
            means.append(float(excited.detach().mean()))
            if step == count:
                break
            (gradient,) = torch.autograd.grad(excited.mean(), leaf)
            size = float(gradient.square().mean().sqrt())
            if size == 0 or not np.isfinite(size):
                continue  # a channel that is 0 everywhere has nowhere to go
            x = torch.roll(moved + STEP * gradient / size, [-n for n in by], (1, 2))
            x = _smooth((x - mean) * (1 - chosen.decay) + mean, chosen.blur, step).clamp(0, 1)
    return Maximised((255 * x).numpy(), tuple(means), float(excited.detach().max()))


def _smooth(x: Tensor, every: int, step: int) -> Tensor:
    if not every or (step + 1) % every:
        return x
    line = torch.tensor([1.0, 2.0, 1.0]) / 4
    padded = functional.pad(x[:, None], (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(padded, torch.outer(line, line)[None, None])[:, 0]


@contextmanager
def _watched(net: nn.Module, layer: str, channel: int) -> Iterator[list[Tensor]]:
    """A list that fills with the channel, (N, h, w) or (N,), each time that the layer computes inside the block."""
    seen: list[Tensor] = []

    def keep(_: nn.Module, __: object, output: Tensor) -> None:
        seen.append(_channel(output, layer, channel))

    with _module(net, layer).register_forward_hook(keep):
        yield seen


def _module(net: nn.Module, layer: str) -> nn.Module:
    modules: dict[str, nn.Module] = {name: module for name, module in net.named_modules() if name}
    if layer not in modules:
        raise UsageError(f"the net has no layer {layer[:60]!r}", near(layer[:60], modules))
    return modules[layer]


def _channel(output: Tensor, layer: str, channel: int) -> Tensor:
    """(N, h, w) or (N,) of an output (N, C, h, w) or (N, F)."""
    if not 0 <= channel < output.shape[1]:
        raise UsageError(f"{layer} has no channel {channel}", f"they are counted from 0 to {output.shape[1] - 1}")
    return output[:, channel]
