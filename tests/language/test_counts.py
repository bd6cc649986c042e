"""Nobody reads "1 pairs": a sentence whose count may be 1 says its noun by ``number_of``."""

import re
from pathlib import Path

import pytest

import convscope
from convscope.language.counts import number_of, some

from .templates import sentences

# Plurals that people count. A kind of image ("test images") or what is no count ("{} parameters of") is in many.txt.
NOUNS = (
    "axes batches biases blocks cells channels classes columns dimensions epochs features files folders groups images "
    "inputs items kernels labels layers lines mistakes names numbers outputs pairs parameters parts pictures pixels "
    "places points processes products rows runs samples sizes steps terms threads updates uses values weights windows"
)
COUNTED = re.compile(rf"\{{\}} (?:[a-z-]+ )?(?:{NOUNS.replace(' ', '|')})\b")
MANY = Path(__file__).parent / "many.txt"  # sentences with such a noun whose count cannot be 1, or that count nothing


@pytest.mark.parametrize(
    ("number", "words", "told"),
    [
        (0, ("update",), "0 updates"),
        (1, ("update",), "1 update"),
        (1380, ("update",), "1,380 updates"),
        (1, ("class", "classes"), "1 class"),
        (2, ("class", "classes"), "2 classes"),
    ],
)
def test_a_count_has_the_number_of_its_noun(number, words, told):
    assert number_of(number, *words) == told


@pytest.mark.parametrize(("names", "told"), [("", ""), ("ab", "a, b"), ("abc", "a, b, c"), ("abcd", "a, b, c, …")])
def test_a_list_that_is_cut_says_so(names, told):
    assert some(names, 3) == told


def test_no_sentence_cuts_a_list_without_a_word():
    cut = re.compile(r"\{(?:', '\.join\(|sorted\()[^{}]*\[:\d+\]\)?\}")
    source = Path(convscope.__file__).parent
    found = [
        f"{path.relative_to(source)}: {line.strip()}"
        for path in source.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if cut.search(line)
    ]
    assert found == [], "say some(names, most)"


def test_sentences_that_count_say_their_nouns_by_the_helper():
    counting = {text for text in sentences() if COUNTED.search(text)}
    known = set(MANY.read_text(encoding="utf-8").splitlines())
    assert counting - known == set(), "say number_of(n, noun); where n cannot be 1, many.txt takes the sentence"
    assert known - counting == set(), "many.txt has sentences that are said no more"
