"""First weights other than PyTorch's own: convolutions that begin as partial identities, and one that whitens patches.

Both after K. Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU" (airbench: arXiv 2404.00498, sections 3.1
and 3.2), where they halve the epochs that a plain net needs.
"""

import torch
from torch import Tensor, nn

from ...data.batches import Normalize
from ...errors import UsageError
from ...language.counts import number_of
from ...recipe import InitName
from ..graph import parts
from ..words import Pair
from .whitening import whitening

MOST = 5_000 * 32 * 32  # pixels of a channel that are looked at: airbench's 5,000 images of CIFAR-10


def initialise(net: nn.Sequential, name: InitName, images: Tensor, normalize: Normalize) -> None:
    """Give ``net``, which has PyTorch's first weights, those that ``name`` says.

    default   they stay.
    dirac     every convolution without groups begins as a partial identity (:func:`make_identity`).
    whitened  the same, but the first one gets the filters of :func:`~.whitening.whitening`, which are frozen.

    Biases of all these convolutions become 0. ``images`` are the training images, uint8 (N, C, H, W). Raises
    UsageError where there is no such convolution, or ``whitened`` finds no layer that it could whiten with.
    """
    if name == "default":
        return
    layers = [part for part in net.modules() if isinstance(part, nn.Conv2d) and part.groups == 1]
    if not layers:
        raise UsageError(f"--init {name} has no effect: the net has no convolution without groups", "leave it out")
    first = _whitened(net, images, normalize) if name == "whitened" else None
    for layer in layers:
        if layer is not first:
            make_identity(layer)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def make_identity(layer: nn.Conv2d) -> None:
    """Let the first output channels pass the input channels on, each its own: 1 in the middle of the kernel, else 0.

    Those beyond the number of input channels keep their random weights.
    """
    with torch.no_grad():
        nn.init.dirac_(layer.weight[: layer.in_channels])


def _whitened(net: nn.Sequential, images: Tensor, normalize: Normalize) -> nn.Conv2d:
    """The first convolution of ``net``, with filters that whiten and stay as they are."""
    layer = parts(net)[0].module
    if not isinstance(layer, nn.Conv2d) or layer.groups > 1:
        raise UsageError("--init whitened needs a net that begins with a convolution", "or take --init dirac")
    kernel, dilation = (layer.kernel_size[0], layer.kernel_size[1]), (layer.dilation[0], layer.dilation[1])
    _check(layer, kernel, dilation, (images.shape[2], images.shape[3]))
    step = -(-images[:, 0].numel() // MOST)  # of all images alike, for they may lie class by class
    with torch.no_grad():
        layer.weight.copy_(whitening(normalize(images[::step]), kernel, dilation, layer.out_channels))
    layer.weight.requires_grad_(False)
    return layer


def _check(layer: nn.Conv2d, kernel: Pair, dilation: Pair, image: Pair) -> None:
    """Raise UsageError where there are not filters enough for ``layer``, or no patches at all."""
    size, channels = f"{kernel[0]}×{kernel[1]}", layer.in_channels
    if any(d * (k - 1) >= side for k, d, side in zip(kernel, dilation, image, strict=True)):
        raise UsageError(
            f"--init whitened takes patches from images of {image[0]}×{image[1]}, which are smaller than the first "
            f"convolution's kernel of {size}",
            "take a smaller kernel, or --init dirac",
        )
    most = 2 * channels * kernel[0] * kernel[1]
    if layer.out_channels > most:
        raise UsageError(
            f"--init whitened makes at most {most} filters of {size} in {channels} channel{'s' * (channels > 1)}, "
            f"but the first convolution has {layer.out_channels}",
            f"give it {number_of(most, 'output channel')} or fewer, or a larger kernel",
        )
