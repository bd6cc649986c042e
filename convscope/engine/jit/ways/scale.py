"""A batch normalisation of a net that is only used: y = s x + t, with what training has left.

    s = γ / √(σ² + ε)      t = β − μ s

Where a convolution stands before it, the weights take up s and the bias t, and nothing is left to do: ``take_up``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from typing_extensions import override

from ..ir.arrays import padded
from ..ir.kernel import Kernel
from ..ir.values import F32
from .layer import Op
from .way import Site, Way


@dataclass(frozen=True)
class Scale(Op):
    """y = s x + t by channel; s and t are numbers of the flat parameters, made from the layer ``name``."""

    name: str
    channels: int
    scale: int
    bias: int | None = None  # the first number of a bias that was added before

    @property
    def shift(self) -> int:
        """The first number of t."""
        return self.scale + padded(self.channels)


class Scaled(Way):
    """One pass over memory."""

    @classmethod
    @override
    def cost(cls, site: Site) -> float:
        return 0.0

    def forward(self) -> Iterator[Kernel]:
        """y = a(s x + t)."""
        f, op = self.site.kernel("forward"), self.site.node.op
        assert isinstance(op, Scale)
        x, y = f.array(self.site.x[0]), f.array(self.site.y)
        with f.loop(op.channels) as c:
            s, t = (f.splat(f.load(F32, f["p"], 4 * n, (c, 4)), f.lanes.width) for n in (op.scale, op.shift))
            with f.loop(self.site.y.height) as i, f.loop(self.site.y.width) as j, f.loop(f.lanes.vectors) as v:
                y[c, i, j, v] = self.site.node.act.apply(f, f.fma(x[c, i, j, v], s, t))
        yield f


def take_up(flat: Tensor, op: Scale, module: nn.Module, weights: Tensor | None) -> None:
    """Write s and t of ``module`` as it is now; a convolution's ``weights`` (in ``flat``) are multiplied by s."""
    assert isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d)
    mean, variance = module.running_mean, module.running_var
    assert mean is not None
    assert variance is not None
    s = (variance.double() + module.eps).rsqrt()
    t = -mean.double()
    if op.bias is not None:
        t = t + flat[op.bias : op.bias + op.channels].double()
    if module.affine:
        s = s * module.weight.detach().double()
    t = t * s
    if module.affine:
        t = t + module.bias.detach().double()
    flat[op.scale : op.scale + op.channels] = s
    flat[op.shift : op.shift + op.channels] = t
    if weights is not None:
        rows = weights.view(op.channels, -1)
        rows.copy_(rows.double() * s[:, None])
