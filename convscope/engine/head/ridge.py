"""A linear classifier in closed form: ridge regression to one-hot targets, λ and scale by leaving one image out.

    W = (XᵀX + λI)⁻¹ XᵀY          X: features, each with mean 0 and deviation 1; Y: one-hot targets, mean taken off
    e_i = (y_i − ŷ_i) / (1 − h_i)  the error for image i of the fit without it (Allen 1974, PRESS)

with h_i = 1/N + xᵢᵀ(XᵀX + λI)⁻¹xᵢ. One decomposition of XᵀX (or of XXᵀ, whichever is smaller) gives the fits for every
λ, so N fits for each cost no more than one. For each λ the scores are multiplied by the number for which softmax has
the least cross entropy on the left-out images (temperature scaling, Guo et al. 2017), and the λ with the least of all
is taken: so probabilities mean something, and λ is judged by them (docs/LOG.md: better than by squared errors).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

STRENGTHS = [10 ** (exponent / 2) for exponent in range(-8, 7)]  # λ over the mean squared length of an image's features
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Head:
    """logits = x @ weight.T + bias for features x (N, D): ``weight`` (K, D), ``bias`` (K,), float32.

    ``strength`` is λ over the mean squared length of the scaled features, ``scale`` what the scores are multiplied by.
    ``left_out`` float64 (N, K) are the logits of every training image by the fit without it.
    """

    weight: Tensor
    bias: Tensor
    strength: float
    scale: float
    left_out: Tensor


def fit(features: Tensor, labels: Tensor, classes: int) -> Head:
    """The classifier for ``features`` float32 (N, D) with ``labels`` int64 (N,)."""
    mean = features.double().mean(0)
    deviation = features.double().std(0, correction=0)
    deviation = torch.where(
        deviation > 1e-6 * deviation.max(), deviation, torch.inf
    )  # one that is constant says nothing
    targets = F.one_hot(labels, classes).double()
    base = targets.mean(0)
    x = ((features.double() - mean) / deviation).contiguous()
    values, vectors = _decompose(x)
    unit = float(values.sum()) / len(x) or 1.0
    there = vectors.T @ (x.T @ (targets - base))  # (r, K)
    place = x @ vectors  # (N, r)

    def left_out(strength: float) -> Tensor:
        shrunk = place / (values + strength * unit)
        leverage = (shrunk * place).sum(1, keepdim=True) + 1 / len(x)
        errors = (targets - base - shrunk @ there) / (1 - leverage).clamp(min=1e-9)
        return targets - errors

    tried = {strength: _scale(left_out(strength), labels) for strength in STRENGTHS}
    best = min(tried, key=lambda strength: tried[strength][1])
    scores, (scale, _) = left_out(best), tried[best]
    weight = (vectors @ (there / (values + best * unit)[:, None])).T / deviation
    bias = base - weight @ mean
    return Head((scale * weight).float(), (scale * bias).float(), best, scale, scale * scores)


def _decompose(x: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (r,) and eigenvectors (D, r) of xᵀx, those that are zero but for rounding left out."""
    few = len(x) <= x.shape[1]
    values, vectors = torch.linalg.eigh(x @ x.T if few else x.T @ x)
    kept = values > 1e-10 * values[-1].clamp(min=1e-300)
    values, vectors = values[kept], vectors[:, kept]
    return values, (x.T @ vectors) / values.sqrt() if few else vectors


def _scale(scores: Tensor, labels: Tensor) -> tuple[float, float]:
    """The factor for which softmax(factor · scores) has the least cross entropy, by golden section, and that entropy.

    It is a convex function of the factor. N images that are all right do not make the next one certain, but right with
    (N + 1) / (N + 2), Laplace's rule of succession: so sure the targets are.
    """
    doubt, classes = 1 / (len(scores) + 2), scores.shape[1]
    smoothing = doubt * classes / max(classes - 1, 1)

    def loss(log: float) -> float:
        return float(F.cross_entropy(scores * 10**log, labels, label_smoothing=smoothing))

    low, high = -1.0, 3.0
    while high - low > 1e-3:
        one, two = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        low, high = (low, two) if loss(one) < loss(two) else (one, high)
    log = (low + high) / 2
    return float(10**log), loss(log)
