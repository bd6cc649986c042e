"""A net of somebody's own for training: its graph where it can be traced, else the module as one layer.

Its weights have the module's own names in every file, whichever it is.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from ...errors import UsageError
from ...language.counts import some
from ..build import seeded
from ..graph import GraphNet
from ..ops import shape_text
from ..wiring import Inputs
from .functions import UntraceableError
from .tracing import traced

CUSTOM = "custom"  # as the net of a recipe; a model file adds which class it was
Given = nn.Module | Callable[[], nn.Module]
WITHOUT = (
    "the net of this run is a module of your own: {what}",
    "from Python: convscope.load(path, net=Net()), convscope.resume(path, net=Net())",
)


class OwnNet(GraphNet):
    """A graph whose layers are parts of ``own``, or all of it; tensors have the names that they have in ``own``."""

    def __init__(self, own: nn.Module, modules: Mapping[str, nn.Module], inputs: Mapping[str, Inputs] | None = None):
        super().__init__(modules, inputs)
        self._whole = (own,)  # in a tuple: it is no layer

    @property
    def own(self) -> nn.Module:
        """The module."""
        return self._whole[0]

    @override
    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """As of the module."""
        return self.own.state_dict(*args, **kwargs)

    @override
    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As of the module."""
        return self.own.load_state_dict(state_dict, strict, assign)


def own_net(module: nn.Module) -> tuple[OwnNet, str]:
    """``module`` for an engine, and why it could not be traced ("" where it could)."""
    try:
        graph = traced(module)
    except UntraceableError as error:
        return OwnNet(module, {"net": module}), str(error)
    if {id(p) for p in graph.parameters()} != {id(p) for p in module.parameters()}:
        return OwnNet(module, {"net": module}), "some of its parameters are in no layer"
    return OwnNet(module, dict(graph.named_children()), graph.inputs), ""


def made(given: Given, seed: int) -> nn.Module:
    """The module that somebody gave, or the one that their function makes, with random numbers from ``seed``.

    Raises UsageError.
    """
    if isinstance(given, nn.Module):
        return given
    try:
        inspect.signature(given).bind()
    except TypeError as error:  # what the function itself raises is its author's to see
        raise UsageError(f"net cannot be made: {error}", "give a module, or a function without arguments") from None
    with seeded(seed):
        found = given()
    if not isinstance(found, nn.Module):
        raise UsageError(f"net makes a {type(found).__name__}, no torch.nn.Module", "give lambda: Net()")
    return found


def check(module: nn.Module, image: tuple[int, int, int], classes: int) -> None:
    """Whether ``module`` takes a batch (N, C, H, W) and gives scores (N, classes) in float32. Raises UsageError."""
    needed = [
        p.name
        for p in inspect.signature(module.forward).parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if len(needed) > 1:
        raise UsageError(
            f"{type(module).__name__} takes {len(needed)} inputs ({', '.join(needed)}), but a run has images alone",
            "give a module whose forward takes one batch (N, C, H, W)",
        )
    modes = [(part, part.training) for part in module.modules()]
    try:
        module.eval()
        with torch.no_grad():
            found = module(torch.zeros(2, *image, dtype=torch.float32))
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise UsageError(
            f"{type(module).__name__} does not take a batch of images {shape_text(image)}: {error}",
            "the data's images are (N, C, H, W), normalised float32",
        ) from error
    finally:
        for part, mode in modes:
            part.training = mode
    if not isinstance(found, Tensor) or found.shape != (2, classes):
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise UsageError(
            f"{type(module).__name__} gives {shape} for two images, expected (2, {classes}): one score a class",
            "its last layer must have as many outputs as there are classes, and no softmax",
        )
    trained = [p for p in module.parameters() if p.requires_grad]
    if not trained:
        raise UsageError(f"{type(module).__name__} has no parameters to train", "nothing would change")
    if any(p.dtype != torch.float32 for p in module.parameters()):
        raise UsageError(f"{type(module).__name__} has parameters that are not float32", "net.float() makes them so")


def described(module: nn.Module) -> str:
    """What a file says of the class whose weights it holds: a name, which is never imported."""
    kind = type(module)
    return f"{CUSTOM} {kind.__module__}.{kind.__qualname__}"


def filled(given: nn.Module | None, spec: str, tensors: Mapping[str, Tensor]) -> nn.Module:
    """``given`` with the weights of a file whose net is ``spec``. Raises UsageError where they differ."""
    what = spec.removeprefix(CUSTOM).strip() or "its class is not known"
    if given is None:
        raise UsageError(WITHOUT[0].format(what=what), WITHOUT[1])
    wanted = given.state_dict()
    if wanted.keys() != tensors.keys():
        raise UsageError(
            f"the weights of {what} do not fit {type(given).__name__}: "
            f"{some(sorted(wanted.keys() ^ tensors.keys()), 4)} are missing or too many",
            "give the class that was trained",
        )
    for name, tensor in tensors.items():
        if tensor.shape != wanted[name].shape or tensor.dtype != wanted[name].dtype:
            raise UsageError(
                f"{name} is {tensor.dtype} {tuple(tensor.shape)} in the file, but {wanted[name].dtype} "
                f"{tuple(wanted[name].shape)} in {type(given).__name__}",
                "give the class that was trained, with the same sizes",
            )
    given.load_state_dict(tensors)
    return given
