"""Sentences are found by their English form and said in Chinese; what is not known, and data, stay as they are."""

import io

import pytest

from convscope.cli.terminal import check_language
from convscope.errors import UsageError
from convscope.language import Name, chosen, say, say_cell, verbatim
from convscope.language.book import PLACE, Book, pairs
from convscope.language.stream import Spoken
from convscope.language.width import fit, ljust, rjust, width, wrap
from convscope.shown import Table

BOOK = Book({
    "no net is called {}": "没有叫 {0} 的网络",
    "the {} of {}": "{1!}的{0}",
    "a run": "一次训练",
    "{} of {}": "{1} 中的 {0}",
})  # fmt: skip


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("no net is called 'x'", "没有叫 'x' 的网络"),
        ("  a run  ", "  一次训练  "),
        ("the loss of a run", "一次训练的loss"),  # {1!} is looked up, {0} is as it came
        ("the loss of the end", "the end的loss"),
        ("3 of 4", "4 中的 3"),
        ("a run\nno net is called a run", "一次训练\n没有叫 a run 的网络"),
        ("unknown words", "unknown words"),
        ("0.5  0.25", "0.5  0.25"),
    ],
)
def test_a_sentence_is_found_by_its_form(english, chinese):
    assert BOOK.say(english) == chinese


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "de_DE.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_TW"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "CONVSCOPE_LANG": "en"}, "en"),
        ({"CONVSCOPE_LANG": "zh"}, "zh"),
        ({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
    ],
    ids=str,
)
def test_the_language_is_the_chosen_one_else_the_locales(monkeypatch, variables, language):
    for name in ("CONVSCOPE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert chosen() == language


def test_an_unknown_language_is_told(monkeypatch):
    monkeypatch.setenv("CONVSCOPE_LANG", "fr")
    with pytest.raises(ValueError, match="the environment variable CONVSCOPE_LANG is 'fr'") as caught:
        check_language()
    assert caught.value.help == "it must be en or zh"
    assert chosen() == "en"


def test_an_error_speaks_chinese_and_keeps_its_words_for_programs(monkeypatch):
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    error = UsageError("no layer is called 'pul'", "did you mean 'pool'? known: pool, conv")
    assert str(error) == "没有叫 'pul' 的层\n  建议: 你是指 'pool' 吗？已知的有：pool, conv"
    assert (error.message, error.args) == ("no layer is called 'pul'", ("no layer is called 'pul'",))


def test_a_stream_says_whole_lines_and_passes_on_what_is_flushed_earlier(monkeypatch):
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    below = io.StringIO()
    stream = Spoken(below)
    print("Options", file=stream)
    print("\x1b[1mOptions\x1b[0m", file=stream)
    stream.write("a bar")
    stream.flush()
    stream.write("\n")
    with verbatim():
        print("Options", file=stream)
    assert below.getvalue() == "选项\n\x1b[1m选项\x1b[0m\na bar\nOptions\n"


def test_a_name_of_the_users_is_not_said_though_it_may_look_like_a_sentence(monkeypatch):
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    assert (say("3 of 4"), say(Name("3 of 4")), say_cell(Name("the sum of 3"))) == ("3 张 4", "3 of 4", "the sum of 3")
    table = Table(("class", Name("test")), [(Name("plane of wood"), 1)])
    assert table.text() == "类别           test\nplane of wood     1"


def test_english_is_not_touched(monkeypatch):
    monkeypatch.setenv("CONVSCOPE_LANG", "en")
    assert say("Options") == "Options"


def test_the_places_of_a_translation_are_those_of_its_form():
    for english, chinese in pairs().items():
        used = {int(place[1]) for place in PLACE.finditer(chinese)}
        assert used <= set(range(english.count("{}"))), english
        assert "{" not in PLACE.sub("", chinese) or "{" in english.replace("{}", ""), english


def test_chinese_characters_take_two_columns():
    assert width("卷积 3×3") == 8
    assert (ljust("卷积", 6), rjust("卷积", 6)) == ("卷积  ", "  卷积")
    assert (fit("卷积核大小", 7), fit("卷积核", 6)) == ("卷积核…", "卷积核")
    assert (fit("class_number_12", 10, 5), fit("卷积核的大小", 8, 4)) == ("clas…er_12", "卷…大小")
    assert (fit("a/long/path.png", 9, 8), fit("path.png", 9, 8)) == ("…path.png", "path.png")
    assert wrap("卷积核的大小，kernel_size 默认是 3。", 12) == ["卷积核的大小，", "kernel_size", "默认是 3。"]
