"""Quick by default; with CONVSCOPE_FAULTS=full (``make test-faults``) the long versions. What was tried is counted."""

from collections import Counter

import pytest

from convscope.engine.devices import survey

from ..helpers import FULL
from .server import Server

__all__ = ("COUNTS", "ENGINES", "FULL")
ENGINES = survey().engines
COUNTS = Counter()


@pytest.fixture(scope="module")
def server():
    program = Server()
    yield program
    program.close()


def pytest_terminal_summary(terminalreporter):
    if COUNTS:
        failed = len(terminalreporter.stats.get("failed", [])) + len(terminalreporter.stats.get("error", []))
        terminalreporter.section("what was tried")
        for name, count in sorted(COUNTS.items()):
            terminalreporter.write_line(f"{count:>7,}  {name}")
        terminalreporter.write_line(f"{failed:>7,}  failures")
