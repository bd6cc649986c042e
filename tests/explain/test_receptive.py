"""Receptive fields against brute force: change a pixel, see whether the element moves."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from convscope.errors import UsageError
from convscope.explain.trained.receptive import receptive_field
from convscope.net.build import build, seeded
from convscope.net.spec import parse


def moved(net, size, index):
    """bool (H, W): the pixels whose change moves the last layer's element. The net must be linear."""
    net = net.double().eval()
    with torch.no_grad(), seeded(1):
        for p in net.parameters():
            p.uniform_(0.5, 1)
        image = torch.zeros(size * size, 1, size, size, dtype=torch.float64)
        image.view(size * size, -1).fill_diagonal_(1)
        still = net(torch.zeros(1, 1, size, size, dtype=torch.float64))[0]
        return (net(image)[(slice(None), *index)] != still[index]).view(size, size).numpy()


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(0, 2), st.integers(1, 3)), min_size=1, max_size=3
    ),
    st.randoms(use_true_random=False),
)
def test_against_brute_force(convolutions, chance):
    size = 13
    net = nn.Sequential(*(nn.Conv2d(1, 1, k, s, p, d) for k, s, p, d in convolutions))
    try:
        shape = net(torch.zeros(1, 1, size, size)).shape[1:]
    except RuntimeError:
        return
    index = tuple(chance.randrange(n) for n in shape)
    expected = moved(net, size, index)
    found = receptive_field(net.float(), (1, size, size), str(len(net) - 1), index)
    assert np.array_equal(found.mask, expected)
    rows = np.flatnonzero(expected.any(1))
    assert (found.top, found.bottom) == ((rows[0], rows[-1]) if len(rows) else (0, -1))


def test_zeros_cannot_shrink_it():
    """ReLU, max pooling and dead weights hide paths from the trained net's own gradient, not from the field."""
    net = build(parse("conv 4 5 | pool 2 | relu | conv 2 5 | pool 2 | relu | linear"), (1, 28, 28), 10)
    with torch.no_grad():
        net.conv1.bias.fill_(-100)
    found = receptive_field(net, (1, 28, 28), "conv2", (1, 3, 4))
    assert (found.top, found.bottom, found.left, found.right) == (6, 19, 8, 21)
    assert found.mask.sum() == 14 * 14
    assert receptive_field(net, (1, 28, 28), "linear1", (9,)).mask.sum() == 28 * 28


def test_dilation_leaves_gaps():
    net = build(parse("conv 1 3 dilation=4 | linear"), (1, 12, 12), 2)
    mask = receptive_field(net, (1, 12, 12), "conv1", (0, 1, 2)).mask
    assert [tuple(p) for p in np.argwhere(mask)] == [(r, q) for r in (1, 5, 9) for q in (2, 6, 10)]


@pytest.mark.parametrize(
    "pool",
    [
        nn.MaxPool2d(3, 2, padding=1),
        nn.MaxPool2d((2, 3), ceil_mode=True),
        nn.MaxPool2d(2, 1, dilation=3),
    ],
)
def test_max_pooling_sees_its_whole_window(pool):
    image = torch.zeros(1, 1, 11, 11)
    shape = pool(image).shape
    for index in ((0, 0, 0), (0, shape[2] - 1, shape[3] - 1), (0, 1, 2)):
        found = receptive_field(nn.Sequential(pool), (1, 11, 11), "0", index)
        expected = np.zeros((11, 11), bool)
        for r, q in np.ndindex(11, 11):
            one = image.clone()
            one[0, 0, r, q] = 1
            expected[r, q] = pool(one)[0][index] == 1
        assert np.array_equal(found.mask, expected)


@pytest.mark.parametrize(
    "activation", [nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.GELU(), nn.Hardtanh(), nn.ReLU6(), nn.SiLU()]
)
def test_no_activation_hides_a_pixel(activation):
    layers = [layer for _ in range(6) for layer in (nn.Conv2d(1, 1, 3, padding=1), activation, nn.BatchNorm2d(1))]
    assert receptive_field(nn.Sequential(*layers), (1, 13, 13), "17", (0, 6, 6)).mask.all()


@pytest.mark.parametrize("index", [(99, 0, 0), (0, 0), (-1, 0, 0), (0, 6, 0)])
def test_an_element_that_is_not_there_is_refused(index):
    net = build(parse("conv 4 3 | relu | linear"), (1, 8, 8), 3)
    place = ",".join(map(str, index))
    with pytest.raises(UsageError, match=rf"conv1\[{place}\] lies outside its shape \(4, 6, 6\)"):
        receptive_field(net, (1, 8, 8), "conv1", index)
