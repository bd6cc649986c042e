"""Verbs that read text files or know things by heart do not wait for PyTorch: they run where it is not there at all."""

import subprocess
import sys

import pytest

from ..helpers import ENVIRONMENT, NET, run_json

PROGRAM = """
import sys
sys.modules["torch"] = None  # whoever imports it fails
from convscope.cli import main
main(sys.argv[1:])
"""


@pytest.fixture
def finished(here, capsys):
    run = run_json(capsys, "train", "stripes.npz", "--net", NET, "--epochs", "1")["run"]
    (here / run).rename(here / "runs" / "97531")
    return here


def run(folder, *words):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("runs", "97531"),
        ("runs --json", '"state": "finished"'),
        ("recipe 97531", "epochs = 1"),
        ("recipe mnist-99", "one-cycle"),
        ("nets", "resnet8"),
        ("shapes note", "multiply-adds"),
        ("train --help", "--recipe"),
        ("compare 97531 97531", "compare.png"),
    ],
)
def test_it_runs_without_torch(finished, words, told):
    done = run(finished, *words.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert told in done.stdout
