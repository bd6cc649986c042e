"""Writes requirements.lock: what convscope needs at run time, pinned as constraints.txt has it.

``python release/lock.py`` follows the requirements of pyproject.toml through what is installed here. A test compares.
"""

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"
HEAD = """\
# What convscope needs at run time, as it was tested (Python 3.11, Linux); written by release/lock.py.
# PyTorch without CUDA: pip install --extra-index-url https://download.pytorch.org/whl/cpu -r requirements.lock
"""
CUDA = re.compile(r"nvidia-.*|cuda-.*|triton")  # what PyTorch's builds for CUDA ask for


def pins() -> dict[str, str]:
    """constraints.txt: name → line."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(line.partition("==")[0]): line for line in lines}


def declared() -> list[str]:
    """What pyproject.toml says is needed at run time."""
    dependencies: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return dependencies


def needed(names: Iterable[str]) -> set[str]:
    """The distributions that ``names`` need on this machine, and they themselves."""
    found: set[str] = set()
    open_ = [Requirement(name) for name in names]
    while open_:
        requirement = open_.pop()
        name = canonicalize_name(requirement.name)
        if name in found:
            continue
        found.add(name)
        wanted = [Requirement(text) for text in requires(name) or []]
        extras = requirement.extras or {""}
        open_ += [r for r in wanted if r.marker is None or any(r.marker.evaluate({"extra": e}) for e in extras)]
    return found


def lock() -> str:
    """The text of requirements.lock."""
    known = pins()
    return HEAD + "".join(known[name] + "\n" for name in sorted(needed(declared())) if not CUDA.fullmatch(name))


if __name__ == "__main__":
    LOCK.write_text(lock())
    print(LOCK.relative_to(ROOT))
