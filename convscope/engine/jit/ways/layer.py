"""What a layer is to the engine: an operation that ways compute. Each kind's file says how its module is read."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import singledispatch
from math import prod
from typing import ClassVar, NamedTuple

from torch import nn
from typing_extensions import override

from ....net.ops import shape_text
from ..ir.arrays import NO_BORDER, Border, Pair, Shape
from ..ir.function import Function
from ..ir.values import Value


class Op:
    """What a node of the graph computes."""

    training_only: ClassVar[bool] = False  # a net that is only used computes something else in its place
    draws: ClassVar[bool] = False  # what it computes depends on the update and on which images they are

    @property
    def decides(self) -> bool:
        """Whether its gradient depends on which of two numbers is larger."""
        return False

    @property
    def window(self) -> Pair:
        """Of a max pool that is part of it; a single number where there is none."""
        return 1, 1

    @property
    def border(self) -> Border:
        """The zeros that it wants around its input."""
        return NO_BORDER

    @property
    def trained(self) -> int:
        """How many of its parameters are trained."""
        return 0


class Identity(Op):
    """Nothing: only the node's activation."""


@dataclass(frozen=True)
class Form:
    """An image (C, H, W), or, once it is flat, its numbers one after the other."""

    shape: Shape
    flat: bool = False

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return prod(self.shape)

    @property
    def text(self) -> str:
        """For error messages."""
        return shape_text(self.shape)


class MisfitError(Exception):
    """What is wrong with the input of a layer."""


@dataclass(frozen=True)
class Activation:
    """What is done with every number that a node stores: y = a(x)."""

    kinks: ClassVar[tuple[float, ...]] = ()  # where its slope jumps
    flat_below: ClassVar[bool] = False  # the slope is 0 below the first of them
    keeps_order: ClassVar[bool] = False  # the largest of some numbers may be taken before it
    by_output: ClassVar[bool] = True  # its slope is a function of y

    @property
    def decides(self) -> bool:
        """Whether its gradient depends on which of two numbers is larger."""
        return bool(self.kinks)

    def apply(self, f: Function, x: Value) -> Value:
        """a(x); not-a-number stays so."""
        raise NotImplementedError

    def times_slope(self, f: Function, gradient: Value, y: Value) -> Value:
        """gradient · a'(x), given y = a(x); given x, where that is not ``by_output``."""
        raise NotImplementedError


class Nothing(Activation):
    """y = x."""

    keeps_order = True

    @override
    def apply(self, f: Function, x: Value) -> Value:
        return x

    @override
    def times_slope(self, f: Function, gradient: Value, y: Value) -> Value:
        return gradient


NONE = Nothing()


class Read(NamedTuple):
    """A module as a node of the graph. ``flat``: whether its result is, where that is not as its inputs are.

    ``before``: what a node of its own makes of the input first, and the shape of that.
    """

    op: Op
    output: Shape
    act: Activation = NONE
    flat: bool | None = None
    before: tuple[Op, Shape] | None = None


@singledispatch
def objection(module: nn.Module) -> str:
    """Why the engine has no way for ``module``; "" where it has one."""
    return f"{type(module).__name__} is not covered"


@objection.register
def _(module: nn.Flatten) -> str:
    return "" if (module.start_dim, module.end_dim) == (1, -1) else "it flattens some dimensions only"


@dataclass(frozen=True)
class Where:
    """A layer where it stands in a net: its name, the numbers of its parameters and of its first statistic."""

    name: str
    parameters: Mapping[str, int]
    frozen: Set[str]  # the names of those that are not trained
    statistic: int
    draws: int  # dropout layers before it
    training: bool


@singledispatch
def read(module: nn.Module, inputs: tuple[Form, ...], where: Where) -> Read:
    """What ``module`` computes of such ``inputs``. Raises MisfitError."""
    raise NotImplementedError(type(module).__name__)


def covered(module: nn.Module) -> bool:
    """Whether there is a way for exactly this class: one derived from it may compute something else."""
    return type(module) in objection.registry


def image_of(inputs: tuple[Form, ...]) -> Shape:
    """The shape (C, H, W) of the only input, which must not be flat."""
    (form,) = inputs
    if form.flat:
        raise MisfitError("needs an image, but comes after flatten")
    return form.shape


def fitting(output: tuple[int, ...], form: Form) -> Shape:
    """``output``, if there is anything of it."""
    if min(output) <= 0:
        raise MisfitError(f"has a window that is larger than its input, {form.text}")
    channels, height, width = output
    return channels, height, width


def pair(value: object) -> Pair:
    """A module's size along both axes, which torch takes as one number, or a tuple or list of one or two."""
    if isinstance(value, tuple | list):
        return value[0], value[-1]
    assert isinstance(value, int)
    return value, value


@read.register
def _(_module: nn.Flatten, inputs: tuple[Form, ...], _where: Where) -> Read:
    return Read(Identity(), inputs[0].shape, flat=True)
