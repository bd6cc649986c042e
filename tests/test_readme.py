"""Every command of the README is run, in its order and in one folder; every verb is in its table."""

import json
import re
import shlex
import statistics
from pathlib import Path

import pytest

from convscope import cli

from .helpers import run_cli

README = Path(__file__).parent.parent / "README.md"
TEXT = README.read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, flags=re.S | re.M)


def commands() -> list[tuple[str, str]]:
    """(command, expected output) of the console blocks; no output given means that any will do."""
    found = []
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def test_the_commands_run_as_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert len(commands()) >= 5
    for command, expected in commands():
        program, *arguments = shlex.split(command)
        assert program == "convscope"
        if "mnist" in arguments:
            continue  # tests/test_mnist.py runs it in full
        code, out, err = run_cli(capsys, *arguments)
        assert (code == 0) != expected.startswith("error:"), f"{command}: {err}"
        if expected:
            assert (err if code else out).rstrip() == expected.rstrip()


def test_the_python_runs_as_shown(tmp_path, monkeypatch, drawn_curves):
    monkeypatch.chdir(tmp_path)
    scope: dict = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), scope)
    assert scope["probabilities"].shape == (10, 10)
    assert scope["again"].accuracy == scope["run"].accuracy
    assert (tmp_path / "curves.png").exists()


def test_every_verb_is_in_the_table_once():
    verbs = {command.name or command.callback.__name__ for command in cli.application().registered_commands}
    assert sorted(verbs) == sorted(re.findall(r"^\| `convscope ([a-z-]+)", TEXT, flags=re.M))


@pytest.mark.parametrize("path", re.findall(r"\]\(((?!http)[^)]+)\)", TEXT))
def test_what_it_links_to_exists(path):
    assert (README.parent / path).exists()


def test_the_make_targets_that_it_names_exist():
    targets = set(re.findall(r"^([a-z-]+):", (README.parent / "Makefile").read_text(), flags=re.M))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", TEXT, flags=re.M)) - {"train", "test"} <= targets


def test_the_figures_are_those_that_were_measured():
    """Every row of the table under "How fast" is made from the raw seconds that `python -m bench --record` kept."""
    record = json.loads((README.parent / "bench" / "recorded.json").read_text())
    seconds = record["epoch"]["seconds"]
    jit = seconds["convscope jit"]
    rows = re.findall(r"^\| (.+?) \| ([\d.]+) \| ([\d.]+) \|$", TEXT, flags=re.M)
    assert {name for name, _, _ in rows} == set(seconds)
    for name, median, times in rows:
        assert median == f"{statistics.median(seconds[name]):.2f}"
        assert times == f"{statistics.median([a / b for a, b in zip(seconds[name], jit, strict=True)]):.1f}"
    whole = record["run"]["seconds"]["convscope train mnist"]
    assert f"takes {statistics.median(whole):.1f} seconds" in TEXT
    assert record["epoch"]["conditions"] in TEXT.replace("\n", " ")
    assert f"n = {len(jit)}" in TEXT


def test_the_ratios_of_compile_are_those_that_were_measured():
    seconds = json.loads((README.parent / "bench" / "recorded.json").read_text())["compile"]["seconds"]
    ratios = {
        batch: statistics.median(
            a / b for a, b in zip(seconds[f"PyTorch {batch}"], seconds[f"convscope {batch}"], strict=True)
        )
        for batch in (1, 1024)
    }
    assert f"{ratios[1]:.1f} times as fast as PyTorch for one image and {ratios[1024]:.1f} times for 1,024" in TEXT
    assert f"n = {len(seconds['PyTorch 1'])}" in TEXT
