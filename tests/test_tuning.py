"""Several trainings for one question: range test, sweep, seeds, folds, minutes, views, and recipes that come along."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from convscope.auto.planning import planned
from convscope.errors import DataError, UsageError
from convscope.recipe import Recipe
from convscope.recipes import names, shipped
from convscope.training.prepared import prepare
from convscope.training.range_test import range_test
from convscope.tuning import sweep
from convscope.tuning.repeated import Spread, folds

from .helpers import run_cli, run_json, small_data, write_npz
from .test_job import recipe

NET = "conv 4 3 | relu | pool 2 | linear"


def test_the_range_test_suggests_a_tenth_of_the_rate_with_the_least_loss():
    found = range_test(recipe(net=NET), small_data(), 1e-4, 100.0, 60)
    assert found.rates[0] == 1e-4
    assert list(found.rates) == sorted(found.rates)
    assert found.smoothed[found.rates.index(found.largest)] == min(found.smoothed)
    assert found.suggested == pytest.approx(found.largest / 10, rel=0.05)
    mean = 0.0
    for update, loss in enumerate(found.losses, 1):
        mean = 0.9 * mean + 0.1 * loss
        assert found.smoothed[update - 1] == pytest.approx(mean / (1 - 0.9**update))


def test_a_range_without_a_fall_is_refused():
    with pytest.raises(UsageError, match="the loss falls at none of these rates"):
        range_test(recipe(net=NET), small_data(), 100.0, 1000.0, 20)
    with pytest.raises(UsageError, match=r"the rates go from 1 to 0\.1"):
        range_test(recipe(net=NET), small_data(), 1.0, 0.1, 20)


def test_lr_draws_its_picture(capsys, tmp_path):
    write_npz(tmp_path / "d.npz")
    plot = tmp_path / "lr.png"
    told = run_json(capsys, "lr", tmp_path / "d.npz", "--net", NET, "--batch-size", "7", "--plot", plot)
    assert 1e-6 < told["suggested"] <= 1
    assert plot.read_bytes().startswith(b"\x89PNG")
    code, _, err = run_cli(capsys, "lr", tmp_path / "d.npz", "--lr", "0.1", "--epochs", "3")
    assert code == 2
    assert "--lr, --epochs has no say in a range test" in err


def test_a_sweep_ranks_by_held_out_images_and_goes_on(capsys, tmp_path):
    write_npz(tmp_path / "d.npz")
    command = ["sweep", tmp_path / "d.npz", "--net", f"{NET},linear", "--lr", "0.001,0.1", "--epochs", "2",
               "--val-fraction", "0.3", "--out", tmp_path / "runs", "--plot", tmp_path / "s.png"]  # fmt: skip
    first = run_json(capsys, *command)["runs"]
    assert [row["val_accuracy"] for row in first] == sorted((row["val_accuracy"] for row in first), reverse=True)
    assert {(row["net"], row["lr"]) for row in first} == {(net, lr) for net in (NET, "linear") for lr in (0.001, 0.1)}
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("summary.json")}
    assert len(stamps) == 4
    cut = Path(first[0]["run"])
    (cut / "summary.json").unlink()
    assert run_json(capsys, *command)["runs"][0]["run"] == str(cut)
    for path, stamp in stamps.items():
        assert (path.stat().st_mtime_ns == stamp) == (path.parent != cut), "what is finished is not trained again"
    code, _, err = run_cli(capsys, "sweep", "digits")
    assert (code, "nothing is swept over" in err) == (2, True)


def test_values_with_commas_are_read_as_their_choices_are():
    assert sweep.read("lr", "0.01, 1") == [0.01, 1.0]
    assert sweep.read("batch_size", "8,16") == [8, 16]
    assert sweep.read("net", "note, conv 4 3 | linear") == ["note", "conv 4 3 | linear"]
    with pytest.raises(UsageError, match=r"--batch-size '8\.5' is not a number"):
        sweep.read("batch_size", "8.5")
    with pytest.raises(UsageError, match="that makes 1,001 runs, more than 1,000"):
        sweep.combinations(Recipe(), {"seed": range(1001)})


def test_a_spread_is_mean_and_standard_deviation():
    found = Spread.of([0.9, 0.92, 0.97])
    assert (found.n, found.mean) == (3, pytest.approx(0.93))
    assert found.sd == pytest.approx(np.std([0.9, 0.92, 0.97], ddof=1))
    assert str(found) == "93.00 % ± 3.61 (sd, n = 3)"
    assert str(Spread.of([0.5])) == "50.00 % (n = 1)"


def test_seeds_are_runs_of_their_own_with_a_mean(capsys, tmp_path):
    write_npz(tmp_path / "d.npz")
    command = ["train", tmp_path / "d.npz", "--net", NET, "--epochs", "1", "--seed", "5", "--out", tmp_path / "runs"]
    told = run_json(capsys, *command, "--seeds", "3")
    assert [run["seed"] for run in told["runs"]] == [5, 6, 7]
    accuracies = [run["test_accuracy"] for run in told["runs"]]
    assert (told["n"], told["mean"]) == (3, pytest.approx(np.mean(accuracies)))
    assert json.loads((Path(told["runs"][2]["run"]) / "recipe.json").read_text())["seed"] == 7
    code, out, _ = run_cli(capsys, *command, "--seeds", "2")
    assert code == 0
    assert "(sd, n = 2)" in out
    code, _, err = run_cli(capsys, *command, "--seeds", "2", "--folds", "3")
    assert (code, "--seeds and --folds do not go together" in err) == (2, True)


def test_every_image_is_tested_on_in_exactly_one_fold(monkeypatch):
    data, tested = small_data(31), []
    monkeypatch.setattr("convscope.tuning.repeated.prepare", lambda recipe, part, team: tested.append(part) or Stub())
    monkeypatch.setattr("convscope.tuning.repeated.train", lambda *_, **__: iter(()))
    assert len(list(folds(recipe(), data, 4))) == 4
    names = [part.test.name(i) for part in tested for i in range(len(part.test))]
    assert sorted(names, key=int) == [str(i) for i in range(31)]
    for part in tested:
        assert not {*part.test.names} & {*part.train.names}
        assert set(part.test.labels) == {0, 1, 2}
    with pytest.raises(DataError, match="50 folds need 50 images of every class, and one class has 10"):
        next(folds(recipe(), data, 50))


class Stub:
    engine = SimpleNamespace(net=None, logits=None)
    batches = team = None


def test_folds_are_told(capsys, tmp_path):
    write_npz(tmp_path / "d.npz")
    told = run_json(capsys, "train", tmp_path / "d.npz", "--net", NET, "--epochs", "2", "--folds", "3")
    assert told["n"] == len(told["folds"]) == 3
    assert told["mean"] == pytest.approx(np.mean(told["folds"]))


def test_minutes_bound_the_epochs(monkeypatch):
    monkeypatch.setattr("convscope.auto.planning.epoch_seconds", lambda recipe, data: 2.0)
    chosen, data = recipe(minutes=1.0, epochs=10), small_data()
    fitting, told = planned(chosen, data, bounded=False)
    assert (fitting.epochs, fitting.max_seconds, told) == (28, 60.0, "--minutes 1: 28 epochs of about 2 s")
    assert planned(chosen, data, bounded=True)[0].epochs == 10
    assert planned(replace(chosen, minutes=100.0), data, bounded=False)[0].epochs == 100
    short, told = planned(replace(chosen, minutes=0.01), data, bounded=False)
    assert (short.epochs, told) == (1, "--minutes 0.01: one epoch takes about 2 s and is cut short")
    assert planned(replace(chosen, minutes=None), data, bounded=False) == (replace(chosen, minutes=None), "")


def test_minutes_are_planned_by_what_an_epoch_takes(capsys, tmp_path):
    write_npz(tmp_path / "d.npz")
    told = run_json(capsys, "train", tmp_path / "d.npz", "--net", NET, "--minutes", "5", "--epochs", "3",
                    "--out", tmp_path / "runs")  # fmt: skip
    assert (told["epochs"], told["stopped_by"]) == (3, "epochs")
    written = json.loads((Path(told["run"]) / "recipe.json").read_text())
    assert (written["minutes"], written["max_seconds"]) == (5, 300)


@pytest.mark.parametrize("name", names())
def test_recipes_that_come_along_go_with_images_of_their_kind(name):
    """Their first weights, rates and net go together, and ``mnist-994`` keeps to its limit."""
    chosen = Recipe(**shipped(name).choices, engine="eager", threads=1)
    images = (3, 32, 32) if chosen.data == "cifar10" else (1, 28, 28)
    net = prepare(chosen, small_data(20, 5, shape=images)).model.net
    assert all(parameter.isfinite().all() for parameter in net.parameters())
    if name == "mnist-994":
        assert sum(parameter.numel() for parameter in net.parameters()) < 10_000


def test_recipes_that_come_along_are_whole_and_yield_to_options(capsys, tmp_path):
    assert "mnist-99" in names()
    for name in names():
        Recipe(**shipped(name).choices)
    with pytest.raises(UsageError, match="no recipe is called 'mnist'"):
        shipped("mnist")
    write_npz(tmp_path / "d.npz")
    told = run_json(capsys, "train", tmp_path / "d.npz", "--recipe", "mnist-99", "--net", NET, "--epochs", "1",
                    "--out", tmp_path / "runs")  # fmt: skip
    written = json.loads((Path(told["run"]) / "recipe.json").read_text())
    assert written["net"] == NET
    assert (written["epochs"], written["optimizer"]) == (1, shipped("mnist-99").choices["optimizer"])
