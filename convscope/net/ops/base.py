"""What every kind of layer says about itself: how it is written, what it does to shapes, and the torch module it is."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..words import Words

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, ...]  # of one image's tensor: (C, H, W), or (F,) when flattened
Shapes = tuple[Shape, ...]  # of all inputs
Misfit = tuple[str, str]  # what is wrong, and what to do about it


@dataclass(frozen=True)
class TorchCall:
    """``torch.nn.NAME(*arguments, **options)``: the module and the code for it are made from the same words."""

    name: str
    arguments: Sequence[Any] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def make(self) -> "nn.Module":
        """The module."""
        from torch import nn

        module: nn.Module = getattr(nn, self.name)(*self.arguments, **self.options)
        return module

    @property
    def text(self) -> str:
        """As a person would write it: "Conv2d(1, 10, 5, bias=False)"."""
        words = [_text(argument) for argument in self.arguments]
        return f"{self.name}({', '.join(words + [f'{name}={_text(value)}' for name, value in self.options.items()])})"


class Op:
    """One kind of layer. ``shapes`` are those of its inputs, without the batch axis.

    An op is a frozen dataclass with PyTorch's names and defaults for its parameters. What other floors know about
    a kind (its derivative, its machine code, its ONNX node) they keep in tables of their own, by the op's class.
    """

    kind: ClassVar[str]  # its word in the language
    usage: ClassVar[str]  # how it is written
    takes_images: ClassVar[bool] = False  # it cannot come after a flatten

    @classmethod
    def read(cls, words: Words) -> Self:
        """The op that ``words`` describe. Raises SpecError."""
        return cls()

    def text(self) -> str:
        """The op in the language, without what is default: the inverse of :meth:`read`."""
        return self.kind

    def here(self, shapes: Shapes, classes: int) -> "Op":
        """The op with what its place in a net decides."""
        return self

    def problem(self, shapes: Shapes) -> Misfit | None:
        """Why the op does not fit, None where it does."""
        return None

    def output(self, shapes: Shapes) -> Shape:
        """The shape that comes out."""
        return shapes[0]

    def formula(self, shapes: Shapes) -> str:
        """How that shape comes about; empty where it does not change."""
        return ""

    def parameters(self, shapes: Shapes) -> int:
        """How many numbers are learned."""
        return 0

    def multiply_adds(self, shapes: Shapes) -> int:
        """Products of one image's forward pass."""
        return 0

    def call(self, shapes: Shapes) -> TorchCall:
        """The module in torch.nn that does this."""
        raise NotImplementedError

    def module(self, shapes: Shapes) -> "nn.Module":
        """The module, its weights drawn from torch's global generator."""
        return self.call(shapes).make()

    def as_pytorch(self, shapes: Shapes) -> str:
        """The module as code, without ``nn.``: every argument that is not the default, and no other."""
        return self.call(shapes).text


def changed(**pairs: tuple[Any, Any]) -> dict[str, Any]:
    """Of name=(value, default) the values that are not the default."""
    return {name: value for name, (value, default) in pairs.items() if value != default}


def shape_text(shape: Shape) -> str:
    """(10, 24, 24) → "10×24×24"."""
    return "×".join(str(size) for size in shape)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, tuple) and len(value) == 2 and value[0] == value[1]:
        return repr(value[0])
    return repr(value)
