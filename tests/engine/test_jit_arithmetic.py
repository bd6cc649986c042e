"""The CPU engine does PyTorch's arithmetic: random nets, batches, losses and optimizers against autograd in float64."""

import copy
import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from convscope.engine.base import Problem
from convscope.engine.jit import JitEngine, JitPredictor, why_not
from convscope.engine.jit.machine import host

from ..helpers import examples

# PyTorch's note on its own copy for even kernels
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
CLASSES = 5
ISAS = host.available()


ACTIVATIONS = [
    nn.ReLU,
    nn.Tanh,
    nn.Sigmoid,
    nn.LeakyReLU,
    partial(nn.LeakyReLU, 0.5),
    nn.ReLU6,
    nn.SiLU,
    nn.GELU,
    partial(nn.GELU, "tanh"),
]


def window(draw, size, most=3):
    """A window that fits ``size``: (kernel, stride, padding) along one axis. Pools may pad by half a window only."""
    kernel = draw(st.integers(1, min(most, size)))
    return kernel, draw(st.integers(1, 3)), draw(st.integers(0, kernel // 2 if most == 3 else kernel))


@st.composite
def nets(draw):
    """A small Sequential with every layer and option that the engine covers, and the image it is for."""
    channels = draw(st.sampled_from([1, 3]))
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 19))
    image = (channels, height, width)
    layers = []
    for _ in range(draw(st.integers(0, 3))):
        match draw(st.sampled_from(["conv", "conv", "conv+pool", "max", "avg", "act"])):
            case "conv" | "conv+pool" as kind:
                groups = draw(st.sampled_from([g for g in (1, 2, 3, channels) if channels % g == 0]))
                out = groups * draw(st.integers(1, 7))
                d = [draw(st.integers(1, 2)) for _ in range(2)]
                axes = [window(draw, max(1, (n - 1) // dd + 1), 5) for n, dd in zip((height, width), d, strict=True)]
                k, s, p = zip(*axes, strict=True)
                if kind == "conv+pool":
                    s = (1, 1)
                same = s == (1, 1) and draw(st.integers(0, 3)) == 0
                conv = nn.Conv2d(channels, out, k, s, "same" if same else p, d, groups, bias=draw(st.booleans()))
                layers.append(conv)
                channels = out
                if kind == "conv+pool":
                    layers += [nn.ReLU()] * draw(st.integers(0, 1))
                    height, width = size(layers, image)
                    layers.append(nn.MaxPool2d((min(2, height), min(2, width)), ceil_mode=draw(st.booleans())))
            case "max" | "avg" as kind:
                k, s, p = zip(window(draw, height), window(draw, width), strict=True)
                ceil = kind == "max" and draw(st.booleans())
                layers.append(nn.MaxPool2d(k, s, p, ceil_mode=ceil) if kind == "max" else nn.AvgPool2d(k, s, p))
        if draw(st.booleans()):
            layers.append(draw(st.sampled_from(ACTIVATIONS))())
        height, width = size(layers, image)
    if draw(st.integers(0, 3)) == 0:
        layers.append(nn.AdaptiveAvgPool2d(1))
        height = width = 1
    layers.append(nn.Flatten())
    features = channels * height * width
    if draw(st.booleans()):
        hidden = draw(st.integers(1, 40))
        layers += [nn.Linear(features, hidden, bias=draw(st.booleans())), draw(st.sampled_from(ACTIVATIONS))()]
        features = hidden
    layers.append(nn.Linear(features, CLASSES, bias=draw(st.booleans())))
    if draw(st.integers(0, 5)) == 0:
        layers.append(draw(st.sampled_from([nn.Sigmoid, nn.SiLU]))())
    return nn.Sequential(*layers), image


def size(layers, image):
    """Height and width after ``layers``."""
    with torch.no_grad():
        return nn.Sequential(*layers)(torch.zeros(1, *image)).shape[2:] if layers else image[1:]


def loss_of(name: str, z: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    if name == "cross-entropy":
        return functional.cross_entropy(z, labels, label_smoothing=smoothing)
    hot = functional.one_hot(labels, CLASSES).to(z.dtype)
    return functional.mse_loss(z, hot) if name == "mse" else functional.l1_loss(z, hot)


class Loss(float):
    """A loss in float64, which knows the size of the terms that cancel in it: of log Σ exp z and z, of z and 0 or 1."""

    terms: float

    @classmethod
    def of(cls, loss: Tensor, z: Tensor) -> "Loss":
        made = cls(loss.item())
        made.terms = float(z.detach().abs().amax(1).mean()) + math.log(CLASSES)
        return made


def optimizer_of(problem: Problem, parameters) -> torch.optim.Optimizer:
    if problem.optimizer != "sgd":
        kind = torch.optim.AdamW if problem.optimizer == "adamw" else torch.optim.Adam
        return kind(parameters, 0.1, problem.betas, weight_decay=problem.weight_decay)
    return torch.optim.SGD(
        parameters, 0.1, problem.momentum, weight_decay=problem.weight_decay, nesterov=problem.nesterov
    )


def reference(problem: Problem, index: Tensor, batch: int, lrs: list[float]):
    """Losses and the net after the same steps in float64, and the gradients of the first step."""
    net = copy.deepcopy(problem.net).double()
    optimizer = optimizer_of(problem, net.parameters())
    mean, std = (torch.tensor(s, dtype=torch.float64).view(1, -1, 1, 1) for s in (problem.mean, problem.std))
    losses, gradients = [], []
    for step, lr in enumerate(lrs):
        chosen = index[step * batch : (step + 1) * batch]
        optimizer.param_groups[0]["lr"] = lr
        logits = net((problem.images[chosen].double() / 255 - mean) / std)
        loss = loss_of(problem.loss, logits, problem.labels[chosen], problem.label_smoothing)
        optimizer.zero_grad()
        loss.backward()
        if problem.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(net.parameters(), problem.clip_norm)
        gradients = gradients or [p.grad.clone() for p in net.parameters()]
        optimizer.step()
        losses.append(Loss.of(loss, logits))
    return losses, net, gradients


def distance(a: Tensor, b: Tensor) -> float:
    return float((a.double() - b).norm())


def near(loss: float, expected: Loss) -> bool:
    """Whether a float32 loss is the one in float64, to its own rounding and that of the terms that cancel in it."""
    return abs(loss - expected) <= 1e-5 * abs(expected) + 4 * 2**-24 * expected.terms


def problem_of(net, image, count, seed, **choices) -> Problem:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, *image), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, CLASSES, (count,), generator=generator)
    return Problem(net, images, labels, (0.4,) * image[0], (0.3,) * image[0], **choices)


def gradients_by_a_step(problem: Problem, threads: int, isa: str, index: Tensor) -> tuple[float, list[Tensor]]:
    """The engine's gradients: plain SGD with rate 1 from zeroed float64 differences, start − end."""
    net = copy.deepcopy(problem.net)
    plain = Problem(
        net,
        problem.images,
        problem.labels,
        problem.mean,
        problem.std,
        problem.loss,
        "sgd",
        1.0,
        label_smoothing=problem.label_smoothing,
    )
    engine = JitEngine(plain, threads, isa, batch_size=len(index))
    loss = engine.steps(index, len(index), [0.0])  # momentum 1 and rate 0: the state is the gradient, unrounded
    state = engine.state()
    return float(loss[0]), [state[f"momentum.{name}"] for name, _ in net.named_parameters()]


def a_step_is_autograds(problem: Problem, threads: int, isa: str) -> None:
    """Loss and gradients of one step on all images are those of autograd in float64."""
    index = torch.arange(len(problem.images))
    (loss, *_), _, gradients = reference(problem, index, len(index), [0.0])
    got, found = gradients_by_a_step(problem, threads, isa, index)
    assert abs(got - loss) <= 1e-5 * loss
    whole = sum(float(g.norm()) ** 2 for g in gradients) ** 0.5
    for mine, theirs in zip(found, gradients, strict=True):
        assert distance(mine, theirs) <= 5e-5 * max(float(theirs.norm()), 1e-3 * whole)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: repr(a()))
def test_activations_are_pytorchs(activation, isa):
    """For x from −16 to 16 by eighths: every image is one grey pixel, and the net does nothing else."""
    net = nn.Sequential(nn.Conv2d(1, 1, 1), activation(), nn.Flatten())
    with torch.no_grad():
        net[0].weight.fill_(1.0)
        net[0].bias.zero_()
    images = torch.arange(256, dtype=torch.uint8).view(256, 1, 1, 1)
    scores = JitPredictor(net, (1, 1, 1), (128 / 255,), (8 / 255,), isa=isa).logits(images)
    x = images.double() / 8 - 16
    torch.testing.assert_close(scores.double(), activation()(x).view(256, 1), rtol=2e-6, atol=5e-7)


LOSSES = [
    {"loss": "cross-entropy"},
    {"label_smoothing": 0.1},
    {"label_smoothing": 1.0},
    {"loss": "mse"},
    {"loss": "mae"},
]


@examples(60, 220)
@given(
    nets(),
    st.integers(1, 40),
    st.sampled_from([1, 2, 3]),
    st.sampled_from(ISAS),
    st.sampled_from(LOSSES),
    st.integers(0, 9),
)
def test_loss_and_gradients_are_pytorchs(net_image, batch, threads, isa, loss, seed):
    net, image = net_image
    assert why_not(net) is None
    problem = problem_of(net, image, 48, seed, **loss)
    index = torch.randperm(48, generator=torch.Generator().manual_seed(seed))[:batch]
    expected, _, gradients = reference(problem, index, batch, [0.0])
    got, found = gradients_by_a_step(problem, threads, isa, index)
    assert near(got, expected[0])
    whole = sum(float(g.norm()) ** 2 for g in gradients) ** 0.5
    for mine, theirs in zip(found, gradients, strict=True):
        assert distance(mine, theirs) <= 1e-4 * max(float(theirs.norm()), 1e-3 * whole)


OPTIMIZERS = [
    {"momentum": 0.0},
    {"momentum": 0.5, "weight_decay": 0.5},
    {"momentum": 0.9, "nesterov": True},
    {"optimizer": "adam", "betas": (0.7, 0.9)},
    {"optimizer": "adam", "weight_decay": 0.02},
    {"optimizer": "adamw", "weight_decay": 0.5},
    {"momentum": 0.9, "clip_norm": 0.05},
    {"optimizer": "adam", "clip_norm": 0.3, "label_smoothing": 0.2},
    {"momentum": 0.5, "clip_norm": 1e6},
]


@examples(20, 40)
@given(nets(), st.sampled_from(OPTIMIZERS), st.integers(1, 17), st.sampled_from([1, 2, 3]), st.sampled_from(ISAS))
def test_steps_are_pytorchs(net_image, choices, batch, threads, isa):
    net, image = net_image
    torch.manual_seed(1)
    problem = problem_of(net, image, 40, 3, **choices)
    index = torch.arange(40)
    lrs = [0.02 / (1 + n) for n in range(-(-40 // batch))]
    before = [parameter.detach().clone() for parameter in net.parameters()]
    expected, after, _ = reference(problem, index, batch, lrs)
    engine = JitEngine(problem, threads, isa, batch_size=batch)
    half = len(lrs) // 2 * batch
    losses: list[float] = []
    if half:
        losses += engine.steps(index[:half], batch, lrs[: half // batch]).tolist()
    losses += engine.steps(index[half:], batch, lrs[half // batch :]).tolist()
    np.testing.assert_allclose(losses, expected, rtol=2e-4)
    for first, mine, theirs in zip(before, net.parameters(), after.parameters(), strict=True):
        update = float((theirs.detach() - first.double()).norm())
        rounding = 1e-7 * len(lrs) * float(first.norm())
        assert distance(mine.detach(), theirs.detach()) <= 1e-4 * update + rounding
    images = problem.images[:7]
    mean, std = (torch.tensor(s).view(1, -1, 1, 1) for s in (problem.mean, problem.std))
    with torch.no_grad():
        scores = net((images / 255 - mean) / std)
    torch.testing.assert_close(engine.logits(images), scores, rtol=1e-4, atol=1e-4)
    predictor = JitPredictor(net, image, problem.mean, problem.std, threads, isa)
    torch.testing.assert_close(predictor.logits(images), scores, rtol=1e-4, atol=1e-4)
    for one in range(2):  # the way for a single image
        alone = predictor.logits(images[one : one + 1])
        torch.testing.assert_close(alone, scores[one : one + 1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("isa", "threads"), list(zip(host.available(), (1, 2, 3), strict=False)))
@pytest.mark.parametrize(
    "layers",
    [
        (nn.Flatten(), nn.Linear(6 * 18 * 19, CLASSES)),
        (nn.Conv2d(6, 6, (18, 19), groups=3), nn.Flatten(), nn.Linear(6, CLASSES)),
        (nn.Conv2d(6, 6, 3, groups=6), nn.Flatten(), nn.Linear(6 * 16 * 17, CLASSES)),
    ],
    ids=["a linear layer", "groups as large as the image", "depthwise"],
)
def test_large_images_and_lone_channels_are_pytorchs(layers, isa, threads):
    """A layer that sees a whole large image takes its weights along rows; a channel alone takes four inputs at once."""
    problem = problem_of(nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), *layers), (1, 18, 19), 21, seed=0)
    a_step_is_autograds(problem, threads, isa)
