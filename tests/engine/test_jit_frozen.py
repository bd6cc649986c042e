"""Frozen parameters (``requires_grad=False``): no gradient, no update, no optimizer state; the others as ever."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from convscope.engine.base import Problem
from convscope.engine.choose import choose
from convscope.engine.eager import EagerEngine
from convscope.engine.jit import JitEngine, JitPredictor, why_not
from convscope.engine.jit.machine import host
from convscope.errors import UsageError
from convscope.net.build import build
from convscope.net.zoo import resolve

from ..helpers import examples
from .test_jit_arithmetic import OPTIMIZERS, distance, optimizer_of, problem_of
from .test_jit_graphs import graphs

CPU = torch.device("cpu")
NOTHING = r"there is nothing to train: all parameters of the net are frozen \(requires_grad=False\)\n  help: set"


def freeze(net, draw, keep_first=False):
    """Some parameters, never all of them; ``keep_first``: those of the first layer stay trained."""
    parameters = list(net.parameters())
    kept = parameters[0] if keep_first else draw(st.sampled_from(parameters))
    for parameter in parameters:
        parameter.requires_grad = parameter is kept or draw(st.booleans())
    return net


def in_float64(problem: Problem, index, batch, lrs):
    """Losses and the net after these steps, by autograd; torch's optimizer is given what is trained."""
    net = copy.deepcopy(problem.net).double()
    optimizer = optimizer_of(problem, [p for p in net.parameters() if p.requires_grad])
    losses = []
    for lr, chosen in zip(lrs, index.split(batch), strict=True):
        optimizer.param_groups[0]["lr"] = lr
        loss = nn.functional.cross_entropy(
            net((problem.images[chosen].double() / 255 - 0.4) / 0.3),
            problem.labels[chosen],
            label_smoothing=problem.label_smoothing,
        )
        optimizer.zero_grad()
        loss.backward()
        if problem.clip_norm is not None:
            nn.utils.clip_grad_norm_(net.parameters(), problem.clip_norm)
        optimizer.step()
        losses.append(loss.item())
    return losses, net


@examples(15, 75)
@given(
    graphs(("batchnorm",)),
    st.data(),
    st.sampled_from(OPTIMIZERS),
    st.integers(8, 20),
    st.sampled_from([1, 2]),
    st.sampled_from(host.available()),
)
def test_steps_are_pytorchs_and_frozen_bits_stay(net_image, data, choices, batch, threads, isa):
    net, image = net_image
    net = freeze(net, data.draw)
    assert why_not(net, image) is None
    torch.manual_seed(1)
    problem = problem_of(net, image, 40, 3, **choices)
    index, lrs = torch.arange(40), [0.001 / (1 + n) for n in range(-(-40 // batch))]
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    expected, after = in_float64(problem, index, batch, lrs)
    engine = JitEngine(problem, threads, isa, batch_size=batch)
    torch.testing.assert_close(
        engine.steps(index, batch, lrs).double(), torch.tensor(expected).double(), rtol=1e-3, atol=0
    )
    trained = {name for name, parameter in net.named_parameters() if parameter.requires_grad}
    theirs = dict(after.named_parameters())
    whole = sum(float((theirs[name].detach() - before[name].double()).norm()) ** 2 for name in trained) ** 0.5
    for name, mine in net.named_parameters():
        if name not in trained:
            assert torch.equal(mine, before[name])
        elif problem.optimizer == "sgd":  # Adam turns the rounding of a gradient near 0 into a whole step
            update = float((theirs[name].detach() - before[name].double()).norm())
            rounding = 1e-6 * len(lrs) * float(before[name].norm())
            assert distance(mine.detach(), theirs[name].detach()) <= 1e-2 * max(update, 1e-3 * whole) + rounding
    assert {key.partition(".")[2] for key in engine.state() if "." in key} <= trained


@examples(6, 45)
@given(graphs(("batchnorm",)), st.data(), st.sampled_from([1, 2]), st.sampled_from(host.available()))
def test_what_is_frozen_behind_the_first_layer_changes_no_bit_of_the_others(net_image, data, threads, isa):
    net, image = net_image
    found = []
    for given_net in (copy.deepcopy(net), freeze(copy.deepcopy(net), data.draw, keep_first=True)):
        engine = JitEngine(problem_of(given_net, image, 24, 3, momentum=0.5), threads, isa, batch_size=24)
        found.append((engine.steps(torch.arange(24), 24, [0.1]), given_net))
    (losses, free), (again, some) = found
    assert torch.equal(losses, again)
    for mine, theirs in zip(some.parameters(), free.parameters(), strict=True):
        assert not mine.requires_grad or torch.equal(mine, theirs)
    for mine, theirs in zip(some.buffers(), free.buffers(), strict=True):
        assert torch.equal(mine, theirs)


SPEC = "conv 16 3 padding=1 | relu | conv 16 3 padding=1 | pool 2 | relu | conv 16 3 | linear"


@pytest.mark.parametrize("isa", host.available())
@pytest.mark.parametrize("frozen", ["conv1", "conv2", "conv3", "linear1", "conv1 conv2", "conv1 conv2 conv3"])
def test_layers_that_go_by_tiles_can_be_frozen(frozen, isa):
    image = (3, 16, 16)
    net = build(resolve(SPEC), image, 5)
    for name in frozen.split():
        net.get_submodule(name).requires_grad_(False)
    problem = problem_of(net, image, 40, 0, momentum=0.9, weight_decay=0.1)
    before = copy.deepcopy(net.state_dict())
    expected, after = in_float64(problem, torch.arange(40), 20, [0.01, 0.01])
    losses = JitEngine(problem, 2, isa, batch_size=20).steps(torch.arange(40), 20, [0.01, 0.01])
    torch.testing.assert_close(losses.double(), torch.tensor(expected).double(), rtol=1e-4, atol=0)
    for name, value in net.state_dict().items():
        update = after.state_dict()[name] - before[name].double()
        if name.partition(".")[0] in frozen.split():
            assert torch.equal(value, before[name])
        else:
            assert distance(value, after.state_dict()[name]) <= 1e-4 * float(update.norm()) + 1e-6


def some_frozen(**choices) -> Problem:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 36, 7), nn.ReLU(), nn.Linear(7, 5)
    )
    net[0].requires_grad_(False)
    net[1].weight.requires_grad_(False)
    net[4].bias.requires_grad_(False)
    return problem_of(net, (1, 8, 8), 30, 0, **choices)


@pytest.mark.parametrize("choices", OPTIMIZERS)
def test_state_and_scores_go_from_one_engine_to_the_other(choices):
    start = some_frozen(**choices)
    other = copy.deepcopy(start)
    mine, theirs = JitEngine(start, 2, batch_size=10), EagerEngine(other, CPU)
    index, lrs = torch.arange(30), [0.01] * 3
    torch.testing.assert_close(mine.steps(index, 10, lrs), theirs.steps(index, 10, lrs), rtol=1e-4, atol=1e-5)
    assert mine.state().keys() == theirs.state().keys()
    theirs.load_state(mine.state())
    mine.load_state(theirs.state())
    other.net.load_state_dict(start.net.state_dict())
    torch.testing.assert_close(mine.steps(index, 10, lrs), theirs.steps(index, 10, lrs), rtol=1e-4, atol=1e-5)
    predictor = JitPredictor(start.net, (1, 8, 8), start.mean, start.std)
    for count in (1, 30):
        scores = theirs.logits(start.images[:count])
        torch.testing.assert_close(mine.logits(start.images[:count]), scores, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(predictor.logits(start.images[:count]), mine.logits(start.images[:count]))


def test_a_net_with_nothing_to_train_is_refused_but_predicts():
    problem = some_frozen()
    problem.net.requires_grad_(False)
    for name in ("auto", "eager", "jit"):
        with pytest.raises(UsageError, match=NOTHING):
            choose(name, problem, CPU, 1, 8)
    predictor = JitPredictor(problem.net.eval(), (1, 8, 8), problem.mean, problem.std)
    expected = problem.net((problem.images / 255 - 0.4) / 0.3)
    torch.testing.assert_close(predictor.logits(problem.images), expected, rtol=1e-5, atol=1e-5)
