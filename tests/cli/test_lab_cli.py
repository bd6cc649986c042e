"""convscope lab as a user starts and ends it."""

import os
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "convscope", "lab", "--no-browser", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip


def test_it_serves_until_ctrl_c():
    lab = start("--port", "0")
    url = re.search(r"http://127\.0\.0\.1:\d+/$", lab.stdout.readline().strip()).group()
    assert httpx.get(url).status_code == 200
    lab.send_signal(signal.SIGINT)
    out, err = lab.communicate(timeout=30)
    assert lab.returncode in (0, 130)
    assert out == ""
    assert "Traceback" not in err
    assert "Ctrl-C ends it" in err


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (["--host", "localhost"], 2, "--host must be an IP address, not 'localhost'"),
    (["--host", "192.0.2.1"], 2, "cannot listen on 192.0.2.1"),
    (["--port", "70000"], 2, "less than or equal to 65535"),
])  # fmt: skip
def test_refusals(arguments, code, words):
    lab = start(*arguments)
    out, err = lab.communicate(timeout=60)
    assert (lab.returncode, out) == (code, "")
    assert words in err
    assert "Traceback" not in err


def test_a_taken_port_of_the_users_choice_is_an_error():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        lab = start("--port", str(port))
        _, err = lab.communicate(timeout=60)
    assert lab.returncode == 2
    assert f"cannot listen on 127.0.0.1, port {port}" in err
    assert "choose another --port" in err


def test_the_default_port_gives_way():
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", 8765))
            other.listen()
        except OSError:
            pass  # somebody else has it: as good
        lab = start()
        line = lab.stdout.readline()
        assert re.search(r"http://127\.0\.0\.1:\d+/$", line.strip())
        assert ":8765/" not in line
        assert httpx.get(line.strip()).status_code == 200  # it listens to signals from here on
        lab.send_signal(signal.SIGINT)
        _, err = lab.communicate(timeout=30)
    assert "port 8765 is taken" in err
