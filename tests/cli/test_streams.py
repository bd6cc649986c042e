"""Streams of a command: closed, full, gone, and of encodings that lack characters."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convscope.cli import streams

from ..helpers import ENVIRONMENT, run_cli

COMMAND = [sys.executable, "-m", "convscope"]
TRAIN = ["train", "digits", "--net", "flatten | linear", "--epochs", "3", "--threads", "1"]
RUN = Path("runs/custom-digits-1")
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX streams")


def whole(folder):
    """All files of a finished run are there."""
    return {path.name for path in folder.iterdir()} >= {"summary.json", "model.safetensors", "curves.png", "epochs.csv"}


@posix
def test_a_reader_that_goes_away_does_not_stop_training(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, *TRAIN],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        cwd=tmp_path,
        timeout=100,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
    assert whole(tmp_path / RUN)


@posix
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_reader_that_goes_away_gets_no_traceback(language, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, "batches"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT | {"CONVSCOPE_LANG": language},
        cwd=tmp_path,
        timeout=100,
    )
    os.close(writing)
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_behind_stdout_does_not_stop_training_but_is_told(tmp_path):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *TRAIN],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            cwd=tmp_path,
            timeout=100,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: the output could not be written: No space left on device\n")
    assert whole(tmp_path / RUN)


@posix
def test_all_streams_may_be_closed(tmp_path):
    words = ["sh", "-c", '"$@" <&- >&- 2>&-', "sh"]
    env = ENVIRONMENT | {"OMP_NUM_THREADS": "1"}
    assert subprocess.run([*words, *COMMAND, *TRAIN], cwd=tmp_path, env=env, timeout=100).returncode == 0
    assert whole(tmp_path / RUN)
    assert subprocess.run([*words, *COMMAND, "evaluate", RUN], cwd=tmp_path, env=env, timeout=100).returncode == 0
    assert (tmp_path / RUN / "evaluation" / "predictions.csv").exists()
    bad = subprocess.run([*words, *COMMAND, "evaluate", "nothing"], cwd=tmp_path, env=env, timeout=100)
    assert bad.returncode == 3


@posix
def test_in_a_locale_that_knows_ascii_alone_names_are_kept(tmp_path):
    for name in ("café", "中文"):
        (tmp_path / "im" / name).mkdir(parents=True)
        for i in range(6):
            pixels = np.random.default_rng(i).integers(0, 256, (8, 8), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "im" / name / f"ü{i}.png")
    env = {name: value for name, value in ENVIRONMENT.items() if not name.startswith(("LC_", "LANG"))}
    env |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

    def run(*words):
        done = subprocess.run([*COMMAND, *words], capture_output=True, env=env, cwd=tmp_path, timeout=100)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode("utf-8")

    run("train", "im", "--net", "linear", "--epochs", "1", "-q")
    rows = run("predict", "runs/custom-im-1", "im").splitlines()
    assert rows[1].startswith("im/café/ü0.png,")
    assert json.loads((tmp_path / "runs/custom-im-1/environment.json").read_text("utf-8"))["data"]["classes"] == [
        "café",
        "中文",
    ]


class Screen(io.TextIOWrapper):
    """A stream of some encoding that may be a terminal."""

    def __init__(self, encoding, terminal):
        super().__init__(io.BytesIO(), encoding, write_through=True)
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.mark.parametrize(
    ("encoding", "terminal", "asked", "expected"),
    [
        ("ascii", True, False, b"caf? ??"),
        ("cp1252", True, True, b"caf\xe9 ??"),
        ("gbk", True, False, "caf\N{LATIN SMALL LETTER E WITH ACUTE} 中文".encode("gbk")),
        ("ascii", False, False, "café 中文".encode()),
        ("cp1252", False, False, "café 中文".encode()),
        ("cp1252", False, True, b"caf\xe9 ??"),
        ("ascii", False, True, b"caf? ??"),
    ],
)
def test_screens_get_question_marks_and_files_utf8(monkeypatch, encoding, terminal, asked, expected):
    stream = Screen(encoding, terminal)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(streams, "_lost", [])
    if asked:
        monkeypatch.setenv("PYTHONIOENCODING", encoding)
    else:
        monkeypatch.delenv("PYTHONIOENCODING", raising=False)
    streams.prepare()
    stream.write("café 中文")
    assert stream.buffer.getvalue() == expected
    lost = streams.lost_characters()
    if asked and not terminal:
        assert lost == (
            f"the output is {encoding}, which lacks U+{'4E2D' if encoding == 'cp1252' else '00E9'}: "
            "such characters are written as ?; PYTHONIOENCODING=utf-8 keeps them"
        )
    else:
        assert lost == ""


def test_what_was_lost_is_told_at_the_end(monkeypatch, capsys):
    monkeypatch.setattr(streams, "lost_characters", lambda: "something was lost")
    code, _, err = run_cli(capsys, "nets")
    assert (code, err) == (0, "something was lost\n")
