"""Every command of the guided tour is run, and prints what the chapter shows.

In a chapter, a line of three dots stands for any lines, three dots within a line for any text: there stand times,
paths, and numbers that depend on the machine's arithmetic. The commands of a chapter run in its order, in one folder.
"""

import re
import shlex
from pathlib import Path

import pytest

from convscope.cli import terminal

from .helpers import run_cli

DOCS = Path(__file__).parent.parent / "docs"
CHAPTERS = sorted((DOCS / "tour").glob("*.md"))
IN_CHINESE = sorted((DOCS / "zh" / "tour").glob("*.md"))


def commands(text: str) -> list[tuple[str, str]]:
    """(command, what it prints) of every ```console block."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", text, flags=re.S | re.M):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            while command.endswith("\\"):
                more, _, output = output.partition("\n")
                command = command[:-1] + more.removeprefix("> ")
            found.append((command, output))
    return found


def pattern(shown: str) -> str:
    """What is shown, as a regular expression."""
    lines = [line.rstrip() for line in shown.strip().splitlines()]
    return "".join("(?:.*\n)*?" if line == "..." else _line(line) + "\n" for line in lines)


def _line(line: str) -> str:
    """Three dots take the spaces around them along: how wide a column is depends on its numbers."""
    return ".*?".join(re.escape(part) for part in re.split(r" *\.\.\. *", line))


def printed(text: str) -> str:
    return "".join(line.rstrip() + "\n" for line in text.strip().splitlines())


@pytest.fixture
def wide(monkeypatch):
    """Tables as on a terminal of 120 columns."""
    monkeypatch.setenv("COLUMNS", "120")
    for console in (terminal.out, terminal.err):
        console.cache_clear()
    yield
    for console in (terminal.out, terminal.err):
        console.cache_clear()


@pytest.mark.parametrize("chapter", CHAPTERS + IN_CHINESE, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_the_commands_print_what_is_shown(chapter, tmp_path, monkeypatch, capsys, wide):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONVSCOPE_OFFLINE", "1")
    monkeypatch.setenv("CONVSCOPE_LANG", "zh" if chapter in IN_CHINESE else "en")
    found = commands(chapter.read_text())
    assert found, "a chapter without a command"
    for command, shown in found:
        if chapter in IN_CHINESE:  # the same pictures with other words: the English chapter has them drawn
            command, shown = re.sub(r" --plot \S+", "", command), re.sub(r"^已画出：.*\n", "", shown, flags=re.M)
        program, *arguments = shlex.split(command)
        assert program == "convscope", command
        code, out, err = run_cli(capsys, *arguments)
        assert (code != 0) == ("error:" in shown or "错误:" in shown), f"{command}: exit {code}\n{err}"
        if shown.strip():
            # On a terminal notes come before results and errors after them; some chapters leave the notes out.
            texts = [printed(text) for text in (err + out, out + err, out)]
            assert any(re.fullmatch(pattern(shown), text) for text in texts), f"{command}\nprinted\n{texts[0]}"


@pytest.mark.parametrize("chapter", CHAPTERS + IN_CHINESE, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_the_pictures_and_links_are_there(chapter):
    for target in re.findall(r"\]\(((?!http)[^)#]+)\)", chapter.read_text()):
        assert (chapter.parent / target).exists(), target


def test_every_chapter_of_the_note_is_there():
    assert [path.name[:2] for path in CHAPTERS][:9] == [f"{i:02}" for i in range(1, 10)]


def test_the_chinese_tour_has_the_same_chapters_and_commands():
    assert [path.name for path in IN_CHINESE] == [path.name for path in CHAPTERS]
    for english, chinese in zip(CHAPTERS, IN_CHINESE, strict=True):
        told = [[command for command, _ in commands(path.read_text())] for path in (english, chinese)]
        assert told[0] == told[1], english.name
