"""A first convolution with the normalisation behind it: what it makes of the images' moments is what PyTorch has."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from convscope.engine.base import Problem
from convscope.engine.jit import JitEngine
from convscope.engine.jit.machine import host
from convscope.engine.jit.ways.first.normed import NormedConv
from convscope.net.build import build
from convscope.net.zoo import resolve

from ..helpers import examples
from .test_jit_arithmetic import CLASSES, distance, problem_of
from .test_jit_norm import stable, wanted_and_found
from .test_jit_norm_pooled import turned

# Spec; image; whether the two are one.
SPECS = {
    "conv 18 3 padding=1 | batchnorm | relu | pool 2 | conv 8 3 | batchnorm | relu | linear": ((3, 12, 16), True),
    "conv 16 3 bias=no | batchnorm | tanh | linear": ((3, 9, 7), True),
    "conv 18 3 stride=2 | batchnorm | pool 2 | gelu | linear": ((3, 13, 14), True),
    "conv 4 3 dilation=2 padding=2 | batchnorm | relu | [ conv 4 3 padding=1 | batchnorm | relu ]+ | linear": (
        (1, 8, 8),
        True,
    ),
    "conv 3 1 | batchnorm | relu | linear": ((2, 5, 6), True),
    "conv 9 1x4 padding=1x2 | batchnorm | batchnorm | linear": ((1, 6, 11), True),
    # Windows that leave rows and columns over, which count in the statistics.
    "conv 18 3 padding=1 | batchnorm | relu | pool 2 | linear": ((3, 9, 7), True),
    # Too many numbers under the kernel, for so few channels or for any; in groups; the pool between; not the first.
    "conv 3 5 padding=2 | batchnorm | relu | linear": ((3, 8, 8), False),
    "conv 60 5x5 stride=5 | batchnorm | relu | linear": ((2, 10, 10), False),
    "conv 18 3 groups=3 | batchnorm | relu | linear": ((3, 8, 8), False),
    "conv 18 3 | pool 2 | batchnorm | relu | linear": ((3, 8, 8), False),
    "tanh | conv 18 3 | batchnorm | relu | linear": ((3, 8, 8), False),
}
BRANCHES = (
    "[ conv 4 3 padding=1 | tanh / conv 5 3 padding=1 | batchnorm | tanh / conv 6 3 padding=1 | batchnorm | tanh ]&"
    " | linear"
)
BRANCHED = (1, 7, 9), False
SMOOTH = "conv 16 3 bias=no | batchnorm | tanh | linear"  # no decision that a rounding could turn
ALL = torch.arange(37)


def problem(spec, images=None):
    image, _ = SPECS.get(spec, BRANCHED)
    net = build(resolve(spec), image, CLASSES)
    turned(net)
    task = problem_of(net, image, 37, 0)
    return task if images is None else Problem(net, images, task.labels, task.mean, task.std)


def agrees(task, threads, isa, bound=5e-5, index=ALL):
    (loss, gradients, buffers), (got, found, kept) = wanted_and_found(task, threads, isa, index)
    assert abs(got - loss) <= 1e-5 * loss
    whole = sum(float(g.norm()) ** 2 for g in gradients) ** 0.5
    for mine, theirs in zip(found, gradients, strict=True):
        assert distance(mine, theirs) <= bound * max(float(theirs.norm()), 1e-2 * whole)
    for name, theirs in buffers.items():
        assert distance(kept[name], theirs) <= 1e-5 * float(theirs.double().norm())


def first_of(task):
    """The first node's operation, and the program's kernels by name."""
    block = JitEngine(task, 1, batch_size=37)._core.program(37).program.block
    return block.nodes[0].op, {f.name for f in block.module.functions}


@pytest.mark.parametrize(("isa", "threads"), list(zip(host.available(), (2, 1, 3), strict=False)))
@pytest.mark.parametrize("spec", SPECS)
def test_gradients_and_statistics_are_pytorchs(spec, isa, threads):
    agrees(problem(spec), threads, isa)


@st.composite
def firsts(draw):
    """A net that begins with such a convolution, and the shape of its images."""
    channels, *kernel = (draw(st.integers(1, 3)) for _ in range(3))
    fan = channels * kernel[0] * kernel[1]
    outputs = draw(st.integers(-(-fan * (fan + 1) // 48), 20))
    dilation, padding = draw(st.integers(1, 2)), draw(st.sampled_from(["0", "1x2", "same"]))
    stride = 1 if padding == "same" else draw(st.integers(1, 2))
    conv = f"conv {outputs} {kernel[0]}x{kernel[1]} stride={stride} dilation={dilation} padding={padding}"
    act = draw(st.sampled_from(["tanh", "relu", "gelu"]))
    pool = draw(st.sampled_from(["", "pool 2 | ", "avgpool 2 | "]))
    return f"{conv} | batchnorm | {act} | {pool}linear", (channels, *(draw(st.integers(7, 14)) for _ in range(2)))


@examples(10, 60)
@given(firsts(), st.integers(2, 37), st.sampled_from([1, 2, 3]), st.sampled_from(host.available()), st.integers(0, 9))
def test_any_first_convolution_and_its_normalisation_are_pytorchs(net_image, batch, threads, isa, seed):
    spec, image = net_image
    net = build(resolve(spec), image, CLASSES)
    turned(net)
    task = problem_of(net, image, 37, seed)
    index = torch.randperm(37, generator=torch.Generator().manual_seed(seed))[:batch]
    assume(stable(task, index))
    assert isinstance(first_of(task)[0], NormedConv)
    agrees(task, threads, isa, bound=1e-4, index=index)


@pytest.mark.parametrize(("spec", "one"), [(spec, one) for spec, (_, one) in SPECS.items()])
def test_the_two_are_one_where_it_pays_and_nothing_of_the_normalisation_is_written(spec, one):
    op, names = first_of(problem(spec))
    assert isinstance(op, NormedConv) == one
    assert {"moments0", "fold0", "unfold0"} <= names if one else not any("fold" in name for name in names)


@pytest.mark.parametrize(("isa", "threads"), list(zip(host.available(), (2, 1, 3), strict=False)))
def test_several_of_them_beside_a_convolution_without(isa, threads):
    """The latter's forward and backward pass lie in two phases then."""
    task = problem(BRANCHES)
    assert {"moments1", "moments2", "forward0"} <= first_of(task)[1]
    agrees(task, threads, isa)


@pytest.mark.parametrize("frozen", ["conv1.weight", "batchnorm1.weight"])
def test_what_is_frozen_keeps_them_apart(frozen):
    task = problem(next(iter(SPECS)))
    task.net.get_parameter(frozen).requires_grad_(False)
    assert not isinstance(first_of(task)[0], NormedConv)


def smooth(side):
    """Images of little contrast between neighbours, so that a filter of differences has a small variance."""
    down, across = np.mgrid[: side[0], : side[1]] / max(side)
    rng = np.random.default_rng(0)
    slopes = rng.uniform(-60, 60, (37, 3, 2, 1, 1))
    return torch.tensor(128 + slopes[:, :, 0] * down + slopes[:, :, 1] * across).round().to(torch.uint8)


def test_filters_of_differences_on_smooth_images_keep_their_digits():
    """σ² = w·C w is a thousandth of its terms there."""
    task = problem(SMOOTH, smooth((9, 7)))
    with torch.no_grad():
        task.net[0].weight -= task.net[0].weight.mean((2, 3), keepdim=True)
    agrees(task, 2, None)


def test_a_channel_without_weights_and_a_bias_far_from_zero():
    """The bias stands in no statistic but the mean: it cancels, however large it is."""
    task = problem(SMOOTH)
    with torch.no_grad():
        task.net[0].weight[3] = 0.0
    agrees(task, 2, None)
    moved = problem(next(iter(SPECS)))
    plain = copy.deepcopy(moved.net)
    with torch.no_grad():
        moved.net[0].bias += 1000.0
    index = torch.arange(37)
    engines = [
        JitEngine(Problem(net, moved.images, moved.labels, moved.mean, moved.std), 2) for net in (plain, moved.net)
    ]
    losses = [engine.steps(index, 37, [0.1]) for engine in engines]
    assert torch.equal(*losses)
    assert torch.equal(plain[0].weight, moved.net[0].weight)
    assert torch.allclose(moved.net[1].running_mean - plain[1].running_mean, torch.tensor(100.0), rtol=1e-6)


def test_a_batch_of_images_without_contrast_has_beta_everywhere():
    """Its gradients of w are 0: what is left are roundings of terms that 1 / √ε makes 300 times as large."""
    spec = "conv 3 1 | batchnorm | relu | linear"
    task = problem(spec, torch.full((37, *SPECS[spec][0]), 7, dtype=torch.uint8))
    agrees(task, 2, None, bound=300 * 1e-5)
