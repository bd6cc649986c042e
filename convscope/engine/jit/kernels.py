"""What is done with one block of images: the kernels of a net's stages, each a function of the program.

Which way a stage is computed is decided here: directly, by tiles, or as one image; the way itself stands in the file of
its layer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...recipe import LossName
from . import (
    activation,
    conv,
    conv_back,
    images,
    linear,
    losses,
    pool,
    single,
    winograd,
    winograd_alone,
    winograd_back,
    winograd_thin,
    winograd_ties,
)
from .activation import Activation
from .conv import Conv
from .ir import Function, Module
from .layout import Lanes
from .optimizers import Rule
from .plan import Buffers, Plan, first_with_parameters
from .pool import Pool
from .stages import Stage
from .tiling import Tiling
from .values import PTR


@dataclass(frozen=True)
class Learning:
    """What a program that trains needs besides the net: loss and optimizer."""

    loss: LossName
    rule: Rule


class Kernels:
    """Writes the kernels of ``stages``, whose arrays lie where ``plan`` says, into ``module``."""

    def __init__(self, stages: Sequence[Stage], lanes: Lanes, plan: Plan, module: Module,
                 learning: Learning | None) -> None:  # fmt: skip
        self.stages, self.lanes, self.plan, self.module, self.learning = stages, lanes, plan, module, learning

    def _kernel(self, name: str) -> Function:
        """A function over one block: a = arena, p = parameters, g = the thread's gradients."""
        f = self.module.function(name, [("a", PTR), ("p", PTR), ("g", PTR)], public=True)  # the bench calls it, too
        for word in ("images", "labels", "weights", "loss"):
            f[word] = f.address(f["a"], getattr(self.plan, word))
        return f

    def weights(self) -> list[Function]:
        """What a step does with the weights before the first block."""
        functions = []
        for i, b in enumerate(self.plan.stages):
            if b.tiling and (b.dx or self.forward_by_tiles(i)):
                functions.append(f := self._kernel(f"weights{i}"))
                winograd.weights(f, b.tiling, columns=self.lanes.count == 1)
        return functions

    def forward_by_tiles(self, i: int) -> bool:
        """Whether stage ``i``, which has a tiling, may also go forward that way: see winograd_ties.py."""
        if not self.learning:
            return True
        later = self.learning.loss == "mae" or any(stage.decides for stage in self.stages[i + 1 :])
        tiling = self.plan.stages[i].tiling
        return not later and not (tiling and tiling.thin and self.stages[i].decides)

    def _keeps_inputs(self, i: int, t: Tiling) -> bool:
        """Whether V of stage ``i`` outlives the forward pass: all of it is there, and no later stage takes its room."""
        last = not any(b.tiling for b in self.plan.stages[i + 1 :])
        return last and t.group == t.count and self.forward_by_tiles(i)

    def forward(self, scale: Sequence[float], shift: Sequence[float]) -> list[Function]:
        """What is done with a block, from its images to its scores."""
        f = self._kernel("gather")
        if self.lanes.count == 1:
            single.images(f, scale, shift, self.plan.stages[0].x)
        else:
            images.forward(f, self.lanes, scale, shift, self.plan.stages[0].x)
        functions = [f]
        for i, (stage, b) in enumerate(zip(self.stages, self.plan.stages, strict=True)):
            functions.append(f := self._kernel(f"forward{i}"))
            match stage.op:
                case Conv():
                    self._conv_forward(f, i, stage.op, stage.act, b)
                case Pool():
                    pool.forward(f, self.lanes, stage.op, stage.act, b.x, b.y, b.winners)
                case None:
                    activation.forward(f, self.lanes, stage.act, b.x, b.y)
        return functions

    def _conv_forward(self, f: Function, i: int, op: Conv, act: Activation, b: Buffers) -> None:
        if self.lanes.count == 1:
            if b.tiling:
                winograd_alone.forward(f, self.lanes, b.tiling, act, b.x, b.y)
            else:
                single.forward(f, self.lanes, op, act, b.x, b.y)
        elif not b.tiling or not self.forward_by_tiles(i):
            conv.forward(f, self.lanes, op, act, b.x, b.y, b.masks)
        elif b.tiling.thin:
            winograd_thin.forward(f, self.lanes, b.tiling, act, b.x, b.y)
        elif self.learning and self.stages[i].decides:
            winograd_ties.forward(f, self.lanes, b.tiling, act, b.x, b.y, b.masks)
        else:
            winograd.forward(f, self.lanes, b.tiling, act, b.x, b.y)

    def backward(self, learning: Learning) -> list[Function]:
        """What is done with a block after that, from its scores to its part of the gradients."""
        last = self.plan.stages[-1]
        f = self._kernel("loss")
        losses.forward_and_gradient(f, self.lanes, learning.loss, last.y, last.dy)
        if self.stages[-1].act:
            activation.input_gradient(f, self.lanes, self.stages[-1].act, last.y, last.dy, last.dy)
        functions = [f]
        for i in reversed(range(first_with_parameters(self.stages), len(self.stages))):
            stage, b = self.stages[i], self.plan.stages[i]
            before = self.stages[i - 1].act if i else ""
            match stage.op:
                case Conv():
                    functions += self._conv_backward(i, stage.op, b, before)
                    if b.dx and not b.tiling:
                        functions.append(f := self._kernel(f"input_gradient{i}"))
                        conv_back.input_gradient(f, self.lanes, stage.op, before, b.x, b.unpooled or b.dy, b.dx)
                case Pool() if b.dx:
                    functions.append(f := self._kernel(f"input_gradient{i}"))
                    pool.input_gradient(f, self.lanes, stage.op, before, b.x, b.dy, b.dx, b.winners)
                case None if b.dx:
                    functions.append(f := self._kernel(f"input_gradient{i}"))
                    activation.input_gradient(f, self.lanes, before, b.x, b.dy, b.dx)
        return functions

    def _conv_backward(self, i: int, op: Conv, b: Buffers, before: Activation) -> Iterator[Function]:
        """Unpool, weight gradient, bias gradient; by tiles, also the input gradient."""
        if op.bias is not None:
            f = self._kernel(f"bias_gradient{i}")
            conv_back.bias_gradient(f, self.lanes, op, b.dy)
            yield f
        if b.tiling:
            f = self._kernel(f"backward{i}")
            if b.tiling.thin:
                winograd_thin.backward(f, self.lanes, b.tiling, b.x, b.dy, b.masks)
            else:
                kept = self._keeps_inputs(i, b.tiling)
                winograd_back.backward(f, self.lanes, b.tiling, before, b.x, b.dy, b.masks, b.dx, kept)
            yield f
            return
        if b.unpooled and b.masks and b.dx:
            f = self._kernel(f"unpool{i}")
            conv_back.unpool(f, self.lanes, op, b.dy, b.masks, b.unpooled, 0, op.outputs, 0)
            yield f
        f = self._kernel(f"weight_gradient{i}")
        if linear.is_linear(op, b.x):
            linear.weight_gradient(f, self.lanes, op, b.x, b.dy, self.plan.transposed)
            yield f
            return
        for start, stop, size in conv_back.weight_tiles(self.lanes, op):
            with f.loop(op.groups) as g, f.loop(stop, start, size) as o:
                channel = o if isinstance(g, int) else g * op.fan_out + o
                if b.unpooled and b.masks and not b.dx:  # a tile at a time, which stays in the cache
                    conv_back.unpool(f, self.lanes, op, b.dy, b.masks, b.unpooled, channel, size, 0)
                    channel = 0
                conv_back.weight_gradient(f, self.lanes, op, b.x, b.unpooled or b.dy, g, o, size, channel)
        yield f

    def weight_gradients(self) -> list[Function]:
        """What a step does with the sums of weight gradients after the last block."""
        functions = []
        for i, b in enumerate(self.plan.stages):
            if b.tiling:
                functions.append(f := self._kernel(f"finish{i}"))
                if b.tiling.thin:
                    winograd_thin.add_images(f, self.lanes, b.tiling)
                winograd_back.weight_gradients(f, self.lanes, b.tiling)
        return functions
