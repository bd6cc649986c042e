"""Batch normalisation on the CPU engine: statistics of the whole batch, whoever computes which part of it."""

import copy
from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from convscope.engine.base import Problem
from convscope.engine.eager import EagerEngine
from convscope.engine.jit import JitEngine, JitPredictor, why_not
from convscope.engine.jit.machine import host
from convscope.errors import UsageError
from convscope.net.build import build
from convscope.net.zoo import resolve
from convscope.storage.memory import TooLarge

from ..helpers import examples
from .test_jit_arithmetic import CLASSES, distance, near, problem_of, reference
from .test_jit_graphs import graphs


def wanted_and_found(problem, threads, isa, index):
    """Loss, gradients and running statistics after a step with rate 0: PyTorch's in float64, and the engine's."""
    expected, net, gradients = reference(problem, index, len(index), [0.0])
    mine = copy.deepcopy(problem.net)
    plain = Problem(mine, problem.images, problem.labels, problem.mean, problem.std, problem.loss, "sgd", 1.0)
    engine = JitEngine(plain, threads, isa, batch_size=len(index))
    loss = engine.steps(index, len(index), [0.0])
    state = engine.state()
    found = [state[f"momentum.{name}"] for name, _ in mine.named_parameters()]
    return (expected[0], gradients, dict(net.named_buffers())), (float(loss[0]), found, dict(mine.named_buffers()))


def stable(problem, index) -> bool:
    """Whether PyTorch's gradients stand firm when weights move by some roundings: no channel is all but constant."""
    moved = copy.deepcopy(problem.net)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in moved.parameters():
            p += 1e-6 * p * torch.randn(p.shape, generator=generator)
    problems = problem, Problem(moved, problem.images, problem.labels, problem.mean, problem.std)
    (_, _, first), (_, _, second) = (reference(each, index, len(index), [0.0]) for each in problems)
    whole = sum(float(g.norm()) ** 2 for g in first) ** 0.5
    return all(distance(a, b) <= 3e-5 * max(float(b.norm()), 1e-3 * whole) for a, b in zip(first, second, strict=True))


@examples(14, 90)
@given(
    graphs(["batchnorm"] * 3),
    st.integers(2, 35),
    st.sampled_from([1, 2, 3]),
    st.sampled_from(host.available()),
    st.integers(0, 9),
)
def test_gradients_and_running_statistics_are_pytorchs(net_image, batch, threads, isa, seed):
    net, image = net_image
    assume(any(isinstance(module, nn.BatchNorm2d) for module in net))
    assert why_not(net) is None
    problem = problem_of(net, image, 40, seed)
    index = torch.randperm(40, generator=torch.Generator().manual_seed(seed))[:batch]
    assume(stable(problem, index))
    (loss, gradients, buffers), (got, found, kept) = wanted_and_found(problem, threads, isa, index)
    assert near(got, loss)
    whole = sum(float(g.norm()) ** 2 for g in gradients) ** 0.5
    for mine, theirs in zip(found, gradients, strict=True):
        # A bias before a normalisation has no gradient but what is left where terms of this size cancel.
        assert distance(mine, theirs) <= 1e-4 * max(float(theirs.norm()), 1e-2 * whole)
    for name, theirs in buffers.items():
        assert distance(kept[name], theirs) <= 1e-5 * float(theirs.double().norm())


@examples(15, 60)
@given(graphs(["batchnorm"] * 3), st.sampled_from([1, 2]), st.sampled_from(host.available()), st.integers(0, 9))
def test_scores_are_those_of_evaluation(net_image, threads, isa, seed):
    """Where a convolution takes up the factors, and where nothing can."""
    net, image = net_image
    problem = problem_of(net, image, 20, seed)
    predictor = JitPredictor(net, image, problem.mean, problem.std, threads, isa)
    with torch.no_grad():
        wanted = copy.deepcopy(net).double().eval()((problem.images.double() / 255 - 0.4) / 0.3)
    assert distance(predictor.logits(problem.images), wanted) <= 5e-5 * float(wanted.norm()) + 1e-6
    assert distance(predictor.logits(problem.images[:1]), wanted[:1]) <= 5e-5 * float(wanted[:1].norm()) + 1e-6


SPEC = (
    "conv 6 3 bias=no | batchnorm | relu | conv 5 3 | batchnorm | pool 2 | flatten"
    " | linear 7 | batchnorm | tanh | linear"
)


def trained(threads, batch=16, steps=7, isa=None):
    net = build(resolve(SPEC), (1, 12, 12), CLASSES)
    problem = problem_of(net, (1, 12, 12), 50, 0)
    engine = JitEngine(problem, threads, isa, batch_size=batch)
    index = torch.arange(50).repeat(3)[: steps * batch - 3]
    return engine, engine.steps(index, batch, [0.1] * steps), problem, index


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_same_start_same_bits(threads):
    (first, losses, *_), (second, others, *_) = trained(threads), trained(threads)
    assert torch.equal(losses, others)
    for name, value in first.net.state_dict().items():
        assert torch.equal(value, second.net.state_dict()[name])


@pytest.mark.parametrize("threads", [1, 2])
def test_many_steps_are_pytorchs(threads):
    start = build(resolve(SPEC), (1, 12, 12), CLASSES)
    engine, losses, problem, index = trained(threads)
    expected, after, _ = reference(problem_of(start, (1, 12, 12), 50, 0), index, 16, [0.1] * 7)
    torch.testing.assert_close(losses, torch.tensor(expected), rtol=1e-4, atol=1e-5)
    for name, theirs in after.state_dict().items():
        assert distance(engine.net.state_dict()[name], theirs) <= 1e-4 * float(theirs.double().norm()) + 1e-5
    with torch.no_grad():
        wanted = after.eval()((problem.images.double() / 255 - 0.4) / 0.3)
    assert distance(engine.logits(problem.images), wanted) <= 1e-3 * float(wanted.norm())


@pytest.mark.parametrize("spec", ["conv 3 3 | flatten | batchnorm | relu | linear", "flatten | batchnorm | linear"])
def test_every_number_of_a_flat_image_is_a_channel(spec):
    net = build(resolve(spec), (1, 6, 7), CLASSES)
    problem = problem_of(net, (1, 6, 7), 40, 0)
    (loss, gradients, buffers), (got, found, kept) = wanted_and_found(problem, 2, None, torch.arange(33))
    assert near(got, loss)
    whole = sum(float(g.norm()) ** 2 for g in gradients) ** 0.5
    for mine, theirs in zip(found, gradients, strict=True):
        assert distance(mine, theirs) <= 1e-4 * max(float(theirs.norm()), 1e-2 * whole)
    for name, theirs in buffers.items():
        assert distance(kept[name], theirs) <= 1e-5 * float(theirs.double().norm())
    predictor = JitPredictor(net, (1, 6, 7), problem.mean, problem.std)
    with torch.no_grad():
        expected = copy.deepcopy(net).eval()((problem.images / 255 - 0.4) / 0.3)
    for count in (1, 40):
        torch.testing.assert_close(predictor.logits(problem.images[:count]), expected[:count], rtol=1e-4, atol=1e-5)


def test_statistics_do_not_cancel():
    """The mean of a channel is 1,000 times its deviation; Σ x² − (Σ x)² would leave nothing of it."""
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(128, CLASSES))
    problem = problem_of(net, (1, 8, 8), 40, 0)
    with torch.no_grad():
        net[0].weight.fill_(1.0)
        net[0].bias.fill_(1000.0)
    (_, _, buffers), (_, _, kept) = wanted_and_found(problem, 2, None, torch.arange(40))
    for name, theirs in buffers.items():
        assert distance(kept[name], theirs) <= 1e-4 * float(theirs.double().norm())


def test_one_number_has_no_variance():
    engine, *_ = trained(1)
    with pytest.raises(UsageError, match="batchnorm3 takes the variance of a channel over a batch of one image"):
        engine.steps(torch.arange(17), 16, [0.1, 0.1])


def test_a_larger_batch_than_the_first_one_fits(tmp_path):
    net = build(resolve(SPEC), (1, 12, 12), CLASSES)
    problem = problem_of(net, (1, 12, 12), 300, 0)
    engine = JitEngine(problem, 2, cache_dir=tmp_path, batch_size=64)
    small = engine.steps(torch.arange(64), 64, [0.0])
    large = engine.steps(torch.arange(300), 300, [0.0])
    assert torch.isfinite(torch.cat([small, large])).all()


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (nn.BatchNorm2d(3, track_running_stats=False), "this: it keeps no running statistics"),
        (nn.BatchNorm2d(3, momentum=None), "this: its momentum is None"),
    ],
)
def test_options_that_are_not_covered_are_named(layer, reason):
    net = nn.Sequential()
    net.add_module("conv1", nn.Conv2d(1, 3, 3))
    net.add_module("this", layer)
    assert why_not(net) == reason


def test_channels_that_do_not_fit_are_refused():
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(108, 5))
    with pytest.raises(UsageError, match="1 takes 4 channels, but gets 3"):
        JitPredictor(net, (1, 8, 8), (0.1,), (0.3,))


def test_resnet8_trains_as_on_the_eager_engine(tmp_path):
    net = build(resolve("resnet8"), (3, 32, 32), CLASSES)
    assert why_not(net) is None
    problem = problem_of(net, (3, 32, 32), 48, 0)
    mine = JitEngine(replace(problem, net=copy.deepcopy(net)), 2, cache_dir=tmp_path, batch_size=24)
    theirs = EagerEngine(replace(problem, net=copy.deepcopy(net)), torch.device("cpu"))
    index, rates = torch.arange(48).repeat(2), [0.05] * 4
    torch.testing.assert_close(mine.steps(index, 24, rates), theirs.steps(index, 24, rates), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(mine.logits(problem.images), theirs.logits(problem.images), rtol=1e-2, atol=1e-2)


def test_a_batch_that_needs_more_memory_than_there_is_is_refused(tmp_path, monkeypatch):
    problem = problem_of(build(resolve(SPEC), (1, 12, 12), CLASSES), (1, 12, 12), 600, 0)
    engine = JitEngine(problem, 2, cache_dir=tmp_path, batch_size=32)
    monkeypatch.setattr("convscope.engine.jit.machine.runtime.LARGE", 0)
    monkeypatch.setattr("convscope.storage.memory.available_memory", lambda: 1 << 20)
    with pytest.raises(TooLarge, match=r"the CPU engine's memory for this net needs .* of memory, but .* are free"):
        engine.steps(torch.arange(600), 600, [0.1])
    assert torch.isfinite(engine.steps(torch.arange(32), 32, [0.1])).all()
