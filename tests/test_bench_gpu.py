"""bench/gpu.py up to the device: the same script on the CPU with a few images of noise."""

import json

import pytest
import torch

from bench import gpu


@pytest.mark.parametrize("broken", [False, True], ids=["whole", "with-a-broken-part"])
def test_the_script_keeps_what_each_part_finds(tmp_path, monkeypatch, capsys, broken):
    if broken:
        monkeypatch.setitem(gpu.PARTS, "note", lambda bench: 1 / 0)
    words = [str(tmp_path / "new"), "--device", "cpu", "--quick", "--repeats", "1", "--only", "note,mnist"]
    assert gpu.main(words) == broken
    found = json.loads((tmp_path / "new" / "gpu.json").read_text())
    tables = (tmp_path / "new" / "gpu.md").read_text()
    assert len(found["recipe mnist-99"]["runs"]) == 10
    assert "## Recipe mnist-99: 1 epochs, batch 128, n = 10" in tables
    if broken:
        assert "ZeroDivisionError" in found["note failed"]
        assert "ZeroDivisionError" in capsys.readouterr().out
    else:
        assert {"plain PyTorch", "convscope, fp32"} <= found["epoch of note"].keys()
        assert "70 images, batch 64, 2 updates" in tables


def bench_of(folder, *words):
    given = ["--device", "cpu", "--quick", "--repeats", "1", "--only", "note", *words]
    folder.mkdir()
    return gpu.Bench(gpu.parser().parse_args([str(folder), *given]))


def test_a_contender_is_measured_in_a_process_of_its_own(tmp_path):
    measured = gpu.apart(bench_of(tmp_path / "new"), "note", "epoch of note", "convscope, fp32")
    assert len(measured.epochs) == 1
    assert 0 < measured.median < measured.first


@pytest.mark.parametrize(
    ("script", "reason"),
    [("kill -SEGV $$", "ended with SIGSEGV"), ("echo no compiler; exit 3", "ended with exit code 3")],
    ids=["crash", "failure"],
)
def test_a_contender_that_ends_badly_is_told_beside_the_others(tmp_path, monkeypatch, capsys, script, reason):
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setattr(gpu.sys, "executable", str(program))
    bench = bench_of(tmp_path / "new")
    data = bench.data("mnist")
    bench.given.quick = False
    gpu.epochs_of(bench, "note", gpu.Work(bench.device, "note", data, 64))
    found = json.loads((tmp_path / "new" / "gpu.json").read_text())["epoch of note"]
    assert list(found) == ["plain PyTorch", "convscope, launched", "convscope, fp32", "convscope, bf16"]
    assert f"plain PyTorch, torch.compile: {reason}" in (tmp_path / "new" / "gpu.md").read_text()
    assert ("no compiler" in capsys.readouterr().out) == ("no compiler" in script)


def test_no_contender_is_begun_when_time_is_over(tmp_path):
    with pytest.raises(RuntimeError, match="left out for want of time"):
        gpu.apart(bench_of(tmp_path / "new", "--seconds", "1"), "note", "epoch of note", "convscope, fp32")


def test_wrong_words_end_with_a_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit):
        gpu.main([str(tmp_path), "--only", "notes"])
    assert "no part is called notes; there are tests, note, mnist, cifar, wide" in capsys.readouterr().err
    if not torch.cuda.is_available():
        with pytest.raises(SystemExit):
            gpu.main([str(tmp_path)])
        assert "there is no CUDA device; --device cpu --quick tries the script" in capsys.readouterr().err
