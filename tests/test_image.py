"""The Dockerfile: linted everywhere by what matters, and built where a Docker engine answers and long tests are asked
for (CONVSCOPE_FAULTS=full)."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments), with lines that continue joined and comments left out."""
    lines = [line for line in TEXT.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]  # type: ignore[misc]


def arguments(name: str) -> list[str]:
    return [text for word, text in instructions() if word == name]


def sent(path: str) -> bool:
    """Whether .dockerignore lets a path of the repository through: the last rule that fits decides."""
    kept = True
    for rule in (ROOT / ".dockerignore").read_text().split():
        if any(fnmatch.fnmatch(path, pattern) for pattern in (rule.lstrip("!"), rule.lstrip("!") + "/*")):
            kept = rule.startswith("!")
    return kept


def test_every_instruction_is_one_of_docker_s():
    known = {"FROM", "RUN", "COPY", "WORKDIR", "ENV", "LABEL", "USER", "EXPOSE", "ENTRYPOINT", "CMD"}
    assert {word for word, _ in instructions()} == known
    assert instructions()[0][0] == "FROM"


def test_images_and_packages_are_pinned():
    for image in arguments("FROM"):
        assert re.match(r"[\w./-]+:\d+\.\d+[\w.-]*( AS \w+)?$", image), image
    constraints = (ROOT / "constraints.txt").read_text()
    for command in arguments("RUN"):
        for name, version in re.findall(r" (\w[\w-]*)==(\S+)", command):
            assert f"{name}=={version}\n" in constraints
        if "pip install" in command:
            assert command.count("--no-cache-dir") == command.count("pip install"), "caches stay in the layer"
    assert any("--requirement /tmp/requirements.lock" in command for command in arguments("RUN"))


def test_pytorch_comes_without_cuda():
    """It must be --extra-index-url: with --find-links pip takes the build for CUDA, for its version is the same."""
    install = next(command for command in arguments("RUN") if "requirements.lock" in command)
    assert "--extra-index-url https://download.pytorch.org/whl/cpu" in install
    assert "torch==" in (ROOT / "requirements.lock").read_text()


def test_what_is_copied_is_there_and_is_sent():
    for text in arguments("COPY"):
        if text.startswith("--from=build"):
            continue
        *sources, _ = text.split()
        for source in sources:
            assert (ROOT / source).exists(), source
            assert sent(source), f".dockerignore keeps {source} away"
    assert sent("convscope/cli/train.py")
    assert not sent("tests/conftest.py")
    assert not sent(".git/config")
    assert not sent("convscope/cli/__pycache__/train.pyc")


def test_it_runs_as_no_root_and_signals_reach_it():
    words = [word for word, _ in instructions()]
    assert arguments("USER") == ["convscope"]
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert "RUN" not in words[words.index("USER") :]
    assert json.loads(arguments("ENTRYPOINT")[0]) == ["convscope"]  # without a shell, which keeps Ctrl-C to itself
    assert json.loads(arguments("CMD")[0]) == ["--help"]


def engine() -> bool:
    return shutil.which("docker") is not None and not subprocess.run(["docker", "info"], capture_output=True).returncode


@pytest.mark.skipif(
    os.environ.get("CONVSCOPE_FAULTS") != "full" or not engine(), reason="needs a Docker engine and time"
)
def test_it_is_built_and_tells_the_devices():
    subprocess.run(["docker", "build", "--tag", "convscope-test", ROOT], check=True, timeout=1800)
    told = subprocess.run(
        ["docker", "run", "--rm", "convscope-test", "devices", "--json"], check=True, capture_output=True, timeout=120
    )
    assert json.loads(told.stdout)["unused"] == ""
