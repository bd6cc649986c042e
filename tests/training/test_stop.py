"""When a run ends: a function of its choices and of where it stands."""

from dataclasses import fields

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from convscope.recipe import Recipe
from convscope.training import pace
from convscope.training.pace import Pacer
from convscope.training.prepared import prepare
from convscope.training.state import Best, Mean, Seconds, State
from convscope.training.stop import SENTENCES, stop

from ..helpers import NET, small_data

ALL = Recipe(epochs=3, target_loss=0.5, patience=2, max_seconds=10.0)


@pytest.mark.parametrize(
    ("state", "logged", "expected"),
    [
        (State(), None, None),
        (State(epoch=2), None, None),
        (State(epoch=3), None, "epochs"),
        (State(epoch=1, best=Best(since=2)), None, "patience"),
        (State(epoch=3, best=Best(since=2)), None, "patience"),
        (State(epoch=1, best=Best(since=1)), None, None),
        (State(epoch_step=1), 0.5, "target_loss"),
        (State(epoch_step=1), 0.51, None),
        (State(epoch_step=1), float("nan"), None),
        (State(epoch_step=1, seconds=Seconds(train=6, test=4)), None, "max_seconds"),
        (State(epoch_step=1, seconds=Seconds(train=6, test=4)), 0.1, "target_loss"),
        (State(epoch=1, seconds=Seconds(train=60)), None, None),
        (State(epoch_step=1, best=Best(since=9)), None, None),
    ],
    ids=str,
)
def test_a_run_stops_where_its_choices_say_so(state, logged, expected):
    assert stop(ALL, state, logged) == expected


def test_a_run_without_choices_ends_with_its_epochs_alone():
    late = State(epoch=1, epoch_step=1, best=Best(since=99), seconds=Seconds(train=1e9))
    assert stop(Recipe(epochs=2), late, 0.0) is None
    assert stop(Recipe(epochs=1), State(epoch=1)) == "epochs"
    assert all(SENTENCES[name] for name in ("epochs", "target_loss", "patience", "max_seconds"))


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(1, 64)), min_size=1, max_size=20))
def test_a_mean_that_grows_is_the_mean(values):
    mean = Mean()
    for value, weight in values:
        mean.add(value, weight)
    total = sum(weight for _, weight in values)
    assert mean.value == pytest.approx(sum(value * weight for value, weight in values) / total)


def test_the_best_keeps_copies_and_never_a_loss_that_is_not_finite():
    net, best = nn.Linear(2, 1), Best()
    best.offer(float("nan"), 1, net)
    assert (best.loss, best.epoch, best.since, best.weights) == (None, None, 1, {})
    best.offer(0.5, 2, net)
    kept = net.weight.detach().clone()
    with torch.no_grad():
        net.weight += 1
    best.offer(0.5, 3, net)
    assert (best.loss, best.epoch, best.since) == (0.5, 2, 1)
    assert torch.equal(best.weights["weight"], kept)


def test_a_state_is_its_numbers_and_its_best_weights():
    state = State(epoch=2, epoch_step=3, step=21, images=160, stopped_by="target_loss")
    state.interval.add(0.5)
    state.mean.add(0.25, 8)
    state.seconds = Seconds(1.0, 2.0, 3.0)
    state.last.test_accuracy = 0.75
    assert State.of(state.numbers()) == state
    assert State.of({}) == State()
    assert len(fields(State)) == 12


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"epoch": -1}, "epoch is '-1'"),
        ({"epoch": 1.5}, "epoch is '1.5'"),
        ({"interval_steps": True}, "interval_steps is 'True'"),
        ({"train_loss": "low"}, "train_loss is 'low'"),
        ({"stopped_by": "rain"}, "stopped_by is 'rain'"),
        ({"evil": 1}, "'evil' is unknown"),
    ],
    ids=["negative", "fraction", "truth", "text", "stop", "unknown"],
)
def test_numbers_that_no_state_has_are_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        State.of(numbers)


@pytest.mark.parametrize("unit", [1, 500])
def test_a_pacer_doubles_until_a_call_takes_its_time(unit):
    pacer, rate = Pacer(unit), 20_000  # images or updates a second
    asked = []
    for _ in range(20):
        asked.append(pacer.size)
        pacer.took(pacer.size, pacer.size / rate)
    assert asked[:3] == [unit, 2 * unit, min(4 * unit, 2000)]
    assert asked[-1] == rate * pace.CALL_SECONDS
    pacer.took(pacer.size, 1e9)
    assert pacer.size == unit  # never nothing


def test_a_recipe_and_data_are_prepared_without_a_run_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = small_data()
    ready = prepare(Recipe(net=NET, engine="eager", threads=1), data)
    assert [row.name for row in ready.rows] == ["conv1", "relu1", "pool1", "flatten1", "linear1"]
    assert ready.model.net is ready.engine.net
    assert (ready.device, ready.threads) == ("cpu", 1)
    assert ready.engine.logits(torch.from_numpy(data.test.images)).shape == (30, 3)
    assert not list(tmp_path.iterdir())
