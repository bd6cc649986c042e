"""Pictures look the same whatever Matplotlib was told, and no character becomes a box in silence."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import typer
from matplotlib.font_manager import fontManager

import convscope
from convscope import cli, job
from convscope.errors import TrainingError, UsageError
from convscope.report import fonts
from convscope.report.evaluation import draw_confusion
from convscope.report.style import FORMATS, save_figure, save_plot

from ..helpers import NET, run_cli, stripes

REPORT = Path(convscope.__file__).parent / "report"
CAT, DOG = "\u732b", "\u72d7"


@pytest.fixture
def said(monkeypatch):
    monkeypatch.setattr(fonts, "_said", set())


def cjk_fonts():
    return [font for font in fontManager.ttflist if CAT in fonts._characters(font.fname)]


def test_every_function_that_draws_does_so_in_our_own_style():
    for path in REPORT.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.returns and "Figure" in ast.unparse(node.returns):
                assert "own_style()" in [ast.unparse(d) for d in node.decorator_list], f"{path.name}: {node.name}"


def test_settings_of_matplotlib_change_nothing(tmp_path):
    confusion = np.diag([7, 8])
    save_figure(draw_confusion(confusion, ("a", "b")), tmp_path / "plain.png")
    hostile = {
        "text.usetex": True,
        "savefig.bbox": "tight",
        "savefig.pad_inches": 4000,
        "font.size": 40,
        "axes.facecolor": "red",
        "savefig.dpi": 5,
        "figure.constrained_layout.use": False,
    }
    with matplotlib.rc_context(hostile):
        save_figure(draw_confusion(confusion, ("a", "b")), tmp_path / "hostile.png")
        assert matplotlib.rcParams["text.usetex"]  # the user's settings stand as they were
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "hostile.png").read_bytes()


@pytest.mark.parametrize("backend", ["nonsense", "module://matplotlib_inline.backend_inline", "qtagg"])
def test_a_backend_that_is_not_here_is_not_asked_for(tmp_path, backend):
    program = (
        "from convscope.report.evaluation import draw_confusion\n"
        "from convscope.report.style import save_figure\nfrom pathlib import Path\nimport numpy, os\n"
        "save_figure(draw_confusion(numpy.eye(2, dtype=int), 'ab'), Path('a.png'))\n"
        f"assert os.environ['MPLBACKEND'] == {backend!r}\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_is_not_lost_by_its_picture(tmp_path, monkeypatch, capsys):
    def broken(*_):
        raise RuntimeError("no pen")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(job, "draw_curves", broken)
    train, test = stripes(24), stripes(12, seed=1)
    np.savez(
        "stripes.npz",
        images=np.concatenate([train.images, test.images]),
        labels=np.concatenate([train.labels, test.labels]),
    )
    code, out, err = run_cli(capsys, "train", "stripes.npz", "--net", NET, "--epochs", "1")
    assert code == 0
    assert "curves.png could not be drawn (no pen); the run is complete" in err
    assert "curves.png" not in out
    assert convscope.load("runs/custom-stripes-1").accuracy >= 0


def test_fonts_that_came_since_are_found(tmp_path, monkeypatch, said, capfd):
    there = cjk_fonts()
    if not there:
        pytest.skip("needs a font with Chinese characters")
    monkeypatch.setattr(fontManager, "ttflist", [font for font in fontManager.ttflist if font not in there])
    chosen, missing = fonts.families([f"{CAT} a", DOG])
    assert not missing
    assert {font.name for font in there} & set(chosen)
    confusion = draw_confusion(np.eye(2, dtype=int), (CAT, DOG))
    save_figure(confusion, tmp_path / "a.png")
    assert {text.get_fontfamily()[-1] for text in confusion.axes[0].get_xticklabels()} <= {f.name for f in there}
    assert capfd.readouterr() == ("", "")


def test_what_no_font_has_is_said_once_with_a_package(monkeypatch, said, capfd):
    monkeypatch.setattr(fonts, "_look_again", lambda: None)
    monkeypatch.setattr(fontManager, "ttflist", [f for f in fontManager.ttflist if f.name == "DejaVu Sans"])
    assert fonts.families([f"{CAT}{DOG} Größe"]) == (["DejaVu Sans"], {CAT, DOG})
    assert capfd.readouterr().err == (
        f"note: no font here has {DOG}{CAT}: codes such as U+1F600 are written instead; "
        "install one, such as the package fonts-noto-cjk\n"
    )
    fonts.families([DOG])
    assert capfd.readouterr().err == ""
    fonts.families(["\U0001f980", "\U00012000"])
    assert "the package fonts-noto-core and fonts-symbola" in capfd.readouterr().err


def test_a_character_that_no_font_has_is_written_as_its_code(tmp_path, said, capfd, monkeypatch):
    monkeypatch.setattr(fonts, "_look_again", lambda: None)
    monkeypatch.setattr(
        fontManager, "ttflist", [f for f in fontManager.ttflist if f.name.startswith(("DejaVu", "Las"))]
    )
    figure = draw_confusion(np.array([[2, 1], [0, 3]]), ("\U0001f436\U0001f415", "a\U0001f980b"))
    figure.axes[0].text(0, 0, "5 \U0001f436", weight="bold")
    save_figure(figure, tmp_path / "a.png")
    for labels in (figure.axes[0].get_xticklabels(), figure.axes[0].get_yticklabels()):
        assert [label.get_text() for label in labels] == ["U+1F436 U+1F415", "a U+1F980 b"]
    assert figure.axes[0].get_xticklabels()[0].get_rotation() == 60
    assert figure.axes[0].texts[-1].get_text() == "5 U+1F436"
    assert fonts.coded("\U0001f436" * 9, {"\U0001f436"}) == "U+1F436 U+1F436 … U+1F436 U+1F436"
    assert "codes such as U+1F600 are written instead" in capfd.readouterr().err


def test_a_font_without_bold_letters_is_no_warning(tmp_path, caplog):
    figure = draw_confusion(np.eye(2, dtype=int), (CAT, DOG))
    upright = [font for font in fontManager.ttflist if font.name == "STIXGeneral" and font.weight != 700]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fontManager, "ttflist", upright)
        fontManager._findfont_cached.cache_clear()
        patch.setattr("convscope.report.style.families", lambda texts: (["STIXGeneral"], set()))
        save_figure(figure, tmp_path / "a.png")
    assert caplog.text == ""


def test_letters_need_no_search(monkeypatch, said):
    monkeypatch.setattr(fonts, "_look_again", lambda: pytest.fail("looked for fonts"))
    assert fonts.families(["ordinary, Größe, −1.5, λ"]) == (["DejaVu Sans"], set())


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_of_ours_is_replaced_and_no_other_file(tmp_path, kind):
    figure, path = draw_confusion(np.eye(2, dtype=int), "ab"), tmp_path / f"a.{kind}"
    save_plot(figure, path)
    save_plot(figure, path)
    path.write_bytes(b"a photo of a holiday")
    with pytest.raises(UsageError, match=r"already exists, and nothing in it says that convscope drew it\n.*--plot"):
        save_plot(figure, path)
    assert path.read_bytes() == b"a photo of a holiday"
    save_figure(figure, path)  # in a run's folder, where older releases drew without a mark


def test_a_link_and_a_pipe_stay_what_they_are(tmp_path):
    figure = draw_confusion(np.eye(2, dtype=int), "ab")
    save_plot(figure, tmp_path / "a.png")
    (tmp_path / "link.png").symlink_to("a.png")
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("link.png", "pipe.png"):
        with pytest.raises(UsageError, match="already exists"):
            save_plot(figure, tmp_path / name)
    assert (tmp_path / "link.png").is_symlink()


def test_every_option_for_a_picture_tells_where_it_cannot_go_before_the_work_is_done(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commands = typer.main.get_command(cli.application()).commands
    drawing = [verb for verb, command in commands.items() if any(p.name == "plot" for p in command.params)]
    assert len(drawing) >= 12
    Path("holiday.png").write_bytes(b"a photo")
    needed = {"check": ["no-data"], "compare": ["no-run", "none"], "explain": ["no-run"], "augment": ["no-data"]}
    needed |= {"loss": ["mse", "--pred", "1", "--target", "1"], "shapes": ["note"], "sweep": ["no-data"]}
    for verb in drawing:
        for plot, told in (
            ("holiday.png", "holiday.png already exists, and nothing in it says that convscope drew it"),
            ("gone/a.png", "there is no folder gone\nhelp: make it, or name another file with --plot"),
            ("", ". is a folder, not a file"),
            ("a" * 300 + ".png", "name another file with --plot"),
            ("a.xyz", "a.xyz is no name for a picture"),
        ):
            code, out, err = run_cli(capsys, verb, *needed.get(verb, []), "--plot", plot)
            assert (code, out) == (2, ""), (verb, plot, err)
            assert told in err, (verb, plot)
    assert Path("holiday.png").read_bytes() == b"a photo"
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.png"]


def test_a_default_name_replaces_no_file_either(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for verb in ("augment", "lr", "sweep", "compare"):
        Path(f"{verb}.png").write_bytes(b"mine")
        code, _, err = run_cli(capsys, verb, "digits")
        assert (code, Path(f"{verb}.png").read_bytes()) == (2, b"mine")
        assert f"error: {verb}.png already exists" in err


def test_what_the_disk_refuses_is_said_with_the_option_that_there_is(tmp_path, monkeypatch):
    def full(*_):
        raise TrainingError("cannot write a.png: the disk is full", "choose another folder with --out")

    monkeypatch.setattr("convscope.storage.leaving.write_atomic", full)
    with pytest.raises(TrainingError, match=r"the disk is full\n  help: name another file with --plot"):
        save_plot(draw_confusion(np.eye(2, dtype=int), "ab"), tmp_path / "a.png")
