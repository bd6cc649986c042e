"""What happens around an update: warm-up, the average of the weights, the weights of classes."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from convscope import job
from convscope.data.batches import Normalize, epoch_order
from convscope.distributed.team import Team
from convscope.engine.base import Problem
from convscope.engine.choose import choose
from convscope.engine.eager import EagerEngine
from convscope.engine.sliced import SlicedEngine
from convscope.errors import DataError, Interrupted, UsageError
from convscope.net.build import build
from convscope.net.spec import parse
from convscope.recipe import Recipe
from convscope.runs import folder as runs
from convscope.training.loop import Evaluating, train
from convscope.training.prepared import prepare
from convscope.training.state import State
from convscope.training.update.average import Average
from convscope.training.update.lookahead import Lookahead, trained
from convscope.training.update.schedule import rate
from convscope.training.update.weights import class_weights

from ..helpers import small_data
from ..test_job import equal, finish, interrupt_at, recipe, weights

CPU = torch.device("cpu")


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_warm_up_is_torchs_linear_rise_and_then_its_schedule(schedule):
    chosen = Recipe(lr=0.3, epochs=4, schedule=schedule, warmup=1.5)  # of 10 updates: 15 of 40
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
    rise = lr_scheduler.LinearLR(optimizer, start_factor=1 / 15, total_iters=14)
    after = lr_scheduler.CosineAnnealingLR(optimizer, T_max=25)
    if schedule == "constant":
        after = lr_scheduler.ConstantLR(optimizer, factor=1)
    both = lr_scheduler.SequentialLR(optimizer, [rise, after], milestones=[15])
    for step in range(40):
        assert rate(chosen, step, 10) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        both.step()


def test_without_warm_up_the_schedule_begins_at_once():
    assert rate(Recipe(lr=0.3), 0, 10) == 0.3
    assert rate(Recipe(lr=0.3, warmup=99.0), 9, 10) == pytest.approx(0.3 * 10 / 990)


def test_the_average_is_torchs_once_it_has_begun():
    """After many updates the decay is the one that was asked for, and torch's own average agrees from there."""
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    average, theirs = Average(), AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.8), use_buffers=True)
    generator = torch.Generator().manual_seed(0)
    for update in range(1000, 1020):
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.normal_(generator=generator)
            net[1].running_mean.normal_(generator=generator)
            net[1].num_batches_tracked += 1
        average.add(net, 0.8, update)
        theirs.update_parameters(net)
    assert average.weights["1.num_batches_tracked"] == 20  # torch averages the count, too, and rounds it down
    for name, value in theirs.module.state_dict().items():
        if not value.is_floating_point():
            continue
        torch.testing.assert_close(average.weights[name], value)


def test_the_average_takes_in_much_at_first():
    net, average, expected = nn.Linear(1, 1, bias=False), Average(), 0.0
    for update in range(1, 30):
        with torch.no_grad():
            net.weight.fill_(update)
        average.add(net, 0.5, update)
        decay = 0.0 if update == 1 else min(0.5, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * update
        assert float(average.weights["weight"]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("engine", ["eager", "jit"])
def test_the_average_is_tested_kept_and_resumed(tmp_path, engine):
    net = "conv 4 3 | batchnorm | relu | pool 2 | linear" if engine == "eager" else "conv 4 3 | relu | pool 2 | linear"
    chosen = recipe(net=net, ema=0.9, engine=engine, lr=0.05)
    whole = finish(job.start(chosen, small_data(), tmp_path / "whole"))
    plain = finish(job.start(replace(chosen, ema=0.0), small_data(), tmp_path / "plain"))
    point = whole.resume_point()
    assert equal(weights(whole), point.state.average.weights)
    assert equal(point.net, weights(plain)), "training itself knows nothing of the average"
    logits = whole.model().logits(torch.from_numpy(small_data().test.images))
    right = float((logits.argmax(1) == torch.from_numpy(small_data().test.labels)).double().mean())
    assert whole.summary().test_accuracy == pytest.approx(right)
    with pytest.raises(Interrupted):
        interrupt_at(job.start(chosen, small_data(), tmp_path / "cut"), 11)
    cut = runs.find(str(next((tmp_path / "cut").iterdir())))
    assert equal(weights(finish(job.resume(cut, small_data()))), weights(whole))
    assert equal(cut.resume_point().net, point.net)


def test_what_is_saved_in_the_middle_of_a_test_is_the_weights_that_are_trained(tmp_path, monkeypatch):
    monkeypatch.setattr("convscope.training.loop.EVALUATION_BATCH", 5)
    chosen, data = recipe(net="conv 4 3 | relu | linear", ema=0.9, engine="eager", save_seconds=0.0), small_data()
    whole = finish(job.start(chosen, data, tmp_path / "whole"))
    events = job.start(chosen, data, tmp_path / "cut")
    for event in events:
        if isinstance(event, Evaluating):
            break
    with pytest.raises(Interrupted):
        interrupt_at(_then(next(events), events), 0)
    cut = runs.find(str(next((tmp_path / "cut").iterdir())))
    assert equal(weights(finish(job.resume(cut, data))), weights(whole))


def _then(first, rest):
    yield first
    yield from rest


def test_a_resume_point_without_its_average_is_refused(tmp_path):
    folder = finish(job.start(recipe(ema=0.9, epochs=1), small_data(), tmp_path))
    point = folder.resume_point()
    point.state.average.weights = {}
    point.save(folder.path / "resume.safetensors")
    with pytest.raises(DataError, match="the average of the weights and --ema do not go together"):
        list(job.resume(folder, small_data(), epochs=2))


@pytest.mark.parametrize("engine", ["eager", "jit"])
def test_lookahead_draws_the_weights_halfway_back_after_every_third_update(tmp_path, engine):
    """The formula of the paper around plain updates, frozen parameters apart; a cut run resumes to the same bits."""
    net = "conv 4 3 | relu | pool 2 | linear"
    chosen = recipe(net=net, lookahead=3, engine=engine, lr=0.05, momentum=0.9)
    whole = finish(job.start(chosen, small_data(), tmp_path / "whole"))
    expected = by_hand(replace(chosen, lookahead=0), small_data(), every=3)
    for name, value in expected.items():
        torch.testing.assert_close(weights(whole)[name], value, rtol=1e-4, atol=1e-6)
    with pytest.raises(Interrupted):
        interrupt_at(job.start(chosen, small_data(), tmp_path / "cut"), 11)
    cut = runs.find(str(next((tmp_path / "cut").iterdir())))
    assert cut.resume_point().state.lookahead.weights.keys() == expected.keys()
    assert equal(weights(finish(job.resume(cut, small_data()))), weights(whole))


def by_hand(chosen, data, every):
    """The weights after all updates, one at a time, where slow weights take half a step after so many of them."""
    engine, done = prepare(chosen, data).engine, 0
    slow = {name: value.detach().clone() for name, value in engine.net.named_parameters()}
    for epoch in range(chosen.epochs):
        order = torch.from_numpy(epoch_order(len(data.train), chosen.seed, epoch + 1))
        for index in order.split(chosen.batch_size):
            engine.steps(index, chosen.batch_size, [chosen.lr])
            done += 1
            if done % every == 0:
                for name, value in engine.net.named_parameters():
                    slow[name] = slow[name] + 0.5 * (value.detach() - slow[name])
                    value.detach().copy_(slow[name])
    return {name: value.detach() for name, value in engine.net.named_parameters()}


def test_a_resume_point_without_its_slow_weights_is_refused(tmp_path):
    folder = finish(job.start(recipe(lookahead=2, epochs=1), small_data(), tmp_path))
    point = folder.resume_point()
    point.state.lookahead.weights = {}
    point.save(folder.path / "resume.safetensors")
    with pytest.raises(DataError, match="the slow weights and --lookahead do not go together"):
        list(job.resume(folder, small_data(), epochs=2))


def test_balanced_weights_are_those_of_scikit_learn():
    labels = np.array([0] * 6 + [1] * 3 + [3])
    assert class_weights("balanced", labels, 4) == pytest.approx((10 / 24, 10 / 12, 0, 10 / 4))
    assert class_weights("none", labels, 4) is None


def problem(**choices):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8, generator=generator)
    net = build(parse("conv 4 3 | relu | linear"), (1, 8, 8), 3, 0)
    return Problem(net, images, torch.arange(20) % 3, (0.5,), (0.25,), **choices)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_class_weights_are_those_of_torchs_cross_entropy(smoothing):
    p = problem(class_weights=(1.0, 0.25, 3.0), label_smoothing=smoothing)
    net = copy.deepcopy(p.net)
    loss = nn.CrossEntropyLoss(torch.tensor([1.0, 0.25, 3.0]), label_smoothing=smoothing)
    expected = loss(net(Normalize(p.mean, p.std)(p.images)), p.labels)
    expected.backward()
    torch.testing.assert_close(EagerEngine(p, CPU).steps(torch.arange(20), 20, [1.0]), expected.detach()[None])
    for ours, theirs in zip(p.net.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(ours.contiguous(), theirs - theirs.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("count", [20, 2])  # with two images, one of three slices has none
def test_class_weights_of_slices_are_those_of_the_batch_and_wait_for_nothing(smoothing, count, monkeypatch):
    given = problem(class_weights=(1.0, 0.25, 3.0), label_smoothing=smoothing)
    whole, divided = EagerEngine(copy.deepcopy(given), CPU), SlicedEngine(given, CPU, Team(slices=3))
    expected = whole.steps(torch.arange(count), count, [1.0])

    def wait(*_):
        raise AssertionError("it would wait for a GPU")

    for way in ("item", "__float__", "__bool__", "tolist"):
        monkeypatch.setattr(torch.Tensor, way, wait)
    found = divided.steps(torch.arange(count), count, [1.0])
    monkeypatch.undo()
    torch.testing.assert_close(found, expected)
    for ours, theirs in zip(divided.net.parameters(), whole.net.parameters(), strict=True):
        torch.testing.assert_close(ours.contiguous(), theirs.contiguous(), rtol=1e-4, atol=1e-6)


def test_weights_of_single_images_are_for_one_process():
    with pytest.raises(UsageError, match="several processes do not weigh single images"):
        SlicedEngine(problem(sample_weights=torch.ones(20)), CPU, Team(slices=3))


def test_the_jit_engine_leaves_class_weights_to_pytorch_and_says_so():
    engine, notes = choose("auto", problem(class_weights=(1.0, 1.0, 1.0)), CPU, 1, 20)
    assert (engine.name, notes) == ("eager", ("not covered by the jit engine: weights of classes",))
    with pytest.raises(UsageError, match="does not cover this run: weights of classes"):
        choose("jit", problem(class_weights=(1.0, 1.0, 1.0)), CPU, 1, 20)


def test_rare_classes_are_found_where_they_are_weighed():
    data = small_data(90, 60)
    rare = np.flatnonzero((data.train.labels != 2) | (np.arange(90) < 6))
    data = replace(data, train=data.train.take(rare))

    def mean_loss(weight):
        chosen = recipe(net="linear", class_weight=weight, epochs=3, engine="eager", lr=0.02)
        prepared, state = prepare(chosen, data), State()
        for _ in train(prepared.engine, chosen, data, state):
            pass
        logits = prepared.engine.logits(torch.from_numpy(data.test.images[data.test.labels == 2]))
        return float(-logits.log_softmax(1)[:, 2].mean())

    assert mean_loss("balanced") < mean_loss("none")


@pytest.mark.parametrize("kind", [Average, Lookahead], ids=lambda kind: kind.__name__.lower())
def test_weights_from_a_file_lie_as_those_of_the_net(kind):
    net = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    before = {name: value.detach().clone(memory_format=torch.contiguous_format) for name, value in trained(net).items()}
    kept = kind(dict(before))
    with torch.no_grad():
        for value in net.parameters():
            value += 1
    if kind is Average:
        kept.add(net, 0.5, 100)
    else:
        kept.begin(net)
        kept.step(net)
    assert kept.weights["weight"].stride() == net.weight.stride()
    torch.testing.assert_close(kept.weights["weight"], before["weight"] + 0.5)
    same = kept.weights["bias"].data_ptr()
    kept.add(net, 0.5, 101) if kind is Average else kept.begin(net)
    assert kept.weights["bias"].data_ptr() == same
