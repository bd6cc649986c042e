"""What dropout keeps is a function of seed, update, layer, image and element, and both engines keep the same."""

import copy
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from convscope.engine.dropout import Kept, kept, layer_key, mix, threshold, update_key
from convscope.engine.eager import EagerEngine
from convscope.engine.jit import JitEngine, JitPredictor, why_not
from convscope.engine.jit.machine import host
from convscope.net.build import build
from convscope.net.zoo import resolve

from ..helpers import examples
from .test_jit_arithmetic import CLASSES, Loss, distance, loss_of, near, problem_of

SPEC = (
    "conv 6 3 | relu | dropout2d 0.3 | conv 5 3 | dropout 0.5 | pool 2 | flatten"
    " | linear 9 | tanh | dropout 0.2 | linear"
)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**40), st.integers(0, 9), st.integers(0, 2**31), st.integers(0, 40))
def test_torch_computes_the_stated_formula(seed, update, layer, image, element):
    key = layer_key(update_key(seed, update), layer)
    word = mix((mix(key ^ image) + element * 0x9E3779B9) % 2**32)
    for p in (0.1, 0.5, 1.0):
        found = kept(key, torch.tensor([image]), element + 1, p)
        assert bool(found[0, element]) == (word >= threshold(p))


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_so_many_are_kept_and_none_depends_on_another(p):
    first = kept(layer_key(update_key(1, 5), 0), torch.arange(400), 500, p)
    spread = (p * (1 - p) / first.numel()) ** 0.5
    assert abs(float(first.double().mean()) - (1 - p)) < 4 * spread
    others = [
        kept(layer_key(update_key(1, 5), 1), torch.arange(400), 500, p),
        kept(layer_key(update_key(1, 6), 0), torch.arange(400), 500, p),
        kept(layer_key(update_key(2, 5), 0), torch.arange(400), 500, p),
        kept(layer_key(update_key(1, 5), 0), torch.arange(1, 401), 500, p),
        first.roll(1, dims=1),
    ]
    for other in others:
        both = (first.double() - (1 - p)) * (other.double() - (1 - p))
        assert abs(float(both.mean())) < 4 * p * (1 - p) / first.numel() ** 0.5


def reference(problem, index):
    """Loss and gradients of the first update in float64, and the net."""
    net = copy.deepcopy(problem.net).double()
    with Kept(update_key(problem.seed, 0), index):
        scores = net((problem.images[index].double() / 255 - 0.4) / 0.3)
    loss = loss_of(problem.loss, scores, problem.labels[index], problem.label_smoothing)
    loss.backward()
    return Loss.of(loss, scores), [p.grad for p in net.parameters()]


@st.composite
def nets(draw):
    image = (draw(st.sampled_from([1, 3])), draw(st.integers(4, 9)), draw(st.integers(4, 10)))
    words = []
    for _ in range(draw(st.integers(1, 3))):
        words.append(draw(st.sampled_from(["conv 4 3 padding=1", "conv 3 2 padding=1", "batchnorm", "tanh", "relu"])))
        words.append(f"{draw(st.sampled_from(['dropout', 'dropout2d']))} {draw(st.sampled_from([0.1, 0.5, 0.9]))}")
    words += ["flatten", "linear 6", "silu", "dropout 0.3", "linear"]
    return build(resolve(" | ".join(words)), image, CLASSES), image


@examples(9, 50)
@given(nets(), st.integers(2, 35), st.sampled_from([1, 2, 3]), st.sampled_from(host.available()), st.integers(0, 2**63))
def test_loss_and_gradients_are_pytorchs(net_image, batch, threads, isa, seed):
    net, image = net_image
    assert why_not(net) is None
    problem = replace(problem_of(net, image, 40, 0), seed=seed)
    index = torch.randperm(40, generator=torch.Generator().manual_seed(seed % 97))[:batch]
    expected, gradients = reference(problem, index)
    mine = copy.deepcopy(net)
    engine = JitEngine(replace(problem, net=mine, momentum=1.0), threads, isa, batch_size=batch)
    assert near(float(engine.steps(index, batch, [0.0])[0]), expected)
    state = engine.state()
    whole = sum(float(g.norm()) ** 2 for g in gradients) ** 0.5
    for (name, _), theirs in zip(mine.named_parameters(), gradients, strict=True):
        assert distance(state[f"momentum.{name}"], theirs) <= 1e-4 * max(float(theirs.norm()), 1e-2 * whole)


def run(kind, steps, problem, state=None):
    """Losses of some updates by an engine, and the engine; from a state, if one is given."""
    mine = copy.deepcopy(problem)
    engine = kind(mine)
    if state:
        engine.net.load_state_dict(state[0])
        engine.load_state(state[1])
    index = torch.arange(40).repeat(len(steps))
    parts = [engine.steps(index[n * 16 : (n + 1) * 16], 16, [0.05]) for n in steps]
    return torch.cat(parts), engine


ENGINES = {
    "eager": lambda problem: EagerEngine(problem, torch.device("cpu")),
    "jit": lambda problem: JitEngine(problem, 2, batch_size=16),
}


@pytest.fixture
def problem():
    net = build(resolve(SPEC), (1, 12, 12), CLASSES)
    return replace(problem_of(net, (1, 12, 12), 40, 0), seed=7, momentum=0.0)


def test_both_engines_drop_the_same(problem):
    (mine, engine), (theirs, other) = (run(ENGINES[kind], range(8), problem) for kind in ENGINES)
    torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)
    assert engine.state().keys() == other.state().keys() == {"update"}
    torch.testing.assert_close(engine.logits(problem.images), other.logits(problem.images), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ENGINES)
def test_a_resumed_run_drops_what_it_would_have(kind, problem):
    whole, engine = run(ENGINES[kind], range(6), problem)
    first, half = run(ENGINES[kind], range(3), problem)
    rest, other = run(ENGINES[kind], range(3, 6), problem, (half.net.state_dict(), half.state()))
    assert torch.equal(whole, torch.cat([first, rest]))
    for name, value in engine.net.state_dict().items():
        assert torch.equal(value, other.net.state_dict()[name])


@pytest.mark.parametrize("kind", ENGINES)
def test_another_seed_drops_others(kind, problem):
    losses, _ = run(ENGINES[kind], range(2), problem)
    others, _ = run(ENGINES[kind], range(2), replace(problem, seed=8))
    assert not torch.equal(losses, others)


def test_a_net_in_use_drops_nothing(problem):
    predictor = JitPredictor(problem.net, (1, 12, 12), problem.mean, problem.std)
    with torch.no_grad():
        expected = copy.deepcopy(problem.net).eval()((problem.images / 255 - 0.4) / 0.3)
    torch.testing.assert_close(predictor.logits(problem.images), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_all_or_nothing(p):
    net = nn.Sequential(nn.Flatten(), nn.Dropout(p), nn.Linear(16, CLASSES))
    problem = problem_of(net, (1, 4, 4), 20, 0)
    expected, _ = reference(problem, torch.arange(20))
    assert float(JitEngine(problem, 1).steps(torch.arange(20), 20, [0.0])[0]) == pytest.approx(expected, rel=1e-5)
