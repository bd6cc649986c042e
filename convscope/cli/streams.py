"""The three streams of a command: closed ones, those of old terminals, and those whose reader goes away."""

import codecs
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

GONE = (errno.EPIPE, errno.EIO, errno.ECONNRESET)  # the reader ended, or the terminal closed
ASCII = ("ascii", "us-ascii", "ansi_x3.4-1968", "646")


def read_names_as_utf8() -> None:
    """Begin again in Python's UTF-8 mode where the locale knows ASCII alone: no name could be read or written."""
    if sys.getfilesystemencoding().lower() in ASCII and os.environ.get("PYTHONUTF8") != "1" and os.name == "posix":
        os.environ["PYTHONUTF8"] = "1"
        if sys.stdout and sys.stdout.isatty():  # it cannot show more than it could before
            os.environ.setdefault("PYTHONIOENCODING", "ascii")
        with suppress(OSError):
            os.execv(sys.executable, sys.orig_argv)


def prepare() -> None:
    """Open what is closed; make sure that no character ends a command.

    A closed stream leaves its number to the next file that is opened, into which libraries would then print.
    Characters that a terminal lacks become "?". Files and pipes get UTF-8, unless $PYTHONIOENCODING says otherwise;
    then :func:`lost_characters` knows.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - for as long as we run
            setattr(sys, name, nowhere)
    for stream in (sys.stdout, sys.stderr):
        if not hasattr(stream, "reconfigure"):
            continue
        if stream.isatty() or os.environ.get("PYTHONIOENCODING"):
            stream.reconfigure(errors="convscope" if stream is sys.stdout else "replace")
        else:
            stream.reconfigure(encoding="utf-8", errors="replace")


def lost_characters() -> str:
    """A sentence where a file or pipe got "?" for what its encoding lacks; "" where nothing was lost."""
    if not _lost or sys.stdout.isatty():
        return ""
    return (
        f"the output is {sys.stdout.encoding}, which lacks U+{ord(_lost[0]):04X}: such characters are written "
        "as ?; PYTHONIOENCODING=utf-8 keeps them"
    )


_lost: list[str] = []


def _question_mark(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    _lost.append(error.object[error.start])
    return "?" * (error.end - error.start), error.end


codecs.register_error("convscope", _question_mark)


class Unheard:
    """A stream that takes everything: what cannot be written is dropped. ``error`` says why, once it was so."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """As of a file."""
        with self._dropping():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """As of a file."""
        with self._dropping():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextmanager
    def _dropping(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = self.error or error
            # What is left in the buffer has to go somewhere, or the interpreter's end fails with the same error.
            with suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)


@contextmanager
def unheard() -> Iterator[None]:
    """Inside the block a reader that goes away (``| head``, a terminal that closes) does not end the work.

    Where the output was lost for another reason (a full disk), the OSError is raised at the end of the block.
    """
    before = sys.stdout, sys.stderr
    out, err = Unheard(sys.stdout), Unheard(sys.stderr)
    sys.stdout, sys.stderr = out, err
    try:
        yield
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before
    if out.error is not None and out.error.errno not in GONE:
        raise out.error
