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
    for _ in range(2):
        done = subprocess.run(["make", "train"], cwd=here, env=variables, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
    said = (tmp_path / "log").read_text().splitlines()
    assert [line.split()[:4] for line in said] == [
        ["python", "-m", "pip", "--version"],
        ["python", "-m", "pip", "install"],
        ["convscope", "train"],
        ["convscope", "train"],
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["log", "my env's", project])
    assert {path.name for path in here.iterdir()} == {"Makefile", "pyproject.toml", "constraints.txt"}
