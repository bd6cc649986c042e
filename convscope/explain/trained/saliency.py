"""Why this class: which pixels speak for a class's score, asked in three ways.

gradient × input   ∂score/∂pixel · pixel, summed over channels: the score's first-order share of every pixel
                   (Shrikumar et al. 2016). For a net of convolutions, max pooling and ReLU without biases the shares
                   add up to the score.
occlusion          how far the score falls when a square is replaced by the mean pixel (Zeiler and Fergus 2014);
                   every pixel gets the mean over the squares that cover it.
Grad-CAM           relu(Σ over channels k of mean(∂score/∂A[k]) · A[k]) for the last convolution's maps A (Selvaraju et
                   al. 2017): coarse, but it shows where what the net recognised stands. The last convolution is the
                   first one in the backward pass from the scores, not the 1×1 one in a shortcut beside it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...data.batches import images_together
from ...engine.plain import plain_torch
from ...errors import UsageError
from ...net.model import evaluation
from ...net.wiring import IMAGE
from ...shown import Part, Picture, Shown
from .operations import scores
from .pictures import map_png
from .trace import Array, Trace, trace

Map = NDArray[np.float64]
BATCH = 256


@dataclass(frozen=True, repr=False)
class Saliency(Shown):
    """What speaks for (positive) and against (negative) class ``target``, whose raw output is ``score``.

    ``gradient_input`` and ``occlusion`` (H, W), the latter with squares of ``square`` pixels; ``grad_cam`` (h, w), the
    size of the maps of ``layer``, is never negative; both are None in a net without convolution.
    """

    target: int
    score: float
    gradient_input: Map
    occlusion: Map
    square: int
    grad_cam: Map | None
    layer: str | None

    def told(self) -> Iterator[Part]:
        """What was asked for, and, in a notebook, the maps: red speaks for the class, blue against it."""
        height, width = self.gradient_input.shape
        squares = f"{self.square}×{self.square}"
        yield f"why output {self.target} is {self.score:.4g}, by {height}×{width} pixels, occluded by {squares}"
        yield Picture("gradient × input", lambda: map_png(self.gradient_input), crisp=True)
        yield Picture(f"occlusion by {squares}", lambda: map_png(self.occlusion), crisp=True)
        grad_cam = self.grad_cam
        if grad_cam is not None:
            yield Picture(f"Grad-CAM at {self.layer}", lambda: map_png(grad_cam), crisp=True)


@plain_torch()
def saliency(
    net: nn.Module,
    image: torch.Tensor,
    target: int,
    square: int | None = None,
    check: Callable[[], None] = lambda: None,
) -> Saliency:
    """Explain ``target``'s score for ``image`` float (C, H, W) as the net takes it (normalised: the mean pixel is 0).

    ``square`` is the occluded square's side: a fifth of the shorter side unless given. ``check`` is called again and
    again while squares are moved, which may take long; what it raises ends that. Raises UsageError for no such square.
    """
    if square is not None and square < 1:
        raise UsageError(f"square must be at least 1, not {square}", "leave it out for a fifth of the shorter side")
    traced = trace(net, image, target, of="score")
    assert traced.image_gradient is not None
    assert traced.value is not None
    shares = (traced.image_gradient.astype(np.float64) * traced.image).sum(0)
    side = square or max(1, round(min(image.shape[1:]) / 5))
    hidden = occlusion(net, image, target, side, check)
    layer = last_convolution(traced)
    cam = None if layer is None else grad_cam(traced, layer)
    return Saliency(target, traced.value, shares, hidden, side, cam, layer)


@plain_torch()
def occlusion(
    net: nn.Module, image: torch.Tensor, target: int, side: int, check: Callable[[], None] = lambda: None
) -> Map:
    """(H, W): the mean fall of the score over all squares of ``side`` that cover the pixel. Squares move by side/4."""
    height, width = image.shape[1:]
    step = max(1, side // 4)
    tops, lefts = (sorted({*range(0, n - side + 1, step), max(0, n - side)}) for n in (height, width))
    places = [(top, left) for top in tops for left in lefts]
    fall, covered = np.zeros((height, width)), np.zeros((height, width))
    with evaluation(net), torch.no_grad():
        first = next(net.parameters(), torch.empty(0))
        whole = image.detach().to(first.device, first.dtype)
        score = float(_scores(net, whole[None].clone())[0, target])
        together = min(BATCH, images_together(height, width))
        for start in range(0, len(places), together):
            check()
            part = places[start : start + together]
            hidden = whole.repeat(len(part), 1, 1, 1)
            for i, (top, left) in enumerate(part):
                hidden[i, :, top : top + side, left : left + side] = 0
            values = _scores(net, hidden)[:, target].double().cpu().numpy()
            for (top, left), value in zip(part, values, strict=True):
                fall[top : top + side, left : left + side] += score - value
                covered[top : top + side, left : left + side] += 1
    return fall / covered


def grad_cam(traced: Trace, layer: str) -> Map:
    """The class activation map of a trace of a score, for the maps (C, h, w) of ``layer``."""
    output = traced.calls[layer].output
    assert output is not None
    maps: Array = output.astype(np.float64)
    weights = traced.gradients[layer].astype(np.float64).mean((1, 2))
    return np.asarray(np.maximum(np.einsum("c,chw->hw", weights, maps), 0))


def last_convolution(traced: Trace) -> str | None:
    """The convolution that is met first in the backward pass from the scores; None where there is none."""
    names = list(traced.calls)
    name = names[-1] if names else None
    while name is not None and name != IMAGE:
        if _maps(traced, name):
            return name
        name = traced.calls[name].source
    return next((name for name in reversed(names) if _maps(traced, name)), None)


def _maps(traced: Trace, name: str) -> bool:
    """Whether ``name`` is a convolution with a gradient."""
    return isinstance(traced.calls[name].module, nn.Conv2d) and name in traced.gradients


def _scores(net: nn.Module, images: torch.Tensor) -> torch.Tensor:
    found = scores(net(images), len(images))
    if found is None or found.ndim != 2 or len(found) != len(images):
        made = "nothing" if found is None else tuple(found.shape)
        raise UsageError(f"occlusion needs a net that takes many images at once, but for {len(images)} it makes {made}")
    return found
