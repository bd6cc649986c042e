"""Where branches meet: their sum, or their channels behind each other."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import Misfit, Op, Shape, Shapes, shape_text

if TYPE_CHECKING:
    from torch import nn


class Join(Op):
    """An op of two or more inputs. In the language it is the sign behind a bracket."""

    sign: str

    def problem(self, shapes: Shapes) -> Misfit | None:
        """The first input that does not go with the first of all."""
        for shape in shapes[1:]:
            if self._part(shape) != self._part(shapes[0]):
                came = f"but its inputs are {shape_text(shapes[0])} and {shape_text(shape)}"
                return f"{self._what()}, {came}", self._help(shapes[0], shape)
        return None

    def _part(self, shape: Shape) -> Shape:
        """What must be the same in all inputs."""
        raise NotImplementedError

    def _what(self) -> str:
        raise NotImplementedError

    def _help(self, first: Shape, other: Shape) -> str:
        if len(first) != len(other):
            return "put flatten before the bracket, or none inside it"
        return "give the branches equal sizes: padding keeps the size, stride and pools divide it"


@dataclass(frozen=True)
class Add(Join):
    """The sum of its inputs, element by element: a skip connection."""

    kind = "add"
    usage = "[ … ]+"
    sign = "+"

    def _part(self, shape: Shape) -> Shape:
        return shape

    def _what(self) -> str:
        return "it adds element by element"

    def formula(self, shapes: Shapes) -> str:
        return " + ".join(shape_text(shape) for shape in shapes)

    def module(self, shapes: Shapes) -> "nn.Module":
        from ..joins import Add as Module

        return Module()

    def as_pytorch(self, shapes: Shapes) -> str:
        return " + ".join("{}" for _ in shapes)


@dataclass(frozen=True)
class Concat(Join):
    """The channels (or features) of its inputs behind each other."""

    kind = "concat"
    usage = "[ … / … ]&"
    sign = "&"

    def _part(self, shape: Shape) -> Shape:
        return (len(shape), *shape[1:])

    def _what(self) -> str:
        return "it puts channels behind each other, so height and width must agree"

    def output(self, shapes: Shapes) -> Shape:
        return (sum(shape[0] for shape in shapes), *shapes[0][1:])

    def formula(self, shapes: Shapes) -> str:
        return f"{'+'.join(str(shape[0]) for shape in shapes)} = {self.output(shapes)[0]} channels"

    def module(self, shapes: Shapes) -> "nn.Module":
        from ..joins import Concat as Module

        return Module()

    def as_pytorch(self, shapes: Shapes) -> str:
        return f"torch.cat([{', '.join('{}' for _ in shapes)}], 1)"


JOINS: dict[str, Join] = {"+": Add(), "&": Concat()}
