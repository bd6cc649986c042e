"""Trace: one image through any net, every tensor kept by the name of what made it.

Modules without children are watched by hooks; what a net computes between them (``F.relu(x)``, ``x.view(...)``,
``a + b``) by a torch function mode. All tensors are copied at once, so an in-place operation later on cannot change
what is shown. What is not known is a box: its name and its shapes are there, and nothing fails.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ...engine.plain import plain_torch
from ...errors import UsageError
from ...net.joins import Add, Concat
from ...net.model import evaluation
from ...net.wiring import IMAGE
from ..concepts.shapes import fits, refusal
from .operations import functional, scores, tensors

Array = NDArray[np.float32]
SAME = {"contiguous", "clone", "detach", "to", "float", "requires_grad_"}  # operations whose result has the same values
READS = ("__get__", "__set__")  # of a tensor's attributes: nothing is computed


@dataclass(frozen=True)
class Operand:
    """A tensor that goes into a call: ``source`` is what it is called in ledgers."""

    source: str
    values: Array


@dataclass(frozen=True)
class Call:
    """One use of a layer: ``name`` is the module's (``pool#2`` when it is used again), or the operation's (``relu1``).

    ``input`` is the first tensor that goes in, ``output`` the first that comes out, None where there is none; arrays
    have no batch axis. ``source`` names the call that made ``input`` ("image" for the net's own input, None where it
    is unknown). Where branches meet (``a + b``, ``torch.cat``, a join of a net), ``operands`` are all that goes in.
    """

    name: str
    kind: str
    source: str | None
    input: Array | None
    output: Array | None
    module: nn.Module | None
    parameters: str = ""
    operands: tuple[Operand, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the calls that made what goes in; ``image`` is the net's own input."""
        if self.operands:
            return tuple(operand.source for operand in self.operands)
        return () if self.source is None else (self.source,)

    @property
    def reads(self) -> str:
        """What its input is called in ledgers."""
        return self.source or f"{self.name}.input"


@dataclass(frozen=True)
class Trace:
    """All calls of one forward pass in order, by name; the net saw ``image`` (C, H, W) and said ``output``.

    With a ``target`` class also the ``value`` that was differentiated (``of``: the cross entropy "loss" for that class,
    or its "score", the raw output) and its gradients: ``gradients`` by call name, for the call's output; ``weights`` by
    parameter name; ``image_gradient``.
    """

    net: nn.Module
    image: Array
    output: Array
    calls: dict[str, Call]
    target: int | None = None
    of: str = "loss"
    value: float | None = None
    gradients: dict[str, Array] = field(default_factory=dict)
    weights: dict[str, Array] = field(default_factory=dict)
    image_gradient: Array | None = None


class Recorder(TorchFunctionMode):
    """Watches a forward pass; ``seen`` is told of every call with its live output. Use it once, as a context.

    ``replace`` may compute something else for an operation: it returns the result, or None to let it be.
    """

    def __init__(
        self,
        net: nn.Module,
        image: Tensor,
        seen: Callable[[Call, Any], None],
        replace: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any] = lambda *_: None,
    ) -> None:
        super().__init__()
        self.net, self.seen, self.replace = net, seen, replace
        self.made: dict[int, str] = {id(image): IMAGE}
        self.kept: list[Any] = [image]  # an id is only unique among living tensors
        self.values: dict[str, Array] = {IMAGE: array(image)}
        self.names: set[str] = {IMAGE}
        self.inside = 0
        self.thread = threading.get_ident()  # others may use the same net meanwhile: their calls are not this pass's
        self.inputs: list[tuple[str | None, Array | None, tuple[Operand, ...]]] = []

    def __enter__(self) -> "Recorder":
        leaves = [(name, m) for name, m in self.net.named_modules() if next(m.children(), None) is None]
        self.hooks = [hook for name, leaf in leaves for hook in self._watch(name, leaf)]
        super().__enter__()  # type: ignore[no-untyped-call]  # torch has no annotation for it
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]  # torch has no annotation for it
        for hook in self.hooks:
            hook.remove()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.inside:
            replaced = self.replace(func, args, kwargs)
            return func(*args, **kwargs) if replaced is None else replaced
        name = getattr(func, "__name__", "function")
        source, copy = self._take((args, kwargs))
        kind = name.strip("_")
        module = functional(kind, args, kwargs)
        operands = self._operands(args, kind) if isinstance(module, Add | Concat) else ()
        replaced = self.replace(func, args, kwargs)
        output = func(*args, **kwargs) if replaced is None else replaced
        if copy is None or not isinstance(output, Tensor) or name in READS:
            return output
        if name in SAME:
            if source is not None:
                self.made[id(output)] = source
                self.kept.append(output)
            return output
        call = self._numbered(kind)
        self._done(Call(call, kind, source, copy, None, module, call, operands), output)
        return output

    def _watch(self, name: str, leaf: nn.Module) -> list[Any]:
        def before(module: nn.Module, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> None:
            if threading.get_ident() != self.thread:
                return
            self.inside += 1
            operands = self._operands(inputs, name) if isinstance(module, Add | Concat) else ()
            self.inputs.append((*self._take((inputs, keywords)), operands))

        def after(module: nn.Module, _: Any, output: Any) -> None:
            if threading.get_ident() != self.thread:
                return
            source, copy, operands = self.inputs.pop()
            label = (name or type(module).__name__.lower()) + (f"#{times[0] + 1}" if times[0] else "")
            times[0] += 1
            self.names.add(label)
            self._done(Call(label, type(module).__name__, source, copy, None, module, name, operands), output)
            self.inside -= 1

        times = [0]
        return [leaf.register_forward_pre_hook(before, with_kwargs=True), leaf.register_forward_hook(after)]

    def _take(self, given: Any) -> tuple[str | None, Array | None]:
        """The source and a copy of the first tensor in ``given``."""
        tensor = next(tensors(given), None)
        if tensor is None:
            return None, None
        with torch._C.DisableTorchFunction():
            copy, source = array(tensor), self.made.get(id(tensor))
            if source is not None and not np.array_equal(self.values[source], copy, equal_nan=True):
                source = None  # it was changed since, through a view of it: no longer what its maker made
            return source, copy

    def _operands(self, args: tuple[Any, ...], kind: str) -> tuple[Operand, ...]:
        """All tensors in ``args``; what has no name is called after the operation."""
        found = [self._take(tensor) for tensor in tensors(args)]
        return tuple(
            Operand(source or f"{kind}.input{n}", copy) for n, (source, copy) in enumerate(found, 1) if copy is not None
        )

    def _done(self, call: Call, output: Any) -> None:
        tensor = next(tensors(output), None)
        with torch._C.DisableTorchFunction():
            if tensor is not None:
                self.made[id(tensor)] = call.name
                self.values[call.name] = array(tensor)
                self.kept.append(tensor)
            self.seen(replace(call, output=self.values.get(call.name)), tensor)

    def _numbered(self, kind: str) -> str:
        number = 1
        while f"{kind}{number}" in self.names:
            number += 1
        self.names.add(f"{kind}{number}")
        return f"{kind}{number}"


@plain_torch()
def trace(net: nn.Module, image: Tensor, target: int | None = None, of: Literal["loss", "score"] = "loss") -> Trace:
    """Send ``image`` float (C, H, W), as the net takes it, through ``net`` in evaluation mode.

    With ``target``, the index of a class, the gradients too. Raises LayerError where the net refuses the image,
    UsageError where it is no classifier with that class. The net is left as it was.
    """
    calls: dict[str, Call] = {}
    gradients: dict[str, Array] = {}

    def seen(call: Call, output: Any) -> None:
        calls[call.name] = call
        if output is not None and output.requires_grad:  # registered now, a hook is told of the tensor as it is now

            def keep(gradient: Tensor) -> None:
                gradients[call.name] = array(gradient) + gradients.get(call.name, np.float32(0))

            output.register_hook(keep)

    with evaluation(net), torch.set_grad_enabled(target is not None):
        stored = dict(net.named_parameters())
        first = next(iter(stored.values()), torch.empty(0))
        leaf = image.detach().clone().to(first.device, first.dtype)[None].requires_grad_(target is not None)
        given = leaf.clone()  # a net may begin with an in-place operation, which no leaf of the graph permits
        try:
            with Recorder(net, given, seen):
                output = net(given)
        except RuntimeError:
            fit = fits(net, tuple(given.shape))
            if fit.diagnosis is not None:
                raise refusal(fit) from None
            raise
        found = scores(output)
        output = torch.zeros(0) if found is None else found  # a net may make many things, and no scores
        result = Trace(net, array(leaf), array(output), calls)
        if target is None:
            return result
        if output.ndim != 2 or len(output) != 1 or not 0 <= target < output.shape[1]:
            raise UsageError(
                f"class {target} is none of the net's: it makes {result.output.shape}",
                "gradients need a net that makes one score a class, and the index of one",
            )
        value = output[0, target]
        if of == "loss":
            value = nn.functional.cross_entropy(output, torch.tensor([target], device=output.device))
        wanted = {name: p for name, p in stored.items() if p.requires_grad}
        first, *rest = torch.autograd.grad(value, [leaf, *wanted.values()], allow_unused=True)
    weights = {name: array(g, batch=False) for name, g in zip(wanted, rest, strict=True) if g is not None}
    pixels = np.zeros_like(result.image) if first is None else array(first)  # None: the scores do not depend on it
    return Trace(net, result.image, result.output, calls, target, of, float(value.detach()), gradients, weights, pixels)


def array(tensor: Tensor, batch: bool = True) -> Array:
    """A copy on the CPU, without the batch axis if it has one of size 1."""
    copied = tensor.detach().cpu().clone()
    if copied.is_floating_point():
        copied = copied.float()
    single = batch and copied.ndim > 0 and copied.shape[0] == 1
    return (copied[0] if single else copied).numpy()
