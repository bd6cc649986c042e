"""Recorded steps are the steps that they were recorded from: on the CPU by a tape, on a GPU by CUDA graphs."""

import warnings

import pytest
import torch
from torch import nn

from convscope.data.batches import epoch_order
from convscope.engine.base import Problem
from convscope.engine.eager import EagerEngine
from convscope.engine.recorded import ROWS, WARM_UP
from convscope.engine.recorder import recorder_for
from convscope.net.build import build
from convscope.net.spec import parse

from ..helpers import small_data
from .recording import TapeRecorder

CPU = torch.device("cpu")
NET = "conv 4 3 | batchnorm | relu | pool 2 | dropout 0.3 | linear"
CHOICES = {
    "sgd": {"momentum": 0.0},
    "nesterov": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    "adam": {"optimizer": "adam", "weight_decay": 0.01},
    "clipped": {"optimizer": "adamw", "clip_norm": 0.5, "label_smoothing": 0.1},
    "mse": {"loss": "mse"},
    "fp16": {"precision": "fp16", "clip_norm": 0.5},
    "bf16": {"precision": "bf16", "optimizer": "adam"},
}
RATES = [2.0**-n for n in range(4, 13)]  # the same in float32 and float64


def problem(spec=NET, **choices):
    data = small_data(shape=(1, 8, 8))
    images, labels = torch.from_numpy(data.train.images), torch.from_numpy(data.train.labels)
    return Problem(build(parse(spec), (1, 8, 8), 3, seed=5), images, labels, data.mean, data.std, **choices)


def assert_same(one, other):
    for values, others in ((one.net.state_dict(), other.net.state_dict()), (one.state(), other.state())):
        assert values.keys() == others.keys()
        for name, value in values.items():
            assert torch.equal(value, others[name]), name


@pytest.mark.parametrize("shown", [False, True], ids=["as-they-are", "other-pixels"])
@pytest.mark.parametrize("name", CHOICES)
def test_recorded_steps_have_the_bits_of_steps_that_are_launched(name, shown):
    index = torch.from_numpy(epoch_order(60, 0, 1))
    plain, recorder = EagerEngine(problem(**CHOICES[name]), CPU), TapeRecorder()
    taped = EagerEngine(problem(**CHOICES[name]), CPU, recorder)
    pixels = plain.images[index].flip(3) if shown else None
    for _ in range(2):  # 9 updates each, the last one smaller
        losses = [engine.steps(index, 7, RATES, pixels) for engine in (plain, taped)]
        assert torch.equal(*losses)
    assert_same(plain, taped)
    assert (recorder.recorded, recorder.repeats) == (1, 16 - WARM_UP)
    assert taped.compile_seconds > 0
    assert plain.compile_seconds == 0


def test_a_state_that_is_loaded_is_what_recorded_steps_continue_from():
    index = torch.from_numpy(epoch_order(60, 0, 1))
    whole, first, second = (EagerEngine(problem(optimizer="adam"), CPU, TapeRecorder()) for _ in range(3))
    whole.steps(index[:54], 6, RATES)
    first.steps(index[:30], 6, RATES[:5])
    second.steps(index, 6, [0.5] * 10)  # what is recorded here holds addresses of a state that is thrown away
    second.net.load_state_dict(first.net.state_dict())
    second.load_state(first.state())
    second.steps(index[30:54], 6, RATES[5:])
    assert_same(whole, second)


def test_a_loss_scale_is_part_of_the_state():
    whole, first, second = (EagerEngine(problem(precision="fp16", momentum=0.9), CPU) for _ in range(3))
    index = torch.arange(60)
    whole.steps(index, 6, [2.0**-5] * 10)
    first.steps(index[:12], 6, [2.0**-5] * 2)
    state = first.state()
    assert float(state["loss_scale"]) < 65536  # torch's first one, which was too large here
    second.net.load_state_dict(first.net.state_dict())
    second.load_state(state)
    second.steps(index[12:], 6, [2.0**-5] * 8)
    assert_same(whole, second)
    assert all(bool(value.isfinite().all()) for value in whole.state().values())


def test_more_steps_than_the_tables_have_rows_are_taken_in_parts():
    index = torch.arange(2 * (ROWS + 5)) % 60
    plain, taped = EagerEngine(problem("linear"), CPU), EagerEngine(problem("linear"), CPU, TapeRecorder())
    rates = [2.0**-8] * (ROWS + 5)
    assert torch.equal(plain.steps(index, 2, rates), taped.steps(index, 2, rates))


def test_a_net_whose_tensors_have_moved_is_recorded_again():
    recorder = TapeRecorder()
    engine = EagerEngine(problem(), CPU, recorder)
    engine.steps(torch.arange(60), 10, [0.1] * 6)
    for parameter in engine.net.parameters():
        parameter.data = parameter.data.clone()
    engine.steps(torch.arange(60), 10, [0.1] * 6)
    assert recorder.recorded == 2


class Waiting(nn.Module):
    def forward(self, x):
        return x * float(x.detach().abs().max() > 0)


class Ours(Waiting):
    __module__ = "convscope"  # what others may have written is not recorded


def test_what_cannot_be_recorded_is_launched_and_said():
    given = problem("conv 4 3 | relu | linear")
    given.net.append(Ours())
    recorder = TapeRecorder()
    engine = EagerEngine(given, CPU, recorder)
    engine.forward = lambda x: given.net[-1](nn.Sequential.forward(given.net, x))
    with pytest.warns(UserWarning, match="cannot be recorded, so they are launched one by one: .*waits for the device"):
        engine.steps(torch.arange(60), 10, [0.1] * 6)
    assert recorder.recorded == 0
    with warnings.catch_warnings(record=True) as caught:
        engine.steps(torch.arange(60), 10, [0.1] * 6)
    assert caught == []


def test_layers_of_somebodys_own_are_not_recorded(monkeypatch):
    monkeypatch.setattr("convscope.engine.recorder.CudaGraphs", lambda device: device)
    net, gpu = build(parse(NET), (1, 8, 8), 3, seed=0), torch.device("cuda")
    assert recorder_for(net, gpu) == gpu
    assert recorder_for(net, CPU) is None
    assert recorder_for(nn.Sequential(net, Waiting()), gpu) is None


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("shown", [False, True], ids=["as-they-are", "other-pixels"])
@pytest.mark.parametrize("name", CHOICES)
def test_a_cuda_graph_takes_the_steps_that_were_launched(name, shown):
    gpu, index = torch.device("cuda"), torch.from_numpy(epoch_order(60, 0, 1))
    given = problem(**{"precision": "fp32"} | CHOICES[name])
    plain = EagerEngine(given, gpu)
    graph = EagerEngine(problem(**{"precision": "fp32"} | CHOICES[name]), gpu, recorder_for(given.net, gpu))
    pixels = plain.images[index].flip(3) if shown else None
    for _ in range(2):
        losses = [engine.steps(index, 7, RATES, pixels) for engine in (plain, graph)]
        assert torch.equal(*losses)
    assert_same(plain, graph)
    assert graph.compile_seconds > 0


@pytest.mark.gpu
@needs_gpu
def test_no_step_of_a_call_waits_for_the_gpu():
    gpu, index = torch.device("cuda"), torch.from_numpy(epoch_order(60, 0, 1))
    given = problem()
    engine = EagerEngine(given, gpu, recorder_for(given.net, gpu))
    engine.steps(index, 7, RATES)  # records, which waits
    torch.cuda.set_sync_debug_mode("error")
    try:
        losses = engine.steps(index[:56], 7, RATES[:8])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert bool(torch.isfinite(losses).all())
