"""A small writer of ONNX graphs: names, constants and nodes in the order in which they are made."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

OPSET = 20  # the first with Gelu; onnxruntime 1.17 and later read it
IR_VERSION = 9  # of that time: an older runtime refuses a file only for its newer number

Branch = Callable[["Graph"], str]


class Graph:
    """Nodes and constants of one graph. Values are known by their names.

    ``inside`` a branch or a loop the nodes are others, and names and constants the same.
    """

    def __init__(self, outer: "Graph | None" = None) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = outer.constants if outer else []
        self.known: dict[tuple[str, bytes], str] = outer.known if outer else {}
        self.numbered: Iterator[int] = outer.numbered if outer else count()

    def inside(self) -> "Graph":
        """A graph for a part of this one."""
        return Graph(self)

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
        value = name or self.fresh(kind.lower())
        self.nodes.append(helper.make_node(kind, list(inputs), [value], name=name or None, **attributes))
        return value

    def fresh(self, kind: str) -> str:
        """A name that no other value has."""
        return f"{kind}_{next(self.numbered)}"

    def either(self, condition: str, made: int, yes: Branch, no: Branch) -> str:
        """What ``yes`` makes where the condition holds, else what ``no`` does; only that one is computed. ``made`` is
        the type of both.
        """
        branches = {}
        for name, write in (("then_branch", yes), ("else_branch", no)):
            part = self.inside()
            end = part.node("Identity", [write(part)])
            result = helper.make_tensor_value_info(end, made, None)
            branches[name] = helper.make_graph(part.nodes, part.fresh("branch"), [], [result])
        return self.node("If", [condition], **branches)

    def each(self, times: str, made: int, body: Callable[["Graph", str], str]) -> str:
        """What ``body`` makes of 0, 1, … (int64 scalars), ``times`` of them, stacked."""
        part = self.inside()
        number, before, after = (part.fresh(name) for name in ("number", "before", "after"))
        part.nodes.append(helper.make_node("Identity", [before], [after]))
        end = part.node("Identity", [body(part, number)])
        inputs = [
            helper.make_tensor_value_info(number, TensorProto.INT64, []),
            helper.make_tensor_value_info(before, TensorProto.BOOL, []),
        ]
        outputs = [
            helper.make_tensor_value_info(after, TensorProto.BOOL, []),
            helper.make_tensor_value_info(end, made, None),
        ]
        always = self.constant(True, np.bool_)
        return self.node(
            "Loop", [times, always], body=helper.make_graph(part.nodes, part.fresh("body"), inputs, outputs)
        )

    def until_same(self, first: str, made: int, body: Callable[["Graph", str], str]) -> str:
        """``body`` of ``first``, of what that makes, and so on until nothing changes."""
        part = self.inside()
        number, going, before, again = (part.fresh(name) for name in ("number", "going", "before", "again"))
        end = part.node("Identity", [body(part, before)])
        same = part.node("Cast", [part.node("Equal", [before, end])], to=TensorProto.INT64)
        changed = part.node("Equal", [part.node("ReduceMin", [same], keepdims=0), part.constant(0, np.int64)])
        part.nodes.append(helper.make_node("Identity", [changed], [again]))
        inputs = [
            helper.make_tensor_value_info(number, TensorProto.INT64, []),
            helper.make_tensor_value_info(going, TensorProto.BOOL, []),
            helper.make_tensor_value_info(before, made, None),
        ]
        outputs = [
            helper.make_tensor_value_info(again, TensorProto.BOOL, []),
            helper.make_tensor_value_info(end, made, None),
        ]
        loop = helper.make_graph(part.nodes, part.fresh("body"), inputs, outputs)
        most = self.constant(2**31 - 1, np.int64)
        return self.node("Loop", [most, self.constant(True, np.bool_), first], body=loop)

    def cast(self, value: str, to: int) -> str:
        """The value in another type."""
        return self.node("Cast", [value], to=to)

    def numbers(self, values: Sequence[int]) -> str:
        """int64 constants: shapes, axes, pads."""
        return self.constant(values, np.int64)
