"""``torchrun --nproc-per-node 2 -m convscope train``: one run, one voice."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import convscope
from bench import network
from convscope.errors import UsageError
from convscope.runs import folder as runs

from ..helpers import run_cli, write_npz

ROOT = Path(__file__).parents[2]
NET = "conv 4 3 | relu | pool 2 | linear"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "convscope"]


def torchrun(folder, *arguments):
    return subprocess.run(
        [*TORCHRUN, *arguments],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_two_processes_make_one_run_and_one_result(tmp_path):
    write_npz(tmp_path / "stripes.npz", train=64)
    done = torchrun(tmp_path, "train", "stripes.npz", "--net", NET, "--epochs", "1", "-b", "16")
    assert done.returncode == 0, done.stderr
    (folder,) = runs.every(tmp_path / "runs")
    assert folder.summary().steps == 4
    assert folder.environment()["ranks"] == 2
    assert done.stdout.count("test accuracy ") == 1
    (share,) = re.findall(r"^ +(\d+) % of the time was spent waiting for other processes$", done.stdout, flags=re.M)
    assert 0 <= int(share) <= 100
    assert f"{share} % waiting" in network.row(0.0, 0.0, done.stdout)  # python -m bench.network reads it there


def test_what_is_wrong_is_said_once(tmp_path):
    done = torchrun(tmp_path, "train", "nowhere", "--net", NET)
    assert done.returncode == 1  # torchrun's own
    assert done.stderr.count("error: there are no data called 'nowhere'") == 1
    assert "exitcode  : 3" in done.stderr


@pytest.fixture
def as_rank_0(monkeypatch):
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train", "digits", "--device", "cuda:9"], "error: --device 'cuda:9' is not on this machine\n"),
        (["train", "digits", "--lr", "fast"], "error: --lr is 'fast', which is not a number\n"),
        (["train", "digits", "--batch-size", "0"], "error: --batch-size is 0\n"),
    ],
)
def test_what_one_process_finds_before_it_joins_the_others_it_says_itself(capsys, monkeypatch, as_rank_0, words, told):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("LOCAL_RANK", "1")
    code, _, errors = run_cli(capsys, *words)
    assert (code, told in errors) == (2, True), errors


def test_other_verbs_are_refused(capsys, as_rank_0):
    assert run_cli(capsys, "evaluate", "x") == (
        2,
        "",
        "error: torchrun is for train and resume, not for evaluate\nhelp: call it alone: convscope evaluate …\n",
    )


def test_a_curve_of_other_trainings_is_refused(capsys, as_rank_0):
    code, _, errors = run_cli(capsys, "train", "digits", "--curve")
    assert code == 2
    assert "--curve cannot be given with torchrun" in errors


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: convscope.sweep("digits", {"lr": [0.1]}), "a sweep"),
        (lambda: convscope.lr("digits"), "a range test"),
        (lambda: convscope.Classifier().fit(np.zeros((2, 64)), [0, 1]), "Classifier.fit"),
    ],
)
def test_what_each_process_would_do_for_itself_is_refused_in_python(as_rank_0, call, what):
    with pytest.raises(UsageError, match=f"in several processes, and each of them would do {what}\n") as caught:
        call()
    assert caught.value.help.startswith("call train, resume, steps, seeds or folds, which they do together")


SCRIPT = """
import json, os, sys
import convscope
from convscope import job

job.draw_curves = job.save_figure = lambda *_: None  # Matplotlib's start takes longer than all of this
heard = []
choices = {"net": "conv 4 3 | relu | pool 2 | linear", "batch_size": 16, "threads": 1}
run = convscope.train("stripes.npz", epochs=1, on=[heard.append], **choices)
again = convscope.resume(run, epochs=2)
seen = [type(event).__name__ for event in convscope.steps(convscope.Recipe("stripes.npz", epochs=1, **choices))]
seeds = convscope.seeds("stripes.npz", 2, epochs=1, **choices)
folds = convscope.folds("stripes.npz", 2, epochs=1, **choices)
told = [len(again.history), run.folder.environment()["ranks"], run.path.name, len(heard) > 0, seen[-1], len(seeds.runs)]
with open(f"told.{os.environ['RANK']}", "w") as file:
    json.dump([*told, seeds.spread.mean, folds.accuracies], file)
"""


def test_a_script_trains_together_too_and_more_than_once(tmp_path):
    write_npz(tmp_path / "stripes.npz", train=64)
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [*TORCHRUN[:-2], "script.py"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    first, second = (json.loads((tmp_path / f"told.{rank}").read_text()) for rank in (0, 1))
    assert first[:6] == [2, 2, "custom-stripes-1", True, "Finished", 2]
    assert second[:6] == [2, 2, "custom-stripes-1", False, "Epoch", 2]
    assert first[6:] == second[6:]
    assert len(list(runs.every(tmp_path / "runs"))) == 4


def test_local_batchnorm_wants_several_processes(capsys):
    code, _, errors = run_cli(capsys, "train", "digits", "--local-batchnorm", "--epochs", "1")
    assert code == 2
    assert "--local-batchnorm is for several processes, and this is one" in errors
