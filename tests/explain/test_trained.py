"""Ledgers of nets: random ones against autograd, and one that was trained on MNIST."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from convscope.data.batches import Normalize
from convscope.data.sources import open_source
from convscope.explain.trained.explanation import explain
from convscope.explain.trained.layers import explained, follow, ledger, weight_gradient
from convscope.explain.trained.trace import trace
from convscope.net.build import build, seeded
from convscope.net.spec import parse
from convscope.net.zoo import resolve

from ..helpers import examples

SPECS = [
    "conv 4 3 padding=same dilation=2 | batchnorm | relu | pool 3 stride=2 padding=1 | conv 6 3x2 groups=2 | tanh"
    " | avgpool 2 padding=1 | dropout 0.5 | linear 7 | sigmoid | linear",
    "conv 4 5 stride=2 padding=2 bias=no | relu | conv 8 1 | globalavg | linear bias=no",
    "flatten | linear 12 | batchnorm | relu | linear",
    "avgpool 2 | conv 3 3 | pool 2 | linear",
    "conv 6 3 | relu6 | pad 1x0 2x3 | depthwise 3 stride=2 | relu6 | linear",
]


def net_of(spec, seed, image=(2, 12, 11)):
    """A net with random weights, running statistics included."""
    net = build(parse(spec), image, 5, seed=seed)
    with seeded(seed):
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
                nn.init.normal_(module.running_mean)
                nn.init.uniform_(module.running_var, 0.1, 2)
                nn.init.normal_(module.weight)
                nn.init.normal_(module.bias)
        return net, torch.randn(image)


@examples(50, 300)
@given(st.sampled_from(SPECS), st.integers(0, 2**31), st.randoms(use_true_random=False))
def test_every_layer_has_ledgers(spec, seed, chance):
    net, image = net_of(spec, seed)
    found = trace(net, image)
    assert explained(found) == [name for name, _ in net.named_children()]
    name = chance.choice(explained(found))
    index = tuple(chance.randrange(n) for n in found.calls[name].output.shape)
    path = follow(found, name, index)
    assert path[0].reported == float(found.calls[name].output[index])
    end = path[-1].terms[0].x  # a pixel, or a zero that was put around an image
    assert end.tensor == "image" or end.padding


@examples(50, 300)
@given(st.sampled_from(SPECS), st.integers(0, 2**31), st.integers(0, 4), st.randoms(use_true_random=False))
def test_gradients_are_autograds(spec, seed, target, chance):
    net, image = net_of(spec, seed)
    leaf = image.clone().requires_grad_()
    nn.functional.cross_entropy(net.eval()(leaf[None]), torch.tensor([target])).backward()
    found = explain(net, image)
    named = [(name, p) for name, p in net.named_parameters() if not name.startswith("batchnorm")]
    name, parameter = chance.choice(named)
    index = tuple(chance.randrange(n) for n in parameter.shape)
    explained_gradient = found.weight_gradient(f"{name}[{','.join(map(str, index))}]", target)
    assert explained_gradient.reported == pytest.approx(
        float(parameter.grad[index]), abs=1e-6 * explained_gradient.magnitude
    )
    if not spec.startswith("avgpool"):
        pixel = tuple(chance.randrange(n) for n in image.shape)
        one = found.pixel_gradient(pixel, target)
        assert one.reported == pytest.approx(float(leaf.grad[pixel]), abs=1e-6 * one.magnitude)


def quickly_trained(data):
    """The note's net after 300 updates: enough for some 90 % on MNIST."""
    net = build(resolve("note"), (1, 28, 28), 10)
    optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.5)
    normalize = Normalize(data.mean, data.std)
    for start in range(0, 300 * 32, 32):
        images = normalize(torch.from_numpy(data.train.images[start : start + 32]))
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(images), torch.from_numpy(data.train.labels[start : start + 32])).backward()
        optimizer.step()
    return net.eval(), normalize


@pytest.mark.mnist
def test_a_thousand_activations_and_two_hundred_gradients_of_a_net_trained_on_mnist(mnist_dir):
    data = open_source("mnist", data_dir=mnist_dir.parent, offline=True)
    net, normalize = quickly_trained(data)
    right = net(normalize(torch.from_numpy(data.test.images[:500]))).argmax(1).numpy() == data.test.labels[:500]
    assert right.mean() > 0.8
    chance = random.Random(0)
    ratios = []
    for image in range(20):
        given_image = normalize(torch.from_numpy(data.test.images[image : image + 1]))[0]
        found = trace(net, given_image, int(data.test.labels[image]))
        names = explained(found)
        assert len(names) == 8
        for i in range(50):
            name = names[i % len(names)]
            index = tuple(chance.randrange(n) for n in found.calls[name].output.shape)
            one = ledger(found, name, index)
            assert one.reported == float(found.calls[name].output[index])
            ratios.append(abs(one.difference) / one.magnitude if one.magnitude else 0)
        for _ in range(10):
            name = chance.choice([n for n, _ in net.named_parameters()])
            index = tuple(chance.randrange(n) for n in found.weights[name].shape)
            one = weight_gradient(found, name, index)
            assert one.reported == float(found.weights[name][index])
            ratios.append(abs(one.difference) / one.magnitude if one.magnitude else 0)
    assert len(ratios) == 1200
    assert max(ratios) <= 1e-6
    assert np.mean(ratios) < 1e-7
