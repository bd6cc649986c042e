"""A catalogue: English forms with {} for what varies, and what they are in Chinese.

In the Chinese, {0} is the first of what varies, as it came (names, numbers); {0!} is looked up in its turn, where a
sentence holds another one. No regular expressions: 1,500 of them would take longer to compile than a command to run.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "lab" / "static" / "text"  # the lab's own catalogue has what its server explains
SHORT = 10  # letters
PLACE = re.compile(r"\{(\d+)(!?)\}")
QUOTED = r"'(?:[^'\\]|\\.)*'|" + r'"(?:[^"\\]|\\.)*"'  # as repr quotes


@dataclass(frozen=True)
class Form:
    """The English text between the places, and the Chinese.

    A short form, such as "{} of {}", is in many a sentence: its places take a single word or a quoted text each, unless
    it begins with a label, as "drawn: {}" does. No place takes columns of a table: they are two spaces apart.
    """

    parts: tuple[str, ...]
    words: str

    @cached_property
    def short(self) -> bool:
        """Whether the places take single words."""
        labelled = self.parts[0].endswith((": ", "  "))
        return not labelled and sum(map(str.isalpha, "".join(self.parts))) < SHORT

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """A short form, with words in its places, and anything where the Chinese looks it up."""
        sentences = {int(place[1]) for place in PLACE.finditer(self.words) if place[2]}
        word, pattern = f"((?:{QUOTED}|[^ ]*) *)", re.escape(self.parts[0])
        for number, part in enumerate(self.parts[1:]):
            pattern += ("(.*?)" if number in sentences else word) + re.escape(part)
        return re.compile(pattern)

    def values(self, text: str) -> list[str] | None:
        """What stands in the places of ``text``; None where the text has another form."""
        found = self._split(text)
        if found is not None and self.short:
            match = self.pattern.fullmatch(text)
            found = None if match is None else list(match.groups())
        return None if found is None or any(map(_has_columns, found)) else found

    def _split(self, text: str) -> list[str] | None:
        first, *middle, last = self.parts
        if not (text.startswith(first) and text.endswith(last) and len(text) >= len(first) + len(last)):
            return None
        end = len(text) - len(last)
        begin, found = len(first), []
        for part in middle:
            at = text.find(part, begin, end)
            if at < 0:
                return None
            found.append(text[begin:at])
            begin = at + len(part)
        return [*found, text[begin:end]]


def _has_columns(value: str) -> bool:
    return value.startswith(" ") or ("  " in value and "  " in re.sub(QUOTED, "", value).rstrip())


class Book:
    """Sentences by their English form, the most definite form first."""

    def __init__(self, pairs: dict[str, str]) -> None:
        self.whole = {english: words for english, words in pairs.items() if "{}" not in english}
        forms = [Form(tuple(english.split("{}")), words) for english, words in pairs.items() if "{}" in english]
        self.forms = sorted(forms, key=lambda form: -sum(map(len, form.parts)))
        self.find = lru_cache(maxsize=4096)(self._find)

    def ordered(self) -> list[tuple[str, str]]:
        """(English form, Chinese) of all sentences, the most definite first."""
        return [*self.whole.items(), *(("{}".join(form.parts), form.words) for form in self.forms)]

    def say(self, text: str) -> str:
        """``text`` in Chinese, line by line, without the spaces around each; a line that is not here stays."""
        return "\n".join(map(self._line, text.split("\n")))

    def _line(self, line: str) -> str:
        core = line.strip(" ")
        left = len(line) - len(line.lstrip(" "))
        found = self.find(core)
        return line if found is None else line[:left] + found + line[left + len(core) :]

    def _find(self, text: str) -> str | None:
        if text in self.whole:
            return self.whole[text]
        if not any(map(str.isalpha, text)):
            return None
        for form in self.forms:
            values = form.values(text)
            if values is not None:
                return PLACE.sub(lambda place: self._value(values, place), form.words)  # noqa: B023 - used at once
        return None

    def _value(self, values: list[str], place: re.Match[str]) -> str:
        value = values[int(place[1])]
        return self.say(value) if place[2] else value


def pairs() -> dict[str, str]:
    """The whole catalogue: that of the command line and the errors, and the lab's."""
    found: dict[str, str] = {}
    for path in sorted((HERE / "zh").glob("*.json")):
        found |= json.loads(path.read_text(encoding="utf-8"))
    return {**dict(_of_the_lab()), **found}


def read() -> Book:
    """The catalogue as a book."""
    return Book(pairs())


def _of_the_lab() -> Iterator[tuple[str, str]]:
    """The lab's sentences: its places have names, and each may hold a sentence."""
    english, words = (json.loads((PAGE / name / "phrases.json").read_text(encoding="utf-8")) for name in ("en", "zh"))
    for key, form in english.items():
        names = re.findall(r"\{(\w+)\}", form)
        numbered = words[key]
        for number, name in enumerate(names):
            numbered = numbered.replace(f"{{{name}}}", f"{{{number}!}}")
        yield re.sub(r"\{\w+\}", "{}", form), numbered
