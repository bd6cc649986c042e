"""Nets with branches on the CPU engine: sums and joined channels, against autograd in float64."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from convscope.engine.jit import JitEngine, JitPredictor, why_not
from convscope.engine.jit.machine import host
from convscope.errors import UsageError
from convscope.net.graph import GraphNet
from convscope.net.joins import Add, Concat

from ..helpers import examples
from .test_jit_arithmetic import ACTIVATIONS, CLASSES, distance, gradients_by_a_step, near, problem_of, reference


class Branches:
    """A net while it grows: modules by name, and what each of them made of two images, fewer than which have no
    variance where an image is one pixel."""

    def __init__(self, image):
        self.modules, self.inputs, self.made = {}, {}, {"image": torch.zeros(2, *image)}

    def add(self, module, *sources):
        name = f"n{len(self.modules)}"
        with torch.no_grad():
            self.made[name] = module(*(self.made[s] for s in sources))
        self.modules[name], self.inputs[name] = module, tuple(sources)
        return name

    def alike(self, name):
        """All that has the shape of ``name``."""
        return [other for other, made in self.made.items() if made.shape == self.made[name].shape]

    def level(self, name):
        """All that has its height and width."""
        return [other for other, made in self.made.items() if made.shape[2:] == self.made[name].shape[2:]]


def normalisation(draw, kind, channels):
    """Batch normalisation with some options, and with parameters and running statistics that are not the first ones."""
    affine, eps = draw(st.booleans()), draw(st.sampled_from([1e-5, 1e-2]))
    norm = kind(channels, eps, draw(st.sampled_from([0.1, 0.5])), affine)
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.uniform_(0.5, 1.5)
        norm.running_mean.uniform_(-0.5, 0.5)
        norm.running_var.uniform_(0.5, 1.5)
    return norm


@st.composite
def graphs(draw, extra=()):
    """Convolutions, pools and activations whose results are added or joined again later, and the image they are for."""
    channels = draw(st.sampled_from([1, 3]))
    image = (channels, draw(st.integers(3, 10)), draw(st.integers(3, 11)))
    net = Branches(image)
    last = net.add(nn.Conv2d(channels, draw(st.integers(2, 5)), 3, padding=1), "image")
    for _ in range(draw(st.integers(2, 6))):
        match draw(st.sampled_from(["conv", "act", "add", "add", "concat", "pool", *extra])):
            case "batchnorm":
                width = net.made[last].shape[1]
                last = net.add(normalisation(draw, nn.BatchNorm2d, width), last)
            case "conv":
                kernel = draw(st.sampled_from([1, 3]))
                width = net.made[last].shape[1]
                out = draw(st.sampled_from([width, draw(st.integers(1, 5))]))
                last = net.add(nn.Conv2d(width, out, kernel, padding=kernel // 2, bias=draw(st.booleans())), last)
            case "act":
                last = net.add(draw(st.sampled_from(ACTIVATIONS))(), last)
            case "add":
                others = draw(st.lists(st.sampled_from(net.alike(last)), min_size=1, max_size=2))
                last = net.add(Add(draw(st.sampled_from([None, 0.5]))), last, *others)
            case "concat":
                others = draw(st.lists(st.sampled_from(net.level(last)), min_size=1, max_size=2))
                last = net.add(Concat(), *others, last)
            case "pool":
                kind = draw(st.sampled_from([nn.MaxPool2d, nn.AvgPool2d]))
                last = (
                    net.add(kind(*draw(st.sampled_from([(2,), (3, 1, 1)]))), last)
                    if min(net.made[last].shape[2:]) > 2
                    else last
                )
    first, second = (net.add(nn.Flatten(), name) for name in (last, last))
    if draw(st.booleans()):
        hidden = net.add(nn.Linear(net.made[first].shape[1], draw(st.integers(1, 6))), first)
        first = net.add(Concat(), second, hidden)
    else:
        first = net.add(Add(), first, second)
    net.add(nn.Linear(net.made[first].shape[1], CLASSES), first)
    read = {source for sources in net.inputs.values() for source in sources}
    while unread := [name for name in net.modules if name not in read and name != list(net.modules)[-1]]:
        for name in unread:
            del net.modules[name], net.inputs[name]
        read = {source for sources in net.inputs.values() for source in sources}
    return GraphNet(net.modules, net.inputs), image


@examples(14, 80)
@given(graphs(), st.integers(1, 35), st.sampled_from([1, 2, 3]), st.sampled_from(host.available()), st.integers(0, 9))
def test_loss_gradients_and_scores_are_pytorchs(net_image, batch, threads, isa, seed):
    net, image = net_image
    assert why_not(net) is None
    problem = problem_of(net, image, 40, seed)
    index = torch.randperm(40, generator=torch.Generator().manual_seed(seed))[:batch]
    expected, _, gradients = reference(problem, index, batch, [0.0])
    got, found = gradients_by_a_step(problem, threads, isa, index)
    assert near(got, expected[0])
    whole = sum(float(g.norm()) ** 2 for g in gradients) ** 0.5
    for mine, theirs in zip(found, gradients, strict=True):
        assert distance(mine, theirs) <= 1e-4 * max(float(theirs.norm()), 1e-3 * whole)
    predictor = JitPredictor(net, image, problem.mean, problem.std, threads, isa)
    with torch.no_grad():
        wanted = copy.deepcopy(net).double()((problem.images.double() / 255 - 0.4) / 0.3)
    scores = torch.cat([predictor.logits(problem.images), predictor.logits(problem.images[:1])])
    wanted = torch.cat([wanted, wanted[:1]])
    assert distance(scores, wanted) <= 2e-5 * float(wanted.norm()) + 1e-6


def residual(*middle) -> GraphNet:
    modules = {"conv1": nn.Conv2d(1, 4, 3, padding=1), "conv2": nn.Conv2d(4, 4, 3, padding=1), "add": Add()}
    modules |= {f"m{n}": module for n, module in enumerate(middle)}
    modules |= {"flatten": nn.Flatten(), "linear": nn.Linear(4 * 64, CLASSES)}
    return GraphNet(modules, {"add": ("conv2", "conv1")})


def test_what_is_read_twice_keeps_its_activation_to_itself():
    """Conv1's result is added before its ReLU: the ReLU may not be computed along with conv1."""
    net = GraphNet(
        {
            "conv1": nn.Conv2d(1, 4, 3, padding=1),
            "relu": nn.ReLU(),
            "conv2": nn.Conv2d(4, 4, 3, padding=1),
            "add": Add(),
            "flatten": nn.Flatten(),
            "linear": nn.Linear(256, CLASSES),
        },
        {"add": ("conv2", "conv1")},
    )
    problem = problem_of(net, (1, 8, 8), 20, 0)
    predictor = JitPredictor(net, (1, 8, 8), problem.mean, problem.std)
    with torch.no_grad():
        expected = net((problem.images / 255 - 0.4) / 0.3)
    torch.testing.assert_close(predictor.logits(problem.images), expected, rtol=1e-5, atol=1e-5)


def test_a_branch_that_leads_nowhere_is_named():
    net = residual()
    net.inputs["flatten"] = ("conv1",)
    assert why_not(net) == "add: nothing reads what it makes"


@pytest.mark.parametrize(("module", "reason"), [(Concat(2), "m0: it joins along dimension 2")])
def test_a_join_that_is_not_covered_is_named(module, reason):
    assert why_not(residual(module)) == reason


def test_shapes_that_do_not_fit_are_refused():
    net = residual()
    net.inputs["add"] = ("conv2", "image")
    with pytest.raises(UsageError, match="the net does not fit images of 1×8×8: add adds 4×8×8 and 1×8×8"):
        JitPredictor(net, (1, 8, 8), (0.1,), (0.3,))


def test_training_takes_the_same_bits_twice():
    found = []
    for _ in range(2):
        torch.manual_seed(0)
        net = residual(nn.ReLU())
        problem = problem_of(net, (1, 8, 8), 40, 0)
        losses = JitEngine(problem, 2, batch_size=16).steps(torch.arange(40), 16, [0.1] * 3)
        found.append(torch.cat([losses, *(p.detach().flatten() for p in net.parameters())]))
    assert torch.equal(*found)
