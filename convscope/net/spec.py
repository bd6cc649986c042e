"""The language for nets: ``conv 10 5 | pool 2 | relu | linear`` ↔ a net as a tree (:mod:`convscope.net.tree`).

A layer is a word, its numbers and its options; layers are separated by ``|``:

    conv 10 5 stride=2 | pool 2 | relu | batchnorm | dropout 0.5 | linear

What a layer is called, its numbers and its options are said by its kind, one file each in :mod:`convscope.net.ops`.
Pairs such as 3x5 are height x width. Input channels and features are worked out, a linear layer without a number has as
many outputs as there are classes, and a ``flatten`` is put before the first one where it is missing.

Brackets make branches and repetitions (:data:`BRACKETS`), and may stand inside each other. Errors are
:class:`SpecError`, which points at the word. ``convscope nets --layers`` lists all that may be written.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches

from .ops import JOINS, WORDS, Flatten, Linear, Op
from .tree import Branches, Net, Repeat, Written, size
from .words import SpecError, Word, Words

BRACKETS = {
    "[ … ]+": "Adds what came in: a skip connection. A 1×1 convolution is put in where the shapes differ.",
    "[ … / … ]+": "Adds the branches, which all start from what came in.",
    "[ … ]&": "Puts the branch's channels behind those of what came in.",
    "[ … / … ]&": "Puts the branches' channels behind each other.",
    "[ … ]x3": "The same layers three times, each time with weights of their own; ]+x3 is a skip connection each time.",
}
MAX_LAYERS = 200  # after repetition
MAX_DEPTH = 20  # of brackets

TOKEN = re.compile(r"\||/|\[|\][^\s|/\[\]]*|[^\s|/\[\]]+")
CLOSING = re.compile(r"\]([+&]?)(?:x([0-9]{1,4}))?")
SIGNS = "]+ adds what came in, ]& puts it before the channels, ]x3 repeats"


def parse(text: str) -> Net:
    """Read a spec. Raises :class:`SpecError` (exit code 2) that points at the word that cannot be read."""
    parser = _Parser(text, [Word(m.group(), m.start()) for m in TOKEN.finditer(text)])
    net = parser.sequence(0)
    if parser.next is not None:
        what = "closes nothing" if parser.next.text[0] == "]" else "stands between the branches of a bracket"
        raise parser.error(parser.next, f"{parser.next.text[:40]!r} {what}", "write [ … ]+ or [ … / … ]&")
    return net


def _known(word: str) -> str:
    """Kinds with a name like ``word``, and where all of them are listed."""
    close = get_close_matches(word, WORDS, n=3, cutoff=0.5)
    meant = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{meant}all kinds of layers: convscope nets --layers"


@dataclass
class _Parser:
    """Reads token by token. ``flat``: the word that flattened the image, None while there is one."""

    text: str
    tokens: list[Word]
    at: int = 0
    flat: Word | None = None

    @property
    def next(self) -> Word | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def error(self, word: Word, message: str, help: str = "") -> SpecError:  # noqa: A002 - the word that users read
        return SpecError(self.text, word.position, len(word.text), message, help)

    def sequence(self, depth: int) -> Net:
        """Items with | between them, up to what ends a branch."""
        items: list[Written] = []
        while True:
            first = self.next
            if first is None or first.text[0] in "|/]":
                end = Word(" ", max(len(self.text) - 1, 0))
                raise self.error(
                    first or end,
                    "a layer is missing here",
                    "write layers with | between them, such as: conv 10 5 | pool 2 | linear",
                )
            items += self.bracket(depth + 1) if first.text == "[" else self.layer()
            if size(tuple(items)) > MAX_LAYERS:
                raise self.error(first, f"a net has at most {MAX_LAYERS} layers")
            after = self.next
            if after is None or after.text[0] in "/]":
                return tuple(items)
            if after.text != "|":
                raise self.error(after, f"a | is missing before {after.text[:40]!r}", "write | between layers")
            self.at += 1

    def layer(self) -> list[Written]:
        """One layer, after a flatten where it needs one."""
        words = []
        while self.next is not None and self.next.text[0] not in "|/[]":
            words.append(self.next)
            self.at += 1
        head = words[0]
        if head.text not in WORDS:
            raise self.error(head, f"no layer is called {head.text[:40]!r}", _known(head.text[:40]))
        kind = WORDS[head.text]
        reader = Words.of(self.text, words, kind.usage)
        op = kind.read(reader)
        reader.finish()
        if self.flat and op.takes_images:
            raise self.error(
                head,
                f"{head.text!r} needs an image, but the image is flattened before it",
                "put it before flatten and linear",
            )
        return [*self.flatten(head, op), op]

    def flatten(self, head: Word, op: Op) -> list[Written]:
        """The flatten that ``op`` needs before it; from now on there is no image if it is one itself."""
        if self.flat or not isinstance(op, Flatten | Linear):
            return []
        self.flat = head
        return [Flatten()] if isinstance(op, Linear) else []

    def bracket(self, depth: int) -> list[Written]:
        """What stands between [ and ], and what its sign makes of it."""
        opening, before = self.tokens[self.at], self.flat
        if depth > MAX_DEPTH:
            raise self.error(opening, f"brackets stand at most {MAX_DEPTH} deep inside each other")
        branches, ends = [], []
        while True:
            self.at += 1
            self.flat = before
            branches.append(self.sequence(depth))
            ends.append(self.flat)
            if self.next is None or self.next.text != "/":
                break
        self.flat = next((end for end in ends if end), None)
        closing = self.next
        if closing is None:
            raise self.error(opening, "this bracket is never closed", SIGNS)
        self.at += 1
        sign, times = self.sign(closing)
        if not sign and len(branches) > 1:
            raise self.error(closing, "branches need a sign that joins them", SIGNS)
        if self.flat and not before and len(branches) == 1:
            raise self.error(
                self.flat,
                f"{self.flat.text!r} flattens the image inside a bracket, but not what came in",
                "put flatten before the bracket",
            )
        body: Net = (Branches(JOINS[sign], tuple(branches)),) if sign else branches[0]
        return list(body) if times is None else [Repeat(times, body)]

    def sign(self, closing: Word) -> tuple[str, int | None]:
        """ "]+x3" → ("+", 3)."""
        found = CLOSING.fullmatch(closing.text)
        if found is None or closing.text == "]":
            raise self.error(closing, f"what {closing.text[:40]!r} does is not known", SIGNS)
        if found[2] is not None and not 1 <= int(found[2]) <= MAX_LAYERS:
            raise self.error(closing, f"a bracket is repeated 1 to {MAX_LAYERS} times, not {found[2]}", SIGNS)
        return found[1], None if found[2] is None else int(found[2])
