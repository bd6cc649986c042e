"""Names from outside: of parts (train, val, test), in the order that people expect, and fit to be printed."""

import os
import re
import unicodedata

PARTS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}


def part_named(name: str) -> str | None:
    """The part that a folder's name, or the name of a split in a table, stands for."""
    return next((part for part, names in PARTS.items() if name.lower() in names), None)


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """A key that sorts as people do: "2" before "10", "b" after "A"."""
    pieces = re.split("([0-9]+)", name.casefold())
    numbers = [piece.lstrip("0") for piece in pieces]  # more digits, larger number
    return [
        (len(n), n) if k % 2 else (-1, piece) for k, (piece, n) in enumerate(zip(pieces, numbers, strict=True))
    ], name


def shown(name: str) -> str:
    """A name of the file system as text that can be printed and written, in composed Unicode form."""
    text = name.replace(os.sep, "/")
    if not text.isprintable():  # bytes that are no text, control characters
        text = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return unicodedata.normalize("NFC", text)
