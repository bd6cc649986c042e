"""What is published: the wheel made from the sdist, in an environment that holds its requirements and nothing else."""

import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from urllib.request import urlopen

import pytest

import convscope
from convscope.cli import application

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = runpy.run_path(str(ROOT / "release" / "lock.py"))
SOURCES = (
    "pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "CHANGELOG.md", "CITATION.cff", "LICENSE", "NOTICE",
    "constraints.txt", "requirements.lock",
)  # fmt: skip
EXTRA = "export note-digits-1 --to onnx"  # what this needs is an extra
CONV = 'conv --input "1 2 3 / 4 5 6 / 7 8 9" --kernel "1 0 / 0 1"'
VERBS = f"""
train digits --epochs 1 --quiet
train --recipe runs/note-digits-1 --epochs 2 --quiet
resume note-digits-1 --epochs 2 --quiet
evaluate note-digits-1
predict note-digits-1 one.png
export note-digits-1 --to html
report note-digits-1
bundle note-digits-1
runs
compare note-digits-1 note-digits-2
recipe note-digits-1
check digits
augment digits
lr digits --updates 20
sweep digits --lr 0.01,0.1 --epochs 1
nets
shapes note
explain note-digits-1 test:0
loss mse --pred 1,2 --target 1,3
{CONV}
pool --input "1 2 / 3 4"
backprop w*x w=3 x=2
descent --samples 20 --epochs 2
batches
devices
cache
{EXTRA}
"""
EVERY = """
import importlib.util, shlex, sys
import numpy as np
from PIL import Image
from convscope.cli import main
Image.fromarray(np.zeros((8, 8), np.uint8)).save("one.png")
assert not any(map(importlib.util.find_spec, ("pytest", "onnx", "onnxruntime", "playwright", "pandas")))
for line in sys.stdin.read().strip().splitlines():
    try:
        main(shlex.split(line))
    except SystemExit as end:
        print("@", line, end.code, flush=True)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with sdist and wheel, made as `python -m build` does: the wheel from the sdist."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in SOURCES:
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "convscope", source / "convscope", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def bare(built, tmp_path_factory):
    """The folder of the commands of an environment with the wheel. What it needs is linked: nothing is downloaded."""
    place = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True, timeout=60)
    packages = next(place.glob("lib/python3*/site-packages"))
    for name in LOCK["needed"](PROJECT["dependencies"]):
        files = distribution(name).files or []
        base = Path(str(distribution(name).locate_file("")))
        for top in {file.parts[0] for file in files} - {"..", "__pycache__", "bin"}:
            if not (packages / top).exists():
                (packages / top).symlink_to(base / top)
    wheel = next(built.glob("*.whl"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", place / "bin" / "python"]
    done = subprocess.run(
        [*pip, "install", "--quiet", "--no-index", wheel], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr  # pip has looked at every requirement
    return place / "bin"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return kept | {"CONVSCOPE_CACHE": str(tmp_path_factory.mktemp("cache")), "CONVSCOPE_OFFLINE": "1"}


def test_every_verb_runs_where_nothing_but_the_requirements_is(bare, environment, tmp_path):
    done = subprocess.run(
        [bare / "python", "-c", EVERY],
        input=VERBS,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    ended = re.findall(r"^@ (.*) (\d+)$", done.stdout, flags=re.M)
    assert [line for line, code in ended if code != "0"] == [EXTRA], done.stderr
    assert "pip install 'convscope[export]'" in done.stderr
    assert [line for line, _ in ended] == VERBS.strip().splitlines()
    verbs = {command.name or command.callback.__name__ for command in application().registered_commands}
    assert {line.split()[0] for line, _ in ended} == verbs - {"lab"}


def test_the_lab_opens_there(bare, environment, tmp_path):
    with subprocess.Popen(
        [bare / "convscope", "lab", "--port", "0", "--no-browser"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as lab:
        try:
            address = lab.stdout.readline().split()[-1]
            with urlopen(address, timeout=60) as page:
                assert "convscope" in page.read().decode()
            lab.send_signal(signal.SIGINT)
            assert lab.wait(60) in (0, 130)
        finally:
            lab.kill()


def test_the_wheel_holds_every_file_of_the_package(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        held = {name for name in wheel.namelist() if name.startswith("convscope/")}
        metadata = wheel.read("convscope-0.1.0.dist-info/METADATA").decode()
    files = (path for path in (ROOT / "convscope").rglob("*") if path.is_file() and path.suffix != ".pyc")
    assert held == {str(path.relative_to(ROOT).as_posix()) for path in files}
    assert "Project-URL: Repository, " in metadata
    assert re.findall(r"\]\((?!https?://|#)[^)]*\)", metadata) == []
    assert f"![The lab's room on convolution]({PROJECT['urls']['Repository']}/raw/main/docs/images/" in metadata


def test_the_readme_begins_with_pytorch_for_cpus_and_every_extra_is_told():
    first = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.S | re.M)[0]
    assert "uv tool install convscope --torch-backend auto" in first
    assert "pip install convscope --extra-index-url https://download.pytorch.org/whl/cpu" in first
    told = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert set(PROJECT["optional-dependencies"]) - {"dev"} == set(re.findall(r"\[(\w+)\]`", told))
    assert "py -m venv .venv" in told
    for line in re.findall(r".* (?:--find-links|-f) .*", told):
        assert "pip takes the build for CUDA all the same" in line


@pytest.mark.skipif(
    sys.platform != "linux" or sys.version_info[:2] != (3, 11), reason="the lock is that of Python 3.11 on Linux"
)
def test_the_lock_is_what_is_needed_as_it_was_tested():
    assert (ROOT / "requirements.lock").read_text() == LOCK["lock"](), "run python release/lock.py"


def test_one_version_is_told_everywhere():
    version = convscope.__version__
    assert PROJECT["version"] == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert version in (ROOT / "CHANGELOG.md").read_text()
