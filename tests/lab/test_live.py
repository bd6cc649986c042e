"""Parts of room 7 without a process: probes, pace, control, and what is remembered."""

import numpy as np
import pytest
import torch

from convscope.job import Started
from convscope.lab.binary import unpack
from convscope.lab.live.control import Control
from convscope.lab.live.live import RunStatus, halved
from convscope.lab.live.probe import MOST_FLOATS, Probe
from convscope.lab.live.telling import follow, stand_still
from convscope.net.build import build
from convscope.net.model import Model
from convscope.net.spec import parse
from convscope.recipe import Recipe
from convscope.training import loop
from convscope.training.pace import Pace
from convscope.training.prepared import prepare
from convscope.training.state import State

from ..helpers import small_data


def test_probe_is_what_pytorch_makes_of_the_net(tmp_path):
    data = small_data(shape=(3, 8, 8))
    net = build(parse("conv 5 3 | batchnorm | dropout 0.5 | relu | linear"), (3, 8, 8), 3, seed=1)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    model = Model(net, "", (3, 8, 8), data.mean, data.std, data.classes)
    started = Started(None, Recipe(), data, model, [], "eager", "cpu", 1, 1, ())
    random = torch.random.get_rng_state()
    head, arrays = unpack(Probe(started).take(7, 1).packed())
    assert torch.equal(random, torch.random.get_rng_state())
    assert net.training
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert head["step"] == 7
    assert head["labels"] == [0, 1, 2]
    assert np.array_equal(arrays["image"], data.test.images[head["index"][1]])
    net.eval()
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (data.mean, data.std))
    images = (torch.from_numpy(data.test.images[head["index"]]) / 255 - mean) / std
    p = torch.softmax(net(images).double(), 1)
    np.testing.assert_allclose(head["confidences"], p.detach().numpy(), atol=1e-6)
    torch.testing.assert_close(
        torch.from_numpy(arrays["map.conv1"].copy()), net[0](images[1:2])[0].detach(), rtol=1e-4, atol=1e-5
    )
    assert np.array_equal(arrays["weight.conv1"], net[0].weight.detach().numpy())
    x = (torch.from_numpy(data.train.images[:64]) / 255 - mean) / std
    torch.nn.functional.cross_entropy(net(x), torch.from_numpy(data.train.labels[:64])).backward()
    wanted = [
        sum(float(p.grad.double().square().sum()) for p in layer.parameters()) ** 0.5
        for layer in net
        if any(True for _ in layer.parameters())
    ]
    assert head["norms"] == pytest.approx(wanted, rel=1e-4)


def test_a_probe_of_a_large_net_stays_small():
    data = small_data(shape=(1, 96, 96))
    net = build(parse("conv 40 3 padding=1 | relu | conv 64 6 stride=8 | globalavg | linear"), (1, 96, 96), 3)
    model = Model(net, "", (1, 96, 96), data.mean, data.std, data.classes)
    _, arrays = unpack(Probe(Started(None, Recipe(), data, model, [], "", "cpu", 1, 1, ())).take(0, 99).packed())
    assert sum(a.size for name, a in arrays.items() if name.startswith("map.")) <= MOST_FLOATS
    assert sum(a.size for name, a in arrays.items() if name.startswith("weight.")) <= MOST_FLOATS
    assert len(arrays["map.conv1"]) == 7


def records(epochs, pace=None):
    """What the loop yields for eight updates an epoch."""
    data = small_data(train=64)
    recipe = Recipe(net="flatten | linear", epochs=epochs, batch_size=8, engine="eager", threads=1)
    return list(loop.train(prepare(recipe, data).engine, recipe, data, State(), pace))


def test_pace_decides_how_many_updates_a_call_takes():
    ticks = [record for record in records(2, Pace(1)) if isinstance(record, loop.Tick)]
    assert [tick.step for tick in ticks] == list(range(1, 17))


def test_a_tick_has_the_mean_loss_of_its_updates():
    found = records(1)
    ticks = [record for record in found if isinstance(record, loop.Tick)]
    progress = next(record for record in found if isinstance(record, loop.Progress))
    counts = np.diff([0, *(tick.step for tick in ticks)])
    assert np.average([tick.loss for tick in ticks], weights=counts) == pytest.approx(progress.loss, rel=1e-6)


def test_control():
    control = Control()
    assert not control.must_wait()
    control.obey({"do": "pause"})
    assert control.must_wait()
    assert control.pace.most == 1
    control.obey({"do": "step", "probe": 3})
    assert not control.must_wait()
    assert control.probe == 3
    control.obey({"do": "go"})
    assert control.pace.most == Pace.most
    assert control.steps == 0


def test_a_probe_image_that_is_chosen_just_before_the_loop_stands_still_is_shown():
    """After the last probe was taken: nobody will tell it again."""
    control, told = Control(), []
    control.obey({"do": "pause"})
    control.obey({"probe": 4})

    def report(kind, body=b"", **fields):
        told.append((kind, body))
        if kind == "probe":
            control.obey({"do": "go"})

    stand_still(control, 0, lambda: report("probe", b"%d" % control.probe), report)
    assert told == [("probe", b"4"), ("going", b"")]


def test_a_stop_that_came_while_the_data_were_opened_is_not_forgotten():
    """Its interrupt may be lost in an import; then the run stops before its first update."""
    control = Control()
    control.stopping = True
    told = []
    with pytest.raises(KeyboardInterrupt):
        follow(iter([Started(None, Recipe(), None, None, [], "", "cpu", 1, 1, ())]), control, told.append)
    assert told == []


def test_long_curves_are_thinned():
    points = [(i, float(i)) for i in range(1, 8)]
    assert halved(points) == [(2, 1.5), (4, 3.5), (6, 5.5), (7, 7.0)]
    assert halved([(9, 2.0), (10, 12.0)]) == [(10, 3.0)]  # nine updates weigh more than one
    said = RunStatus()
    for start in range(0, 20_000, 500):
        points = [(start + i + 1, 1.0) for i in range(500)]
        rest = {"step": start + 500, "epoch": 1, "steps_per_second": 1.0, "paused": False}
        said.take({"kind": "ticks", "points": points, **rest}, b"")
    assert len(said.losses) <= 4000
    assert said.losses[-1] == (20_000, 1.0)
    assert said.version == 40


def test_of_very_many_epochs_the_latest_and_a_sample_of_the_others_are_kept():
    said = RunStatus()
    for epoch in range(1, 5001):
        said.take({"kind": "epoch", "epoch": {"epoch": epoch}}, b"")
    kept = [row["epoch"] for row in said.epochs]
    assert len(kept) <= 1000
    assert kept == sorted(set(kept))
    assert kept[0] == 1
    assert kept[-500:] == list(range(4501, 5001))
