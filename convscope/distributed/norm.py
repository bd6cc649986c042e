"""Batch norm over the images of all slices: each knows its own, and learns mean and variance of the others'.

    μ = Σ x / N    σ² = Σ (x − μ)² / N    y = γ (x − μ) / √(σ² + ε) + β
    dx = γ / √(σ² + ε) · (dy − Σ dy / N − x̂ · Σ dy·x̂ / N)

Means and squares of slices are merged in their order as T. Chan, G. Golub and R. LeVeque do (1983). What a slice gives
for dγ and dβ is its part, as of all gradients.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from .crew import Seat
from .team import in_order


class Together(TorchFunctionMode):
    """Inside the block ``F.batch_norm`` in training takes the statistics of all slices; ``seat`` is this one's.

    The first slice of a process moves the running statistics.
    """

    def __init__(self, seat: Seat) -> None:
        super().__init__()
        self.seat = seat

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.batch_norm:
            return self._batch_norm(func, *args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _batch_norm(
        self,
        plain: Any,
        x: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if not training:
            result: Tensor = plain(x, running_mean, running_var, weight, bias, training, momentum, eps)
            return result
        kind, x = x.dtype, x.float() if x.itemsize < 4 else x  # a mean of 8 bits would shift every number
        count, mean, squares = merged(self.seat.gather(_statistics(x.detach())))
        if running_mean is not None and running_var is not None and self.seat.local == 0:
            running_mean.mul_(1 - momentum).add_(mean.to(running_mean.dtype), alpha=momentum)
            unbiased = squares / (count - 1)
            running_var.mul_(1 - momentum).add_(unbiased.to(running_var.dtype), alpha=momentum)
        scale = (squares / count + eps).rsqrt()
        normalised = _Normalised.apply(  # type: ignore[no-untyped-call]
            x, mean.to(x.dtype), scale.to(x.dtype), count[0], self.seat
        )
        return _affine(normalised, weight, bias).to(kind)


def _statistics(x: Tensor) -> Tensor:
    """float64 (3, C) for x (n, C, ...): how many numbers a channel has, their mean, and the squares about it."""
    channels = x.shape[1]
    rows = x.transpose(0, 1).reshape(channels, -1)
    found = torch.zeros(3, channels, dtype=torch.float64, device=x.device)
    if rows.shape[1]:
        variance, mean = torch.var_mean(rows, dim=1, correction=0)
        found[0], found[1], found[2] = rows.shape[1], mean.double(), variance.double() * rows.shape[1]
    return found


def merged(parts: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Count, mean and squares about it of all parts (3, C) together; a part may be of no numbers."""
    n, mean, squares = parts[0]
    for m, other, more in parts[1:]:
        total = (n + m).clamp(min=1)
        gap = other - mean
        n, mean, squares = n + m, mean + gap * (m / total), squares + more + gap * gap * (n * m / total)
    return n, mean, squares


class _Normalised(torch.autograd.Function):
    """(x − mean) · scale, where both follow from x of all slices."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mean: Tensor, scale: Tensor, count: Tensor, seat: Seat) -> Tensor:
        shape = (1, -1, *[1] * (x.ndim - 2))
        normalised = (x - mean.view(shape)) * scale.view(shape)
        ctx.save_for_backward(normalised, scale)
        ctx.count, ctx.seat = count, seat
        return normalised

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None, None, None, None]:
        (dy,) = slopes
        normalised, scale = ctx.saved_tensors
        axes, shape = [0, *range(2, dy.ndim)], (1, -1, *[1] * (dy.ndim - 2))
        own = torch.stack([dy.sum(axes), (dy * normalised).sum(axes)])
        both = (in_order(ctx.seat.gather(own)).double() / ctx.count).to(own.dtype)
        inner = dy - both[0].view(shape) - normalised * both[1].view(shape)
        return inner * scale.view(shape), None, None, None, None


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    shape = (1, -1, *[1] * (x.ndim - 2))
    if weight is not None:
        x = x * weight.view(shape)
    return x if bias is None else x + bias.view(shape)
