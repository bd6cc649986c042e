"""What a shell knows of the commands: the Tab key in bash, zsh and fish, and the manual page."""

import os
import shutil
import subprocess
import sys

import pytest

from convscope.cli import application
from convscope.data.readers.fetch import PUBLISHED
from convscope.net.zoo import ZOO
from convscope.recipe import CHOICES, flag
from convscope.recipes import names

from ..helpers import ENVIRONMENT, NET, run_cli, run_json

# The shell's words → what Typer's script for that shell hands over.
HANDED = {
    "bash": lambda words: {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)},
    "zsh": lambda words: {"_TYPER_COMPLETE_ARGS": " ".join(words)},
    "fish": lambda words: {"_TYPER_COMPLETE_FISH_ACTION": "get-args", "_TYPER_COMPLETE_ARGS": " ".join(words)},
}


def tab(capsys, monkeypatch, line, shell="bash"):
    """What the Tab key offers behind ``convscope LINE``."""
    for name, value in HANDED[shell](["convscope", *line.split(" ")]).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("_CONVSCOPE_COMPLETE", f"complete_{shell}")
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = run_cli(capsys)
    assert (code, err) == (0, "")
    return list(filter(None, out.splitlines()))


@pytest.fixture
def work(here):
    """A folder with two runs, some data and a recipe."""
    for name in ("note-digits-1", "note-digits-2", "odd name;rm"):
        (here / "runs" / name).mkdir(parents=True)
        (here / "runs" / name / "recipe.json").write_text("{}")
    (here / "runs" / "no-run").mkdir()
    (here / "photos").mkdir()
    (here / ".hidden").mkdir()
    (here / "my data").mkdir()
    for name in ("our.toml", "photos.zip", "read.me"):
        (here / name).touch()
    return here


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("ev", ["evaluate"]),
        ("evaluate ", ["note-digits-1", "note-digits-2"]),
        ("resume note-digits-2", ["note-digits-2"]),
        ("train --resume n", ["note-digits-1", "note-digits-2"]),
        ("compare note-digits-1 note", ["note-digits-1", "note-digits-2"]),
        ("compare --out elsewhere ", []),
        ("recipe m", [name for name in names() if name.startswith("mnist-")]),
        ("train --recipe ", [*names(), "our.toml"]),
        ("train ", ["digits", *PUBLISHED, "photos", "photos.zip", "runs", "stripes.npz"]),
        ("check m", ["mnist"]),
        ("lab note", ["note-digits-1", "note-digits-2"]),
        ("train --net res", [name for name in ZOO if name.startswith("res")]),
        ("shapes efficientnet-lite0", ["efficientnet-lite0"]),
        ("train --optimizer ad", ["adam", "adamw"]),
        ("export note-digits-1 --to o", ["onnx"]),
        ("predict note-digits-1 read", []),  # the shell offers files
        ("train --data-d", ["--data-dir"]),
    ],
)
def test_the_tab_key_offers_what_fits(work, capsys, monkeypatch, line, offered):
    assert tab(capsys, monkeypatch, line) == offered


@pytest.mark.parametrize("shell", HANDED)
def test_every_shell_gets_whole_lines(work, capsys, monkeypatch, shell):
    """A description that is wrapped would be taken for another candidate."""
    nets = tab(capsys, monkeypatch, "train --net cnn", shell)
    options = tab(capsys, monkeypatch, "train --re", shell)
    known = [name for name in ZOO if name.startswith("cnn")]
    if shell == "zsh":
        assert nets[0].startswith('_arguments \'*: :(("cnn-s":"three convolutions')
        assert (len(nets), len(options)) == (len(known), 3)
    else:
        assert [line.split("\t")[0] for line in nets] == known
        assert [line.split("\t")[0] for line in options] == ["--remark", "--recipe", "--resume"]
    assert any("Ioffe" in line for line in nets) == (shell != "bash")


@pytest.mark.parametrize("shell", HANDED)
def test_words_to_type_are_in_no_language(work, capsys, monkeypatch, shell):
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    verbs = tab(capsys, monkeypatch, "", shell)
    known = [command.name or command.callback.__name__ for command in application().registered_commands]
    if shell == "zsh":
        assert [name for name in known if f'"{name}":' not in "".join(verbs)] == []
    else:
        assert [line.split("\t")[0] for line in verbs] == known


@pytest.mark.parametrize("shell", HANDED)
def test_the_script_of_a_shell_is_printed(capsys, monkeypatch, shell):
    monkeypatch.setenv("_CONVSCOPE_COMPLETE", f"source_{shell}")
    monkeypatch.setattr(sys, "argv", ["convscope"])
    code, out, _ = run_cli(capsys)
    assert code == 0
    assert f"_CONVSCOPE_COMPLETE=complete_{shell}" in out


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_itself_completes(work):
    (work / "bin").mkdir()
    (work / "bin" / "convscope").write_text(f"#!{sys.executable}\nfrom convscope.cli import run\nrun()\n")
    (work / "bin" / "convscope").chmod(0o755)
    script = """
    eval "$(_CONVSCOPE_COMPLETE=source_bash convscope)"
    complete -p convscope
    COMP_WORDS=(convscope evaluate note) COMP_CWORD=2
    _convscope_completion convscope
    printf '%s\\n' "${COMPREPLY[@]}"
    """
    environment = ENVIRONMENT | {"PATH": f"{work / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=work, env=environment, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    _, *offered = done.stdout.splitlines()
    assert offered == ["note-digits-1", "note-digits-2"]


def test_nothing_slow_is_loaded_for_the_tab_key(work):
    """PyTorch alone takes seconds."""
    program = """
import os, sys
from convscope.cli import main
try:
    main([])
finally:
    print(sorted({"torch", "llvmlite", "matplotlib", "sklearn", "fastapi"} & set(sys.modules)))
"""
    for words in (["evaluate", ""], ["train", "--net", ""], ["train", ""]):
        given = HANDED["bash"](["convscope", *words]) | {"_CONVSCOPE_COMPLETE": "complete_bash"}
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=work,
            env=ENVIRONMENT | given,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[-1] == "[]"


def test_the_manual_page_names_every_verb_and_every_option(capsys):
    code, out, err = run_cli(capsys, "--man")
    assert (code, err) == (0, "")
    verbs = [command.name or command.callback.__name__ for command in application().registered_commands]
    assert [line.split()[2] for line in out.splitlines() if line.startswith(".SS convscope ")] == verbs
    plain = out.replace("\\-", "-")
    assert [name for name in CHOICES if name != "data" and flag(name) not in plain] == []
    assert "CONVSCOPE_BATCH_SIZE" in plain
    assert ".SH EXIT STATUS\n.TP\n.B 0\nDone." in plain
    requests = {line.split()[0] for line in out.splitlines() if line.startswith((".", "'"))}
    assert requests == {".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".I", ".nh", ".ad"}


@pytest.mark.skipif(shutil.which("man") is None, reason="needs man")
def test_the_manual_page_is_read_without_a_warning(capsys, tmp_path):
    (tmp_path / "convscope.1").write_text(run_cli(capsys, "--man")[1], encoding="utf-8")
    done = subprocess.run(
        ["man", "--warnings", "-l", tmp_path / "convscope.1"],
        env=os.environ | {"LC_ALL": "C.UTF-8", "MANPAGER": "cat", "MANWIDTH": "80"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "convscope train [OPTIONS] [data]" in done.stdout
    assert "--lr <float>" in done.stdout


def test_recipes_are_printed_as_they_are_in_every_language(here, capsys, monkeypatch):
    words = ["train", "stripes.npz", "--net", NET, "--epochs", "1", "--remark", "Passes over the images."]
    run = run_json(capsys, *words)["run"]
    english = run_cli(capsys, "recipe", run)[1]
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    assert run_cli(capsys, "recipe", run)[1] == english
