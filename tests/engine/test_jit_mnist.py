"""On the real digits the engine and PyTorch go the same way."""

import copy

import pytest
import torch
from torch.nn import functional

from convscope.data.batches import epoch_order
from convscope.data.sources import open_source
from convscope.engine.base import Problem
from convscope.engine.jit import JitEngine
from convscope.net.build import build
from convscope.net.zoo import resolve


@pytest.mark.mnist
def test_the_first_hundred_losses_agree(mnist_dir, tmp_path):
    data = open_source("mnist", data_dir=mnist_dir.parent, offline=True)
    images, labels = torch.from_numpy(data.train.images), torch.from_numpy(data.train.labels)
    index = torch.from_numpy(epoch_order(len(images), 0, 1)[:6400])
    net = build(resolve("note"), (1, 28, 28), 10)
    theirs = copy.deepcopy(net)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.01, momentum=0.5)
    losses = []
    for chosen in index.split(64):
        loss = functional.cross_entropy(theirs((images[chosen].float() / 255 - 0.1307) / 0.3081), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    engine = JitEngine(Problem(net, images, labels, (0.1307,), (0.3081,)), 2, cache_dir=tmp_path)
    torch.testing.assert_close(engine.steps(index, 64, [0.01] * 100), torch.tensor(losses), rtol=1e-4, atol=0)
