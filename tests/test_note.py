"""The note, line by line: every command and every line of Python on the page is run, and gives what it says.

``# =`` stands before what an expression gives. The Chinese page has the same commands and lines as the English one.
"""

import ast
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from .helpers import run_cli
from .test_tour import pattern, printed

PAGES = Path(__file__).parent.parent / "docs" / "note"
ROOMS = Path(__file__).parent.parent / "convscope" / "lab" / "static" / "js" / "rooms"
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", flags=re.S | re.M)
ENGLISH = (PAGES / "en.md").read_text(encoding="utf-8")


def run_console(text, capsys):
    """Every command of a block, against what the page shows of it."""
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, _, shown = part.partition("\n")
        program, *arguments = shlex.split(command)
        assert program == "convscope", command
        if "mnist" in arguments:
            continue  # tests/test_mnist.py runs it in full
        code, out, err = run_cli(capsys, *arguments)
        assert (code != 0) == shown.startswith("error:"), f"{command}\n{err}"
        if shown.strip():
            assert re.fullmatch(pattern(shown), printed(err + out)), f"{command}\n{err}{out}"


def run_python(text, scope):
    """Every statement of a block; an expression followed by ``# =`` must give what stands there."""
    expected = dict(enumerate((line.partition("# = ")[2] for line in text.splitlines()), 1))
    for statement in ast.parse(text).body:
        code = ast.unparse(statement)
        told = expected[statement.end_lineno]
        if not told:
            exec(compile(code, "docs/note", "exec"), scope)
            continue
        found, value = eval(code, scope), eval(told, scope)
        if isinstance(value, float):
            assert found == pytest.approx(value, rel=1e-5), code
        else:
            assert plain(found) == value, code


def plain(value):
    """Tuples and lists for shapes and arrays; a gradient as a number."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain(one) for one in value) if type(value) in (list, tuple) else tuple(value)
    return value.item() if isinstance(value, np.generic) else value


def test_every_command_and_line_gives_what_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONVSCOPE_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "120")
    scope: dict = {}
    blocks = BLOCK.findall(ENGLISH)
    assert len(blocks) > 50
    for language, text in blocks:
        if language == "console":
            run_console(text, capsys)
        else:
            run_python(text, scope)


def test_the_chinese_page_has_the_same_commands_and_lines():
    assert BLOCK.findall((PAGES / "zh.md").read_text(encoding="utf-8")) == BLOCK.findall(ENGLISH)


@pytest.mark.parametrize("page", ["en.md", "zh.md"])
def test_the_links_to_the_lab_name_rooms_and_what_is_in_their_state(page):
    links = re.findall(r"<http://127\.0\.0\.1:8765/#/(\w+)(?:\?(\S+))?>", (PAGES / page).read_text(encoding="utf-8"))
    assert len(links) >= 10
    for room, query in links:
        source = "".join(path.read_text() for path in [ROOMS / f"{room}.js", *(ROOMS / room).glob("*.js")])
        for name in re.findall(r"(?:^|&)(\w+)=", query):
            assert re.search(rf"\b{name}:", source), f"{room}: {name}"
