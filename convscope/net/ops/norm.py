"""Batch normalisation (Ioffe and Szegedy 2015)."""

from dataclasses import dataclass

from .base import Op, Shapes, TorchCall


@dataclass(frozen=True)
class BatchNorm(Op):
    """BatchNorm2d on images, BatchNorm1d on features."""

    kind = "batchnorm"
    usage = "batchnorm"

    def parameters(self, shapes: Shapes) -> int:
        return 2 * shapes[0][0]

    def call(self, shapes: Shapes) -> TorchCall:
        return TorchCall("BatchNorm2d" if len(shapes[0]) == 3 else "BatchNorm1d", (shapes[0][0],))
