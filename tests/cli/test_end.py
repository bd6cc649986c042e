"""How the process ends: with its exit code, and nothing of its output lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..helpers import ENVIRONMENT

FULL = Path("/dev/full")
COMMAND = [sys.executable, "-m", "convscope"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nets"], 0),
        (["--version"], 0),
        (["train", "there-is-no-such-data"], 3),
        (["train", "--lr"], 2),
    ],
)
def test_exit_codes(arguments, code):
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    assert done.returncode == code
    assert (done.stdout if code == 0 else done.stderr).strip()
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_is_a_failure(unbuffered):
    with FULL.open("w") as full:
        done = subprocess.run(
            [*COMMAND, "nets"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            env=ENVIRONMENT | {"PYTHONUNBUFFERED": unbuffered},
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: the output could not be written: No space left on device",
        "help: free some space and try again",
    ]


def test_a_reader_that_goes_away_is_no_traceback():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, "nets"], stdout=writing, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, timeout=60
    )
    os.close(writing)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
