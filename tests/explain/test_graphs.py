"""Explanations of nets with branches: one mechanism for own nets and for modules of others, against autograd."""

import json

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from convscope.errors import UsageError
from convscope.explain.backprop.autograd import judge
from convscope.explain.backprop.passes import backprop
from convscope.explain.backprop.small_net import explain_net, small_net, torch_gradients
from convscope.explain.trained.explanation import explain
from convscope.explain.trained.receptive import receptive_field
from convscope.net.build import build, seeded
from convscope.net.ops import AdaptiveAvgPool, AvgPool, BatchNorm, Conv, Depthwise, Pad, Pool
from convscope.net.spec import parse
from convscope.net.tree import size, text
from convscope.net.zoo import resolve
from tests.net.trees import activations, classified, fitting, modes, nested

from ..helpers import examples

# What changes an image's size in every way that a window can.
moving = st.one_of(
    st.builds(Conv, st.sampled_from([2, 4]), st.just((3, 2)), st.just((2, 1)), st.just((1, 1)), padding_mode=modes),
    st.builds(Depthwise, st.just((2, 2)), st.sampled_from([1, 2]), padding=st.just((1, 0)), padding_mode=modes),
    st.builds(Pool, st.just((3, 2)), st.just((2, 2)), st.just((1, 0)), st.booleans()),
    st.builds(AvgPool, st.just((3, 2)), st.just((2, 2)), st.just((1, 1)), st.booleans()),
    st.builds(AdaptiveAvgPool, st.just((3, 2))),
    st.builds(Pad, st.just((0, 1)), st.just((1, 2))),
)


@st.composite
def problems(draw):
    """A net with branches that fits a 1-channel image of 5×4, and what it is asked."""
    body = (Conv(2, (2, 2), padding=(1, 1)), *draw(fitting), *draw(st.lists(moving, max_size=2)))
    body += draw(nested(activations, 2))
    number = st.integers(-16, 16).map(lambda n: n / 8)
    image = draw(st.lists(st.lists(number, min_size=4, max_size=4), min_size=5, max_size=5))
    loss = draw(st.sampled_from(["mse", "cross-entropy"]))
    assume(size(body) <= 30)
    return text(classified(body, 2)), json.dumps(image), "1" if loss == "cross-entropy" else "0.5,-1", loss


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@examples(30, 150)
@given(problems())
def test_gradients_through_branches_equal_autograd(problem):
    try:
        small = small_net(*problem, seed=3)
    except UsageError:  # too large to be shown, or windows that do not fit
        assume(False)
    walk = backprop(small.tape)
    found = judge(walk, torch_gradients(small), {})  # raises where a gradient differs from autograd's
    assert found.autograd_difference <= 1e-9
    outputs = {}
    for name, module in small.module.named_children():
        module.register_forward_hook(lambda m, i, output, name=name: outputs.__setitem__(name, output[0].detach()))
    small.module(torch.tensor(small.sample)[None])
    for node in walk.nodes:
        if node.label in outputs:
            assert np.asarray(node.value) == pytest.approx(outputs[node.label].numpy(), rel=1e-9, abs=1e-12)


def test_every_input_of_a_join_gets_its_share_back():
    walk, check = explain_net("linear 2 | [ tanh ]+ | [ relu / sigmoid ]& | linear 1", "1,2", "0.5")
    assert check.autograd_difference <= 1e-12
    told = {node.label: node.formula for node in walk.nodes}
    assert told["add1"] == "tanh1 + linear1"
    assert told["concat1"] == "channels of relu1, sigmoid1"
    back = {walk.nodes[step.node].label: step for step in walk.steps if step.phase == "backward"}
    assert [c.formula for c in back["concat1"].contributions] == [
        "channels 0 to 1 of upstream",
        "channels 2 to 3 of upstream",
    ]
    assert [c.formula for c in back["add1"].contributions] == ["upstream × 1", "upstream × 1"]


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@settings(max_examples=60, deadline=None)
@given(nested(st.one_of(fitting.map(lambda net: net[0]), st.just(BatchNorm())), 3), st.randoms(use_true_random=False))
def test_every_number_of_a_net_with_branches_has_a_ledger(body, random):
    net = classified(body, 3)
    assume(size(net) <= 25)
    with seeded(4):
        module = build(net, (2, 4, 4), 3, seed=random.randrange(100))
        found = explain(module, torch.randn(2, 4, 4))
    for row in found.rows:
        assert row.has_ledger, row
        assert set(row.inputs) <= {"image", *found.trace.calls}
        index = tuple(random.randrange(n) for n in row.shape)
        ledger = found.ledger(row.name, index)  # exists only if its terms add up to PyTorch's number
        if row.kind in ("Add", "Concat"):
            assert {term.x.tensor for term in ledger.terms} <= set(row.inputs)
    for name, parameter in module.named_parameters():
        index = ",".join(str(random.randrange(n)) for n in parameter.shape)
        if name.split(".")[0][:4] in ("conv", "line", "proj"):
            found.weight_gradient(f"{name}[{index}]", target=1)


@pytest.mark.parametrize(
    "spec",
    [
        "[ conv 2 3 padding=1 ]+ | linear",
        "[ conv 4 3 stride=2 padding=1 padding_mode=reflect ]+ | linear",
        "[ conv 3 3 padding=1 / conv 2 1 ]& | [ relu ]& | linear",
        "[ [ conv 2 3 padding=1 | tanh ]+ ]& | linear",
        "[ depthwise 3 padding=1 / conv 2 3 padding=same dilation=2 ]+ | linear",
    ],
)
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_the_gradient_of_a_pixel_comes_from_every_branch_that_reads_it(spec):
    net = build(parse(spec), (2, 5, 4), 3, seed=2)
    with seeded(5):
        image = torch.randn(2, 5, 4)
    found = explain(net, image)
    readers = [row.name for row in found.rows if "image" in row.inputs]
    assert len(readers) > 1
    leaf = image.clone().requires_grad_()
    nn.functional.cross_entropy(net.eval()(leaf[None]), torch.tensor([1])).backward()
    for index in ((0, 0, 0), (1, 2, 3), (0, 4, 1)):
        ledger = found.pixel_gradient(index, target=1)
        assert ledger.total == pytest.approx(float(leaf.grad[index]), rel=1e-4, abs=1e-6)
        assert {term.x.tensor for term in ledger.terms} <= {f"∂loss/∂{name}" for name in readers}
    assert {term.x.tensor for term in found.pixel_gradient((0, 0, 0), target=1).terms} == {
        f"∂loss/∂{name}" for name in readers
    }


class Foreign(nn.Module):
    """The same as the own net below, written by somebody else."""

    def __init__(self, own):
        super().__init__()
        self.conv1, self.conv2, self.linear1 = own.conv1, own.conv2, own.linear1

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        x = torch.cat([x, x + torch.relu(self.conv2(x))], 1)
        return self.linear1(x.flatten(1))


def test_own_joins_and_those_of_others_are_told_alike():
    spec = "conv 2 3 padding=1 | relu | [ [ conv 2 3 padding=1 | relu ]+ ]& | linear"
    own = build(parse(spec), (1, 4, 4), 3)
    image = torch.rand(1, 4, 4)
    mine, other = explain(own, image), explain(Foreign(own), image)
    for name, index in (("add1", (1, 2, 3)), ("concat1", (3, 2, 3))):
        told, same = mine.ledger(name, index), other.ledger(name.replace("concat", "cat"), index)
        assert (told.total, told.reported) == (same.total, same.reported)
        assert sorted(term.x.value for term in told.terms) == sorted(term.x.value for term in same.terms)
    assert [term.x.text for term in mine.ledger("add1", (1, 2, 3)).terms] == ["relu2[1,2,3]", "relu1[1,2,3]"]
    assert [term.x.text for term in mine.ledger("concat1", (3, 2, 3)).terms] == ["add1[1,2,3]"]
    assert {row.name: row.inputs for row in mine.rows}["concat1"] == ("relu1", "add1")
    path = mine.follow("concat1", (3, 2, 3))
    assert [ledger.name for ledger in path][:2] == ["concat1", "add1"]
    assert path[-1].name == "conv1"


def test_a_deep_residual_net_sees_what_its_convolutions_reach_however_flat_its_activations_are():
    spec = "conv 2 1 | [ tanh | conv 2 1 ]+x30 | conv 2 3 padding=1 | globalavg | flatten | linear"
    net = build(parse(spec), (1, 6, 6), 3)
    found = receptive_field(net, (1, 6, 6), "conv32", (1, 2, 3))
    assert (found.top, found.bottom, found.left, found.right) == (1, 3, 2, 4)


def test_a_residual_net_of_the_zoo_is_explained_whole():
    net = build(resolve("resnet8"), (3, 32, 32), 10, seed=1)
    with seeded(1):
        found = explain(net, torch.randn(3, 32, 32))
    assert all(row.has_ledger for row in found.rows)
    assert found.follow("linear1", (found.predicted,))[-1].name in ("conv1", "batchnorm1")
    assert found.saliency().layer == "conv7"
    assert found.trace.calls["add2"].inputs == ("batchnorm5", "projection1")
    assert isinstance(net.linear1, nn.Linear)
    assert sum(p.numel() for p in net.parameters()) == 77_850
