"""convscope lab as a user starts and ends it."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from convscope.errors import DataError, UsageError
from convscope.lab.server.serve import DEFAULT_PORT
from convscope.lab.shelf import choose


def heed():
    """Let Ctrl-C through: what a shell starts in the background ignores it, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def start():
    """Starts a lab; whatever becomes of the test, none is left running and no pipe is left open."""
    with ExitStack() as labs:

        def start(*arguments, program=("-m", "convscope")):
            lab = subprocess.Popen(
                [sys.executable, *program, "lab", "--no-browser", *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "COLUMNS": "200"},
                preexec_fn=heed,
            )
            labs.enter_context(lab)
            labs.callback(lab.kill)
            return lab

        yield start


def serving(lab):
    """The address of ``lab``, once it answers: only then does it also listen to Ctrl-C."""
    line = lab.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{32}/$", line.strip())
    if not found:
        lab.kill()  # it may well be serving: nothing below waits for it
        pytest.fail(f"the lab said {line!r}: {lab.stderr.read()}")
    assert httpx.get(found.group(), timeout=60).status_code == 200
    return found.group()


def test_it_serves_until_ctrl_c(start):
    """Also right after its first answer, while it still loads what later answers need."""
    lab = start("--port", "0")
    serving(lab)
    lab.send_signal(signal.SIGINT)
    out, err = lab.communicate(timeout=120)
    assert lab.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert "Ctrl-C ends it" in err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--host", "localhost"], 2, "--host must be an IP address, not 'localhost'"),
        (["--host", "192.0.2.1"], 2, "cannot listen on 192.0.2.1"),
        (["--port", "70000"], 2, "less than or equal to 65535"),
    ],
)
def test_refusals(start, arguments, code, words):
    lab = start(*arguments)
    out, err = lab.communicate(timeout=120)
    assert (lab.returncode, out) == (code, "")
    assert words in err
    assert "Traceback" not in err


def test_a_taken_port_of_the_users_choice_is_an_error(start):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        lab = start("--port", str(port))
        _, err = lab.communicate(timeout=120)
    assert lab.returncode == 2
    assert f"cannot listen on 127.0.0.1, port {port}" in err
    assert "choose another --port" in err


def test_the_default_port_gives_way(start):
    """The default is set to a port that this test holds, for others may take and free 8765 meanwhile."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        patched = f"from convscope.lab.server import serve\nserve.DEFAULT_PORT = {port}"
        code = f"{patched}\nfrom convscope.cli import run\nrun()"
        lab = start(program=("-c", code))
        assert f":{port}/" not in serving(lab)
        lab.send_signal(signal.SIGINT)
        _, err = lab.communicate(timeout=120)
    assert f"port {port} is taken" in err
    assert DEFAULT_PORT == 8765


def test_data_of_a_run_that_were_moved_can_be_named(trained, here):
    Path("stripes.npz").rename("moved.npz")
    shelf, room = choose(trained, "moved.npz")
    assert room.startswith("#/inside?run=")
    assert len(shelf.open(Path(trained).name).images) == 30
    with pytest.raises(DataError, match="are no longer at"):
        _ = choose(trained)[0].open(Path(trained).name).images
    with pytest.raises(UsageError, match="--data says where the data of a run are now"):
        choose("digits", "moved.npz")
