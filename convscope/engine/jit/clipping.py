"""The gradient's norm over all parameters, and the factor that brings it down to c where it is larger.

    factor = min(1, c / (‖g‖ + 1e-6))          as torch.nn.utils.clip_grad_norm_ (Pascanu et al. 2013)

Every thread adds up its slice of the gradient and leaves the sum in the first arena, where nobody else reads that
slice, and the sum of its squares in its own. Once all have met, each adds up the squares in the same order.
"""

from .ir.arrays import Lanes
from .ir.function import Function
from .ir.kernel import Header
from .ir.values import F32, Value

TINY = 1e-6


def factor(f: Function, arenas: Value, stride: Value, threads: Value, header: Header, lanes: Lanes, c: float) -> Value:
    """What the gradient is multiplied by, in every lane of a vector."""
    total = f.var(f.constant(0.0, F32))
    with f.loop(threads) as t, f.loop(lanes.width) as lane:
        total.value = total.value + f.load(F32, arenas, header.squares, f.integer(t) * stride, (lane, 4))
    norm = f.intrinsic("sqrt", F32, total.value)
    wanted = f.constant(c, F32) / (norm + TINY)
    return f.splat(f.select(f.compare("ogt", wanted, 1.0), 1.0, wanted), lanes.width)
