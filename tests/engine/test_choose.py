"""``--engine auto`` never refuses a net that PyTorch trains: what the jit engine does not cover, the eager one runs."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from convscope.engine.choose import choose
from convscope.engine.eager import EagerEngine
from convscope.errors import UsageError
from convscope.net.graph import GraphNet
from convscope.net.joins import Add, Concat

from ..helpers import examples
from .test_jit_arithmetic import CLASSES, problem_of

CPU = torch.device("cpu")
IMAGE = (2, 6, 6)
LAYERS = [
    lambda: nn.Conv2d(2, 3, 3, padding=1),
    lambda: nn.Conv2d(3, 1, 1),
    lambda: nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"),
    lambda: nn.AdaptiveAvgPool2d(1),
    lambda: nn.AdaptiveAvgPool2d((6, 1)),
    lambda: nn.MaxPool2d(2, ceil_mode=True),
    lambda: nn.Linear(6, 6),
    lambda: nn.BatchNorm2d(3),
    lambda: nn.ReLU(),
    lambda: nn.ReLU(inplace=True),
    lambda: nn.Flatten(),
    lambda: nn.Flatten(2),
    lambda: Add(0.5),
    lambda: Add(),
    lambda: Concat(),
    lambda: Concat(2),
]


@st.composite
def branched(draw):
    """Layers that read whatever PyTorch lets them read: sums that broadcast, joins of flat and square, and so on."""
    made, modules, inputs = {"image": torch.zeros(3, *IMAGE)}, {}, {}
    for _ in range(draw(st.integers(2, 7))):
        name, module = f"n{len(modules)}", draw(st.sampled_from(LAYERS))()
        last = list(made)[-1]
        sources = [last]
        if isinstance(module, Add | Concat):
            sources += draw(st.lists(st.sampled_from(list(made)), min_size=1, max_size=2))
        try:
            made[name] = copy.deepcopy(module)(*(made[source].clone() for source in sources)).detach()
        except (RuntimeError, ValueError, IndexError):
            continue  # PyTorch does not take it either
        modules[name], inputs[name] = module, tuple(sources)
    last = list(made)[-1]
    if made[last].ndim > 2:
        modules["flatten"], inputs["flatten"] = nn.Flatten(), (last,)
        last = "flatten"
    modules["scores"], inputs["scores"] = nn.Linear(made[list(made)[-1]].flatten(1).shape[1], CLASSES), (last,)
    return GraphNet(modules, inputs)


@examples(50, 150)
@given(branched(), st.integers(0, 3))
def test_auto_trains_every_net_that_eager_trains(net, seed):
    torch.manual_seed(seed)
    index = torch.arange(8)
    try:
        expected = EagerEngine(problem_of(copy.deepcopy(net), IMAGE, 12, seed), CPU).steps(index, 8, [0.1])
    except (RuntimeError, ValueError):
        return  # changes in place of what another layer needs, or no scores: PyTorch does not train it either
    engine, notes = choose("auto", problem_of(net, IMAGE, 12, seed), CPU, 1, 8)
    assert (engine.name == "eager") == bool(notes)
    torch.testing.assert_close(engine.steps(index, 8, [0.1]), expected, rtol=1e-4, atol=1e-5)


def broadcasting() -> GraphNet:
    modules = {
        "conv1": nn.Conv2d(2, 4, 3, padding=1),
        "mean": nn.AdaptiveAvgPool2d(1),
        "add": Add(),
        "flatten": nn.Flatten(),
        "linear": nn.Linear(144, CLASSES),
    }
    return GraphNet(modules, {"add": ("conv1", "mean")})


def test_a_sum_that_broadcasts_is_named_and_left_to_pytorch():
    problem = problem_of(broadcasting(), IMAGE, 12, 0)
    engine, notes = choose("auto", problem, CPU, 1, 8)
    assert engine.name == "eager"
    assert notes == ("not covered by the jit engine: add adds 4×6×6 and 4×1×1",)
    with pytest.raises(
        UsageError, match="the jit engine does not cover this run: add adds 4×6×6 and 4×1×1\n  help: use"
    ):
        choose("jit", problem, CPU, 1, 8)


def test_what_refuses_to_be_built_is_left_to_pytorch_by_auto_alone(monkeypatch):
    def refuse(*_, **__):
        raise UsageError("no program can be made", "wait")

    monkeypatch.setattr("convscope.engine.jit.JitEngine", refuse)
    problem = problem_of(nn.Sequential(nn.Flatten(), nn.Linear(72, CLASSES)), IMAGE, 12, 0)
    engine, notes = choose("auto", problem, CPU, 1, 8)
    assert engine.name == "eager"
    assert notes == ("not covered by the jit engine: no program can be made",)
    with pytest.raises(UsageError, match="no program can be made"):
        choose("jit", problem, CPU, 1, 8)


def test_a_layer_that_changes_in_place_what_another_reads_is_left_to_pytorch():
    modules = {
        "conv1": nn.Conv2d(2, 2, 3, padding=1),
        "relu": nn.ReLU(inplace=True),
        "add": Add(),
        "flatten": nn.Flatten(),
        "linear": nn.Linear(72, CLASSES),
    }
    problem = problem_of(GraphNet(modules, {"add": ("relu", "conv1")}), IMAGE, 12, 0)
    assert choose("auto", problem, CPU, 1, 8)[1] == (
        "not covered by the jit engine: relu: it changes in place what another layer reads",
    )
