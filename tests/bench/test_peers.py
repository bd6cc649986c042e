"""bench/peers.py: each tool in a process of its own; one that is not there is said with its reason."""

import sys

import pytest

from bench import peers


@pytest.fixture
def python(tmp_path):
    """A Python that does what it is told, whatever is asked of it."""

    def made(script):
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o700)
        return str(program)

    return made


def test_a_tool_tells_its_accuracy_last(python):
    accuracy, seconds = peers.measured(python("echo words; echo 0.75"), "keras", "photos", 1, 0)
    assert accuracy == 0.75
    assert seconds > 0


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo Traceback >&2; echo 'No module named keras' >&2; exit 1", "No module named keras"),
        ("exit 1", "it ended without a word"),
    ],
)
def test_a_tool_that_fails_has_a_reason_and_no_accuracy(python, script, reason):
    assert peers.measured(python(script), "keras", "photos", 1, 0) == reason


def test_the_table_has_a_row_for_each_tool(tmp_path, monkeypatch, capsys):
    found = {"convscope": iter([(0.5, 10.0), (0.7, 12.0)]), "keras": iter(["No module named keras"])}
    monkeypatch.setattr(peers, "measured", lambda python, tool, *_: next(found[tool]))
    monkeypatch.setattr(sys, "argv", ["peers", str(tmp_path), "--seeds", "2", "--tools", "convscope,keras"])
    peers.main()
    assert capsys.readouterr().out.splitlines() == [
        "| tool | test accuracy | seconds | lines |",
        "|---|---|---|---|",
        "| convscope | 60.0 % ± 14.1 (n = 2) | 11 | 1 |",
        "| keras | No module named keras | | |",
    ]
