"""A program as the JSON that the page's JavaScript runs."""

from dataclasses import asdict
from functools import singledispatch
from typing import Any

from ..program import Program
from ..steps import Conv, Elementwise, Flatten, Join, Linear, Pad, Pool, ProgramStep, Scale
from ..subject import Subject
from ..tables import pad_sources
from .weights import arrays

Told = dict[str, Any]


def told(subject: Subject, found: Program) -> Told:
    """What the page knows of the net, but for its weights: those are ``found``'s, in its order."""
    model = subject.model
    ink = model.preparation.ink
    return {
        "name": subject.name,
        "image": model.image,
        "mean": model.mean,
        "std": model.std,
        "classes": model.classes,
        "confidence": subject.sure,
        "ink": asdict(ink) if ink else None,
        "steps": [_step(step, found) for step in found.steps],
        "facts": {"net": model.spec, "weights": f"{found.parameters:,}"} | subject.facts,
    }


def _step(step: ProgramStep, found: Program) -> Told:
    base = {"name": step.name, "inputs": step.inputs, "from": step.shapes, "shape": step.output}
    sizes = [array.size for array in arrays(Program(found.image, (step,)))]
    return base | describe(step.op, step) | ({"sizes": sizes} if sizes else {})


@singledispatch
def describe(op: object, step: ProgramStep) -> Told:
    """What JavaScript needs to know of one step, whose op is ``op``."""
    raise NotImplementedError(f"no JavaScript is known for {type(op).__name__}")


@describe.register
def _conv(op: Conv, step: ProgramStep) -> Told:
    return {
        "op": "conv",
        "kernel": op.weight.shape[2:],
        "stride": op.stride,
        "before": op.before,
        "dilation": op.dilation,
        "groups": op.groups,
    }


@describe.register
def _linear(op: Linear, step: ProgramStep) -> Told:
    return {"op": "linear"}


@describe.register
def _scale(op: Scale, step: ProgramStep) -> Told:
    return {"op": "scale"}


@describe.register
def _pool(op: Pool, step: ProgramStep) -> Told:
    rows, columns = ([(span.start, span.end, span.count) for span in spans] for spans in (op.rows, op.columns))
    return {"op": "pool", "average": op.average, "rows": rows, "columns": columns}


@describe.register
def _pad(op: Pad, step: ProgramStep) -> Told:
    rows, columns = pad_sources(op, step.shapes[0])
    return {"op": "pad", "rows": rows, "columns": columns}


@describe.register
def _elementwise(op: Elementwise, step: ProgramStep) -> Told:
    return {"op": "each", "function": op.function, "slope": op.slope}


@describe.register
def _join(op: Join, step: ProgramStep) -> Told:
    return {"op": "concat" if op.concat else "add"}


@describe.register
def _flatten(op: Flatten, step: ProgramStep) -> Told:
    return {"op": "flatten"}
