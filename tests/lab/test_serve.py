"""``convscope lab`` as a process: what it prints, how it ends, and what it does when too many come."""

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

import convscope
from convscope.lab.server.guard.access import TOKEN_HEADER
from convscope.lab.server.serve import KEPT_FREE, MOST_CONNECTIONS, most_connections

from .test_training import until

HOME = str(Path(convscope.__file__).parents[1])
CHOICES = {"data": "digits", "net": "flatten | linear", "epochs": 100_000}


@contextlib.contextmanager
def started(folder, *, shell='exec "$@"', port=0):
    """A lab of its own; its address is what it prints."""
    environment = {**os.environ, "PYTHONPATH": HOME}
    words = [sys.executable, "-m", "convscope", "lab", "--no-browser", "--port", str(port)]
    lab = subprocess.Popen(
        ["sh", "-c", shell, "sh", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield lab
    finally:
        if lab.poll() is None:
            lab.kill()
        lab.communicate()


def key_of(lab):
    line = lab.stdout.readline()
    found = re.fullmatch(r"the lab is at (http://127\.0\.0\.1:\d+/([\w-]{32}))/\n", line)
    assert found, line
    return found[1], {TOKEN_HEADER: found[2]}


def test_ctrl_c_while_a_page_watches_a_run_ends_without_a_traceback(tmp_path):
    with started(tmp_path) as lab:
        url, headers = key_of(lab)
        with httpx.Client(base_url=url, headers=headers, timeout=60) as page:
            job = page.post("/api/train", json=CHOICES).json()["job"]
            with page.stream("GET", f"/api/train/events?job={job}") as events:
                lines = events.iter_lines()
                assert any('"status": "training"' in line for line in lines)
                lab.send_signal(signal.SIGINT)
                for _ in lines:
                    pass
        errors = lab.communicate(timeout=60)[1]
        assert lab.returncode == 130
        assert errors.splitlines() == ["the lab is starting …", "Ctrl-C ends it", "stopped"][: len(errors.splitlines())]
    run = convscope.load(tmp_path / "runs" / "custom-digits-1")
    assert run.folder.resume_point() is not None


def test_a_lab_without_a_stdout_serves_and_says_nothing(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with started(tmp_path, shell='exec "$@" >&-', port=port) as lab:

        def answers():
            assert lab.poll() is None, lab.stderr.read()
            with contextlib.suppress(httpx.TransportError):
                return httpx.get(f"http://127.0.0.1:{port}/").status_code == 403
            return False

        until(answers)
        lab.send_signal(signal.SIGINT)
        errors = lab.communicate(timeout=60)[1]
        assert lab.returncode == 130
        assert "Traceback" not in errors


def test_more_connections_than_descriptors_wait_quietly(tmp_path):
    """A page, or a program gone wild, opens a hundred where the lab may open 64 files: then it works as before."""
    with started(tmp_path, shell='ulimit -n 64; exec "$@"') as lab:
        url, headers = key_of(lab)
        port = int(re.search(r":(\d+)/", url)[1])
        assert httpx.get(f"{url}/api/runs", timeout=60).json() == []
        with contextlib.ExitStack() as many:
            for _ in range(100):  # at once: those that the lab has not accepted yet do not keep the others
                one = many.enter_context(socket.socket())
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
            time.sleep(1.5)  # asyncio tries again after a second
        with httpx.Client(base_url=url, headers=headers, timeout=60) as page:
            assert page.get("/api/runs").json() == []
            assert page.post("/api/train", json={**CHOICES, "epochs": 1}).json() == {"job": 1}
        lab.send_signal(signal.SIGINT)
        errors = lab.communicate(timeout=60)[1]
        assert "Traceback" not in errors
        assert len(errors.splitlines()) <= 3


@pytest.mark.parametrize(("limit", "most"), [(1024, 976), (64, 16), (10, 8), (10**6, MOST_CONNECTIONS)])
def test_connections_leave_descriptors_to_the_rest(monkeypatch, limit, most):
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limit, limit))
    assert most_connections() == most
    assert most >= 8
    assert limit < 64 or most + KEPT_FREE <= limit


def test_the_page_needs_no_pytorch(tmp_path):
    """It is there while PyTorch is still being imported, which takes long on a busy machine."""
    code = (
        "import sys\nfrom convscope.cli import lab\nfrom convscope.lab.server import serve, front, guard\n"
        "from starlette.testclient import TestClient\naccess = guard.Access()\n"
        "app = front.front(access, lambda *_: None)\nassert 'torch' not in sys.modules\n"
        "with TestClient(app, base_url='http://127.0.0.1') as page:\n"
        "    answer = page.get(f'/{access.token}/')\n    assert answer.status_code == 200, answer.text\n"
        "    assert access.token in answer.text\nassert 'torch' not in sys.modules\nprint('ok')\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": HOME},
    )
    assert done.stdout == "ok\n", done.stderr


def test_something_is_said_before_anything_is_loaded(tmp_path):
    """The first line comes even where what follows takes long: here it never ends well."""
    done = subprocess.run(
        [sys.executable, "-m", "convscope", "lab", "no-such-run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": HOME},
    )
    assert done.returncode == 3
    assert done.stderr.startswith("the lab is starting …\nerror: there is neither a run nor data called 'no-such-run'")
