"""Which fonts a picture's texts need: names of classes and files may be in any script.

Matplotlib keeps a list of the fonts that were there when it was first used. So where a character is missing, the
machine is looked through again; what no font has is said, with the package that would have it, and its code is written:
boxes would make two classes look alike.
"""

import re
import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

# Asked in turn for a character, before any other font.
FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC",
         "WenQuanYi Zen Hei", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic",
         "Arial Unicode MS", "Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans")  # fmt: skip

CJK = ((0x2E80, 0xA4CF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0xFE30, 0xFE4F), (0xFF00, 0xFFEF), (0x20000, 0x3FFFF))
MOST_SHOWN = 12  # characters in a message
MOST_CODES = 4  # one after another: of more, the first two and the last two

_said: set[str] = set()


def families(texts: Iterable[str]) -> tuple[list[str], set[str]]:
    """The names of fonts that have the characters of ``texts`` together, in the order in which they are to be asked,
    and the characters that no font here has.

    Says on stderr, once for each character, which these are.
    """
    chosen, missing = _search("".join(texts))
    tell(missing, "codes such as U+1F600 are written instead")
    return chosen, missing


def coded(text: str, missing: set[str]) -> str:
    """``text`` with the codes of characters, such as U+1F600, in the place of those that are ``missing``."""

    def codes(run: re.Match[str]) -> str:
        found = [f"U+{ord(character):04X}" for character in run[0]]
        found = found if len(found) <= MOST_CODES else [*found[:2], "…", *found[-2:]]
        before, after = text[: run.start()][-1:], text[run.end() :][:1]
        return " " * before.isalnum() + " ".join(found) + " " * after.isalnum()

    return re.sub(f"[{re.escape(''.join(missing))}]+", codes, text) if missing else text


def tell(missing: set[str], instead: str) -> None:
    """Say on stderr, once for each character, which no font here has, and what is done ``instead``."""
    if missing - _said:
        _said.update(missing)
        print(_message(sorted(missing), instead), file=sys.stderr)


def lacking(text: str) -> set[str]:
    """The characters of ``text`` that no font here has."""
    return _search(text)[1]


def _search(text: str) -> tuple[list[str], set[str]]:
    """The fonts that have the characters of ``text`` together, and the characters that none has."""
    missing = {character for character in text if character.isprintable() and character != " "}
    chosen = _choose(missing)
    if missing:
        _look_again()
        chosen += [name for name in _choose(missing) if name not in chosen]
    for font in sorted(_installed().values(), key=lambda font: font.name) if missing else []:
        found = missing & _characters(font.fname)
        if found:
            chosen.append(font.name)
            missing -= found
    return chosen, missing


def _choose(missing: set[str]) -> list[str]:
    """Of FONTS, those that are needed; what they have is taken from ``missing``. The first one always is."""
    installed = _installed()
    chosen: list[str] = []
    for name in FONTS:
        font = installed.get(name)
        found = missing & _characters(font.fname) if font and (missing or not chosen) else set()
        if found or (font and not chosen):
            chosen.append(name)
            missing -= found
    return chosen


def _installed() -> dict[str, Any]:
    """The fonts that Matplotlib knows, by name: upright ones of ordinary weight where there are such. A font of last
    resort, which has a box for every character, is none.
    """
    from matplotlib.font_manager import fontManager

    plain_last = sorted(fontManager.ttflist, key=lambda font: (font.style == "normal", font.weight in (400, "normal")))
    return {font.name: font for font in plain_last if "lastresort" not in font.name.replace(" ", "").lower()}


def _look_again() -> None:
    """Add the fonts that came since Matplotlib made its list."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    known = {font.fname for font in fontManager.ttflist}
    for path in findSystemFonts():
        if path not in known:
            try:
                fontManager.addfont(path)
            except Exception:
                continue


@lru_cache(maxsize=64)
def _characters(path: str) -> frozenset[str]:
    """The characters that a font file has; none where it cannot be read."""
    from matplotlib.font_manager import get_font

    try:
        return frozenset(map(chr, get_font(path).get_charmap()))
    except Exception:  # FreeType's errors, or the file has gone
        return frozenset()


def _message(missing: list[str], instead: str) -> str:
    shown = "".join(missing[:MOST_SHOWN]) + ("…" if len(missing) > MOST_SHOWN else "")
    packages = " and ".join(sorted({_package(ord(character)) for character in missing}))
    return f"note: no font here has {shown}: {instead}; install one, such as the package {packages}"


def _package(code: int) -> str:
    """A package of Debian and its kin that has the character."""
    if any(low <= code <= high for low, high in CJK):
        return "fonts-noto-cjk"
    return "fonts-symbola" if 0x1F000 <= code < 0x20000 else "fonts-noto-core"
