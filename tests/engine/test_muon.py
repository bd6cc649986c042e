"""SGD with decoupled decay and Muon: both engines take the steps of the stated formula, and resume to the same bits."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.data.batches import Normalize
from convscope.engine.base import Problem
from convscope.engine.eager import EagerEngine
from convscope.engine.jit import JitEngine
from convscope.engine.jit.machine.products import product
from convscope.engine.muon import BetweenCalls, hidden, orthogonal
from convscope.errors import UsageError
from convscope.net.own.net import own_net

from ..test_job import recipe

# The 1×1 convolution has more outputs than inputs: its matrix is the tall one.
RULES = {
    "sgdw": {"optimizer": "sgdw", "momentum": 0.9, "weight_decay": 0.5},
    "sgdw, no momentum": {"optimizer": "sgdw", "momentum": 0.0, "weight_decay": 0.5},
    "muon": {"optimizer": "muon", "momentum": 0.9},
    "muon, no momentum": {"optimizer": "muon", "momentum": 0.0},
    "muon, all": {
        "optimizer": "muon",
        "momentum": 0.6,
        "nesterov": True,
        "weight_decay": 0.5,
        "clip_norm": 0.5,
        "lr_factors": {"0.weight": 0.5, "6.weight": 3.0, "8.bias": 2.0},
    },
}
ENGINES = {
    "eager": lambda problem, _: EagerEngine(problem, torch.device("cpu")),
    "jit": lambda problem, folder: JitEngine(problem, 2, cache_dir=folder, batch_size=8),
}
LRS = [0.02, 0.05, 0.01]


def net():
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 9, 1), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(81, 12), nn.ReLU(), nn.Linear(12, 3),
        )  # fmt: skip


class HeadFirst(nn.Module):
    """Its author names the layer that makes the scores before the others; ``wave`` cannot be traced."""

    def __init__(self, wave):
        super().__init__()
        self.head, self.two, self.one = nn.Linear(4, 3), nn.Conv2d(5, 4, 3), nn.Conv2d(2, 5, 3)
        self.wave = wave

    def forward(self, x):
        x = self.two(torch.relu(self.one(x)))
        return self.head((torch.sin(x) if self.wave else torch.relu(x)).mean((2, 3)))


@pytest.mark.parametrize("wave", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_the_last_weight_is_that_which_makes_the_scores(wave, frozen):
    module = HeadFirst(wave)
    module.head.weight.requires_grad_(not frozen)
    own, reason = own_net(module)
    assert bool(reason) == wave
    moved = {id(dict(own.named_parameters())[name]) for name in hidden(own, (2, 9, 9))}
    assert moved == {id(module.one.weight), id(module.two.weight)}


@pytest.mark.parametrize("shape", [(256, 576), (64, 2304), (72, 200), (8, 32)])
def test_products_are_those_of_float64(shape):
    """In machine code where it is worth it, in torch elsewhere; symmetric ones are exactly so."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    square = product(x, x.T, symmetric=True)
    assert torch.equal(square, square.T)
    for found, a, b in ((square, x, x.T), (product(square, x), square, x), (product(x, x.T), x, x.T)):
        wanted = a.double() @ b.double()
        bound = a.double().abs() @ b.double().abs()
        assert float(((found.double() - wanted).abs() / bound).max()) < 5e-6
    room = torch.empty_like(x)
    assert product(square, x, out=room) is room
    assert torch.equal(room, product(square, x))


def problem(choices):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (24, 2, 8, 8), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 3, (24,), generator=generator)
    return Problem(net(), images, labels, (0.5, 0.4), (0.3, 0.2), **choices)


def newton_schulz(d):
    """The formula, by its letter."""
    x = d.flatten(1)
    tall = x.shape[0] > x.shape[1]
    x = (x.T if tall else x) / (x.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x.T if tall else x).reshape(d.shape) * max(1.0, d.shape[0] / d[0].numel()) ** 0.5


def stated(p, index, batch, lrs):
    """The net after these steps, and the momenta, in float64."""
    trained = copy.deepcopy(p.net).double()
    normalize = Normalize(p.mean, p.std)
    momenta = {name: torch.zeros_like(w) for name, w in trained.named_parameters()}
    apart = ["0.weight", "3.weight", "6.weight"] if p.optimizer == "muon" else []
    for chosen, lr in zip(index.split(batch), lrs, strict=True):
        trained.zero_grad()
        F.cross_entropy(trained(normalize(p.images[chosen]).double()), p.labels[chosen]).backward()
        if p.clip_norm is not None:
            nn.utils.clip_grad_norm_(trained.parameters(), p.clip_norm)
        for name, w in trained.named_parameters():
            rate = lr * p.lr_factors.get(name, 1.0)
            momenta[name] = p.momentum * momenta[name] + w.grad
            d = w.grad + p.momentum * momenta[name] if p.nesterov else momenta[name]
            step = newton_schulz(d) if name in apart else d
            w.data = w.data * (1 - rate * p.weight_decay) - rate * step
    return trained, momenta


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("engine", ENGINES)
def test_steps_are_the_stated_formula_in_float64(engine, rule, tmp_path):
    p = problem(RULES[rule])
    index = torch.arange(24)
    wanted, momenta = stated(p, index, 8, LRS)
    made = ENGINES[engine](p, tmp_path)
    made.steps(index, 8, LRS)
    for name, value in wanted.state_dict().items():  # a step of 0.24 in all, to 5e-4
        torch.testing.assert_close(made.net.state_dict()[name].double(), value.double(), rtol=1e-4, atol=1e-4)
    for name, value in momenta.items():
        found = made.state()[f"momentum.{name}"].double()
        assert float((found - value).norm()) <= 5e-4 * float(value.norm()) + 1e-6  # a bias before batch norm has none


@pytest.mark.parametrize("engine", ENGINES)
def test_resumed_in_the_middle_and_in_calls_of_one_step_the_bits_are_the_same(engine, tmp_path):
    index = torch.arange(24)
    whole = ENGINES[engine](problem(RULES["muon, all"]), tmp_path)
    losses = whole.steps(index, 8, LRS)
    first = ENGINES[engine](problem(RULES["muon, all"]), tmp_path)
    told = [first.steps(index[:8], 8, LRS[:1])]
    second = ENGINES[engine](problem(RULES["muon, all"]), tmp_path)
    second.net.load_state_dict(first.net.state_dict())
    second.load_state(first.state())
    told.append(second.steps(index[8:], 8, LRS[1:]))
    assert torch.equal(torch.cat(told), losses)
    for name, value in (whole.net.state_dict() | whole.state()).items():
        assert torch.equal((second.net.state_dict() | second.state())[name], value), name


@pytest.mark.parametrize("shape", [(64, 288), (288, 64), (20, 250), (16, 27), (48, 48)])
@pytest.mark.parametrize("decades", [0, 3, 8])
def test_orthogonal_is_newton_and_schulzs_five_iterations(shape, decades):
    d = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    u, values, v = torch.linalg.svd(d, full_matrices=False)
    d = u * values * 10 ** (-torch.linspace(0, decades, len(values), dtype=torch.float64)) @ v
    wanted = newton_schulz(d)
    assert float((orthogonal(d.float()).double() - wanted).norm()) <= 5e-4 * float(wanted.norm())


def test_large_weights_are_moved_by_two_threads_to_the_bits_of_one():
    generator = torch.Generator().manual_seed(3)
    ends = []
    for threads in (1, 2):
        generator.manual_seed(3)
        places = [tuple(torch.randn(n, 300, generator=generator) for _ in range(2)) for n in (300, 200, 40)]
        between = BetweenCalls([(w, m, 1.0) for w, m in places], threads, 0.9, True, 0.1, product)
        between.begin()
        for _, m in places:
            m.mul_(0.9).add_(1.0)
        between.step(0.1)
        ends.append([w for w, _ in places])
    assert all(map(torch.equal, *ends))


@pytest.mark.parametrize("nesterov", [True, False])
def test_steps_of_large_weights_use_the_memory_of_the_first(nesterov):
    """What is given back is asked for again page by page, which once took a quarter of Muon's time."""
    generator = torch.Generator().manual_seed(3)
    w, m = (torch.randn(256, 576, generator=generator) for _ in range(2))
    between = BetweenCalls([(w, m, 1.0)], 1, 0.9, nesterov, 0.0, product)
    found = []
    for _ in range(2):
        found.append([tensor.data_ptr() for tensor in between._steps + between._before])
        between.begin()
        m.mul_(0.9).add_(1.0)
        between.step(0.1)
        assert torch.equal(between._steps[0].view_as(w), orthogonal(between._before[0] if nesterov else m, product))
    assert found[0] == found[1]


def test_other_pixels_are_those_of_their_own_steps(tmp_path):
    p, index = problem(RULES["muon"]), torch.arange(24)
    shown = p.images.flip(3)[index.flip(0)]
    given = JitEngine(problem(RULES["muon"]), 1, cache_dir=tmp_path, batch_size=8)
    losses = given.steps(index.flip(0), 8, LRS, shown)
    turned = problem(RULES["muon"])
    turned.images.copy_(turned.images.flip(3))
    usual = JitEngine(turned, 1, cache_dir=tmp_path, batch_size=8)
    assert torch.equal(losses, usual.steps(index.flip(0), 8, LRS))


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (20, 10, 5, 5), (6, 1, 3, 3), (8, 8)])
def test_what_is_orthogonal_has_singular_values_near_one(shape):
    d = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    rows, columns = shape[0], d[0].numel()
    values = torch.linalg.svdvals(orthogonal(d).flatten(1)) / max(1, rows / columns) ** 0.5
    assert 0.3 < values.min() <= values.max() < 1.3
    torch.testing.assert_close(orthogonal(1000 * d), orthogonal(d), rtol=1e-3, atol=1e-4)  # no matter how large it is
    assert torch.equal(orthogonal(torch.zeros(shape)), torch.zeros(shape))


@pytest.mark.parametrize("shape", [(16, 90), (90, 16)])
def test_what_is_orthogonal_hardly_depends_on_the_size_of_the_momentum(shape):
    d = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    for size in (1e-3, 1e6, 1e12):  # beyond 1e-7, which is added to the norm
        torch.testing.assert_close(orthogonal(size * d), orthogonal(d), rtol=1e-3, atol=1e-3)
    assert float(orthogonal(1e-25 * d).abs().max()) < 1e-12


def test_the_number_of_torchs_threads_changes_no_bit(tmp_path):
    ends = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        made = JitEngine(problem(RULES["muon, all"]), 2, cache_dir=tmp_path, batch_size=8)
        made.steps(torch.arange(24), 8, LRS)
        assert torch.get_num_threads() == threads
        ends.append(made.net.state_dict())
    torch.set_num_threads(1)
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_hidden_weights_are_the_trained_ones_before_the_last():
    made = net()
    assert hidden(made, (2, 9, 9)) == ["0.weight", "3.weight", "6.weight"]
    made[0].requires_grad_(False)
    assert hidden(made, (2, 9, 9)) == ["3.weight", "6.weight"]
    assert hidden(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), (1, 2, 2)) == []


def test_nesterov_needs_a_momentum_with_muon_too():
    with pytest.raises(UsageError, match="--nesterov needs momentum, but --momentum is 0"):
        recipe(optimizer="muon", momentum=0.0, nesterov=True)
