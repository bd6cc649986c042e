"""Numbers with the noun that they count: "1 update", "1,380 updates"."""


def number_of(number: int, what: str, plural: str = "") -> str:
    """``number`` of ``what``, whose plural ends in s, or is ``plural``."""
    return f"{number:,} {what if number == 1 else plural or f'{what}s'}"
