"""How wide text stands in a terminal: a Chinese character takes two columns."""

import re

WIDE = "\u2e80-\u303f\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff60"
NOT_FIRST = "，。；：、！？）》」』”’…,.;:!?)]"
WORD = re.compile(rf"\s+|[\[（“《]*[{WIDE}]|[^\s{WIDE}]+")


def width(text: str) -> int:
    """Columns of ``text``."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def ljust(text: str, size: int) -> str:
    """``text`` with spaces to its right, ``size`` columns wide."""
    return text + " " * (size - width(text))


def rjust(text: str, size: int) -> str:
    """``text`` with spaces to its left, ``size`` columns wide."""
    return " " * (size - width(text)) + text


def fit(text: str, size: int, end: int = 0) -> str:
    """``text``, or its beginning, "…" and its last ``end`` columns where it is wider than ``size`` columns."""
    if width(text) <= size:
        return text
    kept = last = ""
    for character in reversed(text):
        if width(character + last) > end:
            break
        last = character + last
    for character in text:
        if width(kept + character + last) >= size:
            break
        kept += character
    return f"{kept}…{last}"


def wrap(text: str, size: int) -> list[str]:
    """Lines of at most ``size`` columns, broken at spaces and between Chinese characters."""
    lines = [""]
    for word in WORD.findall(text):
        if width(lines[-1]) + width(word.rstrip()) > size and word[0] not in NOT_FIRST and lines[-1]:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        if not (word.isspace() and not lines[-1]):
            lines[-1] += word
    return [line for line in lines if line]
