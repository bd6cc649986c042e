"""bench/lab.py and what belongs to it, without a lab: a made-up server answers. What its pages and the browser do is
tested with the lab itself; here a browser would take longer than all other tests of bench together."""

import itertools
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from bench import lab, lab_table, visitor


class Lab:
    """Answers as the lab does; ``broken`` paths with 500."""

    def __init__(self):
        self.broken, self.steps = set(), itertools.count()
        self.asked = []

    def __call__(self, request):
        path = request.url.path
        self.asked.append(path)
        if path in self.broken:
            return httpx.Response(500, text="a fault")
        if path == "/":
            return httpx.Response(200, text='<meta name="convscope-token" content="secret">')
        assert request.headers["x-convscope-token"] == "secret"
        step = next(self.steps)
        status = "training" if step < 20 else "done"
        state = {"status": status, "epochs_done": step // 3, "run": "note-1", "step": step // 2, "epoch": 1}
        return httpx.Response(200, text=json.dumps({"job": 1, "state": state}))


@pytest.fixture
def served(monkeypatch):
    """The made-up lab and a visitor of it."""
    server, client = Lab(), httpx.Client
    monkeypatch.setattr(visitor.httpx, "Client", lambda **given: client(**given, transport=httpx.MockTransport(server)))
    monkeypatch.setattr(visitor.time, "sleep", lambda _: None)
    with visitor.Visitor("http://lab") as found:
        yield server, found


def test_a_visitor_trains_draws_and_clicks_and_keeps_the_times(served):
    server, user = served
    assert user.train(3) == "note-1"
    began, first = user.mark()
    ended, last = user.mark()
    assert ended > began
    assert last > first
    user.draw("note-1", 0)
    user.click("note-1", 0)
    assert {name: len(seconds) for name, seconds in user.times().items()} == {
        "a stroke's answer": 1,
        "a click's ledger": 1,
    }
    assert user.times() == {}
    user.finish()
    assert user.errors == []
    assert {"/api/train", "/api/inside/look", "/api/inside/pixel"} <= set(server.asked)


def test_what_is_not_answered_ends_the_bench_with_exit_code_1(served, monkeypatch, capsys):
    server, user = served
    server.broken = {"/api/inside/look"}

    @contextmanager
    def running(folder):
        yield os.getpid(), user

    monkeypatch.setattr(lab, "server", running)
    monkeypatch.setattr(lab.signal, "signal", lambda *_: None)
    for argv, code in ((["lab", "--only", "answers"], 1), (["lab", "--only", "answers"], 0)):
        monkeypatch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as ended:
            lab.main()
        assert ended.value.code == code
        out = capsys.readouterr().out
        assert ("/api/inside/look: 500 a fault" in out) == bool(code)
        assert "a click's ledger: median " in out
        server.broken, user.errors = set(), []


def test_a_line_of_times_and_a_row_of_the_table():
    seconds = [0.010, 0.020, 0.030]
    assert lab.spread("a click", seconds) == "a click: median 20.0, p95 29.0, most 30.0 ms, n = 3"
    assert lab_table.row("a click", seconds) == "| a click | 20.0 | 29.0 | 30.0 | 3 |"


def test_the_slope_of_memory_counts_after_the_first_minute():
    samples = [(0.0, 10.0), (30.0, 50.0), (60.0, 60.0), (120.0, 61.0), (180.0, 62.0)]
    assert lab.told("server", samples) == (
        "server: first 10.0, last 62.0, most 62.0 MiB, +1.00 MiB a minute after the first"
    )
    assert lab.told("server", samples[:2]) == "server: first 10.0, last 50.0, most 50.0 MiB"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not tell a process's memory")
def test_memory_and_children_are_those_that_the_system_tells():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in lab.children(os.getpid())
        child.communicate(b"\n")
    assert child.pid not in lab.children(os.getpid())
    assert lab.resident(os.getpid()) > 10
