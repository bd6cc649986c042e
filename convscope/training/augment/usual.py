"""Which augmentation goes with which data: ``none``, ``light`` and ``auto`` become a spec."""

import re
from collections.abc import Sequence

NAMED = ("digits", "mnist", "kmnist")  # data sets of characters whose classes may have other names
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
USUAL = ("light", "auto")
SIDED = ("left", "right")  # classes that a mirror would exchange
WORD = re.compile("[A-Z]+(?![a-z])|[A-Z]?[a-z]+")  # "arrowLeft" and "arrow_left" have two


def usual(text: str, data: str, classes: Sequence[str], shape: tuple[int, int, int]) -> str:
    """``text``, or the spec that ``light`` and ``auto`` stand for on images (C, H, W) of these classes.

    Characters are shifted and turned a little, and never mirrored: a mirrored 2 is no 2. Pictures are mirrored and
    shifted by an eighth of their side, as is usual since He et al. 2015 (4 of 32 pixels); ``light`` by half of that.
    """
    wanted = text.strip()
    if wanted not in USUAL:
        return wanted or "none"
    side = max(shape[1:])
    if are_characters(data, classes):
        shift = f"shift {max(1, side // (28 if wanted == 'light' else 14))} padding=zeros"
        return shift if wanted == "light" else f"{shift} | rotate 10 padding=zeros"
    shift = f"shift {max(1, side // (16 if wanted == 'light' else 8))}"
    return shift if have_sides(classes) else f"flip | {shift}"


def are_characters(data: str, classes: Sequence[str]) -> bool:
    """Whether the classes are letters or digits, by their names."""
    return data in NAMED or all(_is_character(name) for name in classes)


def have_sides(classes: Sequence[str]) -> bool:
    """Whether a class is called after a side, as "arrow_left"; "bright" is called after none."""
    return any(word.lower() in SIDED for name in classes for word in WORD.findall(name))


def _is_character(name: str) -> bool:
    return len(name) == 1 or name.lower() in NUMBERS or name.isdecimal()
