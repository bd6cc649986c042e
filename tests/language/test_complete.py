"""Nothing is said in English alone: sentences of the source, help of every verb, and what a run of them prints."""

import inspect
import re
from pathlib import Path

import pytest
import typer

import convscope
from convscope import cli
from convscope.language import say
from convscope.language.book import pairs
from convscope.language.help import explained, speak
from convscope.recipes.text import parsed

from ..helpers import run_cli
from .templates import UNSHOWN, in_a_text, sentences

CHINESE = re.compile("[\u4e00-\u9fff]")
CATALOGUE = pairs()


def test_every_sentence_of_the_source_has_its_chinese():
    unshown = set(UNSHOWN.read_text(encoding="utf-8").splitlines())
    missing = {
        text: where for text, where in sentences().items() if text not in unshown and not in_a_text(text, CATALOGUE)
    }
    assert not missing


COMMANDS = typer.main.get_command(cli.application()).commands


@pytest.mark.parametrize("verb", COMMANDS)
def test_the_help_of_every_verb_is_chinese(verb, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    command = COMMANDS[verb]
    texts = [" ".join(part.split()) for part in inspect.cleandoc(command.help).split("\n\n")]
    missing = [text for text in texts if not CHINESE.search(say(text))]
    texts = [option.help for option in command.params if getattr(option, "help", None)]
    missing += [text for text in texts if not CHINESE.search(explained(text))]
    assert not missing


def test_the_manual_page_is_chinese_but_for_its_requests(capsys, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    page = run_cli(capsys, "--man")[1]
    told = [line for line in page.splitlines() if re.search("[A-Za-z]{3,}", line)]
    texts = [line for line in told if not line.startswith((".B ", ".I ", ".SS ", "[OPTIONS]", ".nh", ".ad"))]
    assert [line for line in texts if not CHINESE.search(line)] == []
    assert "\n.SH 退出码\n" in page
    assert "在\\:你\\:的\\:机\\:器\\:上" in page  # roff breaks lines where it may, and Chinese has no spaces


def test_the_explanations_of_all_choices_are_chinese_and_can_be_read_back(capsys, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    template = run_cli(capsys, "recipe")[1]
    told = [line for line in template.splitlines() if line.startswith("# ") and " = " not in line]
    assert [line for line in told if not CHINESE.search(line)] == []
    assert parsed("template", template).choices["lr"] == 0.01


def test_the_page_of_help_is_as_wide_as_a_terminal_and_chinese(capsys, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    command = speak(typer.main.get_command(cli.application()))
    page = command.commands["train"].make_context("train", [], resilient_parsing=True).get_help()
    assert "选项：" in page
    assert page.startswith("用法：train [选项]")
    assert "默认：64]" in page
    assert not [line for line in page.splitlines() if line.endswith(("[", "（")) or "; " in line]
    assert (
        "[默认：none]" in command.commands["evaluate"].make_context("evaluate", [], resilient_parsing=True).get_help()
    )
    assert "显示这段说明。" in page


# Words of PyTorch, of the command line and of mathematics that are the same in Chinese; names of nets, data, files.
NAMES = set((Path(__file__).parent / "names.txt").read_text(encoding="utf-8").split())

RUNS = [
    ["shapes", "note"],
    ["shapes", "conv 10 5 | pul 2"],
    ["batches", "--samples", "40000", "--batch-size", "32"],
    ["loss", "mse", "--pred", "1,2,3", "--target", "2,2,5"],
    ["loss", "cross-entropy", "--pred", "2 -1 0.5", "--target", "0"],
    ["conv", "--input", "1 2 3 / 4 5 6 / 7 8 9", "--kernel", "1 0 / 0 1", "--padding", "1", "--at", "0,1,1"],
    ["pool", "--input", "1 2 / 3 4", "--kernel-size", "2", "--at", "0,0,0"],
    ["backprop", "(w*x + b - y)**2", "w=3", "x=2", "b=1", "y=5"],
    ["descent", "--epochs", "2"],
    ["descent", "--surface", "valley", "--epochs", "2", "--optimizer", "momentum"],
    ["check", "digits"],
    ["devices"],
    ["train", "digits", "--epochs", "1"],
    ["runs"],
    ["evaluate", "note-digits-1"],
    ["explain", "note-digits-1", "test:0", "--layer", "conv1", "--at", "0,0,0", "--saliency"],
    ["resume", "note-digits-1"],
    ["predict", "note-digits-1", "5.png"],
    ["train", "digits", "mnist"],
    ["train", "digits", "--net", "flatten | linear", "--folds", "2", "--epochs", "1"],
    ["sweep", "digits", "--net", "flatten | linear", "--lr", "0.01,0.1", "--epochs", "1"],
    ["lr", "digits", "--updates", "10"],
    ["export", "note-digits-1", "--to", "native"],
    ["backprop", "w*y", "w=3", "x=2"],
    ["cache"],
    ["train", "no-such-data"],
    ["train", "digits", "--epochs", "many"],
]


def test_a_run_of_the_verbs_leaves_no_english(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    monkeypatch.setenv("CONVSCOPE_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    left: dict[str, list[str]] = {}
    for arguments in RUNS:
        _, out, err = run_cli(capsys, *arguments)
        text = re.sub(r"--[a-z-]+|\S*/\S*|'[^']*'|\[[A-Z]+\]|\w+\[[\d,]+\]|\$\w+|\w+-digits-\d|\w+=\w+", " ", out + err)
        assert CHINESE.search(text), arguments
        english = {word for word in re.findall(r"[A-Za-z]{3,}\d*[a-z]?", text) if word not in NAMES}
        if english:
            left[" ".join(arguments)] = sorted(english)
    assert left == {}, left


def test_what_a_result_shows_in_python_leaves_no_english(monkeypatch, tmp_path):
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    monkeypatch.chdir(tmp_path)
    found = convscope.seeds("digits", 2, net="flatten | linear", epochs=1, progress=False)
    shown = [
        found,
        found.runs[0],
        found.runs[0].history,
        convscope.shapes("note"),
        convscope.prepare(convscope.Recipe()),
    ]
    shown += [convscope.conv("1 2 / 3 4", "1 1 / 1 1"), convscope.batches(100, 10), convscope.lr("digits", updates=10)]
    for one in shown:
        text = re.sub(r"\S*/\S*", " ", repr(one))
        assert {word for word in re.findall(r"[A-Za-z]{3,}\d*[a-z]?", text) if word not in NAMES} == set(), repr(one)
