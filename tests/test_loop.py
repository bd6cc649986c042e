from dataclasses import replace

import pytest
import torch

from convscope.errors import TrainingError
from convscope.net.build import build
from convscope.net.spec import parse
from convscope.recipe import Recipe
from convscope.training.diagnosis import _first_bad
from convscope.training.loop import Epoch, Evaluating, Progress, Tick, train
from convscope.training.prepared import prepare
from convscope.training.state import State

from .helpers import small_data

SPEC = "conv 4 3 | relu | pool 2 | linear"


def engine(data, recipe):
    return prepare(replace(recipe, engine="eager", device="cpu", threads=1), data).engine


def run(recipe, data=None, state=None):
    data = data or small_data()
    state = state or State()
    worker = engine(data, recipe)
    return list(train(worker, recipe, data, state)), state, worker


def test_records_log_every_interval_and_every_epoch():
    recipe = Recipe(net=SPEC, epochs=2, batch_size=7, log_interval=4)
    records, state, _ = run(recipe)
    # 60 images in batches of 7: nine updates, the last of four images; the interval starts again each epoch
    assert [(r.epoch, r.step) for r in records if isinstance(r, Progress)] == [(1, 4), (1, 8), (2, 4), (2, 8)]
    assert [r.epoch for r in records if isinstance(r, Epoch)] == [1, 2]
    assert [r.step for r in records if isinstance(r, Tick)][-1] == 18
    assert (state.epoch, state.step, state.images, state.stopped_by) == (2, 18, 120, "epochs")


def test_the_means_are_means_over_updates_and_over_images():
    recipe = Recipe(net=SPEC, epochs=1, batch_size=7, log_interval=4)
    data = small_data()
    records, _, _ = run(recipe, data)
    from convscope.data.batches import epoch_order

    losses = engine(data, recipe).steps(torch.from_numpy(epoch_order(60, 0, 1)), 7, [0.01] * 9).double()
    sizes = torch.tensor([7.0] * 8 + [4.0]).double()
    progress = [r.loss for r in records if isinstance(r, Progress)]
    assert progress == pytest.approx([float(losses[:4].mean()), float(losses[4:8].mean())], rel=1e-6)
    epoch = next(r for r in records if isinstance(r, Epoch))
    assert epoch.train_loss == pytest.approx(float((losses * sizes).sum() / 60), rel=1e-6)


def test_a_test_in_parts_is_the_test(monkeypatch):
    monkeypatch.setattr("convscope.training.loop.EVALUATION_BATCH", 8)
    whole, _, _ = run(Recipe(net=SPEC, epochs=2, batch_size=16))
    monkeypatch.setattr("convscope.training.pace.CALL_SECONDS", 0.0)
    parts, _, _ = run(Recipe(net=SPEC, epochs=2, batch_size=16))
    assert [r.epoch for r in parts if isinstance(r, Evaluating)] == [1, 1, 1, 2, 2, 2]  # 30 images: four parts
    for one, other in zip(*([r for r in rs if isinstance(r, Epoch)] for rs in (whole, parts)), strict=True):
        assert other.test_loss == pytest.approx(one.test_loss, rel=1e-6)
        assert other.test_accuracy == one.test_accuracy


def test_a_small_set_logs_once_an_epoch():
    records, _, _ = run(Recipe(net=SPEC, epochs=3, batch_size=16))
    assert [(r.epoch, r.step) for r in records if isinstance(r, Progress)] == [(1, 4), (2, 4), (3, 4)]


def test_it_learns_and_the_same_seed_gives_the_same_bits():
    recipe = Recipe(net=SPEC, epochs=12, batch_size=8, lr=0.05)
    one, _, first = run(recipe)
    _, _, second = run(recipe)
    _, _, other = run(replace(recipe, seed=1))
    assert one[-1].test_accuracy > 0.95
    assert all(torch.equal(a, b) for a, b in zip(first.net.parameters(), second.net.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first.net.parameters(), other.net.parameters(), strict=True))


def test_it_stops_at_the_target_loss():
    records, state, _ = run(Recipe(net=SPEC, epochs=50, batch_size=8, lr=0.05, target_loss=0.3, log_interval=2))
    assert state.stopped_by == "target_loss"
    losses = [r.loss for r in records if isinstance(r, Progress)]
    assert losses[-1] <= 0.3 < min(losses[:-1])
    assert isinstance(records[-1], Epoch)  # the weights it stopped with are tested


def test_it_stops_when_patience_is_over_and_keeps_the_best():
    data = small_data(val=30)
    data = replace(data, val=replace(data.val, labels=(data.val.labels + 1) % 3))  # learning makes validation worse
    records, state, _ = run(Recipe(net=SPEC, epochs=50, batch_size=8, lr=0.05, patience=3), data)
    epochs = [r for r in records if isinstance(r, Epoch)]
    assert state.stopped_by == "patience"
    best = min(epochs, key=lambda r: r.val_loss)
    assert (state.best.epoch, len(epochs)) == (best.epoch, best.epoch + 3)
    assert set(state.best.weights) == {"conv1.weight", "conv1.bias", "linear1.weight", "linear1.bias"}


def test_it_stops_when_the_seconds_are_over():
    _, state, _ = run(Recipe(net=SPEC, epochs=100_000, batch_size=8, max_seconds=0.05))
    assert state.stopped_by == "max_seconds"
    assert state.seconds.train + state.seconds.test >= 0.05


def test_a_loss_that_is_not_finite_names_update_layer_and_rate_and_keeps_good_weights():
    data = small_data()
    recipe = Recipe(net=SPEC, epochs=5, batch_size=8, lr=1e6)
    state, worker = State(), engine(data, recipe)
    with pytest.raises(TrainingError) as caught:
        list(train(worker, recipe, data, state))
    assert "the loss is not finite at update" in caught.value.message
    assert "learning rate 1e+06" in caught.value.message
    layer = "the first bad value is in" in caught.value.message
    assert layer or "the loss itself overflows" in caught.value.message
    assert "--lr 100000" in caught.value.help
    assert all(bool(torch.isfinite(p).all()) for p in worker.net.parameters())


def test_the_first_bad_value_is_found_in_the_branch_where_it_is():
    net = build(parse("conv 2 3 padding=1 | [ conv 2 1 | relu ]+ | [ conv 2 1 / conv 1 1 ]& | linear"), (1, 8, 8), 3)
    with torch.no_grad():
        net.conv2.weight.fill_(3e38)
    data = small_data()
    images = torch.from_numpy(data.train.images)[:8]
    assert _first_bad(net, data, images) == "the first bad value is in the output of conv2"
    with torch.no_grad():
        net.conv2.weight.fill_(0.1)
        net.conv4.bias[0] = float("nan")
    assert _first_bad(net, data, images) == "the first bad value is in conv4.bias"


def test_going_on_from_any_record_ends_with_the_same_bits():
    recipe = Recipe(net=SPEC, epochs=2, batch_size=7, log_interval=4)
    data = small_data()
    records, whole, reference = run(recipe, data)
    for stop in range(1, len(records), 3):
        state, worker = State(), engine(data, recipe)
        loop = train(worker, recipe, data, state)
        for _ in range(stop):
            next(loop)
        rest, state, worker = run_on(recipe, data, state, worker)
        assert all(torch.equal(a, b) for a, b in zip(worker.net.parameters(), reference.net.parameters(), strict=True))
        assert (state.step, state.images, state.last) == (whole.step, whole.images, whole.last)
        # Which updates share a call depends on the clock, so ticks may differ; what is logged may not.
        logged = [(r.epoch, r.step, r.loss) for r in rest if isinstance(r, Progress)]
        expected = [(r.epoch, r.step, r.loss) for r in records if isinstance(r, Progress)]
        assert logged == expected[len(expected) - len(logged) :]


def run_on(recipe, data, state, worker):
    """A new engine with the old one's weights and state continues."""
    fresh = engine(data, recipe)
    fresh.net.load_state_dict({name: value.clone() for name, value in worker.net.state_dict().items()})
    fresh.load_state(worker.state())
    state.stopped_by = None
    return list(train(fresh, recipe, data, state)), state, fresh
