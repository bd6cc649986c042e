"""The losses that training minimises: logits and labels → a number, with PyTorch's formulas."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..recipe import LossName


def loss_of(
    name: LossName,
    logits: Tensor,
    labels: Tensor,
    label_smoothing: float = 0.0,
    class_weights: Tensor | None = None,
    sample_weights: Tensor | None = None,
) -> Tensor:
    """The mean loss () of logits (N, K) and labels int64 (N,).

    cross-entropy   −log softmax(logits)[label], mean over N
                    with ε = ``label_smoothing`` the target is 1−ε for the label and ε/K more for every class
                    (Szegedy et al. 2016, section 7); with ``class_weights`` (K,) a weighted mean over N
                    (torch.nn.CrossEntropyLoss has both)
    mse, mae        squared and absolute difference to the one-hot target, mean over N and K

    With ``sample_weights`` (N,) the loss of each image counts so many times in the mean over N.
    """
    if sample_weights is not None:
        return (sample_weights * _each(name, logits, labels, label_smoothing)).mean()
    if name == "cross-entropy":
        return F.cross_entropy(logits, labels, class_weights, label_smoothing=label_smoothing)
    target = _one_hot(logits, labels)
    return F.mse_loss(logits, target) if name == "mse" else F.l1_loss(logits, target)


def losses_of(name: LossName, logits: Tensor, labels: Tensor) -> Tensor:
    """The loss of each image, float64 (N,); their mean is :func:`loss_of`."""
    return _each(name, logits.double(), labels, 0.0)


def _each(name: LossName, logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    if name == "cross-entropy":
        return F.cross_entropy(logits, labels, reduction="none", label_smoothing=label_smoothing)
    target = _one_hot(logits, labels)
    difference = logits - target
    return (difference.square() if name == "mse" else difference.abs()).mean(1)


def _one_hot(logits: Tensor, labels: Tensor) -> Tensor:
    """1 for the label of each row, else 0, shaped as ``logits``. F.one_hot looks at the labels: it waits for them."""
    return torch.zeros_like(logits).scatter_(1, labels[:, None], 1.0)
