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


def test_wrong_words_end_with_a_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit):
        gpu.main([str(tmp_path), "--only", "notes"])
    assert "no part is called notes; there are tests, note, mnist, cifar, wide" in capsys.readouterr().err
    if not torch.cuda.is_available():
        with pytest.raises(SystemExit):
            gpu.main([str(tmp_path)])
        assert "there is no CUDA device; --device cpu --quick tries the script" in capsys.readouterr().err
