"""Tests have the same names whoever collects them, and whenever: else the cores that share them name different ones."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COLLECT = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-o", "addopts=", "-p", "no:cacheprovider"]


def collection(**settings):
    """A process that collects the suite under these settings of its environment."""
    environment = os.environ.copy() | settings
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_ADDOPTS"):
        environment.pop(name, None)
    return subprocess.Popen(COLLECT, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def names(request, tmp_path_factory):
    """The names that two processes give, in other seconds, with other hash seeds, homes, zones and widths.

    Where this process has collected the whole suite, it is one of the two.
    """
    home = tmp_path_factory.mktemp("home")
    other = collection(PYTHONHASHSEED="1", TZ="Asia/Shanghai", HOME=str(home), COLUMNS="200")
    listed = [named("\n".join(item.nodeid for item in request.session.items))]
    if {item.path for item in request.session.items} != set((ROOT / "tests").rglob("test_*.py")):
        time.sleep(1.1)  # a name that holds the clock's second differs
        listed = [lines(collection(PYTHONHASHSEED="2", TZ="UTC", HOME=str(home), COLUMNS="80"))]
    return [*listed, lines(other)]


def lines(process):
    """The names that a process has written."""
    written = process.communicate()[0]
    assert process.returncode == 0
    return named(written)


def named(text):
    """The lines that name a test; a name may hold the end of a line."""
    return [line for line in text.splitlines() if "::" in line]


def test_two_collections_name_the_same_tests_in_the_same_order(names):
    different = [pair for pair in zip(*names, strict=False) if pair[0] != pair[1]]
    assert not different, f"{len(different)} tests have two names, such as {different[0]}"
    assert len(names[0]) == len(names[1]) > 1000


def test_no_two_tests_share_a_name_and_none_holds_an_address_or_a_place_of_this_machine(names):
    assert len(set(names[0])) == len(names[0])
    assert not [name for name in names[0] if " at 0x" in name or str(ROOT) in name]
