"""A small writer of ONNX graphs: names, constants and nodes in the order in which they are made."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

OPSET = 20  # the first with Gelu; onnxruntime 1.17 and later read it
IR_VERSION = 9  # of that time: an older runtime refuses a file only for its newer number


class Graph:
    """Nodes and constants of one graph. Values are known by their names."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.known: dict[tuple[str, bytes], str] = {}

    def constant(self, value: NDArray[Any] | float | int | Sequence[int], dtype: Any, name: str = "") -> str:
        """The name of a constant; equal ones without a ``name`` of their own are kept once."""
        array = np.asarray(value, dtype=dtype)
        key = (f"{array.dtype}{array.shape}", array.tobytes())
        if not name and key in self.known:
            return self.known[key]
        name = name or f"constant_{len(self.constants)}"
        self.known.setdefault(key, name)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(self, kind: str, inputs: Sequence[str], name: str = "", **attributes: Any) -> str:
        """Add a node with one output, whose name is returned."""
        name = name or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def cast(self, value: str, to: int) -> str:
        """The value in another type."""
        return self.node("Cast", [value], to=to)

    def numbers(self, values: Sequence[int]) -> str:
        """int64 constants: shapes, axes, pads."""
        return self.constant(values, np.int64)
