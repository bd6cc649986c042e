"""Numbers with the noun that they count: "1 update", "1,380 updates"; and lists of which the first few are named."""

from collections.abc import Iterable


def number_of(number: int, what: str, plural: str = "") -> str:
    """``number`` of ``what``, whose plural ends in s, or is ``plural``."""
    return f"{number:,} {what if number == 1 else plural or f'{what}s'}"


def some(names: Iterable[str], most: int) -> str:
    """The first ``most`` of ``names``: "a, b, c"; where there are others, it ends in ", …"."""
    known = list(names)
    return ", ".join([*known[:most], *(["…"] if len(known) > most else [])])
