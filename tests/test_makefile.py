"""The Makefile where people keep their things: folders and environments whose names hold spaces and quotes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FAKE = '#!/bin/sh\necho "$(basename "$0") $*" >> "$LOG"\n'


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("project", ["a project", "it's mine"])
def test_an_active_environment_is_used_once_and_nothing_else_is_made(tmp_path, project):
    here, environment = tmp_path / project, tmp_path / "my env's"
    (environment / "bin").mkdir(parents=True)
    here.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, here)
    for name in ("python", "convscope"):
        (environment / "bin" / name).write_text(FAKE)
        (environment / "bin" / name).chmod(0o755)
    variables = os.environ | {"VIRTUAL_ENV": str(environment), "LOG": str(tmp_path / "log")}
    for target in ("train", "train", "test", "test", "train"):
        done = subprocess.run(["make", target], cwd=here, env=variables, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
    said = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    install = [
        "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--constraint",
        "constraints.txt",
    ]
    assert [line[:3] if "pytest" in line else line for line in said] == [
        ["python", "-m", "pip", "--version"],
        [*install, "--editable", "."],
        ["convscope", "train"],
        ["convscope", "train"],
        ["python", "-m", "pip", "--version"],
        [*install, "--editable", ".[dev]"],
        ["python", "-m", "pytest"],
        ["python", "-m", "pytest"],
        ["convscope", "train"],
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["log", "my env's", project])
    assert {path.name for path in here.iterdir()} == {"Makefile", "pyproject.toml", "constraints.txt"}


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_tests_bring_what_training_needs(tmp_path):
    """Who has the development's environment has the one to train in: nothing is installed again."""
    (tmp_path / "env" / "bin").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("python", "convscope"):
        (tmp_path / "env" / "bin" / name).write_text(FAKE)
        (tmp_path / "env" / "bin" / name).chmod(0o755)
    variables = os.environ | {"VIRTUAL_ENV": str(tmp_path / "env"), "LOG": str(tmp_path / "log")}
    subprocess.run(["make", "test", "train"], cwd=tmp_path, env=variables, capture_output=True, check=True, timeout=60)
    said = (tmp_path / "log").read_text()
    assert said.count("pip install") == 1
    assert said.count("--editable .[dev]") == 1
