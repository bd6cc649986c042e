"""Flatten: the numbers of an image in one row."""

from dataclasses import dataclass
from math import prod

from .base import Op, Shape, Shapes, TorchCall


@dataclass(frozen=True)
class Flatten(Op):
    """(C, H, W) → (C·H·W,)."""

    kind = "flatten"
    usage = "flatten"
    takes_images = True

    def output(self, shapes: Shapes) -> Shape:
        return (prod(shapes[0]),)

    def formula(self, shapes: Shapes) -> str:
        return f"{' · '.join(map(str, shapes[0]))} = {prod(shapes[0])}"

    def call(self, shapes: Shapes) -> TorchCall:
        return TorchCall("Flatten")
