"""Which updates share a call of the engine depends on the clock, so it must not change their bits."""

import pytest
import torch

from convscope.data.batches import epoch_order
from convscope.engine.base import Problem
from convscope.engine.eager import EagerEngine
from convscope.engine.jit.engine import JitEngine
from convscope.net.build import build
from convscope.net.spec import parse

from ..helpers import small_data

ENGINES = {
    "eager": lambda problem: EagerEngine(problem, torch.device("cpu")),
    "jit": lambda problem: JitEngine(problem, threads=1),
    "jit, two threads": lambda problem: JitEngine(problem, threads=2),
}


@pytest.mark.parametrize("count", [160, 131, 64, 20])
@pytest.mark.parametrize("engine", ENGINES)
def test_calls_do_not_change_bits(engine, count):
    data = small_data(train=count)
    images, labels = torch.from_numpy(data.train.images), torch.from_numpy(data.train.labels)
    index = torch.from_numpy(epoch_order(count, 0, 1))
    batches = -(-count // 64)
    ends = []
    for calls in ([batches], [1] * batches, [1, batches - 1] if batches > 1 else [1]):
        net = build(parse("conv 4 3 | relu | pool 2 | linear"), data.train.shape, 3, seed=1)
        worker = ENGINES[engine](Problem(net, images, labels, data.mean, data.std))
        done = 0
        for steps in calls:
            worker.steps(index[64 * done : 64 * (done + steps)], 64, [0.05] * steps)
            done += steps
        ends.append(torch.cat([value.detach().flatten() for value in (*net.parameters(), *worker.state().values())]))
    assert all(torch.equal(end, ends[0]) for end in ends)
