"""Average pools of uneven windows, adaptive pools, and padding of every mode, against autograd in float64."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from convscope.engine.jit import JitPredictor, why_not
from convscope.engine.jit.graph import graph
from convscope.engine.jit.machine import host
from convscope.engine.jit.ways.windows.pool import Pool
from convscope.engine.jit.ways.windows.spans import Means
from convscope.errors import UsageError

from ..helpers import examples
from .test_jit_arithmetic import ACTIVATIONS, CLASSES, distance, gradients_by_a_step, near, problem_of, reference, size
from .test_jit_graphs import normalisation

PADS = {"reflect": nn.ReflectionPad2d, "replicate": nn.ReplicationPad2d, "circular": nn.CircularPad2d}
KINDS = ["average", "average", "adaptive", "pad", "pad", "conv", "conv", "act"]


def padding(draw, mode, sides):
    """(left, right, top, bottom) that the mode can take from an image with these sides (height, width)."""
    most = {"reflect": lambda n: min(3, n - 1), "circular": lambda n: min(3, n)}.get(mode, lambda n: 3)
    height, width = (draw(st.tuples(*[st.integers(0, most(n))] * 2)) for n in sides)
    return (*width, *height)


def cut(draw, border, sides):
    """The same, but that sides of a larger image may lose a row or column instead."""
    left, right, top, bottom = border
    if sides[1] > 3 and draw(st.booleans()):
        left, right = -1, min(right, sides[1] - 2)
    if sides[0] > 3 and draw(st.booleans()):
        top, bottom = min(top, sides[0] - 2), -1
    return left, right, top, bottom


def pool(draw, sides):
    """An average pool with options that fit."""
    kernel = tuple(draw(st.integers(1, min(4, n))) for n in sides)
    return nn.AvgPool2d(
        kernel,
        tuple(draw(st.integers(1, 3)) for _ in sides),
        tuple(draw(st.integers(0, k // 2)) for k in kernel),
        ceil_mode=draw(st.booleans()),
        count_include_pad=draw(st.booleans()),
        divisor_override=draw(st.sampled_from([None, None, None, 3, -2])),
    )


def conv(draw, channels, sides):
    """A convolution with a padding mode, its own number of outputs, and strides, groups and "same" at times."""
    mode = draw(st.sampled_from(list(PADS)))
    (_, right, _, bottom), kernel = padding(draw, mode, sides), (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    around = (bottom, right)
    if all(n + 2 * p >= k for n, p, k in zip(sides, around, kernel, strict=True)):
        groups = draw(st.sampled_from([1, channels]))
        out = groups * draw(st.integers(1, 3))
        same = draw(st.booleans()) and min(sides) > 2
        stride = 1 if same else draw(st.integers(1, 2))
        return nn.Conv2d(channels, out, kernel, stride, "same" if same else around, 1, groups, padding_mode=mode)
    return nn.Conv2d(channels, 2, 1)


@st.composite
def nets(draw, kinds=tuple(KINDS)):
    """A net of such layers, and the image it is for."""
    image = draw(st.sampled_from([1, 2, 3])), draw(st.integers(1, 8)), draw(st.integers(1, 9))
    layers = [nn.Conv2d(image[0], 3, 1)] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 4))):
        with torch.no_grad():
            _, channels, *sides = nn.Sequential(*layers).eval()(torch.zeros(1, *image)).shape
        match draw(st.sampled_from(kinds)):
            case "average":
                layers.append(pool(draw, sides))
            case "adaptive":
                layers.append(nn.AdaptiveAvgPool2d(tuple(draw(st.sampled_from([None, 1, 2, 3, 5, 10])) for _ in "hw")))
            case "pad":
                mode = draw(st.sampled_from(["zeros", *PADS]))
                layers.append({"zeros": nn.ZeroPad2d, **PADS}[mode](cut(draw, padding(draw, mode, sides), sides)))
            case "conv":
                layers.append(conv(draw, channels, sides))
            case "batchnorm":
                layers.append(normalisation(draw, nn.BatchNorm2d, channels))
            case "act":
                layers.append(draw(st.sampled_from(ACTIVATIONS))())
    net = nn.Sequential(*layers)
    with torch.no_grad():
        features = net.eval()(torch.zeros(1, *image)).flatten(1).shape[1]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, CLASSES)).train(), image


def check_gradients(net, image, batch, threads, isa, seed):
    assert why_not(net, image) is None
    problem = problem_of(net, image, 40, seed)
    index = torch.randperm(40, generator=torch.Generator().manual_seed(seed))[:batch]
    expected, _, gradients = reference(problem, index, batch, [0.0])
    got, found = gradients_by_a_step(problem, threads, isa, index)
    assert near(got, expected[0])
    whole = sum(float(g.norm()) ** 2 for g in gradients) ** 0.5
    for mine, theirs in zip(found, gradients, strict=True):
        assert distance(mine, theirs) <= 1e-4 * max(float(theirs.norm()), 1e-3 * whole)


def check_scores(net, image, threads, isa, seed):
    """Blocks of images, and one alone."""
    problem = problem_of(net, image, 20, seed)
    predictor = JitPredictor(net.eval(), image, problem.mean, problem.std, threads, isa)
    with torch.no_grad():
        wanted = copy.deepcopy(net).double()((problem.images.double() / 255 - 0.4) / 0.3)
    scores = torch.cat([predictor.logits(problem.images), predictor.logits(problem.images[:1])])
    wanted = torch.cat([wanted, wanted[:1]])
    assert distance(scores, wanted) <= 2e-5 * float(wanted.norm()) + 1e-6


@examples(9, 75)
@given(nets(), st.integers(1, 35), st.sampled_from([1, 2, 3]), st.sampled_from(host.available()), st.integers(0, 9))
def test_loss_gradients_and_scores_are_pytorchs(net_image, batch, threads, isa, seed):
    net, image = net_image
    check_gradients(net, image, batch, threads, isa, seed)
    check_scores(net, image, threads, isa, seed)


@examples(6, 36)
@given(nets((*KINDS, "batchnorm", "batchnorm", "batchnorm")), st.sampled_from(host.available()), st.integers(0, 9))
def test_the_predictor_folds_batch_norm_beside_them(net_image, isa, seed):
    check_scores(*net_image, 1, isa, seed)


@pytest.mark.parametrize("mode", PADS)
def test_a_normalisation_goes_into_the_convolution_that_pads(mode):
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, padding_mode=mode), nn.BatchNorm2d(2), nn.Flatten())
    assert [type(node.op).__name__ for node in graph(net, (1, 4, 4), training=False)] == ["Means", "Conv"]


@pytest.mark.parametrize(
    ("layer", "sides", "kind"),
    [
        (nn.AvgPool2d(2, padding=1), (5, 6), Pool),
        (nn.AvgPool2d(2, ceil_mode=True), (4, 6), Pool),
        (nn.AvgPool2d(2, ceil_mode=True), (5, 6), Means),
        (nn.AvgPool2d(3, padding=1, count_include_pad=False), (5, 6), Means),
        (nn.AdaptiveAvgPool2d((2, 3)), (4, 6), Pool),
        (nn.AdaptiveAvgPool2d((2, 3)), (5, 6), Means),
        (nn.AdaptiveAvgPool2d(7), (5, 6), Means),
    ],
)
def test_pools_whose_windows_are_alike_keep_the_faster_way(layer, sides, kind):
    (node,) = graph(nn.Sequential(layer), (1, *sides), training=False)
    assert type(node.op) is kind
    assert node.output[1:] == tuple(size([layer], (1, *sides)))


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (nn.ReflectionPad2d(4), "this takes more padding from an image of 1×4×4 than there is"),
        (nn.Conv2d(1, 1, 3, padding=5, padding_mode="circular"), "this takes more padding from an image of 1×4×4"),
        (nn.ZeroPad2d(-2), "this has a window that is larger than its input, 1×4×4"),
    ],
)
def test_padding_that_does_not_fit_is_refused(layer, words):
    net = nn.Sequential()
    net.add_module("this", layer)
    net.add_module("flatten", nn.Flatten())
    net.add_module("linear", nn.Linear(4, 4))
    with pytest.raises(UsageError, match=f"the net does not fit images of 1×4×4: {words}"):
        JitPredictor(net, (1, 4, 4), (0.1,), (0.3,))


def test_negative_padding_cuts_off():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ZeroPad2d((-1, 2, 1, -2)), nn.Flatten(), nn.Linear(2 * 4 * 6, CLASSES))
    for isa in host.available():
        check_gradients(net, (1, 5, 5), 9, 2, isa, 0)
        check_scores(net, (1, 5, 5), 2, isa, 0)


@pytest.mark.parametrize("border", [(-1, 2, 0, 0), (2, -1, -2, 1), (-2, -1, 1, 3)])
def test_a_circle_is_closed_after_a_cut(border):
    check = nn.Sequential(nn.CircularPad2d(border), nn.Flatten(), nn.Linear(1, 2)).eval()
    x = torch.randn(3, 2, 5, 6, generator=torch.Generator().manual_seed(0))
    check[2] = nn.Linear(check[1](check[0](x)).shape[1], 2)
    found = JitPredictor(check, (2, 5, 6), None, None).logits(x)
    torch.testing.assert_close(found, check(x).detach(), rtol=1e-5, atol=1e-5)


SIZES = [nn.AdaptiveAvgPool2d([3, 2]), nn.AdaptiveAvgPool2d([None, 4]), nn.MaxPool2d((2,)), nn.AvgPool2d([2])]


@pytest.mark.parametrize("layer", [*SIZES, nn.AvgPool2d([3], [2], [1])])
def test_sizes_may_be_lists_and_of_one_number(layer):
    x = torch.randn(3, 2, 6, 8, generator=torch.Generator().manual_seed(0))
    net = nn.Sequential(layer, nn.Flatten(), nn.Linear(layer(x)[0].numel(), 2)).eval()
    assert why_not(net) is None
    torch.testing.assert_close(
        JitPredictor(net, (2, 6, 8), None, None).logits(x), net(x).detach(), rtol=1e-5, atol=1e-5
    )
