"""The last place before a reader: stdout and stderr, on which every line is said in the chosen language."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from . import chosen, say

COLOURED = re.compile(r"((?:\x1b\[[0-9;]*m)*)(.*?)((?:\x1b\[[0-9;]*m)*)", re.DOTALL)


class Spoken:
    """A stream whose lines are translated as they become whole; what is flushed earlier goes through as it is."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begun = ""

    def write(self, text: str) -> int:
        """As of a file."""
        whole, end, rest = (self._begun + text).rpartition("\n")
        if end:
            self._stream.write(_said(whole) + end)
        self._begun = rest
        return len(text)

    def flush(self) -> None:
        """Write what is left, such as a bar, which ends without a line's end."""
        if self._begun:
            self._stream.write(self._begun)
            self._begun = ""
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _said(text: str) -> str:
    parts = (COLOURED.fullmatch(line) for line in text.split("\n"))
    return "\n".join(f"{part[1]}{say(part[2])}{part[3]}" for part in parts if part)


@contextmanager
def spoken() -> Iterator[None]:
    """Within the block stdout and stderr speak the chosen language. Where that is English, nothing is changed."""
    if chosen() == "en":
        yield
        return
    before = sys.stdout, sys.stderr
    out, err = Spoken(sys.stdout), Spoken(sys.stderr)
    sys.stdout, sys.stderr = out, err
    try:
        yield
    finally:
        for stream in (out, err):
            with suppress(BrokenPipeError):  # whoever read has gone, as head does
                if stream._begun:
                    stream.flush()
        if (sys.stdout, sys.stderr) == (out, err):  # else Click has put around them what bears a pipe that is closed
            sys.stdout, sys.stderr = before
