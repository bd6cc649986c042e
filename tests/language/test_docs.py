"""Every document that a user reads is there in Chinese, with the commands and the code of the English one."""

import re
from pathlib import Path

import pytest

from ..helpers import run_cli
from ..test_tour import commands

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# For contributors.
ENGLISH_ONLY = {"LOG", "architecture", "style", "engine-figures", "engine-failed"}
CHINESE = sorted((DOCS / "zh").glob("*.md"))
PAGES = [ROOT / "README.zh-CN.md", *CHINESE]


def levels(text):
    """How deep each heading is, in their order; a # in a block of code is none."""
    return [len(marks) for marks in re.findall(r"^(#+) ", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M), re.M)]


def code(text, *languages):
    """The lines of the code blocks of these languages, without comments and what is printed."""
    found = []
    for block in re.findall(rf"^```(?:{'|'.join(languages)})\n(.*?)^```", text, flags=re.S | re.M):
        lines = [re.sub(r"\s+#.*$", "", line) for line in block.splitlines()]
        found += [line for line in lines if line.strip()]
    return found


def test_every_page_for_users_has_its_chinese():
    wanted = {path.stem for path in DOCS.glob("*.md")} - ENGLISH_ONLY
    assert wanted <= {path.stem for path in CHINESE}


@pytest.mark.parametrize("page", CHINESE, ids=lambda path: path.stem)
def test_the_code_is_that_of_the_english_page(page):
    english, chinese = ((folder / page.name).read_text(encoding="utf-8") for folder in (DOCS, page.parent))
    assert code(chinese, "python", "sh", "bat", "c") == code(english, "python", "sh", "bat", "c")
    told = [[command.split("#")[0].strip() for command, _ in commands(text)] for text in (english, chinese)]
    assert told[1] == told[0]


@pytest.mark.parametrize("page", [*CHINESE, *sorted((DOCS / "zh" / "tour").glob("*.md"))], ids=lambda path: path.stem)
def test_no_section_of_the_english_page_is_missing(page):
    english = DOCS / page.relative_to(DOCS / "zh")
    assert levels(page.read_text(encoding="utf-8")) == levels(english.read_text(encoding="utf-8"))


def test_the_readmes_show_the_same_python_and_no_command_that_is_not_in_english(capsys, monkeypatch):
    english, chinese = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
    assert set(code(chinese, "python")) <= set(code(english, "python"))
    known = {command for command, _ in commands(english)} | {"convscope train digits --epochs 2"}
    assert {command for command, _ in commands(chinese)} <= known
    verbs, floors, installing = r"^\| `convscope ([a-z-]+)", r"^  ([a-z]+/?) +\S", r"^(?:uv|pip) .*?(?= {2})"
    for shape in (verbs, floors, installing):
        assert set(re.findall(shape, english, re.M)) <= set(re.findall(shape, chinese, re.M))
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    shown = next(output for command, output in commands(chinese) if "pul 2" in command)
    _, out, err = run_cli(capsys, "shapes", "conv 10 5 | pul 2 | linear")
    assert (out + err).strip() == shown.strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_what_it_links_to_exists(page):
    text = page.read_text(encoding="utf-8")
    targets = [*re.findall(r"\]\(((?!http)[^)#]+)", text), *re.findall(r'(?:src|srcset)="([^"]+)"', text)]
    assert [target for target in targets if not (page.parent / target).exists()] == []
