"""``torchrun --nproc-per-node 2 -m convscope train``: one run, one voice."""

import json
import os
import subprocess
import sys

import pytest

from convscope.runs import folder as runs

from ..helpers import run_cli, write_npz

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
    done = torchrun(tmp_path, "train", "stripes.npz", "--net", NET, "--epochs", "1", "-b", "16", "--json")
    assert done.returncode == 0, done.stderr
    (folder,) = runs.every(tmp_path / "runs")
    assert json.loads(done.stdout)["steps"] == 4
    assert folder.environment()["ranks"] == 2


def test_what_is_wrong_is_said_once(tmp_path):
    done = torchrun(tmp_path, "train", "nowhere", "--net", NET)
    assert done.returncode == 1  # torchrun's own
    assert done.stderr.count("error: there are no data called 'nowhere'") == 1
    assert "exitcode  : 3" in done.stderr


@pytest.fixture
def as_rank_0(monkeypatch):
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)


def test_other_verbs_are_refused(capsys, as_rank_0):
    assert run_cli(capsys, "evaluate", "x") == (
        2,
        "",
        "error: torchrun is for train and resume, not for evaluate\nhelp: call it alone: convscope evaluate …\n",
    )


def test_several_trainings_at_once_are_refused(capsys, as_rank_0):
    code, _, errors = run_cli(capsys, "train", "digits", "--seeds", "2")
    assert code == 2
    assert "--seeds cannot be given with torchrun" in errors


def test_local_batchnorm_wants_several_processes(capsys):
    code, _, errors = run_cli(capsys, "train", "digits", "--local-batchnorm", "--epochs", "1")
    assert code == 2
    assert "--local-batchnorm is for several processes, and this is one" in errors
