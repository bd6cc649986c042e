"""The errors a user can meet. Each says what came, what was expected, and what to do next.

A command ends with the error's ``exit_code`` and prints its text; no traceback is shown. In Python they are
ordinary exceptions below one root, so ``except convscope.ConvscopeError`` catches all that bad input can cause.
"""

from collections.abc import Iterable
from difflib import get_close_matches

from .language import say


class ConvscopeError(Exception):
    """The root. ``message`` says what is wrong; ``help`` says what to do about it (may be empty): both in English.

    As text, which a traceback and ``print`` show, it speaks the chosen language.
    """

    exit_code = 1

    def __init__(self, message: str, help: str = "") -> None:  # noqa: A002 - the word that users read
        super().__init__(message)
        self.message = message
        self.help = help

    def __str__(self) -> str:
        told = say(self.message)
        return f"{told}\n  {say('help:')} {say(self.help)}" if self.help else told


class TrainingError(ConvscopeError):
    """Training could not continue (exit code 1): the loss is not finite, the disk is full, a run is damaged."""


class NotFinite(TrainingError):
    """The loss or the weights became infinite or not a number; the last good ones are kept (exit code 1)."""


class UsageError(ConvscopeError, ValueError):
    """A value that the user chose does not make sense (exit code 2)."""

    exit_code = 2


class DataError(ConvscopeError):
    """Data are missing or unusable (exit code 3)."""

    exit_code = 3


class Interrupted(ConvscopeError):
    """The user stopped the work; what was done is saved.

    The exit code is 128 + the signal's number, as shells count: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP.
    """

    exit_code = 130

    def __init__(self, message: str, help: str = "", number: int = 2) -> None:  # noqa: A002 - as above
        super().__init__(message, help)
        self.exit_code = 128 + number


def near(word: str, known: Iterable[str]) -> str:
    """Return a hint such as ``did you mean 'mnist'? known: digits, mnist`` for a word that is not known."""
    names = list(known)
    close = get_close_matches(word, names, n=3, cutoff=0.5)
    hint = "did you mean " + " or ".join(repr(name) for name in close) + "? " if close else ""
    return f"{hint}known: {', '.join(names)}"
