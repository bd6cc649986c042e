"""A torch.nn.Module → a flat graph of layers, which the engine may cover. The layers are the module's own, not copies.

The module is traced symbolically (torch.fx; Reed et al. 2021): ``forward`` is run once with a stand-in for the batch.
"""

import copy
import random
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, fx, nn

from ..graph import GraphNet
from ..joins import Add, Concat
from ..wiring import IMAGE, Inputs
from .functions import UntraceableError, modules_of

SIZES = ("size", "shape", "getitem", "getattr", "dim")  # of what asks a tensor's size, which only view may use


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, Add | Concat) or super().is_leaf_module(m, module_qualified_name)


def traced(module: nn.Module, training: bool = True) -> GraphNet:
    """``module`` as a graph whose layers are its own. Names have "/" where the module's have ".".

    ``training``: the graph will be trained, too, so that all that distinguishes training must be in its layers.
    Raises UntraceableError with the reason, which names the place.
    """
    graph = _graph(module, False)
    if any(node.kwargs.get("training") for node in graph.nodes if "dropout" in str(node.target)):
        raise UntraceableError("a functional dropout does not ask self.training: it would never end")
    if training:
        for part in module.modules():
            if getattr(part.train, "__func__", None) != nn.Module.train:
                raise UntraceableError(f"{type(part).__name__} has a train() of its own")
        evaluation, graph = graph, _graph(module, True)
        if _steps(graph) != _steps(evaluation):
            raise UntraceableError("it computes something else in training, by another way than layers that know of it")
    placeholders = [node for node in graph.nodes if node.op == "placeholder"]
    if len(placeholders) != 1:
        raise UntraceableError(f"it has {len(placeholders)} inputs")
    return assemble(graph, placeholders[0], {}, module.get_submodule, lambda name: _tensor(module, name))


def _graph(module: nn.Module, training: bool) -> fx.Graph:
    modes = [(part, part.training) for part in module.modules()]
    before = _generators()
    try:
        module.train(training)
        graph = _Tracer().trace(module)
    except Exception as error:  # whatever a forward of others raises of a stand-in
        raise UntraceableError(f"torch.fx cannot trace it: {str(error).splitlines()[0][:120]}") from None
    finally:
        for part, mode in modes:
            part.training = mode
    if _generators() != before:  # a stand-in draws nothing: what did decides the way through the net
        raise UntraceableError("it draws random numbers of its own")
    return graph


def _generators() -> tuple[object, ...]:
    """The states of what a forward of others may draw from."""
    kind, words, place, *_ = np.random.get_state()  # noqa: NPY002 - theirs may be the old generator
    assert isinstance(words, np.ndarray)
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), kind, words.tobytes(), place


def _steps(graph: fx.Graph) -> list[str]:
    """What a graph computes, as text, without what functions are told of training."""
    return [
        f"{node.op} {node.target} {node.args} { {key: v for key, v in node.kwargs.items() if key != 'training'} }"
        for node in graph.nodes
    ]


def _tensor(module: nn.Module, name: str) -> Tensor:
    owner, _, last = name.rpartition(".")
    found = getattr(module.get_submodule(owner), last)
    if not isinstance(found, Tensor):
        raise UntraceableError(f"{name} is no tensor")
    return found


def assemble(
    graph: fx.Graph,
    image: fx.Node,
    values: Mapping[fx.Node, Tensor],
    module_at: Callable[[str], nn.Module],
    tensor_at: Callable[[str], Tensor],
) -> GraphNet:
    """The net of a traced ``graph`` from its ``image`` on; ``values`` are placeholders that stand for weights.

    Raises UntraceableError.
    """
    known, names = dict(values), {image: IMAGE}
    modules: dict[str, nn.Module] = {}
    inputs: dict[str, Inputs] = {}
    used: set[int] = set()

    def add(name: str, made: list[nn.Module], sources: Inputs) -> str:
        for i, layer in enumerate(made):
            label = name if i == 0 else f"{name}_{i}"
            modules[label], inputs[label] = layer, sources
            sources = (label,)
        return sources[0]

    for node in _read(graph):
        if node.op == "get_attr":
            known[node] = tensor_at(str(node.target))
        elif node.op in ("call_function", "call_method", "call_module"):
            name = getattr(node.target, "__name__", str(node.target))
            if node.op != "call_module" and name in SIZES:
                continue
            sources = tuple(_source(one, names, node) for one in node.all_input_nodes if _carries(one, known, image))
            if node.op == "call_module":
                layer = module_at(str(node.target))
                if node.kwargs or len(sources) != len(node.args):
                    raise UntraceableError(f"{node.target}: it is called with more than tensors")
                made, name = _once(layer, str(node.target), used), str(node.target).replace(".", "/")
            else:
                made, name = modules_of(node, known), node.name
            names[node] = add(name if name not in modules else f"{name}#{len(modules)}", made, sources)
        elif node.op == "output":
            return _net(modules, inputs, _result(node, names))
    raise UntraceableError("it returns nothing")


def _read(graph: fx.Graph) -> list[fx.Node]:
    """The nodes that the output depends on, in order."""
    needed: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        if node.op == "output" or node in needed:
            needed |= {node, *node.all_input_nodes}
    return [node for node in graph.nodes if node in needed]


def _carries(node: fx.Node, known: Mapping[fx.Node, Tensor], image: fx.Node) -> bool:
    """Whether a node stands for the image or what layers make of it, not for weights or sizes."""
    if node.op == "placeholder":
        return node is image
    name = getattr(node.target, "__name__", str(node.target))
    return node not in known and not (node.op in ("call_function", "call_method") and name in SIZES)


def _source(node: fx.Node, names: Mapping[fx.Node, str], reader: fx.Node) -> str:
    if node not in names:
        raise UntraceableError(f"{reader.name} reads {node.name}, which is not a layer's output")
    return names[node]


def _once(layer: nn.Module, place: str, used: set[int]) -> list[nn.Module]:
    """``layer``, or a copy where it has been met before; nothing for Identity. Raises UntraceableError."""
    if isinstance(layer, nn.Identity):
        return []
    if id(layer) in used:
        if next(layer.parameters(), None) is not None or next(layer.buffers(), None) is not None:
            raise UntraceableError(f"{place} is called twice")
        return [copy.deepcopy(layer)]
    used.add(id(layer))
    return [layer]


def _result(node: fx.Node, names: Mapping[fx.Node, str]) -> str:
    found = node.args[0]
    if isinstance(found, tuple | list) and len(found) == 1:  # as torch.compile has it
        found = found[0]
    if not isinstance(found, fx.Node) or found not in names:
        raise UntraceableError("it returns something else than one tensor")
    return names[found]


def _net(modules: dict[str, nn.Module], inputs: dict[str, Inputs], result: str) -> GraphNet:
    if not modules or result != next(reversed(modules)):
        raise UntraceableError("what it returns is not what its last layer makes")
    before, others = IMAGE, {}
    for name, sources in inputs.items():
        if sources != (before,):
            others[name] = sources
        before = name
    return GraphNet(modules, others)


def agrees(net: nn.Module, module: nn.Module, batch: Tensor) -> bool:
    """Whether two nets give the same for ``batch``, in evaluation mode."""
    with torch.no_grad():
        one, other = net(batch), module(batch)
    return one.shape == other.shape and bool(torch.allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True))
