"""Several threads, forked children: an engine and a predictor work there as they do alone, or say why not."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from convscope.engine.jit import JitPredictor
from convscope.engine.jit.machine import cores, runtime
from convscope.errors import UsageError
from convscope.net.build import build
from convscope.net.zoo import resolve

from ..helpers import ENVIRONMENT

SHAPE = (1, 9, 11)


def predictor(cache, threads=1):
    return JitPredictor(
        build(resolve("conv 3 3 | relu | linear"), SHAPE, 4), SHAPE, (0.3,), (0.4,), threads, cache_dir=cache
    )


def images(count):
    return torch.randint(0, 256, (count, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_a_program_is_seen_by_others_only_when_it_is_whole(tmp_path, monkeypatch):
    """Every slot that ``_load`` fills is filled before the program is published."""
    given = predictor(tmp_path)
    published = []
    array = runtime.Job.array

    def watched(self, slot, values):
        if not given._core.lock.locked():  # inside _load
            published.append(any(loaded.job is self for loaded in given._core.loaded.values()))
        array(self, slot, values)

    monkeypatch.setattr(runtime.Job, "array", watched)
    given.logits(images(40))
    assert len(published) >= 2  # memory and weights
    assert not any(published)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_that_ask_a_new_predictor_at_once_get_the_scores_of_one(tmp_path, threads):
    given, batch = predictor(tmp_path), images(40)
    expected = given.logits(batch)
    together, before = threading.Barrier(8), sys.getswitchinterval()

    def ask(shared):
        together.wait()
        return [shared.logits(batch) for _ in range(3)] + [shared.logits(batch[:1])]

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            for _ in range(5):
                shared = predictor(tmp_path, threads)
                for *many, one in pool.map(ask, [shared] * 8):
                    assert all(torch.equal(scores, expected) for scores in many)
                    assert torch.allclose(one, expected[:1], atol=1e-5)
    finally:
        sys.setswitchinterval(before)


def test_pieces_do_not_change_scores(tmp_path, monkeypatch):
    batch = images(100)
    whole = predictor(tmp_path, 2).logits(batch)
    monkeypatch.setattr("convscope.engine.jit.compiled.PIECE", 32)
    assert torch.equal(predictor(tmp_path, 2).logits(batch), whole)


FORKED = """
import os, signal, sys, threading, time
import torch
from torch import nn
from convscope.engine.base import Problem
from convscope.engine.jit import JitEngine, JitPredictor
from convscope.errors import UsageError
net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
images, labels = torch.randint(0, 256, (640, 1, 8, 8), dtype=torch.uint8), torch.randint(0, 10, (640,))
predictor = JitPredictor(net, (1, 8, 8), (0.5,), (0.5,), 2)
engine = JitEngine(Problem(net, images, labels, (0.5,), (0.5,)), 2)

def forked(work):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)  # a child that hangs is killed
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0

def child():
    scores = predictor.logits(images)
    assert torch.equal(scores, expected)
    assert engine.steps(torch.arange(640), 64, [0.01] * 10).isfinite().all()
    forked(lambda: engine.steps(torch.arange(64), 64, [0.01]))  # and a child's child

expected = predictor.logits(images)
engine.steps(torch.arange(640), 64, [0.0] * 10)
forked(child)
assert torch.equal(predictor.logits(images), expected)

# Beside a thread that predicts and compiles without end.
stop = threading.Event()
def busy():
    while not stop.is_set():
        fresh = JitPredictor(net, (1, 8, 8), (0.5,), (0.5,), 2)
        fresh.logits(images), predictor.logits(images)
thread = threading.Thread(target=busy)
thread.start()
def fresh():
    assert torch.equal(JitPredictor(net, (1, 8, 8), (0.5,), (0.5,), 2).logits(images), expected)
    assert torch.equal(predictor.logits(images), expected)
for _ in range(8):
    forked(fresh)
stop.set()
thread.join()

# After torch's own threads have worked: they are not in the child either.
torch.set_num_threads(2)
wide = nn.Sequential(nn.Flatten(), nn.Linear(64, 2000), nn.ReLU(), nn.Linear(2000, 10))
torch.randn(10**6).add(1).sum()
busy_engine = JitEngine(Problem(wide, images, labels, (0.5,), (0.5,)), 2)
busy_predictor = JitPredictor(wide, (1, 8, 8), (0.5,), (0.5,), 2)
busy_engine.steps(torch.arange(640), 64, [0.0] * 10)
forked(lambda: (busy_engine.steps(torch.arange(640), 64, [0.01] * 10), busy_predictor.refresh()))
assert torch.get_num_threads() == 2

# Beside an engine in the middle of an update: its weights in the child are half new.
def refused():
    try:
        engine.steps(torch.arange(64), 64, [0.01])
    except UsageError as error:
        assert "build it again" in error.help
    else:
        raise AssertionError("not refused")
    assert predictor.logits(images).shape == (640, 10)
with engine._core.change():
    forked(refused)
engine.steps(torch.arange(64), 64, [0.01])
"""


@pytest.mark.skipif(not hasattr(sys, "getswitchinterval") or sys.platform in ("win32", "darwin"), reason="needs fork")
def test_a_forked_child_predicts_and_trains(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED],
        capture_output=True,
        text=True,
        timeout=100,
        env=ENVIRONMENT | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr


def test_threads_that_cannot_be_started_are_told_and_those_begun_end(tmp_path, monkeypatch):
    start, before = threading.Thread.start, set(threading.enumerate())
    begun = []

    def limited(self):
        if len(begun) == 3:
            raise RuntimeError("can't start new thread")
        begun.append(self)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", limited)
    with pytest.raises(UsageError, match=r"^only 3 of 5 threads could be started\n  help: take fewer threads$"):
        predictor(tmp_path, 5)
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("threads", [0, -1, 1025, 10**6, 2.0, "2", None, True])
def test_how_many_threads_is_a_number_with_bounds(tmp_path, threads):
    with pytest.raises(UsageError, match="threads must be a whole number from 1 to 1,024, not "):
        predictor(tmp_path, threads)


@pytest.mark.skipif(sys.platform != "linux", reason="threads are moved between cores on Linux alone")
def test_threads_of_one_call_begin_on_cores_of_their_own(monkeypatch):
    """Who finds the own core taken moves to each free one in turn, and is bound to none; with no more, it stays."""
    allowed = os.sched_getaffinity(0)
    call, asked = cores.Cores(), []
    monkeypatch.setattr(cores, "_current_core", lambda: min(allowed))  # all threads are woken there
    given = os.sched_setaffinity
    monkeypatch.setattr(os, "sched_setaffinity", lambda thread, to: (asked.append(set(to)), given(thread, to)))
    for _ in range(len(allowed) + 1):
        call.take()
    moves, freed = asked[::2], asked[1::2]
    assert moves[: len(allowed) - 1] == [{core} for core in sorted(allowed)[1:]]
    assert all(cores == allowed for cores in freed)
    assert os.sched_getaffinity(0) == allowed


def test_where_threads_may_not_be_moved_they_begin_where_they_are(monkeypatch):
    def forbidden(*_):
        raise PermissionError

    monkeypatch.setattr(cores, "_current_core", lambda: 0)
    monkeypatch.setattr(os, "sched_setaffinity", forbidden, raising=False)
    call = cores.Cores()
    for _ in range(3):
        call.take()
    assert call._taken == {0}
