"""The tables of ``python -m bench`` with the least work: their shape, and that what is no result does not pass."""

import json
import sys
import warnings
from subprocess import CalledProcessError

import pytest
import torch

from bench import __main__ as tables
from bench import accuracy, compiled, engine, epoch, kernels, mapped, measure, muon, norm, peak, pictures
from bench.measure import Timing
from convscope.engine.devices import survey

from ..helpers import small_data

needs_jit = pytest.mark.skipif("jit" not in survey().engines, reason="needs the jit engine")


@pytest.fixture(autouse=True)
def in_haste(monkeypatch):
    monkeypatch.setattr(measure, "REST", 0.0)
    monkeypatch.setattr(peak, "ROUNDS", 1000)
    engine.the_peak.cache_clear()
    yield
    engine.the_peak.cache_clear()


def test_contenders_run_once_unmeasured_and_then_in_turn():
    ran, clock = [], iter(range(100))
    found = measure.interleaved({name: lambda name=name: ran.append(name) for name in "ab"}, 2, lambda: next(clock))
    assert ran == ["a", "b", "a", "b", "a", "b"]
    assert found == [Timing("a", (1, 1)), Timing("b", (1, 1))]


def test_a_table_has_medians_ranges_and_ratios_repeat_by_repeat():
    slow, fast = Timing("slow", (2.0, 4.0, 9.0)), Timing("fast", (1.0, 2.0, 3.0))
    assert measure.ratio(slow, fast) == (2.0, 2.0, 3.0)
    header, first, second = measure.table([slow, fast], "slow").splitlines()
    assert header.split() == ["median", "s", "least", "most", "times", "as", "fast", "as", "slow"]
    assert first.split() == ["slow", "4.00", "2.00", "9.00", "1.00", "(1.00–1.00)"]
    assert second.split() == ["fast", "2.00", "1.00", "3.00", "2.00", "(2.00–3.00)"]


def test_losses_that_are_not_finite_are_no_training():
    losses = torch.tensor([1.0, 2.0])
    assert measure.trained(losses) is losses
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(RuntimeError, match="what was timed is no training: a loss is not finite"):
            measure.trained(torch.tensor([1.0, wrong]))


def test_every_contender_trains_an_epoch_and_one_that_learns_nothing_fails(monkeypatch):
    data = small_data(train=70, shape=(1, 28, 28))
    found = epoch.contenders(data, survey().engines)
    names = [f"convscope {name}" for name in survey().engines]
    assert list(found) == ["the note's pipeline", "plain PyTorch in memory", *names]
    for work in found.values():
        work()
    monkeypatch.setattr(epoch, "steps_per_epoch", lambda *_: 2)
    wrong = epoch.contenders(data, ("eager",))["convscope eager"]
    monkeypatch.setattr("convscope.engine.eager.EagerEngine.steps", lambda *_: torch.tensor([1.0, float("nan")]))
    with pytest.raises(RuntimeError, match="what was timed is no training"):
        wrong()


@needs_jit
def test_every_net_and_batch_has_a_row(monkeypatch, capsys):
    monkeypatch.setattr(engine, "NETS", ("mlp",))
    monkeypatch.setattr(engine, "BATCHES", (64,))
    monkeypatch.setattr(engine, "COUNTS", {"mlp": 128})
    engine.nets_and_batches(1, 1)
    title, _, header, *rows = capsys.readouterr().out.strip().splitlines()
    assert title == "Training steps, 1 threads; n = 1, interleaved; images/s are medians"
    assert header.split()[:4] == ["net", "batch", "eager", "/s"]
    assert [row.split()[:2] for row in rows] == [["mlp", "64"]]
    assert all(row.endswith("%") for row in rows)


@needs_jit
def test_batch_norm_has_a_row_for_each_net(monkeypatch):
    monkeypatch.setattr(norm, "NETS", {"small": ("conv 4 3{0} | relu | globalavg | linear", (1, 8, 8), 16, 32)})
    title, _, header, row = norm.cost_of_norm(1, 1).strip().splitlines()
    assert title.startswith("Training with batch norm, 1 threads; medians of n = 1")
    assert header.split()[:2] == ["net", "batch"]
    assert row.split()[:2] == ["small", "16"]
    monkeypatch.setattr(norm, "PROGRAM", "conv 4 3 | relu | globalavg | linear")
    told = norm.programs(1, 1)
    assert "batch 256, 1 threads; n = 1" in told
    assert "an engine is there, first: " in told
    assert "; from the cache: " in told


@needs_jit
def test_muon_has_its_share(monkeypatch):
    monkeypatch.setattr(muon, "NETS", (("conv 4 3 | relu | globalavg | linear", (1, 8, 8), 16),))
    header, row = muon.table(1).splitlines()
    assert header.split()[-1] == "share"
    assert 0 < float(row.split()[-1].rstrip("%")) < 1000


@needs_jit
def test_kernels_and_their_roof_are_measured():
    found, top = kernels.measure("conv 4 3 | relu | linear", 16, rounds=1)
    convolutions = [kernel for kernel in found if kernel.flop]
    assert {kernel.word for kernel in convolutions} >= {"forward"}
    assert all(kernel.microseconds > 0 and kernel.rate > 0 and kernel.bytes > 0 for kernel in convolutions)
    assert top > 0
    assert peak.Stream().measure(1 << 12, 1) > 0
    assert peak.Peak().measure(2, 1) > 0


def test_multiply_adds_of_a_training_step_are_those_of_its_layers():
    spec = "conv 4 3 | relu | conv 2 3 | relu | linear"
    net = engine.random_problem(spec, (3, 8, 8), 2).net
    first, second, linear = 6 * 6 * 4 * 3 * 9, 4 * 4 * 2 * 4 * 9, 32 * 10
    assert engine.training_gflop(net, (3, 8, 8)) == pytest.approx(2e-9 * (2 * first + 3 * second + 3 * linear))


def test_pictures_are_drawn_from_what_was_measured(tmp_path, monkeypatch, capsys):
    kernel = kernels.Figures("conv1 forward", "forward", 1e6, 1e5, 10.0, 200.0)
    monkeypatch.setattr(pictures, "FOLDER", tmp_path)
    monkeypatch.setattr(pictures.kernels, "measure", lambda *_: ([kernel], 200.0))
    monkeypatch.setattr(pictures.Stream, "measure", lambda *_: 50.0)
    names = ("batch size", "threads", "image side", "channels")
    rows = {name: [(1, 2.0, 1.5, 0.5), (2, 1.5, 1.0, 0.6)] for name in names}
    monkeypatch.setattr(pictures.engine, "growth", lambda *_: rows)
    pictures.roofline()
    pictures.growth(1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["engine-growth.png", "engine-roofline.png"]
    assert "| conv1 forward | 1.0 | 10.0 | 100 | 50% |" in capsys.readouterr().out


@needs_jit
def test_a_net_that_pytorch_computes_after_all_is_not_timed(monkeypatch, capsys):
    monkeypatch.setattr(compiled, "CALLS", {1: 1, 3: 1})
    found = compiled.timings(1)
    assert [timing.name for timing in found] == ["PyTorch 1", "convscope 1", "PyTorch 3", "convscope 3"]
    compiled.show(found)
    assert capsys.readouterr().out.count(" µs → ") == 2

    def falls_back(net, threads):
        warnings.warn("PyTorch computes it", stacklevel=1)
        return net

    monkeypatch.setattr(compiled.convscope, "compile", falls_back)
    with pytest.raises(UserWarning, match="PyTorch computes it"):
        compiled.timings(1)


@needs_jit
def test_windows_are_timed_beside_memory(monkeypatch, capsys):
    monkeypatch.setattr(mapped, "IMAGES", 256)
    monkeypatch.setattr(tables.mapped, "IMAGES", 256)
    here, there = tables.print_windows(1)
    assert (here.name, there.name) == ("in memory", "in windows")
    assert "in windows takes " in capsys.readouterr().out


def test_accuracies_are_those_of_both_engines_seeds(monkeypatch):
    asked = []

    class Run:
        accuracy = 0.5

    monkeypatch.setattr(accuracy.convscope, "train", lambda data, **choices: asked.append(choices) or Run())
    assert accuracy.final_accuracies("eager", 3) == [50.0] * 5
    assert [choices["seed"] for choices in asked] == list(range(5))
    assert {(choices["engine"], choices["epochs"]) for choices in asked} == {("eager", 3)}


def test_a_command_that_fails_is_no_result(monkeypatch):
    monkeypatch.setattr(tables.sys, "executable", "false")
    with pytest.raises(CalledProcessError):
        tables.whole_command("digits")


def test_tables_are_printed_and_what_the_readme_shows_is_kept(tmp_path, monkeypatch, capsys):
    record = tmp_path / "recorded.json"
    record.write_text(json.dumps({"run": "kept"}))
    monkeypatch.setattr(tables, "RECORD", record)
    monkeypatch.setattr(tables, "TABLES", {"run": None, "compile": lambda repeats: [Timing("a", (1.0,) * repeats)]})
    threads = torch.get_num_threads()
    monkeypatch.setattr(sys, "argv", ["bench", "compile", "--repeats", "2", "--record"])
    tables.main()
    torch.set_num_threads(threads)
    found = json.loads(record.read_text())
    assert found["run"] == "kept"
    assert found["compile"]["seconds"] == {"a": [1.0, 1.0]}
    monkeypatch.setattr(sys, "argv", ["bench", "windoes"])
    with pytest.raises(SystemExit):
        tables.main()
    assert "no table windoes; there are run, compile" in capsys.readouterr().err
