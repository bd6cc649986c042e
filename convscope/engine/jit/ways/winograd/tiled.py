"""Winograd's way as one of the ways of a convolution: which of its kernels are written where. Formulas: forward.py."""

from collections.abc import Iterator
from math import inf

from ...ir.kernel import Kernel
from ..direct.forward import Direct
from ..way import Site
from . import backward, forward, thin, ties
from .pairs import Pairs
from .strips import Strips
from .tiling import cost, tiling_of, with_rooms


class Tiled(Direct):
    """Tiles of a block of images; what is a near-tie, or what a later node decides by, is computed directly."""

    correlates = False
    thin = False  # for a few input channels

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        t = tiling_of(site)
        assert t
        self.t = with_rooms(t, site.module, site.lanes, Pairs(t, site.lanes).room, thin.apart_room(t, site.lanes))
        self.strips = Strips(self.t, site, site.dx[0]) if site.dx[0] else None
        if site.dy and self.normalised:  # windows of a pool behind it must not lie across the edges of tiles
            site.dy.on_demand = all(n % k == 0 for n, k in zip(t.pooled, self.normalised.window, strict=True))

    @classmethod
    def cost(cls, site: Site) -> float:
        """See tiling.py."""
        t = tiling_of(site) if site.lanes.count > 1 else None
        return cost(t, site.lanes) if t and t.thin == cls.thin else inf

    @property
    def forward_by_tiles(self) -> bool:
        """Whether the roundings of this way do no harm: see ties.py."""
        return not self.site.exact

    @property
    def kept(self) -> bool:
        """Whether V outlives the forward pass: where all of it is there at once."""
        return self.site.whole and self.t.group == self.t.count and self.forward_by_tiles

    @property
    def slopes(self) -> backward.Source:
        """dy, or what forms it."""
        assert self.site.dy
        return self.site.dy.former or self.dy

    def weights(self) -> Iterator[Kernel]:
        """U, where it is used."""
        if self.strips or self.forward_by_tiles:
            f = self.site.kernel("weights")
            forward.weights(f, self.t)
            yield f

    def forward(self) -> Iterator[Kernel]:
        """y = a(pool(conv(x)))."""
        if not self.forward_by_tiles:
            yield from super().forward()
            return
        f, site = self.site.kernel("forward"), self.site
        way = ties if site.guarded else forward
        way.forward(f, self.t, site.node.act, site.x[0], site.y, self.masks)
        yield f

    def backward(self) -> Iterator[Kernel]:
        """Bias gradient; then the gradients of weights and input, together (that of frozen weights is left there)."""
        yield from self.bias_gradient()
        if not self.strips and not self.conv.trains("weight"):
            return
        f, site = self.site.kernel("backward"), self.site
        backward.backward(f, self.t, site.x[0], self.slopes, self.masks, self.strips, self.kept)
        yield f

    def finish(self) -> Iterator[Kernel]:
        """dw of dU."""
        if not self.conv.trains("weight"):
            return
        f = self.site.kernel("finish")
        backward.weight_gradients(f, self.t)
        yield f


class Thin(Tiled):
    """A first layer with few input channels."""

    thin = True

    @property
    def forward_by_tiles(self) -> bool:
        """Not where it decides itself: many of its windows lie on even background, and tie."""
        return not self.site.exact and not self.site.guarded

    def forward(self) -> Iterator[Kernel]:
        """y = a(pool(conv(x)))."""
        if not self.forward_by_tiles:
            yield from super().forward()
            return
        f, site = self.site.kernel("forward"), self.site
        thin.forward(f, self.t, site.node.act, site.x[0], site.y, self.masks)
        yield f

    def backward(self) -> Iterator[Kernel]:
        """Bias gradient, weight gradient."""
        yield from self.bias_gradient()
        if not self.conv.trains("weight"):
            return
        f, site = self.site.kernel("backward"), self.site
        thin.backward(f, self.t, site.x[0], self.slopes, self.masks)
        yield f

    def finish(self) -> Iterator[Kernel]:
        """dw of dU, once the images of a vector are added up."""
        if not self.conv.trains("weight"):
            return
        f = self.site.kernel("finish")
        thin.add_images(f, self.t)
        backward.weight_gradients(f, self.t)
        yield f
