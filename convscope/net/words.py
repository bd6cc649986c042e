"""The words of a net's spec, read one by one; every complaint points at the word that cannot be read."""

import re
from dataclasses import dataclass, field
from decimal import Decimal

from ..errors import UsageError

Pair = tuple[int, int]
MAX_NUMBER = 1_000_000


class SpecError(UsageError):
    """A net spec that cannot be read; ``position`` is where in the text the trouble starts."""

    def __init__(self, text: str, position: int, length: int, message: str, help: str = "") -> None:  # noqa: A002
        self.position = position
        start = max(0, position - 60)  # long specs are shown around the word, not whole
        shown = text[start : position + 60].replace("\n", " ").replace("\t", " ")
        caret = " " * (position - start) + "^" * max(1, min(length, 60))
        super().__init__(f"{message}\n  {shown}\n  {caret}", help)


@dataclass(frozen=True)
class Word:
    """One word of the text and where it stands."""

    text: str
    position: int


@dataclass
class Words:
    """The words of one layer: ``head`` is its kind, ``numbers`` stand behind it, ``options`` are name=value."""

    spec: str
    head: Word
    numbers: list[Word]
    options: dict[str, Word]
    usage: str
    used: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, spec: str, words: list[Word], usage: str) -> "Words":
        """Tell numbers from options. Raises SpecError for an option that is given twice."""
        options: dict[str, Word] = {}
        numbers = []
        for word in words[1:]:
            name, equals, _ = word.text.partition("=")
            if not equals:
                numbers.append(word)
            elif name in options:
                raise SpecError(spec, word.position, len(word.text), f"{name[:40]!r} is given twice", f"write: {usage}")
            else:
                options[name] = word
        return cls(spec, words[0], numbers, options, usage)

    def fail(self, word: Word, message: str) -> SpecError:
        """The error that points at ``word`` and says how the layer is written."""
        return SpecError(self.spec, word.position, len(word.text), message, f"write: {self.usage}")

    def take(self, what: str) -> Word:
        """The next number. Raises SpecError where there is none."""
        if not self.numbers:
            raise self.fail(self.head, f"{self.head.text!r} needs {what}")
        return self.numbers.pop(0)

    def number(self, word: Word, text: str, what: str, least: int) -> int:
        """``text`` of ``word`` as a whole number from ``least`` on."""
        if not re.fullmatch(r"[0-9]{1,7}", text) or not least <= int(text) <= MAX_NUMBER:
            raise self.fail(word, f"{what} must be a whole number from {least} to {MAX_NUMBER}, not {text[:40]!r}")
        return int(text)

    def pair(self, word: Word, text: str, what: str, least: int) -> Pair:
        """ "3" → (3, 3), "3x5" → (3, 5)."""
        parts = text.split("x")
        if len(parts) > 2:
            raise self.fail(word, f"{what} must be K or HxW, not {text[:40]!r}")
        values = [self.number(word, part, what, least) for part in parts]
        return values[0], values[-1]

    def fraction(self, what: str, example: str) -> float:
        """The next number, ``what``, 0 ≤ p < 1."""
        word = self.take(f"a {what}, for example {example}")
        if not re.fullmatch(r"0?\.[0-9]{1,17}|0", word.text):
            raise self.fail(word, f"the {what} must lie in 0 ≤ p < 1, not {word.text[:40]!r}")
        return float(word.text)

    def option(self, name: str) -> tuple[Word, str] | None:
        """The option ``name`` and its value, None where it is not given."""
        self.used.add(name)
        word = self.options.get(name)
        return None if word is None else (word, word.text.partition("=")[2])

    def option_pair(self, name: str, default: Pair, least: int = 1) -> Pair:
        """As :meth:`pair`."""
        found = self.option(name)
        return default if found is None else self.pair(*found, name, least)

    def option_bool(self, name: str, default: bool) -> bool:
        """Yes or no."""
        found = self.option(name)
        if found is None:
            return default
        word, text = found
        if text.lower() not in ("yes", "true", "1", "no", "false", "0"):
            raise self.fail(word, f"{name} must be yes or no, not {text[:40]!r}")
        return text.lower() in ("yes", "true", "1")

    def option_choice(self, name: str, known: tuple[str, ...]) -> str:
        """One of ``known``, whose first is the default."""
        found = self.option(name)
        if found is None:
            return known[0]
        word, text = found
        if text not in known:
            raise self.fail(word, f"{name} must be one of {', '.join(known)}, not {text[:40]!r}")
        return text

    def finish(self) -> None:
        """Refuse what nobody has asked for."""
        if self.numbers:
            raise self.fail(self.numbers[0], f"{self.head.text!r} does not take {self.numbers[0].text[:40]!r} here")
        for name, word in self.options.items():
            if name not in self.used:
                allowed = ", ".join(f"{option}=" for option in sorted(self.used)) or "none"
                raise self.fail(word, f"{self.head.text!r} has no option {name[:40]!r}; its options: {allowed}")


def pair_text(pair: Pair) -> str:
    """(3, 3) → "3", (3, 5) → "3x5"."""
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"


def option_text(name: str, pair: Pair, default: Pair) -> list[str]:
    """["stride=2"], or nothing where it is the default."""
    return [] if pair == default else [f"{name}={pair_text(pair)}"]


def decimal_text(value: float) -> str:
    """A number without a power of ten, as :meth:`Words.fraction` reads it back."""
    return f"{Decimal(repr(value)).normalize():f}"
