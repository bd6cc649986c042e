"""Saliency maps against what they must add up to, slow loops, and a net whose map is known in closed form."""

import numpy as np
import pytest
import torch

from convscope.errors import UsageError
from convscope.explain.trained.explanation import explain
from convscope.explain.trained.saliency import occlusion, saliency
from convscope.net.build import build, seeded
from convscope.net.spec import parse


def random_image(*shape):
    with seeded(5):
        return torch.randn(shape)


def test_gradient_times_input_adds_up_to_the_score_without_biases():
    net = build(parse("conv 4 3 bias=no | pool 2 | relu | conv 6 3 bias=no | relu | linear bias=no"), (2, 12, 12), 4)
    image = random_image(2, 12, 12)
    for target in range(4):
        found = saliency(net, image, target)
        assert found.gradient_input.sum() == pytest.approx(found.score, rel=1e-5)
        assert found.score == pytest.approx(float(net(image[None])[0, target].detach()), rel=1e-6)


def test_gradient_times_input_by_finite_differences():
    net = build(parse("conv 4 3 | tanh | linear"), (1, 6, 6), 3).double()
    image = random_image(1, 6, 6).double()
    found = saliency(net, image, 1).gradient_input
    for r, q in np.ndindex(6, 6):
        step = torch.zeros_like(image)
        step[0, r, q] = 1e-6
        with torch.no_grad():
            slope = float(net((image + step)[None])[0, 1] - net((image - step)[None])[0, 1]) / 2e-6
        assert found[r, q] == pytest.approx(slope * float(image[0, r, q]), abs=1e-6)


def test_occlusion_by_slow_loops():
    net = build(parse("conv 4 3 | relu | linear"), (2, 9, 7), 3)
    image = random_image(2, 9, 7)
    found = occlusion(net, image, 2, 3)
    falls = {}
    with torch.no_grad():
        score = float(net(image[None])[0, 2])
        for top in range(7):
            for left in range(5):
                hidden = image.clone()
                hidden[:, top : top + 3, left : left + 3] = 0
                falls[top, left] = score - float(net(hidden[None])[0, 2])
    for r, q in np.ndindex(9, 7):
        over = [fall for (t, left), fall in falls.items() if t <= r < t + 3 and left <= q < left + 3]
        assert found[r, q] == pytest.approx(np.mean(over), abs=1e-5)


def test_occlusion_covers_every_pixel():
    net = build(parse("linear"), (1, 10, 10), 2)
    for side in (1, 3, 7, 10):
        assert np.isfinite(occlusion(net, random_image(1, 10, 10), 0, side)).all()


def test_grad_cam_where_it_is_known():
    """With a global average before the last layer, mean gradient of map k is W[target, k] / (h·w): the original CAM."""
    net = build(parse("conv 5 3 | globalavg | linear"), (1, 8, 8), 3)
    image = random_image(1, 8, 8)
    maps = net.conv1(image[None])[0].detach().numpy()
    for target in range(3):
        found = saliency(net, image, target)
        expected = np.maximum(np.einsum("k,khw->hw", net.linear1.weight[target].detach().numpy(), maps) / 36, 0)
        assert found.layer == "conv1"
        assert found.grad_cam == pytest.approx(expected, abs=1e-6)


def test_a_net_without_convolution_and_the_default_square():
    found = explain(build(parse("linear"), (1, 10, 12), 2), random_image(1, 10, 12)).saliency()
    assert (found.grad_cam, found.layer, found.square) == (None, None, 2)
    assert found.target in (0, 1)


@pytest.mark.parametrize("square", [0, -3])
def test_a_square_without_pixels_is_refused(square):
    net = build(parse("conv 2 3 | relu | linear"), (1, 6, 6), 3)
    with pytest.raises(UsageError, match=f"square must be at least 1, not {square}"):
        saliency(net, random_image(1, 6, 6), 0, square)
