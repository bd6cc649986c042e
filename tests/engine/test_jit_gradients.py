"""Which gradients of a net with sums are one array, and that those which may not be are not."""

import pytest
import torch
from torch import nn

from convscope.engine.jit.graph import nodes_of
from convscope.engine.jit.ir.arrays import Lanes
from convscope.engine.jit.ir.function import Module
from convscope.engine.jit.machine import host
from convscope.engine.jit.ways.sharing import gradients
from convscope.net.graph import GraphNet
from convscope.net.joins import Add

from .test_jit_arithmetic import CLASSES, distance, gradients_by_a_step, near, problem_of, reference

IMAGE = (1, 9, 9)


def net_of(layers, **inputs):
    """Layers in order, each of which reads the one before unless ``inputs`` names what it reads."""
    kinds = {
        "conv": lambda: nn.Conv2d(4, 4, 3, padding=1),
        "norm": lambda: nn.BatchNorm2d(4),
        "act": nn.Tanh,
        "add": Add,
    }
    torch.manual_seed(0)
    modules = {"first": nn.Conv2d(1, 4, 3, padding=1)}
    modules |= {name: kinds[name.rstrip("0123456789")]() for name in layers.split()}
    modules |= {"flatten": nn.Flatten(), "linear": nn.Linear(4 * 81, CLASSES)}
    return GraphNet(modules, {name: tuple(read.split()) for name, read in inputs.items()})


# Nets, and nodes whose gradients are one array: first is node 0, and an activation belongs to the node before.
NETS = {
    "a residual block": (net_of("conv1 act conv2 add", add="conv2 first"), [{0, 2, 3}]),
    "a block with normalisations": (
        net_of("act0 conv1 norm1 act1 conv2 norm2 add act2", add="norm2 act0"),
        [{0, 4, 5}],
    ),
    "two blocks on one trunk": (
        net_of("act0 conv1 act1 conv2 add1 act2 conv3 act3 conv4 add2 act4", add1="conv2 act0", add2="conv4 act2"),
        [{0, 2, 3, 5, 6}],
    ),
    "two branches without an activation": (
        net_of("act0 conv1 conv2 add", conv2="act0", add="conv1 conv2"),
        [{1, 2, 3}],
    ),
    "a branch that reads the trunk where it would write": (net_of("conv1 add", add="conv1 first"), [{1, 2}]),
    "a normalisation that forms its gradient there": (net_of("conv1 norm add", add="norm first"), [{2, 3}]),
    "an input that is read once more behind the sum": (
        net_of("conv1 act conv2 add1 conv3 add2", add1="conv2 first", add2="conv3 first"),
        [{0, 4, 5}, {2, 3}],
    ),
    "a branch that ends with an activation": (net_of("act0 conv1 act1 add", add="act1 act0"), [{0, 2}]),
    "the same input twice": (net_of("act0 add", add="act0 act0"), []),
    "two inputs that are read before the sum": (net_of("conv1 conv2 act add", add="conv1 act first"), [{1, 3}]),
    "a sum of a sum, whose branch is read before it": (
        net_of("conv1 conv2 add1 add2", add1="conv2 first", add2="conv1 add1"),
        [{1, 3, 4}],
    ),
    "a normalisation that forms its gradient beyond a sum": (
        net_of("conv1 conv2 act add1 norm add2", conv2="first", add1="act first", norm="conv1", add2="norm add1"),
        [{3, 4, 5}],
    ),
    "sums of sums": (net_of("conv1 act conv2 add1 add2", add1="conv2 first", add2="add1 first"), [{2, 3, 4}]),
}


def shared(net):
    nodes = nodes_of(net, IMAGE, True)
    rooms: dict[int, set[int]] = {}
    for i, gradient in enumerate(gradients(nodes, Module(512), Lanes(16, 1, 20))):
        if gradient:
            rooms.setdefault(gradient.store.room.number, set()).add(i)
    return [nodes for nodes in rooms.values() if len(nodes) > 1]


@pytest.mark.parametrize("name", NETS)
def test_which_gradients_are_one_array(name):
    net, expected = NETS[name]
    assert sorted(shared(net), key=min) == expected


@pytest.mark.parametrize("isa", host.available())
@pytest.mark.parametrize("name", NETS)
def test_they_are_pytorchs(name, isa):
    net, _ = NETS[name]
    problem = problem_of(net, IMAGE, 40, 0)
    index = torch.arange(37)
    expected, _, wanted = reference(problem, index, 37, [0.0])
    got, found = gradients_by_a_step(problem, 2, isa, index)
    assert near(got, expected[0])
    whole = sum(float(g.norm()) ** 2 for g in wanted) ** 0.5
    for mine, theirs in zip(found, wanted, strict=True):
        assert distance(mine, theirs) <= 1e-4 * max(float(theirs.norm()), 1e-3 * whole)
