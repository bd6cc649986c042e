"""On the real digits the engine and PyTorch go the same way."""

import copy
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from convscope.data.batches import epoch_order
from convscope.data.sources import open_source
from convscope.engine.base import Problem
from convscope.engine.jit import JitEngine
from convscope.net.build import build
from convscope.net.zoo import resolve

STEPS = 100


def start(mnist_dir, seed):
    """Net note, MNIST, and the images of the first steps in the order of a training run."""
    data = open_source("mnist", data_dir=mnist_dir.parent, offline=True)
    net = build(resolve("note"), (1, 28, 28), 10)
    images, labels = torch.from_numpy(data.train.images), torch.from_numpy(data.train.labels)
    index = torch.from_numpy(epoch_order(len(images), seed, 1)[: 64 * STEPS])
    return Problem(net, images, labels, (0.1307,), (0.3081,)), index


def pytorch(problem, index):
    """PyTorch's steps: yields the loss of each, computed before it is taken."""
    net = problem.net
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.5)
    for chosen in index.split(64):
        images = (problem.images[chosen].float() / 255 - 0.1307) / 0.3081
        loss = functional.cross_entropy(net(images), problem.labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        yield loss.item()
        optimizer.step()


@pytest.mark.mnist
@pytest.mark.parametrize("seed", [9, 15, 19])
def test_the_first_hundred_losses_agree(mnist_dir, tmp_path, seed):
    """In orders of images that meet no tie. Where two numbers of a pool differ by less than float32's rounding,
    PyTorch itself takes now this, now that one (with another thread count, say), and the losses part by 1e-3."""
    problem, index = start(mnist_dir, seed)
    theirs = list(pytorch(replace(problem, net=copy.deepcopy(problem.net)), index))
    engine = JitEngine(problem, 2, cache_dir=tmp_path)
    torch.testing.assert_close(engine.steps(index, 64, [0.01] * STEPS), torch.tensor(theirs), rtol=1e-4, atol=0)


@pytest.mark.mnist
@pytest.mark.parametrize("seed", [1, 2])
def test_every_loss_agrees_from_equal_weights(mnist_dir, tmp_path, seed):
    """Ties or not: at all weights that PyTorch goes through, the loss is the same."""
    problem, index = start(mnist_dir, seed)
    engine = JitEngine(problem, 2, cache_dir=tmp_path)
    for chosen, loss in zip(index.split(64), pytorch(problem, index), strict=True):
        before = copy.deepcopy(problem.net.state_dict())
        mine = float(engine.steps(chosen, 64, [0.0])[0])
        problem.net.load_state_dict(before)
        assert mine == pytest.approx(loss, rel=1e-5)
