"""The loss of a block and its derivative with respect to every logit z, for N images in the batch and K classes.

    cross-entropy   L = 1/N Σ (ln Σ_k eᶻᵏ − z_label)        dz_k = (softmax_k − [k = label]) / N
    mse             L = 1/(NK) Σ Σ (z_k − [k = label])²      dz_k = 2 (z_k − [k = label]) / (NK)
    mae             L = 1/(NK) Σ Σ |z_k − [k = label]|       dz_k = sign(z_k − [k = label]) / (NK)

Lanes without an image (the last block of a batch) have weight 0 in f["weights"]; the others 1/N.
"""

from ...recipe import LossName
from .elementary import exp, log
from .ir import Function
from .layout import Grid, Lanes
from .values import I32, Value, like


def forward_and_gradient(f: Function, lanes: Lanes, loss: LossName, z: Grid, dz: Grid) -> None:
    """Write dz and add the block's part of the loss to f["loss"], lane by lane; f["labels"] holds an int32 a lane."""
    integer = like(lanes.vector, I32)
    classes = z.channels
    zero = f.constant(0.0, lanes.vector)
    with f.loop(lanes.vectors) as v:
        label = f.load(integer, f["labels"], (v, lanes.bytes))
        weight = f.load(lanes.vector, f["weights"], (v, lanes.bytes))
        total = f.var(zero)

        def logit(k: int | Value) -> Value:
            return f.load(lanes.vector, f["a"], *z.at(k, 0, 0), (v, lanes.bytes))

        def hot(k: int | Value) -> Value:
            return f.compare("eq", label, f.splat(f.convert("trunc", f.integer(k), I32), lanes.width))

        def target(k: int | Value) -> Value:
            return f.select(hot(k), 1.0, zero)

        if loss == "cross-entropy":
            largest, total_exp, chosen = f.var(logit(0)), f.var(zero), f.var(zero)
            with f.loop(classes) as k:
                largest.value = f.select(f.compare("ogt", logit(k), largest.value), logit(k), largest.value)
            with f.loop(classes) as k:
                centred = logit(k) - largest.value
                power = exp(f, centred)
                total_exp.value = total_exp.value + power
                chosen.value = f.select(hot(k), centred, chosen.value)  # not 0·centred, which is NaN at −∞
                f.store(power, f["a"], *dz.at(k, 0, 0), (v, lanes.bytes))
            total.value = log(f, total_exp.value) - chosen.value
            with f.loop(classes) as k:
                power = f.load(lanes.vector, f["a"], *dz.at(k, 0, 0), (v, lanes.bytes))
                f.store((power / total_exp.value - target(k)) * weight, f["a"], *dz.at(k, 0, 0), (v, lanes.bytes))
        else:
            with f.loop(classes) as k:
                difference = logit(k) - target(k)
                size = f.intrinsic("fabs", lanes.vector, difference)
                if loss == "mse":
                    part, slope = difference * difference, difference * 2.0
                else:
                    sign = f.select(f.compare("olt", difference, 0.0), -1.0, zero)
                    part, slope = size, f.select(f.compare("ogt", difference, 0.0), 1.0, sign)
                total.value = f.fma(part, f.constant(1 / classes, lanes.vector), total.value)
                f.store(slope * (1 / classes) * weight, f["a"], *dz.at(k, 0, 0), (v, lanes.bytes))
        # A lane without an image counts nothing, even where its loss is infinite.
        counted = f.select(f.compare("ogt", weight, 0.0), total.value * weight, zero)
        f.store(f.load(lanes.vector, f["loss"], (v, lanes.bytes)) + counted, f["loss"], (v, lanes.bytes))
