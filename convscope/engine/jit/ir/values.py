"""What instructions work on: types, constants, values and variables. See function.py, which writes the instructions."""

import struct
from typing import Protocol, TypeAlias

Term: TypeAlias = "int | Value | tuple[int | Value, int]"

I64, I32, I16, I8, I1, F32, PTR = "i64", "i32", "i16", "i8", "i1", "float", "ptr"


def vector(width: int, element: str = F32) -> str:
    """The type of ``width`` elements that are computed at once."""
    return f"<{width} x {element}>"


def element(kind: str) -> str:
    """The type of one element of a vector type (a scalar type is its own element)."""
    return kind.split(" x ")[1].rstrip(">") if kind[0] == "<" else kind


def width(kind: str) -> int:
    """How many elements a type has."""
    return int(kind[1:].split(" x ")[0]) if kind[0] == "<" else 1


def like(kind: str, new_element: str) -> str:
    """``kind`` with its elements exchanged: as many of them, of another type."""
    return vector(width(kind), new_element) if kind[0] == "<" else new_element


def number(value: float, kind: str) -> str:
    """A constant as LLVM reads it; float32 constants are written as the bits of the equal double."""
    if element(kind) != F32:
        return str(int(value))
    rounded = struct.unpack("<f", struct.pack("<f", value))[0]
    return f"0x{struct.unpack('<Q', struct.pack('<d', rounded))[0]:016X}"


class Writer(Protocol):
    """What values need of the function that they are part of: function.py."""

    def emit(self, instruction: str, kind: str) -> "Value":
        """Write an instruction that has a result of type ``kind``."""
        ...

    def constant(self, value: float, kind: str) -> "Value":
        """A constant; a vector gets it in every lane."""
        ...

    def reserve(self, kind: str, count: int = 1) -> "Value":
        """Room on the stack for ``count`` values."""
        ...

    def load(self, kind: str, base: "Value", *terms: Term, align: int = 0) -> "Value":
        """The ``kind`` at an address."""
        ...

    def store(self, value: "Value", base: "Value", *terms: Term, align: int = 0) -> None:
        """Write ``value`` at an address."""
        ...


class Value:
    """The result of one instruction of ``f``; arithmetic on it writes further instructions."""

    __slots__ = ("f", "name", "type")

    def __init__(self, f: Writer, name: str, kind: str) -> None:
        self.f, self.name, self.type = f, name, kind

    def _arithmetic(self, word: str, other: "Value | float", swap: bool = False) -> "Value":
        right = self.f.constant(other, self.type) if isinstance(other, int | float) else other
        left, right = (right, self) if swap else (self, right)
        prefix = "f" if element(self.type) == F32 else ""
        return self.f.emit(f"{prefix}{word} {self.type} {left.name}, {right.name}", self.type)

    def __add__(self, other: "Value | float") -> "Value":
        return self._arithmetic("add", other)

    def __sub__(self, other: "Value | float") -> "Value":
        return self._arithmetic("sub", other)

    def __rsub__(self, other: float) -> "Value":
        return self._arithmetic("sub", other, swap=True)

    def __mul__(self, other: "Value | float") -> "Value":
        return self._arithmetic("mul", other)

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: "Value | float") -> "Value":
        return self._arithmetic("div", other)

    def __rtruediv__(self, other: float) -> "Value":
        return self._arithmetic("div", other, swap=True)

    def __floordiv__(self, other: "Value | int") -> "Value":
        return self._arithmetic("sdiv", other)

    def __and__(self, other: "Value | int") -> "Value":
        return self._arithmetic("and", other)

    def __or__(self, other: "Value | int") -> "Value":
        return self._arithmetic("or", other)

    def __xor__(self, other: "Value | int") -> "Value":
        return self._arithmetic("xor", other)

    def __lshift__(self, other: int) -> "Value":
        return self._arithmetic("shl", other)

    def __rshift__(self, other: int) -> "Value":
        return self._arithmetic("lshr", other)


class Var:
    """A variable: ``v.value`` reads it, ``v.value = x`` writes it."""

    def __init__(self, f: Writer, start: Value) -> None:
        self.f, self.type = f, start.type
        self.place = f.reserve(start.type)
        self.value = start

    @property
    def value(self) -> Value:
        """What the variable holds now."""
        return self.f.load(self.type, self.place)

    @value.setter
    def value(self, new: Value) -> None:
        self.f.store(new, self.place)
