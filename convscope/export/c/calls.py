"""Every step of a program as calls of those functions, with the arrays that they read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import singledispatchmethod
from math import prod

from ..memory import ArenaPlan
from ..steps import Conv, Elementwise, Flatten, Join, Linear, Pad, Pool, ProgramStep, Scale, Span
from ..tables import pad_sources
from .functions import FUNCTIONS, elementwise
from .text import floats, integers, number


@dataclass
class Calls:
    """What is written step by step: ``arrays``, ``lines`` of the forward pass, and the ``functions`` in use."""

    prefix: str
    plan: ArenaPlan
    arrays: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    functions: dict[str, str] = field(default_factory=dict)

    def step(self, step: ProgramStep) -> None:
        """Write one step."""
        shapes = " and ".join(str(shape) for shape in step.shapes)
        self.lines.append(f"    /* {step.name}: {shapes} -> {step.output} */")
        self.write(step.op, step)

    @singledispatchmethod
    def write(self, op: object, step: ProgramStep) -> None:
        """Write one step, whose op is ``op``."""
        raise NotImplementedError(f"no C is known for {type(op).__name__}")

    @write.register
    def _conv(self, op: Conv, step: ProgramStep) -> None:
        kernel = op.weight.shape[2:]
        sizes = (*step.shapes[0], *step.output, *kernel, *op.stride, *op.before, *op.dilation, op.groups)
        self._call("conv", step, *self._weights(step, weight=op.weight, bias=op.bias), *sizes)

    @write.register
    def _linear(self, op: Linear, step: ProgramStep) -> None:
        weights = self._weights(step, weight=op.weight, bias=op.bias)
        self._call("linear", step, *weights, *op.weight.shape[::-1])

    @write.register
    def _scale(self, op: Scale, step: ProgramStep) -> None:
        weights = self._weights(step, scale=op.scale, shift=op.shift)
        self._call("scale", step, *weights, step.output[0], prod(step.output[1:]))

    @write.register
    def _pool(self, op: Pool, step: ProgramStep) -> None:
        tables = self._tables(step, _flat(op.rows), _flat(op.columns))
        self._call("mean" if op.average else "maximum", step, *tables, *step.shapes[0], *step.output[1:])

    @write.register
    def _pad(self, op: Pad, step: ProgramStep) -> None:
        tables = self._tables(step, *pad_sources(op, step.shapes[0]))
        self._call("pad", step, *tables, *step.shapes[0], *step.output[1:])

    @write.register
    def _elementwise(self, op: Elementwise, step: ProgramStep) -> None:
        slope = [number(op.slope)] if op.function == "leakyrelu" else []
        self._call(op.function, step, prod(step.output), *slope)

    @write.register
    def _join(self, op: Join, step: ProgramStep) -> None:
        place = self.plan.places[step.name]
        for index, (name, shape) in enumerate(zip(step.inputs, step.shapes, strict=True)):
            function = "copy" if op.concat or not index else "add"
            self._line(function, self.plan.places[name], place, prod(shape))
            place += prod(shape) if op.concat else 0

    @write.register
    def _flatten(self, op: Flatten, step: ProgramStep) -> None:
        self.lines[-1] = self.lines[-1].replace(" */", ", where they are */")

    def _call(self, function: str, step: ProgramStep, *arguments: object) -> None:
        self._line(function, self.plan.places[step.inputs[0]], self.plan.places[step.name], *arguments)

    def _line(self, function: str, source: int, target: int, *arguments: object) -> None:
        text = FUNCTIONS.get(function) or elementwise(function)
        self.functions.setdefault(function, text.replace("PREFIX", self.prefix))
        told = ", ".join(map(str, (f"a + {source}", f"a + {target}", *arguments)))
        self.lines.append(f"    {self.prefix}_{function.replace('-', '_')}({told});")

    def _weights(self, step: ProgramStep, **arrays: object) -> list[str]:
        names = []
        for kind, values in arrays.items():
            name = f"{self.prefix}_{step.name}_{kind}"
            size = " * ".join(map(str, values.shape))  # type: ignore[attr-defined]
            self.arrays.append(floats("static const float", name, values, size))  # type: ignore[arg-type]
            names.append(name)
        return names

    def _tables(self, step: ProgramStep, rows: Sequence[int], columns: Sequence[int]) -> list[str]:
        names = [f"{self.prefix}_{step.name}_{axis}" for axis in ("rows", "columns")]
        for name, values in zip(names, (rows, columns), strict=True):
            self.arrays.append(integers("static const int", name, values))
        return names


def _flat(spans: tuple[Span, ...]) -> list[int]:
    return [value for span in spans for value in (span.start, span.end, span.count)]
