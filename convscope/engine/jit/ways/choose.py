"""Which way computes a node: the cheapest of those for its operation. A new way, or a new layer, has its line here."""

from math import inf

from .conv import Conv
from .direct.forward import Direct
from .direct.linear import Linear
from .dropout import Dropout, Dropped
from .elementwise import Curve, Pass
from .first.normed import First, NormedConv
from .join import Add, Concat, Copies, Sum
from .layer import Identity, Op
from .norm.layer import BatchNorm
from .norm.normalised import Normalised
from .one_image.linear import LinearOfOne
from .one_image.rows import Rows
from .one_image.tiles import TilesOfOne
from .scale import Scale, Scaled
from .way import Site, Way
from .windows.pool import Apart, Pool, Windows
from .windows.spans import Means, Spanned
from .winograd.tiled import Thin, Tiled

WAYS: dict[type[Op], tuple[type[Way], ...]] = {
    Conv: (TilesOfOne, Thin, Tiled, LinearOfOne, Rows, Linear, Direct),
    Pool: (Apart, Windows),
    Identity: (Pass,),
    Curve: (Pass,),
    BatchNorm: (Normalised,),
    NormedConv: (First,),
    Dropout: (Dropped,),
    Scale: (Scaled,),
    Means: (Spanned,),
    Add: (Sum,),
    Concat: (Copies,),
}


def way_of(site: Site) -> Way:
    """The cheapest way to compute ``site``'s node; of equals the first."""
    costs = {way: way.cost(site) for way in WAYS[type(site.node.op)]}
    best = min(costs, key=lambda way: costs[way])
    assert costs[best] < inf
    return best(site)
