"""The loss of a block and its derivative with respect to every logit z, for N images in the batch and K classes.

    cross-entropy   L = 1/N Σ (ln Σ_k eᶻᵏ − z_label)        dz_k = (softmax_k − [k = label]) / N
    mse             L = 1/(NK) Σ Σ (z_k − [k = label])²      dz_k = 2 (z_k − [k = label]) / (NK)
    mae             L = 1/(NK) Σ Σ |z_k − [k = label]|       dz_k = sign(z_k − [k = label]) / (NK)

With label smoothing ε the target [k = label] of the cross-entropy becomes t_k = (1−ε)·[k = label] + ε/K, so that

                    L = 1/N Σ (ln Σ_k eᶻᵏ − Σ_k t_k z_k)        dz_k = (softmax_k − t_k) / N

Lanes without an image (the last block of a batch) have weight 0 in the header; the others 1/N.
"""

from ....recipe import LossName
from ..ir.arrays import Array, Index
from ..ir.elementary import exp, log
from ..ir.kernel import Kernel
from ..ir.values import I32, Value, Var, like


def forward_and_gradient(f: Kernel, loss: LossName, z: Array, dz: Array, label_smoothing: float = 0.0) -> None:
    """Write dz and add the block's part of the loss to the header's, lane by lane."""
    lanes = f.lanes
    with f.loop(lanes.vectors) as v:
        classes = _Classes(f, z, dz, v)
        if loss == "cross-entropy":
            classes.cross_entropy(label_smoothing)
        else:
            classes.distance(squared=loss == "mse")
        # A lane without an image counts nothing, even where its loss is infinite.
        weight = classes.weight
        counted = f.select(f.compare("ogt", weight, 0.0), classes.total.value * weight, classes.zero)
        f.store(f.load(lanes.vector, f.loss, (v, lanes.bytes)) + counted, f.loss, (v, lanes.bytes))


class _Classes:
    """The logits of a vector of images."""

    def __init__(self, f: Kernel, z: Array, dz: Array, v: Index) -> None:
        self.f, self.v, self.count = f, v, z.channels
        self.z, self.dz = f.array(z), f.array(dz)
        kind = f.lanes.vector
        self.zero = f.constant(0.0, kind)
        self.label = f.load(like(kind, I32), f.labels, (v, f.lanes.bytes))
        self.weight = f.load(kind, f.weights, (v, f.lanes.bytes))
        self.total: Var = f.var(self.zero)

    def cross_entropy(self, smoothing: float) -> None:
        """ln Σ eᶻ − Σ t·z, the largest z taken off before."""
        f, v, z, dz = self.f, self.v, self.z, self.dz
        all_centred = f.var(self.zero) if smoothing else None
        largest, total_exp, chosen = f.var(z[0, 0, 0, v]), f.var(self.zero), f.var(self.zero)
        with f.loop(self.count) as k:
            larger = f.compare("ogt", z[k, 0, 0, v], largest.value)
            largest.value = f.select(larger, z[k, 0, 0, v], largest.value)
        with f.loop(self.count) as k:
            centred = z[k, 0, 0, v] - largest.value
            power = exp(f, centred)
            total_exp.value = total_exp.value + power
            chosen.value = f.select(self._hot(k), centred, chosen.value)  # not 0·centred, which is NaN at −∞
            if all_centred:
                all_centred.value = all_centred.value + centred
            dz[k, 0, 0, v] = power
        logarithm, aimed = log(f, total_exp.value), chosen.value
        if all_centred:
            aimed = aimed * (1 - smoothing) + all_centred.value * (smoothing / self.count)
        self.total.value = logarithm - aimed
        with f.loop(self.count) as k:
            power = dz[k, 0, 0, v]
            dz[k, 0, 0, v] = (power / total_exp.value - self._target(k, smoothing)) * self.weight

    def distance(self, squared: bool) -> None:
        """The mean over the classes of the squares, or of the absolute values, of the differences."""
        f, v, count = self.f, self.v, self.count
        with f.loop(count) as k:
            difference = self.z[k, 0, 0, v] - self._target(k)
            size = f.intrinsic("fabs", difference.type, difference)
            if squared:
                part, slope = difference * difference, difference * 2.0
            else:
                sign = f.select(f.compare("olt", difference, 0.0), -1.0, self.zero)
                part, slope = size, f.select(f.compare("ogt", difference, 0.0), 1.0, sign)
            self.total.value = f.fma(part, f.constant(1 / count, part.type), self.total.value)
            self.dz[k, 0, 0, v] = slope * (1 / count) * self.weight

    def _hot(self, k: Index) -> Value:
        f = self.f
        return f.compare("eq", self.label, f.splat(f.convert("trunc", f.integer(k), I32), f.lanes.width))

    def _target(self, k: Index, smoothing: float = 0.0) -> Value:
        share = smoothing / self.count
        other = self.f.constant(share, self.zero.type) if smoothing else self.zero
        return self.f.select(self._hot(k), 1 - smoothing + share, other)
