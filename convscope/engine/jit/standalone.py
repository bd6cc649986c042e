"""A net's forward half as a program of its own: C functions, weights and memory inside, nothing else to link.

``NAME_scores(image, scores)`` and ``NAME_predict(image, probabilities)`` take uint8 (H, W, C). They are the predictor's
code for one image (program.py), with a job that the program keeps itself; the first call makes the weights ready.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
from torch import nn

from ...errors import UsageError
from .compiled import Compiled
from .ir.arrays import Shape
from .ir.elementary import exp
from .ir.function import Function
from .ir.values import F32, I8, I64, PTR, Value
from .machine import slots
from .machine.host import GENERIC, Isa, Machine
from .program import Program

TargetName = Literal["x86-64-avx512", "x86-64-avx2", "aarch64", "armv7"]


@dataclass(frozen=True)
class Target:
    """A kind of processor as LLVM names it, and the engine's instruction set for it."""

    isa: Isa
    triple: str
    cpu: str
    features: str = ""


TARGETS: dict[TargetName, Target] = {
    "x86-64-avx512": Target("avx512", "x86_64-unknown-linux-gnu", GENERIC["avx512"]),
    "x86-64-avx2": Target("avx2", "x86_64-unknown-linux-gnu", GENERIC["avx2"]),
    "aarch64": Target("neon", "aarch64-unknown-linux-gnu", "generic"),
    "armv7": Target("neon", "armv7-unknown-linux-gnueabihf", "cortex-a7"),
}


class Standalone:
    """A net that is to become such programs. Raises UsageError for a net that the engine does not cover."""

    def __init__(self, net: nn.Module, image: Shape, mean: Sequence[float], std: Sequence[float]) -> None:
        if not isinstance(net, nn.Sequential):
            raise UsageError(f"the net is a {type(net).__name__}, not a torch.nn.Sequential", "take another format")
        self._core = Compiled(net, image, mean, std, 1, None, None, None)
        with self._core.change():
            self._core.read()

    def text(self, name: str, target: Target, classes: Sequence[str], probabilities: bool) -> str:
        """The program in LLVM's language. ``probabilities``: softmax of the scores, else ``predict`` gives scores."""
        core, host = self._core, Machine(target.isa, target.cpu, target.features)
        program = Program(core.nodes, host.alone(), core.scale, core.shift, None, host.pause)
        _scores(program, name, core.image)
        _predict(program, name, core.classes, probabilities)
        text = program.module.text()
        for inner in ("predict", "refresh"):  # of several nets in one program, each has its own
            text = text.replace(f"define void @{inner}(", f"define internal void @{inner}(")
        size = program.plan.size
        bits = ", ".join(f"i32 {value}" for value in core.parameters.view(np.int32).tolist())
        globals_ = [
            f"@{name}_parameters = internal constant [{core.parameters.size} x i32] [{bits}], align 64",
            f"@{name}_arena = internal global [{size} x i8] zeroinitializer, align 64",
            f"@{name}_job = internal global [{slots.SLOTS} x i64] zeroinitializer, align 64",
            f"@{name}_index = internal constant [1 x i64] zeroinitializer, align 64",
            f"@{name}_image = internal global [{prod(core.image)} x i8] zeroinitializer, align 64",
            *_names(name, classes),
        ]
        return "\n".join([*globals_, text])

    def arena(self, target: Target) -> int:
        """Bytes of memory that the program for ``target`` keeps for the layers' outputs."""
        host, core = Machine(target.isa, target.cpu, target.features), self._core
        return Program(core.nodes, host.alone(), core.scale, core.shift, None, host.pause).plan.size


def _scores(program: Program, name: str, image: Shape) -> None:
    """The C function that hands the program's job to its own ``predict``."""
    functions = {function.name: function for function in program.module.functions}
    f = program.module.function(f"{name}_scores", [("image", PTR), ("out", PTR)], public=True)
    job = _global(f, f"{name}_job")
    pixels = _channels_first(f, name, image)
    for slot, what in ((slots.PARAMETERS, "parameters"), (slots.ARENAS, "arena"), (slots.INDEX, "index")):
        f.store(_global(f, f"{name}_{what}"), job, 8 * slot)
    f.store(pixels, job, 8 * slots.IMAGES)
    f.store(f["out"], job, 8 * slots.LOGITS)
    f.store(f.constant(1, I64), job, 8 * slots.COUNT)
    zero = f.constant(0, I64)
    with f.when(f.compare("eq", f.load(I64, job, 8 * slots.THREADS), 0)):  # the first call
        f.store(f.constant(1, I64), job, 8 * slots.THREADS)
        f.call(functions["refresh"], job, zero)
    f.call(functions["predict"], job, zero)


def _channels_first(f: Function, name: str, image: Shape) -> Value:
    """The image (H, W, C) as the engine takes it, (C, H, W)."""
    channels, area = image[0], image[1] * image[2]
    if channels == 1:
        return f["image"]
    place = _global(f, f"{name}_image")
    with f.loop(area) as i, f.loop(channels) as c:
        value = f.load(I8, f["image"], (i, channels), (c, 1))
        f.store(value, place, (c, area), (i, 1))
    return place


def _predict(program: Program, name: str, classes: int, probabilities: bool) -> None:
    """The C function that also makes probabilities of the scores: e^(z − max z) / Σ."""
    functions = {function.name: function for function in program.module.functions}
    f = program.module.function(f"{name}_predict", [("image", PTR), ("out", PTR)], public=True)
    f.call(functions[f"{name}_scores"], f["image"], f["out"])
    if not probabilities:
        return
    largest = f.var(f.load(F32, f["out"]))
    with f.loop(classes) as k:
        z = f.load(F32, f["out"], (k, 4))
        largest.value = f.select(f.compare("ogt", z, largest.value), z, largest.value)
    top, total = largest.value, f.var(f.constant(0.0, F32))
    with f.loop(classes) as k:
        power = exp(f, f.load(F32, f["out"], (k, 4)) - top)
        f.store(power, f["out"], (k, 4))
        total.value = total.value + power
    whole = total.value
    with f.loop(classes) as k:
        f.store(f.load(F32, f["out"], (k, 4)) / whole, f["out"], (k, 4))


def _global(f: Function, name: str) -> Value:
    return Value(f, f"@{name}", PTR)


def _names(name: str, classes: Sequence[str]) -> list[str]:
    """``NAME_classes``: addresses of the names, UTF-8 with a zero behind."""
    lines = []
    for number, text in enumerate(classes):
        content = text.encode(errors="replace").replace(b"\0", b"?") + b"\0"
        escaped = "".join(f"\\{byte:02X}" for byte in content)
        lines.append(f'@{name}_class{number} = internal constant [{len(content)} x i8] c"{escaped}"')
    places = ", ".join(f"ptr @{name}_class{number}" for number in range(len(classes)))
    return [*lines, f"@{name}_classes = constant [{len(classes)} x ptr] [{places}]"]
