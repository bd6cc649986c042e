"""Winograd's way: exact matrices, and the gradients and scores of PyTorch for every tile, kernel and channel count."""

import copy
from dataclasses import replace
from fractions import Fraction
from math import prod

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from convscope.engine.jit import JitPredictor
from convscope.engine.jit.ir.arrays import Lanes
from convscope.engine.jit.machine import host
from convscope.engine.jit.ways.conv import Conv
from convscope.engine.jit.ways.one_image.tiles import TilesOfOne
from convscope.engine.jit.ways.winograd import tiling
from convscope.engine.jit.ways.winograd.toom_cook import MOST, Transform, transposed
from convscope.net.build import build
from convscope.net.zoo import resolve

from ..helpers import examples
from .test_jit_arithmetic import CLASSES, distance, gradients_by_a_step, near, problem_of, reference

WIDE = Lanes(8, 2, 10)


def times(matrix, vector):
    return [sum((a * x for a, x in zip(row, vector, strict=True)), Fraction(0)) for row in matrix]


@pytest.mark.parametrize(("outputs", "kernel"), [(m, r) for m in range(1, MOST) for r in range(1, MOST + 2 - m)])
def test_the_matrices_are_exact(outputs, kernel):
    t = Transform(outputs, kernel)
    weights = [Fraction(3 * k * k - 7 * k + 2, 3) for k in range(kernel)]
    inputs = [Fraction((-1) ** k * (5 * k + 1), 7) for k in range(t.points)]
    products = [u * v for u, v in zip(times(t.weight, weights), times(t.input, inputs), strict=True)]
    expected = [sum(weights[k] * inputs[i + k] for k in range(kernel)) for i in range(outputs)]
    assert times(transposed(t.evaluate), products) == expected


def test_what_is_computed_this_way():
    first, second = Conv(0, 250, 1, 10, (5, 5), pool=(2, 2)), Conv(260, 5260, 10, 20, (5, 5), pool=(2, 2))
    chosen = [tiling.tiling(first, (24, 24), WIDE, first=True), tiling.tiling(second, (8, 8), WIDE, first=False)]
    assert [(t.points, t.tiles, t.thin) for t in chosen] == [((8, 8), (6, 6), True), ((8, 8), (2, 2), False)]
    overlapping = tiling.tiling(Conv(0, None, 10, 10, (3, 3)), (26, 26), WIDE, first=False)
    assert (overlapping.tiles, overlapping.overlap, overlapping.starts()[-1]) == ((7, 7), (2, 2), (22, 22))


def pays(conv, size, lanes, first=False):
    """Whether tiles are cheaper than direct sums."""
    t = tiling.tiling(conv, size, lanes, first)
    outputs = size[0] * (-(-size[1] // MOST) if lanes.count == 1 else size[1])
    return t is not None and tiling.cost(t, lanes) <= outputs * prod(conv.kernel) * conv.inputs * conv.outputs


@pytest.mark.parametrize(
    ("conv", "size"),
    [
        (Conv(0, None, 10, 20, (5, 5), stride=(2, 2)), (8, 8)),
        (Conv(0, None, 10, 20, (5, 5), dilation=(2, 2)), (8, 8)),
        (Conv(0, None, 10, 20, (5, 5), groups=2), (8, 8)),
        (Conv(0, None, 320, 10, (1, 1)), (8, 8)),
        (Conv(0, None, 20, 10, (4, 4)), (1, 1)),
        (Conv(0, None, 2, 2, (3, 3)), (8, 8)),
    ],
)
def test_what_is_computed_directly(conv, size):
    assert not pays(conv, size, WIDE)


def test_what_is_computed_this_way_for_one_image():
    def chosen(conv, size):
        return pays(conv, size, Lanes(1, 1, 10), first=True)

    assert chosen(Conv(0, None, 10, 20, (5, 5)), (8, 8))
    assert not chosen(Conv(0, None, 1, 10, (5, 5)), (24, 24))
    assert not chosen(Conv(0, None, 10, 1, (5, 5)), (24, 24))  # two channels share a transposition
    assert not chosen(Conv(0, None, 10, 10, (3, 3)), (62, 62))


def test_one_image_sees_new_weights_once_they_are_taken_up():
    net, image = (
        build(resolve("conv 6 5 | relu | conv 8 5 | pool 2 | relu | linear"), (1, 16, 16), CLASSES),
        (1, 16, 16),
    )
    problem = problem_of(net, image, 1, seed=0)
    predictor = JitPredictor(net, image, problem.mean, problem.std)
    assert any(isinstance(way, TilesOfOne) for way in predictor._alone.program.block.ways)
    before = predictor.logits(problem.images)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.1
    assert torch.equal(predictor.logits(problem.images), before)
    predictor.refresh()
    fresh = JitPredictor(net, image, problem.mean, problem.std).logits(problem.images)
    assert torch.equal(predictor.logits(problem.images), fresh)
    assert not torch.equal(fresh, before)


@st.composite
def cases(draw):
    """Two convolutions that Winograd's way can compute, the first perhaps with few channels; image and batch."""
    channels, height, width = draw(st.sampled_from([1, 2, 3, 4])), draw(st.integers(9, 17)), draw(st.integers(9, 19))
    image, layers = (channels, height, width), []
    for _ in range(2):
        kernel = draw(st.integers(2, 5)), draw(st.integers(2, 5))
        out, padding = draw(st.integers(4, 9)), (draw(st.integers(0, 2)), draw(st.integers(0, 2)))
        pool = draw(st.sampled_from([1, 1, 2]))
        sizes = [n + 2 * p - k + 1 for n, p, k in zip((height, width), padding, kernel, strict=True)]
        assume(min(sizes) >= 2 * pool)
        layers.append(nn.Conv2d(channels, out, kernel, padding=padding, bias=draw(st.booleans())))
        layers += [nn.MaxPool2d(pool)] if pool > 1 else []
        layers.append(draw(st.sampled_from([nn.ReLU, nn.Tanh, nn.LeakyReLU, nn.ReLU6, nn.GELU]))())
        channels, (height, width) = out, (n // pool for n in sizes)
    layers += [nn.Flatten(), nn.Linear(channels * height * width, CLASSES)]
    return nn.Sequential(*layers), image, draw(st.integers(1, 20))


def stable(problem, index) -> bool:
    """Whether the gradients of PyTorch stand firm when weights move by a few roundings: no pool is near a tie."""
    moved = copy.deepcopy(problem.net)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in moved.parameters():
            p += 1e-6 * p * torch.randn(p.shape, generator=generator)
    both = [reference(each, index, 20, [0.0])[2] for each in (problem, replace(problem, net=moved))]
    return all(distance(a, b) <= 3e-5 * float(b.norm()) for a, b in zip(*both, strict=True))


@examples(10, 50)
@given(
    cases(),
    st.sampled_from([1, 2]),
    st.sampled_from(host.available()),
    st.integers(0, 9),
    st.sampled_from([1, 1 << 20]),
)
def test_gradients_and_scores_are_pytorchs(case, threads, isa, seed, packed):
    net, image, batch = case
    problem = problem_of(net, image, 24, seed)
    index = torch.arange(batch)
    assume(stable(problem, index))
    expected, _, gradients = reference(problem, index, batch, [0.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiling, "WORTH", 1e9)  # wherever it is possible
        patch.setattr(tiling, "PACKED", packed)
        loss, found = gradients_by_a_step(problem, threads, isa, index)
        predictor = JitPredictor(net, image, problem.mean, problem.std, threads, isa)
        scores = predictor.logits(problem.images)
        alone = torch.cat([predictor.logits(each[None]) for each in problem.images[:3]])
    assert near(loss, expected[0])
    for mine, theirs in zip(found, gradients, strict=True):
        assert distance(mine, theirs) <= 1e-4 * float(theirs.norm())
    with torch.no_grad():
        ready = (problem.images.double() / 255 - 0.4) / 0.3
        wanted = copy.deepcopy(net).double()(ready)
    assert distance(scores, wanted) <= 2e-5 * float(wanted.norm())
    assert distance(alone, wanted[:3]) <= 2e-5 * float(wanted[:3].norm())
