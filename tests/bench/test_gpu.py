"""bench/gpu.py up to the device: the same script on the CPU with a few images of noise."""

import json
import sys
from dataclasses import asdict

import pytest
import torch

from bench import contenders, gpu, pieces
from bench.contenders import Epochs, Measured

QUICK = ("--device", "cpu", "--quick", "--repeats", "2")
COMPILED = "plain PyTorch, torch.compile"


def bench_of(folder, *words):
    folder.mkdir(exist_ok=True)
    return pieces.Bench(gpu.parser().parse_args([str(folder), *QUICK, *words]))


def written(folder):
    return json.loads((folder / "gpu.json").read_text()), (folder / "gpu.md").read_text()


@pytest.mark.parametrize("broken", [False, True], ids=["whole", "with-a-broken-part"])
def test_the_script_keeps_what_each_part_finds(tmp_path, monkeypatch, capsys, broken):
    if broken:
        monkeypatch.setitem(gpu.PARTS, "note", lambda bench: 1 / 0)
    assert gpu.main([str(tmp_path / "new"), *QUICK, "--here", "--only", "note,mnist"]) == broken
    found, tables = written(tmp_path / "new")
    assert len(found["recipe mnist-99"]["runs"]) == 10
    assert "## Recipe mnist-99: 1 epochs, batch 128, n = 10" in tables
    if broken:
        assert found["note failed"] == "ZeroDivisionError: division by zero"
        assert "ZeroDivisionError" in capsys.readouterr().out
    else:
        seconds = found["epoch of note"]["found"]
        assert list(seconds) == ["plain PyTorch", "convscope, launched", "convscope, fp32", "convscope, bf16"]
        assert all(len(measured["epochs"]) == 2 for measured in seconds.values())
        assert "70 images, batch 64, 2 updates" in tables


def test_what_counts_most_and_takes_least_comes_first_and_all_of_it_is_planned():
    order = [piece.name for piece in pieces.PLAN]
    assert order[:4] == ["note", "mnist", "tests", "cifar"]
    assert order[4] == f"note, {COMPILED}"
    assert {piece.part for piece in pieces.PLAN} == set(gpu.PARTS)
    assert len(set(order)) == len(order)
    assert gpu.parser().get_default("seconds") < 360  # six minutes


def test_a_piece_has_a_process_of_its_own_and_what_it_finds_stands_beside_the_others(tmp_path):
    bench = bench_of(tmp_path / "new")
    known = Epochs("An epoch of note: 70 images", 2, {"plain PyTorch": Measured([0.5], 2.0, 0.0)})
    bench.keep("epoch of note", asdict(known), known.table())
    assert pieces.apart(bench, pieces.Piece("note", 120, "convscope, fp32"))
    found, tables = written(tmp_path / "new")
    seconds = found["epoch of note"]["found"]
    assert list(seconds) == ["plain PyTorch", "convscope, fp32"]
    assert len(seconds["convscope, fp32"]["epochs"]) == 2
    rows = [line.split()[2:5] for line in tables.splitlines() if line.startswith(("plain", "convscope"))]
    assert rows[0] == ["500.0", "500.0–500.0", "1"]
    assert len(rows) == 2


FAKE = """#!{python}
import json, os, pathlib, signal, sys, time
words = sys.argv[sys.argv.index("bench.gpu") + 1 :]
folder, part = pathlib.Path(words[0]), words[words.index("--only") + 1]
folder.mkdir()
seconds = {{"plain PyTorch": {{"epochs": [0.1], "first": 1, "recording": 0}}}}
raw = {{"title": "epoch", "steps": 2, "found": seconds, "failed": {{}}}}
tables = {{"epoch of note": "## epoch"}}
(folder / "gpu.json").write_text(json.dumps({{"conditions": "c", "epoch of note": raw, "tables": tables}}))
print(part, "has printed", flush=True)
{end}
"""


@pytest.fixture
def ends(tmp_path, monkeypatch):
    """Let the process of every piece write one contender's seconds and then end as it is told."""

    def as_told(code):
        program = tmp_path / "python"
        program.write_text(FAKE.format(python=sys.executable, end=code))
        program.chmod(0o700)
        monkeypatch.setattr(pieces.sys, "executable", str(program))

    return as_told


@pytest.mark.parametrize(
    ("end", "seconds", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", 60, "ended with SIGSEGV"),
        ("sys.exit(3)", 60, "ended with exit code 3"),
        ("os.fork(); time.sleep(600)", 1, "took more than 1 s"),
    ],
    ids=["crash", "failure", "too-long"],
)
def test_a_piece_that_ends_badly_keeps_what_it_had_found(tmp_path, monkeypatch, capfd, ends, end, seconds, reason):
    monkeypatch.setattr(pieces, "LEAST_SECONDS", 0.5)
    ends(end)
    bench = bench_of(tmp_path / "new")
    assert not pieces.apart(bench, pieces.Piece("note", seconds))
    found, tables = written(tmp_path / "new")
    assert found["epoch of note"]["found"]["plain PyTorch"]["epochs"] == [0.1]
    assert found["note failed"] == reason
    assert "## epoch" in tables
    assert f"note: {reason}" in tables
    assert "note has printed" in capfd.readouterr().out


def test_one_bad_piece_costs_no_other(tmp_path, monkeypatch, ends, capfd):
    monkeypatch.setattr(gpu, "PLAN", (pieces.Piece("note", 60), pieces.Piece("mnist", 60)))
    ends('sys.exit(part == "note")')
    assert gpu.main([str(tmp_path / "new"), *QUICK]) == 1
    out = capfd.readouterr().out
    assert "note has printed" in out
    assert "mnist has printed" in out
    found, _ = written(tmp_path / "new")
    assert found["note failed"] == "ended with exit code 1"
    assert "mnist failed" not in found


def test_nothing_is_begun_when_time_is_over(tmp_path):
    bench = bench_of(tmp_path / "new", "--seconds", "1")
    assert not pieces.apart(bench, pieces.Piece("note", 60))
    found, tables = written(tmp_path / "new")
    assert found["note failed"] == "left out for want of time"
    assert tables.endswith("note: left out for want of time\n")


def test_a_contender_that_fails_or_has_no_time_costs_no_other(tmp_path, monkeypatch):
    bench = bench_of(tmp_path / "new")
    work = contenders.Work(bench.device, "note", bench.data("mnist"), 64)
    right = contenders.contenders(work)
    monkeypatch.setattr(contenders, "contenders", lambda work: right | {"wrong": lambda: 1 / 0})
    left = iter([100.0, 100.0, 1.0, 100.0, 100.0])
    names = ["wrong", "plain PyTorch", "convscope, fp32"]
    *_, known = contenders.measure(work, names, 3, lambda: next(left))
    assert known.failed == {
        "wrong": "failed: ZeroDivisionError: division by zero",
        "convscope, fp32": "left out for want of time",
    }
    assert {name: len(measured.epochs) for name, measured in known.found.items()} == {"plain PyTorch": 3}
    assert "wrong: failed: ZeroDivisionError" in known.table()


def test_wrong_words_end_with_a_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit):
        gpu.main([str(tmp_path), "--only", "notes"])
    assert "no part is called notes; there are note, mnist, tests, cifar, wide" in capsys.readouterr().err
    assert gpu.main([str(tmp_path), *QUICK, "--here", "--only", "note", "--contender", "another"]) == 1
    assert "no contender is called another; there are: plain PyTorch; " in written(tmp_path)[0]["note failed"]
    if not torch.cuda.is_available():
        with pytest.raises(SystemExit):
            gpu.main([str(tmp_path)])
        assert "there is no CUDA device; --device cpu --quick tries the script" in capsys.readouterr().err
