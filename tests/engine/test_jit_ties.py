"""Winograd's forward pass in training takes every decision as direct sums do."""

import numpy as np
import pytest
import torch

from convscope.engine.jit import JitEngine, block
from convscope.engine.jit.machine import host
from convscope.engine.jit.plan import _Use
from convscope.engine.jit.ways.winograd import ties
from convscope.engine.jit.ways.winograd.tiled import Tiled
from convscope.net.build import build
from convscope.net.zoo import resolve

from .test_jit_arithmetic import CLASSES, a_step_is_autograds, problem_of


def winners(problem, isa) -> np.ndarray:
    """Which number won each window of the first stage's pool; −1 where the ReLU then let nothing pass."""
    engine = JitEngine(problem, 1, isa, batch_size=8)
    engine.steps(torch.arange(8), 8, [0.0])
    ready = engine._core.program(8)
    way, lanes = ready.program.block.ways[0], ready.program.lanes
    masks, y = way.masks, way.site.y
    shape = y.channels, y.height, y.width, lanes.vectors
    arena = ready.arenas[masks.room.offset :]
    words = arena[: y.channels * masks.channel].view(np.uint16).reshape(*shape, 1, masks.bits)
    won = words >> np.arange(lanes.width)[:, None] & 1
    places = (won * np.arange(1, masks.bits + 1)).max(-1)
    arena = ready.arenas[y.room.offset :]
    values = [arena[c * y.channel :][: y.height * y.row].view(np.float32) for c in range(y.channels)]
    return np.where(np.stack(values).reshape(places.shape) > 0, places, -1)


@pytest.mark.parametrize("isa", host.available())
@pytest.mark.parametrize("spec", ["conv 8 5 | pool 2 | relu | linear", "conv 8 4 | pool 2 | relu | linear"])
def test_ties_are_decided_by_direct_sums(spec, isa, monkeypatch):
    """Where all rows of an image are alike, two numbers of each column of a window are equal but for their rounding."""
    problem = problem_of(build(resolve(spec), (4, 16, 16), CLASSES), (4, 16, 16), 8, seed=0)
    problem.images[:] = problem.images[:, :, :1]
    monkeypatch.setattr(_Use, "meets", lambda self, other: True)  # nothing shares a room, so that all can be looked at
    found = winners(problem, isa)
    with monkeypatch.context() as patch:
        patch.setattr(Tiled, "forward_by_tiles", False)
        expected = winners(problem, isa)
    with monkeypatch.context() as patch:
        patch.setattr(ties, "NEAR", 0.0)
        unguarded = winners(problem, isa)
    assert (found == expected).all()
    assert (expected >= 0).mean() > 0.3
    assert (unguarded != expected).mean() > 0.05


def by_tiles(spec, image, loss="cross_entropy"):
    """The stages of a training program that go forward by Winograd's way."""
    problem = problem_of(build(resolve(spec), image, CLASSES), image, 8, seed=0, loss=loss)
    program = JitEngine(problem, 1, batch_size=8)._core.program(8).program
    return [i for i, way in enumerate(program.block.ways) if isinstance(way, Tiled) and way.forward_by_tiles]


@pytest.mark.parametrize(
    ("spec", "chosen"),
    [
        ("conv 8 5 | pool 2 | relu | conv 16 5 | relu | linear", [1]),
        ("conv 8 5 | pool 2 | relu | conv 16 5 | relu | linear 20 | relu | linear", []),
        ("conv 8 5 | tanh | conv 16 5 | tanh | linear", [0, 1]),
        ("conv 8 5 | tanh | conv 16 5 | tanh | pool 3 | linear", []),
    ],
)
def test_it_is_the_last_layer_that_decides(spec, chosen):
    assert by_tiles(spec, (4, 24, 24)) == chosen


def test_where_many_decide_all_layers_go_that_way():
    """16 channels of 36×36 and 32×32 decide 37,120 times an image: no order of summation has another's losses."""
    spec = "conv 16 5 | relu | conv 16 5 | relu | globalavg | flatten | linear"
    assert by_tiles(spec, (4, 40, 40)) == [0, 1]
    assert by_tiles(spec, (4, 16, 16)) == [1]


@pytest.mark.parametrize(("isa", "threads"), list(zip(host.available(), (1, 2, 3), strict=False)))
@pytest.mark.parametrize(
    "spec",
    [
        "conv 8 5 padding=2 | pool 2 | relu | conv 8 4 | relu | pool 1x2 | linear",
        "conv 8 5 | relu | conv 8 5 padding=2 | pool 2x1 | leakyrelu | conv 8 4 | relu | linear",
    ],
)
def test_gradients_are_pytorchs_where_nothing_is_looked_at_twice(spec, isa, threads, monkeypatch):
    monkeypatch.setattr(block, "COMPARED", 0)
    problem = problem_of(build(resolve(spec), (3, 12, 16), CLASSES), (3, 12, 16), 21, seed=0)
    a_step_is_autograds(problem, threads, isa)


def test_the_slope_of_mae_is_a_decision_too():
    assert by_tiles("conv 16 5 | tanh | linear", (4, 24, 24)) == [0]
    assert by_tiles("conv 16 5 | tanh | linear", (4, 24, 24), "mae") == []
