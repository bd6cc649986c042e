"""Pictures speak Chinese where a font here has the characters; where none has, they stay English, without boxes."""

import pytest

from convscope.report import style
from convscope.report.fonts import lacking


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """drawn() saves a picture in a Chinese run and gives its title, the label of an axis, and a class's name."""
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")

    def draw():
        figure = style.new_figure(3, 2)
        axes = figure.subplots()
        axes.set_title("Loss   5×5")
        axes.set_xlabel("epoch")
        axes.text(0.5, 0.5, "cat")
        style.save_figure(figure, tmp_path / "picture.png")
        return axes.get_title(), axes.get_xlabel(), axes.texts[0].get_text()

    return draw


@pytest.mark.skipif(bool(lacking("损失轮")), reason="needs a Chinese font, such as fonts-noto-cjk")
def test_titles_and_labels_are_chinese_and_names_stay(drawn, capsys):
    assert drawn() == ("损失   5×5", "轮", "cat")
    assert capsys.readouterr().err == ""


def test_without_a_chinese_font_a_picture_stays_english_and_the_package_is_named(drawn, capsys, monkeypatch):
    monkeypatch.setattr("convscope.report.fonts._characters", lambda path: frozenset(map(chr, range(32, 1024))))
    monkeypatch.setattr("convscope.report.fonts._said", set())
    assert drawn() == ("Loss   5×5", "epoch", "cat")
    said = capsys.readouterr().err
    assert "the picture's words stay English; install one, such as the package fonts-noto-cjk" in said


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("run-1: the 3 most confident of 7 mistakes", "run-1：7 个错误中最有把握的 3 个"),
        ("run-1: no mistakes", "run-1：没有错误"),
    ],
)
def test_the_title_of_the_mistakes_is_said_with_the_name_of_the_run(monkeypatch, english, chinese):
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    assert style._said(english) == chinese
