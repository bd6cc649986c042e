"""Pictures look the same whatever Matplotlib was told, and no character becomes a box in silence."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.font_manager import fontManager

import convscope
from convscope import job
from convscope.report import fonts
from convscope.report.evaluation import draw_confusion
from convscope.report.style import save_figure

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
    chosen = fonts.families([f"{CAT} a", DOG])
    assert {font.name for font in there} & set(chosen)
    confusion = draw_confusion(np.eye(2, dtype=int), (CAT, DOG))
    save_figure(confusion, tmp_path / "a.png")
    assert {text.get_fontfamily()[-1] for text in confusion.axes[0].get_xticklabels()} <= {f.name for f in there}
    assert capfd.readouterr() == ("", "")


def test_what_no_font_has_is_said_once_with_a_package(monkeypatch, said, capfd):
    monkeypatch.setattr(fonts, "_look_again", lambda: None)
    monkeypatch.setattr(fontManager, "ttflist", [f for f in fontManager.ttflist if f.name == "DejaVu Sans"])
    assert fonts.families([f"{CAT}{DOG} Größe"]) == ["DejaVu Sans"]
    assert capfd.readouterr().err == (
        f"note: no font here has {DOG}{CAT}: boxes are drawn instead; install one, such as the package fonts-noto-cjk\n"
    )
    fonts.families([DOG])
    assert capfd.readouterr().err == ""
    fonts.families(["\U0001f980", "\U00012000"])
    assert "the package fonts-noto-core and fonts-symbola" in capfd.readouterr().err


def test_letters_need_no_search(monkeypatch, said):
    monkeypatch.setattr(fonts, "_look_again", lambda: pytest.fail("looked for fonts"))
    assert fonts.families(["ordinary, Größe, −1.5, λ"]) == ["DejaVu Sans"]
