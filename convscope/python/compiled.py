"""``convscope.compile(module)``: the engine for other people's PyTorch code; and the backend of ``torch.compile``."""

import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from ..engine.plain import plain_torch
from ..errors import ConvscopeError, UsageError
from ..net.graph import GraphNet
from ..net.model import evaluation
from ..net.own.functions import UntraceableError
from ..net.own.tracing import assemble, traced
from ..storage.cores import cores

CLOSE = 1e-5  # of the largest output, or absolutely where that is below 1


class CompiledModule:
    """A module for inference, computed by the engine, or by PyTorch where ``reason`` says why.

    Called with images float32 (N, C, H, W) on the CPU it gives what ``module.eval()`` gives, and no gradients.
    Weights that are changed in place, as optimizers and ``load_state_dict`` do, are noticed; after other changes call
    :meth:`refresh`.
    """

    def __init__(self, module: nn.Module, threads: int) -> None:
        self.module, self.reason = module, ""
        self._ready: Ready | None = None
        try:
            self._ready = Ready(traced(module, training=False), threads)
        except UntraceableError as error:
            self.reason = str(error)
        else:
            self.reason = self._ready.reason
        if self.reason:
            _tell(self.reason)

    def __repr__(self) -> str:
        by = f"PyTorch: {self.reason}" if self.reason else "convscope's engine"
        return f"compiled {type(self.module).__name__}, computed by {by}"

    def __call__(self, images: Tensor) -> Tensor:
        """The module's output for a batch. Raises UsageError where gradients are wanted, and for what is no tensor."""
        if not isinstance(images, Tensor):
            raise UsageError(
                f"a {type(images).__name__} is no tensor", "torch.from_numpy(images) makes one of an array"
            )
        if images.requires_grad and torch.is_grad_enabled():
            raise UsageError(
                "a compiled net gives no gradients, but its input requires them",
                "call the module itself, or give images.detach()",
            )
        found = None if self._ready is None else self._ready(images, lambda: self._by_torch(images))
        return self._by_torch(images) if found is None else found

    def refresh(self) -> None:
        """Take up the weights as they are now."""
        if self._ready is not None:
            self._ready.refresh()

    def _by_torch(self, images: Tensor) -> Tensor:
        with evaluation(self.module), torch.no_grad():
            found: Tensor = self.module(images)
            return found


class Ready:
    """A graph of layers and its programs by shape of image.

    ``reason`` says why the engine computes none, "" where it does.
    """

    def __init__(self, net: GraphNet, threads: int) -> None:
        from ..engine.jit import why_not  # llvmlite is slow to import

        self.net, self.threads = net, threads
        self.reason = why_not(net) or ""
        self._tensors = [*net.parameters(), *net.buffers()]
        self._programs: dict[tuple[int, ...], tuple[Any, torch.Size, list[int]] | None] = {}
        self._lock = threading.Lock()

    def __call__(self, images: Tensor, reference: Callable[[], Tensor]) -> Tensor | None:
        """The output for a batch; None where PyTorch must compute it. A new program is compared with ``reference``."""
        if self.reason or images.dtype is not torch.float32 or images.ndim != 4 or not images.is_cpu or not len(images):
            return None
        shape = tuple(images.shape[1:])
        if shape not in self._programs:
            with self._lock:
                if shape not in self._programs:
                    self._programs[shape] = self._built(images.detach(), reference)
        ready = self._programs[shape]
        if ready is None:
            return None
        predictor, output, versions = ready
        now = [tensor._version for tensor in self._tensors]
        if now != versions:
            predictor.refresh()
            versions[:] = now
        scores: Tensor = predictor.logits(images.detach())
        return scores.view(len(images), *output)

    def refresh(self) -> None:
        """Take up the weights as they are now."""
        for ready in self._programs.values():
            if ready is not None:
                ready[0].refresh()

    @plain_torch()
    def _built(self, images: Tensor, reference: Callable[[], Tensor]) -> tuple[Any, torch.Size, list[int]] | None:
        """The program for images of this shape, compared with PyTorch on the first batch of them."""
        from ..engine.jit import JitPredictor

        versions = [tensor._version for tensor in self._tensors]
        with torch.no_grad():
            wanted = reference()
        try:
            predictor = JitPredictor(self.net, tuple(images.shape[1:]), None, None, self.threads)  # type: ignore[arg-type]
            found = predictor.logits(images)
        except ConvscopeError as error:
            _tell(error.message)
            return None
        same = wanted.numel() == found.numel() and torch.isfinite(wanted).all()
        allowed = CLOSE * max(1.0, float(wanted.abs().max()))
        difference = float((found.view(wanted.shape) - wanted).abs().max()) if same else float("inf")
        if not difference <= allowed:
            _tell(f"its output differs from PyTorch's by {difference:.3g}, where {allowed:.3g} is allowed")
            return None
        return predictor, wanted.shape[1:], versions


def compile(module: nn.Module, *, threads: int = 0) -> CompiledModule:  # noqa: A001 - as torch.compile
    """``module`` for inference by the engine: a callable with the same outputs (within 1e-5) and no gradients.

    It is traced (torch.fx), and machine code is written for each shape of image when that is first seen, and compared
    with the module's own output. A module that has a layer without a way in the engine is computed by PyTorch; a
    warning and ``.reason`` say which. ``threads`` 0 takes all cores. The command line has no such verb: ``convscope
    predict`` computes with PyTorch. Raises UsageError for what is no module.
    """
    if not isinstance(module, nn.Module):
        raise UsageError(f"a {type(module).__name__} is no torch.nn.Module", "give a net, such as run.net")
    return CompiledModule(module, threads or cores())


def backend(graph: fx.GraphModule, inputs: Sequence[Any]) -> Callable[..., Any]:
    """The backend of ``torch.compile(net, backend="convscope")``: inference inside ``torch.no_grad()``.

    Where gradients are wanted, or a layer is not covered, PyTorch computes; a warning says why.
    """
    placeholders = [node for node in graph.graph.nodes if node.op == "placeholder"]
    values = {
        node: given
        for node, given in zip(placeholders, inputs, strict=True)
        if isinstance(given, nn.Parameter) or (isinstance(given, Tensor) and "_buffers_" in node.name)
    }
    images = [i for i, node in enumerate(placeholders) if node not in values and isinstance(inputs[i], Tensor)]
    trained = [*graph.parameters(), *values.values()]
    try:
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in trained):
            raise UntraceableError("gradients are wanted; use torch.no_grad()")
        if len(images) != 1:
            raise UntraceableError(f"it has {len(images)} inputs")
        (place,) = images
        net = assemble(graph.graph, placeholders[place], values, graph.get_submodule, graph.get_parameter)
    except UntraceableError as error:
        _tell(str(error))
        return graph.forward
    ready = Ready(net, cores())
    if ready.reason:
        _tell(ready.reason)
        return graph.forward

    def run(*arguments: Any) -> tuple[Tensor]:
        found = ready(arguments[place], lambda: graph.forward(*arguments)[0])
        return graph.forward(*arguments) if found is None else (found,)

    return run


def _tell(reason: str) -> None:
    warnings.warn(f"convscope: PyTorch computes this module: {reason}", UserWarning, stacklevel=4)
