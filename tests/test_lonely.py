"""A last batch of one image and batch normalisation of features: joined, said once, exact, or refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from convscope import job
from convscope.data.batches import Batches, epoch_order
from convscope.engine.base import Problem
from convscope.engine.eager import EagerEngine
from convscope.errors import UsageError
from convscope.net.build import build
from convscope.net.shapes import table
from convscope.net.spec import parse
from convscope.recipe import Recipe
from convscope.runs.folder import RunFolder
from convscope.training.lonely import batches_of, lonely
from convscope.training.loop import Tick, train
from convscope.training.pace import Pace
from convscope.training.state import State

from .helpers import run_cli, small_data, write_npz

SPEC = "flatten | linear 8 | batchnorm | relu | linear"
SHAPE = (1, 8, 8)


def rows(spec, shape=SHAPE):
    return table(parse(spec), shape, 3)


@pytest.mark.parametrize(
    ("spec", "shape", "name"),
    [
        (SPEC, SHAPE, "batchnorm1"),
        ("conv 4 3 | batchnorm | relu | linear", SHAPE, None),  # a map has many values a channel
        ("conv 4 3 | globalavg | batchnorm | linear", SHAPE, "batchnorm1"),  # a map of one pixel has not
        ("conv 4 3 | batchnorm | flatten | linear 5 | batchnorm | linear", SHAPE, "batchnorm2"),
        ("conv 4 3 | relu | linear", SHAPE, None),
    ],
)
def test_which_layers_cannot_take_a_batch_of_one_is_what_torch_says(spec, shape, name):
    assert lonely(rows(spec, shape)) == name
    net = build(parse(spec), shape, 3).train()
    if name is None:
        net(torch.zeros(1, *shape))
    else:
        with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
            net(torch.zeros(1, *shape))


def test_only_a_last_batch_of_one_before_such_a_layer_is_joined():
    assert batches_of(rows(SPEC), 33, 16) == Batches(33, 16, joined=True)
    assert batches_of(rows(SPEC), 34, 16) == Batches(34, 16)
    assert batches_of(rows("conv 4 3 | batchnorm | relu | linear"), 33, 16) == Batches(33, 16)
    with pytest.raises(UsageError, match=r"^--batch-size is 1, but batchnorm1 takes its mean over the batch\n  help: "):
        batches_of(rows(SPEC), 33, 1)
    with pytest.raises(UsageError, match=r"^there is a single training image, but batchnorm1 takes"):
        batches_of(rows(SPEC), 1, 16)


@pytest.mark.parametrize(("count", "size", "joined"), [(33, 16, True), (33, 16, False), (60, 7, False), (5, 2, True)])
def test_calls_cover_an_epoch_once_whatever_their_length(count, size, joined):
    batches = Batches(count, size, joined)
    for most in (1, 2, 3, 100):
        at, cut = 0, []
        while at < batches.steps:
            steps, each = batches.call(at, min(most, batches.steps - at))
            index = np.arange(count)[batches.images(at) : batches.images(at + steps)]
            assert (steps - 1) * each < len(index) <= steps * each  # as engines want it
            cut += [index[i : i + each].tolist() for i in range(0, len(index), each)]
            at += steps
        assert len(cut) == batches.steps
        assert [image for batch in cut for image in batch] == list(range(count))
        assert len(cut[-1]) != 1 or not joined


def test_a_joined_epoch_is_what_plain_torch_does():
    data = small_data(train=33)
    recipe = Recipe(net=SPEC, epochs=2, batch_size=16, engine="eager")
    net = build(parse(SPEC), SHAPE, 3)
    problem = Problem(
        net, torch.from_numpy(data.train.images), torch.from_numpy(data.train.labels), data.mean, data.std
    )
    engine = EagerEngine(problem, torch.device("cpu"))
    state = State()
    records = list(train(engine, recipe, data, state, None, batches_of(rows(SPEC), 33, 16)))
    assert (state.step, state.images) == (4, 66)

    reference = build(parse(SPEC), SHAPE, 3).train()
    other = EagerEngine(replace(problem, net=reference), torch.device("cpu"))
    for epoch in (1, 2):
        order = torch.from_numpy(epoch_order(33, 0, epoch))
        other.steps(order[:16], 16, [0.01])
        other.steps(order[16:], 17, [0.01])
    assert all(
        torch.equal(a, b) for a, b in zip(net.state_dict().values(), reference.state_dict().values(), strict=True)
    )
    assert [record.epoch_step for record in records if isinstance(record, Tick)][-1] == 2


def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path):
    data = small_data(train=33)
    recipe = Recipe(net=SPEC, epochs=3, batch_size=4, engine="eager", threads=1, data="stripes")
    *_, whole = job.start(recipe, data, tmp_path / "whole")
    events = job.start(recipe, data, tmp_path / "cut", pace=Pace(1))
    for _, event in zip(range(30), events, strict=False):  # into the second epoch
        assert not isinstance(event, job.Finished)
    events.close()
    folder = RunFolder(next((tmp_path / "cut").iterdir()))
    started, *_, finished = job.resume(folder, data)
    assert sum("batchnorm1" in note and "joined to the batch before" in note for note in started.notes) == 1
    assert started.epoch_steps == 8
    a, b = whole.folder.model().net.state_dict(), finished.folder.model().net.state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_the_command_line_says_it_once_or_refuses(tmp_path, capsys):
    write_npz(tmp_path / "d.npz", train=33)
    words = ["train", str(tmp_path / "d.npz"), "--net", SPEC, "--epochs", "2", "--out", str(tmp_path / "runs")]
    code, out, err = run_cli(capsys, *words, "-b", "16")
    assert code == 0, err
    assert (out + err).count("joined to the batch before") == 1
    code, out, err = run_cli(capsys, *words, "-b", "1")
    assert code == 2
    assert "--batch-size is 1, but batchnorm1 takes its mean over the batch" in err
    assert len(list((tmp_path / "runs").iterdir())) == 1
