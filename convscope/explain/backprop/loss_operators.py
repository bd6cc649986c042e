"""The losses as operators: forward formula and, right below it, the derivative with respect to the prediction."""

import numpy as np

from .operators import Operator, Partial
from .values import Array

MSE = Operator(
    "mse",
    "mean(({a} − {b})²)",
    lambda a, b: np.asarray(((a - b) ** 2).mean()),
    (
        Partial(
            "2·({a} − {b})/n",
            lambda out, a, b: 2 * (a - b) / a.size,
            terms=lambda out, a, b: 2 * (np.abs(a) + np.abs(b)) / a.size,
        ),
    ),
)

MAE = Operator(
    "mae",
    "mean(|{a} − {b}|)",
    lambda a, b: np.asarray(np.abs(a - b).mean()),
    (Partial("sign({a} − {b})/n", lambda out, a, b: np.sign(a - b) / a.size),),
)


def _softmax(logits: Array) -> Array:
    shares: Array = np.exp(logits - logits.max())
    shares /= shares.sum()
    return shares


def _one_hot(logits: Array, label: Array) -> Array:
    return np.where(np.arange(len(logits)) == label, 1.0, 0.0)


CROSS_ENTROPY = Operator(
    "cross-entropy",
    "−log softmax({a})[{b}]",
    lambda a, b: np.asarray(np.log(np.exp(a - a.max()).sum()) + a.max() - a[int(b)]),
    (
        Partial(
            "softmax({a}) − one-hot({b})",
            lambda out, a, b: _softmax(a) - _one_hot(a, b),
            terms=lambda out, a, b: _softmax(a) + _one_hot(a, b),
        ),
    ),
)
