"""Chinese: what people read is translated where it leaves the program, from one catalogue for every way out.

The code speaks English. A sentence is looked up by its English form when it is printed, drawn or sent: the catalogue
has the English with {} for what varies. A sentence that is not in it stays English; nothing fails for want of a word.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Literal

from .book import Book, read

Language = Literal["en", "zh"]


def chosen() -> Language:
    """The language of $CONVSCOPE_LANG, else that of the locale ($LC_ALL, $LC_MESSAGES, $LANG): Chinese or English."""
    names = ("CONVSCOPE_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    first = next((value for name in names if (value := os.environ.get(name))), "")
    return "zh" if first.lower().startswith("zh") else "en"


@cache
def chinese() -> Book:
    """The catalogue, read when it is first asked."""
    return read()


class Name(str):
    """What a user named, such as a class: it is not said in another language, whatever words it is made of."""

    __slots__ = ()


def say(text: str) -> str:
    """``text`` in the chosen language; as it is where that is English, or where the catalogue lacks it."""
    if chosen() == "en" or _verbatim or isinstance(text, Name):
        return text
    return chinese().say(text)


def say_cell(text: str) -> str:
    """A table's cell: a sentence is said, but a single word may be a name of the user's."""
    return say(text) if " " in text else text


_verbatim: list[bool] = []


@contextmanager
def verbatim() -> Iterator[None]:
    """Within the block nothing is translated: JSON, CSV and tables of the user's names are what they are."""
    _verbatim.append(True)
    try:
        yield
    finally:
        _verbatim.pop()
