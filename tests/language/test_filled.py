"""Whatever names stand in its places, a sentence is said in Chinese, and the names are not touched."""

from itertools import cycle, islice
from pathlib import Path

import pytest

from convscope.language.book import PLACE, read

BOOK = read()
NAMES = (
    "my first run 2",
    "it's a.b",
    "照片 夹/图 1.png",
    'say "x" 3',
    "/data/own pics/a b.png",
    "'my run'",
    r"C:\own pics",
)
WORDS = ("run-2", "it's", "照片.图", "3", "a.png", "'my first/run 2'", '"it\'s a b.c"')
# Short sentences whose places hold a number, a single word or what is quoted, never a name as it came.
WORDLIKE = set((Path(__file__).parent / "wordlike.txt").read_text(encoding="utf-8").splitlines())
ADJACENT = {  # places with one space between cannot be told apart: there are numbers in the first
    "{} of {} {} unlike any training image, so perhaps no class fits: {}",
    "rank 0 was given {} {}, rank {} {} {}",
    *(
        f"{what}run again on {{}} {{}} in {{}}: {{}} % the same class, max |Δp| {{}}, {{}} ms an image{more}"
        for what in ("", "{}: ")
        for more in ("", "; {}")
    ),
}


def filled(form, names):
    """The English text with ``names`` in its places, and the Chinese with them."""
    pieces = ["".join(pair) for pair in zip(("", *names), form.parts, strict=True)]
    return "".join(pieces), PLACE.sub(lambda place: names[int(place[1])], form.words)


def untouched(forms, names):
    """The texts that are not said as they should be, however the names are shared out."""
    wrong = []
    for form in forms:
        for first in range(len(names)):
            english, chinese = filled(form, list(islice(cycle(names), first, first + len(form.parts) - 1)))
            if BOOK.say(english) != chinese:
                wrong.append((english, BOOK.say(english), chinese))
    return wrong


def test_any_name_stands_in_a_sentence_that_is_long_enough_to_be_known():
    forms = [form for form in BOOK.forms if not form.short and "{}".join(form.parts) not in ADJACENT]
    assert len(forms) > 1000
    assert untouched(forms, NAMES) == []


def test_words_and_quoted_names_stand_in_short_sentences():
    assert untouched([form for form in BOOK.forms if form.short], WORDS) == []


def test_no_short_sentence_holds_names_as_they_came():
    """Whoever writes a new one: quote the name, or make the sentence longer. Numbers and words go into the list."""
    assert {"{}".join(form.parts) for form in BOOK.forms if form.short} <= WORDLIKE


@pytest.mark.parametrize("text", ["it is a dog", "kept  3 of 4", "grey or white cat"])
def test_a_text_that_is_no_sentence_of_ours_stays(text):
    assert BOOK.say(text) == text
