"""A node of the graph that programs are written from."""

from dataclasses import dataclass

from ..ir.arrays import Shape
from .layer import NONE, Activation, Op

IMAGE = -1  # the number that stands for the image itself


@dataclass(frozen=True)
class Node:
    """``op``, then ``act``, of what the nodes ``inputs`` store: of ``shapes``, each (C, H, W), it makes ``output``."""

    op: Op
    inputs: tuple[int, ...]
    shapes: tuple[Shape, ...]
    output: Shape
    act: Activation = NONE

    @property
    def decides(self) -> bool:
        """Whether its gradient depends on which of two numbers is larger."""
        return self.op.decides or self.act.decides
