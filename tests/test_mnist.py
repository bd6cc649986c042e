"""The main job on the real MNIST: the note's run, reproduced."""

import os

import pytest

from .helpers import FULL, run_json

pytestmark = [pytest.mark.mnist, pytest.mark.slow]


@pytest.mark.parametrize("seed", range(3 if FULL else 1))
def test_the_notes_run_is_reproduced(mnist_dir, tmp_path, monkeypatch, capsys, seed):
    monkeypatch.setenv("CONVSCOPE_DATA", os.fspath(mnist_dir.parent.resolve()))
    monkeypatch.chdir(tmp_path)
    result = run_json(capsys, "train", "mnist", "--seed", str(seed))
    from convscope.runs.folder import find

    run = find(result["run"])
    losses = {(row.epoch, row.step): row.loss for row in run.losses()}
    for step, expected in ((300, 0.68), (600, 0.18), (900, 0.13)):
        assert losses[1, step] == pytest.approx(expected, rel=0.25)
    assert run.epochs()[0].test_accuracy >= 0.96
    assert result["test_accuracy"] >= 0.985
    assert (result["epochs"], result["steps"]) == (10, 9380)
