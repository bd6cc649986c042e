"""Nothing is said in English alone: sentences of the source, help of every verb, and what a run of them prints."""

import inspect
import re
from pathlib import Path

import pytest
import typer
from PIL import Image

import convscope
from convscope import cli
from convscope.language import say
from convscope.language.book import pairs
from convscope.language.help import explained, named, speak
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
    context = typer.Context(command, info_name=verb)
    names = [named((option.get_help_record(context) or ("",))[0]) for option in command.params]
    assert [name for name in names if re.search(r"<(str|int|float|path|list|file|text)", name)] == []


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
        text = re.sub(r"(?<=[≤<] )\w+(?= [≤<])", "", text)  # a choice between its bounds
        assert CHINESE.search(text), arguments
        english = {word for word in re.findall(r"[A-Za-z]{3,}\d*[a-z]?", text) if word not in NAMES}
        if english:
            left[" ".join(arguments)] = sorted(english)
    assert not left, "\n".join(f"{run}: {words}" for run, words in left.items())


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


OURS = ("my pics", "plane of wood", "小 狗", "3 of 4", "broken x.png", ".hid den", "my r.toml", "bad net.onnx")
BAD = [
    ["train", "my pics"],
    ["train", "digits", "--recipe", "my r.toml"],
    ["train", "digits", "--net", "conv 10 5 padding_mode=foo"],
    ["train", "digits", "--optimizer", "foo"],
    ["resume", "no-run"],
    ["evaluate", "cnn-s-my pics-1", "no-data"],
    ["predict", "cnn-s-my pics-1", "my pics/broken x.png"],
    ["predict", "cnn-s-my pics-1", "no file.png"],
    ["export", "cnn-s-my pics-1", "--to", "foo"],
    ["export", "cnn-s-my pics-1", "--to", "c", "--output", "my pics"],
    ["compare", "cnn-s-my pics-1"],
    ["augment", "my pics", "--augment", "flop"],
    ["sweep", "digits", "--lr", "a,b"],
    ["shapes", "note", "--input", "3x3"],
    ["explain", "cnn-s-my pics-1", "test:0", "--target", "no such"],
    ["loss", "mse", "--pred", "", "--target", "1"],
    ["conv", "--input", "1 2 / 3", "--kernel", "1"],
    ["conv", "--input", "./my pics", "--kernel", "1"],
    ["backprop", "w*", "w=3"],
    ["backprop", "log(w - 2)", "w=2"],
    ["batches", "--samples", "0"],
    ["descent", "--surface", "foo"],
    ["lab", "no-run"],
    ["devices", "extra"],
]
GOOD = [
    ["train", "my pics", "--skip-bad", "--epochs", "1"],
    ["evaluate", "cnn-s-my pics-1"],
    ["predict", "cnn-s-my pics-1", "my pics", "--skip-bad", "--format", "table"],
    ["explain", "cnn-s-my pics-1", "test:0", "--plot", "maps.png"],
    ["check", "my pics"],
    ["backprop", "w*x", "w=3", "x=2", "--step"],
    ["backprop", "--net", "linear 2 | relu | linear 1", "--input", "1,2", "--target", "0.5"],
    ["shapes", "conv 8 3 padding=1 | [ conv 16 3 stride=2 padding=1 ]+ | globalavg | linear"],
]


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Twelve tiny images in classes whose names look like sentences, a file that is no image and one that is hidden."""
    monkeypatch.chdir(tmp_path)
    for kind, name in enumerate(OURS[1:4]):
        folder = tmp_path / "my pics" / name
        folder.mkdir(parents=True)
        for number in range(4):
            Image.new("L", (12, 12), 60 * kind + number).save(folder / f"a {number}.png")
    (folder / "broken x.png").write_text("x")
    (tmp_path / "my pics" / ".hid den").write_text("x")
    (tmp_path / "my r.toml").write_text('lr = "x"')
    (tmp_path / "bad net.onnx").write_text("x")


def test_names_with_spaces_and_bad_input_leave_no_english(pictures, capsys, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    monkeypatch.setenv("CONVSCOPE_OFFLINE", "1")
    left = {}
    for arguments in GOOD + BAD:
        code, out, err = run_cli(capsys, *arguments)
        assert (code != 0) == (arguments in BAD or arguments[0] == "check"), (arguments, err)
        text = out + err
        for name in (*OURS, *re.findall("[A-Za-z]{3,}", " ".join(arguments))):
            text = text.replace(name, " ")
        text = re.sub(
            r"(用法|写作|已知的有)：.*|CONVSCOPE_\w+|'[^'\n]*'|--[a-z-]+|\S*/\S*|\[[A-Z]+\]|\w+\[[\d,]+\]|\$\w+|\w+=\w+|\w+\.png",
            " ",
            text,
        )
        assert CHINESE.search(text), arguments
        if english := sorted({word for word in re.findall(r"[A-Za-z]{3,}\d*[a-z]?", text) if word not in NAMES}):
            left[" ".join(arguments)] = english
    assert not left, "\n".join(f"{run}: {words}" for run, words in left.items())
