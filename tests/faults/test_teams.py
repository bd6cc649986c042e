"""Two processes: random recipes give the bits of one, and a process that is killed at any moment ends the other."""

import os
import random
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest

from convscope import job
from convscope.data.sources import open_source
from convscope.runs import folder as runs

from ..distributed.launch import begin, ended
from ..distributed.test_together import alone, check_equal, one
from ..helpers import write_npz
from .attempt import dataset
from .conftest import COUNTS, ENGINES, FULL

LONG = {"epochs": 30, "net": "conv 4 3 | batchnorm | relu | pool 2 | linear", "log_interval": 4}
KILLS = 20 if FULL else 1
MOST_SECONDS = 10.0  # until the other has ended


def drawn(number):
    """A recipe by its number."""
    draw = random.Random(number)
    norm, dropout = draw.choice([[], ["batchnorm"]]), draw.choice([[], ["dropout 0.3"]])
    body = draw.choice([["conv 4 3"], ["conv 4 5 padding=2"], ["conv 4 3", "relu", "conv 6 3"]])
    momentum = draw.choice([0.0, 0.9])
    return {
        "engine": draw.choice(ENGINES),
        "net": " | ".join([*body, *norm, "relu", "pool 2", *dropout, "linear"]),
        "optimizer": draw.choice(["sgd", "sgdw", "adam", "adamw", "muon"]),
        "momentum": momentum,
        "nesterov": momentum > 0 and draw.random() < 0.5,
        "weight_decay": draw.choice([0.0, 0.01]),
        "schedule": draw.choice(["constant", "cosine", "one-cycle"]),
        "loss": draw.choice(["cross-entropy", "mse", "mae"]),
        "clip_norm": draw.choice([None, 0.5]),
        "ema": draw.choice([0.0, 0.9]),
        "augment": draw.choice(["none", "flip | shift 1", "rotate 10"]),
        "patience": draw.choice([None, 1]),
        "batch_size": draw.choice([1, 7, 16, 59, 60]) if not norm else draw.choice([7, 16, 60]),
        "epochs": draw.randint(1, 3),
        "seed": number,
    }


RECIPES = 20


def test_the_random_recipes_have_everything_with_both_engines():
    found = [drawn(number) for number in range(RECIPES)]
    for engine in ENGINES:
        own = [choices for choices in found if choices["engine"] == engine]
        assert {choices["optimizer"] for choices in own} >= {"sgd", "adam"}
        assert {"batchnorm" in choices["net"] for choices in own} == {True, False}
        assert {choices["augment"] != "none" for choices in own} == {True, False}
        assert any(len(dataset().train) % choices["batch_size"] for choices in own)  # the last batch is uneven


@pytest.mark.skipif(not FULL, reason="20 recipes of two processes: make test-faults")
def test_random_recipes_give_the_bits_of_one(tmp_path):
    recipes = {str(tmp_path / f"together-{number}"): drawn(number) for number in range(RECIPES)}
    results = ended(begin([{"out": out, "choices": choices} for out, choices in recipes.items()], tmp_path))
    assert [code for code, _ in results] == [0, 0], results
    for number, (out, choices) in enumerate(recipes.items()):
        check_equal(alone(tmp_path / f"alone-{number}", choices["engine"], choices), one(out))
        COUNTS["recipes of two processes"] += 1


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run that nobody disturbs, by engine."""
    base = tmp_path_factory.mktemp("whole")
    return cache(lambda engine: alone(base / engine, engine, LONG))


@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_process_ends_the_other_and_the_run_resumes(tmp_path, monkeypatch, whole, number):
    monkeypatch.setattr(job, "save_figure", lambda *_: None)
    draw = random.Random(number)
    engine, victim, epochs = ENGINES[number % len(ENGINES)], number // len(ENGINES) % 2, draw.randint(0, 15)
    out = tmp_path / "out"
    gpus = number % 3 == 1  # the exchange of GPUs, which hangs where a process has died
    task = {"out": str(out), "choices": {**LONG, "engine": engine}, "last": True, "gpus": gpus}
    processes = begin([task], tmp_path)
    while not list(runs.every(out)) or len(one(out).epochs()) < epochs:
        assert all(process.poll() is None for process in processes), ended(processes)
        time.sleep(0.01)
    time.sleep(draw.random() / 20)  # anywhere in an epoch
    processes[victim].kill()
    killed = time.monotonic()
    code, errors = ended([processes[1 - victim]])[0]
    took = time.monotonic() - killed
    processes[victim].communicate()
    assert code == 1, errors
    assert f"rank {victim} (process {processes[victim].pid} on " in errors
    assert took <= MOST_SECONDS
    if not victim:
        assert "what rank 0 saved last is whole: convscope resume RUN" in errors
    found = list(job.resume(one(out), dataset()))[-1].folder
    check_equal(whole(engine), found)
    COUNTS["kills of one of two processes"] += 1


def lives(pid):
    """Whether there is such a process. One that has ended and that nobody has asked for is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not (FULL and Path("/proc/self/task").exists()), reason="torchrun is killed: make test-faults")
@pytest.mark.parametrize("victim", ["torchrun", "rank 0", "rank 1"])
def test_nobody_is_left_where_torchrun_or_one_of_its_processes_is_killed(tmp_path, victim):
    write_npz(tmp_path / "stripes.npz", train=64)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "convscope", "train"]
    command += ["stripes.npz", "--net", "conv 4 3 | relu | linear", "--epochs", "1000000"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as torchrun:
        while not list(runs.every(tmp_path / "runs")) or not one(tmp_path / "runs").epochs():
            assert torchrun.poll() is None, torchrun.communicate()
            time.sleep(0.05)
        tasks = Path(f"/proc/{torchrun.pid}/task").glob("*/children")
        ranks = [int(child) for task in tasks for child in task.read_text().split()]
        assert len(ranks) == 2
        os.kill({"torchrun": torchrun.pid, "rank 0": ranks[0], "rank 1": ranks[1]}[victim], signal.SIGKILL)
        killed = time.monotonic()
        while any(map(lives, (torchrun.pid, *ranks))):
            assert time.monotonic() - killed <= MOST_SECONDS
            time.sleep(0.05)
        assert "error: " in torchrun.stderr.read().decode()
    done = len(one(tmp_path / "runs").epochs())
    list(job.resume(one(tmp_path / "runs"), open_source(str(tmp_path / "stripes.npz")), done + 2))
    assert len(one(tmp_path / "runs").epochs()) == done + 2
    COUNTS["kills of torchrun or its processes"] += 1
