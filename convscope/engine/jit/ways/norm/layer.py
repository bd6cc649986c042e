"""Batch normalisation as a layer: its options, and how a module is read. Formulas: normalised.py."""

from collections.abc import Set
from dataclasses import dataclass

from torch import nn

from ...ir.arrays import Pair
from ..join import Concat
from ..layer import Form, MisfitError, Op, Read, Where, image_of, objection, read
from ..scale import Scale


@dataclass(frozen=True)
class BatchNorm(Op):
    """Layer ``name``: numbers of its parameters, and of its running statistics (all means, then all variances)."""

    training_only = True
    name: str
    weight: int | None
    bias: int | None
    running: int
    channels: int
    momentum: float
    epsilon: float
    frozen: Set[str] = frozenset()  # "weight", "bias": what is not trained
    pool: Pair | None = None  # the window of a max pool that is part of this node

    @property
    def decides(self) -> bool:
        """Whether a max pool is part of it."""
        return self.pool is not None

    @property
    def window(self) -> Pair:
        """The pool's, or a single number."""
        return self.pool or (1, 1)

    @property
    def trained(self) -> int:
        """γ and β of each channel, where they are trained."""
        return len(self.gradients) * self.channels

    @property
    def gradients(self) -> dict[int, int]:
        """Which of the sums, of dy (0) and of dy·x̂ (1), is the gradient of the parameters from which number on."""
        found = {0: self.bias, 1: self.weight}
        names = ("bias", "weight")
        return {n: number for n, number in found.items() if number is not None and names[n] not in self.frozen}


def _objection(module: nn.BatchNorm2d | nn.BatchNorm1d) -> str:
    if module.running_mean is None:
        return "it keeps no running statistics"
    return "its momentum is None" if module.momentum is None else ""


def _read(module: nn.BatchNorm2d | nn.BatchNorm1d, inputs: tuple[Form, ...], where: Where) -> Read:
    (form,) = inputs
    if isinstance(module, nn.BatchNorm2d):
        image_of(inputs)
    elif not form.flat:
        raise MisfitError("needs a flatten before it")
    shape = (form.count, 1, 1) if form.flat else form.shape
    column = None if shape == form.shape else (Concat(), shape)  # each number of a flat input is a channel
    channels = shape[0]
    if module.num_features != channels:
        raise MisfitError(f"takes {module.num_features} channels, but gets {channels}")
    if not where.training:
        return Read(Scale(where.name, channels, where.statistic), shape, before=column)
    weight, bias = (where.parameters.get(name) for name in ("weight", "bias"))
    momentum = module.momentum or 0.0
    norm = BatchNorm(where.name, weight, bias, where.statistic, channels, momentum, module.eps, where.frozen)
    return Read(norm, shape, before=column)


for kind in (nn.BatchNorm2d, nn.BatchNorm1d):
    objection.register(kind, _objection)
    read.register(kind, _read)
