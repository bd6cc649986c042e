"""Numbers, names and comments as C99 has them."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

WIDTH = 110  # characters of a line of numbers
LONGEST = 4000  # bytes of a string literal: C99 promises 4,095
ESCAPED = {ord('"'): '\\"', ord("\\"): "\\\\", ord("?"): "\\?"}  # ?: three of them might be a trigraph


def string(text: str) -> str:
    """A string literal whose bytes are ``text`` in UTF-8, in ASCII alone. A zero byte would end it: it becomes "?"."""
    parts, line = [], ""
    for byte in text.encode(errors="replace").replace(b"\0", b"?")[:LONGEST]:
        # Octal escapes have three digits at most: what follows is never taken for a part of them.
        line += ESCAPED.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}")
        if len(line) > WIDTH:
            parts.append(line)
            line = ""
    return " ".join(f'"{part}"' for part in [*parts, line])


def comment(text: str) -> str:
    """``text`` as a part of a comment, which it cannot end; in printable ASCII."""
    plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in text.replace("×", "x"))
    for inside, apart in (("*/", "* /"), ("/*", "/ *"), ("??", "? ?"), ("\\", "/")):
        while inside in plain:
            plain = plain.replace(inside, apart)
    return plain


def floats(kind: str, name: str, values: NDArray[np.float32], size: str) -> str:
    """``static const float name[size] = {...};``: nine digits are each float32 exactly."""
    return _array(f"{kind} {name}[{size}]", (number(value) for value in values.ravel().tolist()))


def integers(kind: str, name: str, values: Sequence[int]) -> str:
    """The same for whole numbers."""
    return _array(f"{kind} {name}[{len(values)}]", map(str, values))


def number(value: float) -> str:
    """A float literal."""
    text = f"{value:.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _array(head: str, numbers: Iterable[str]) -> str:
    lines, line = [], ""
    for text in numbers:
        if len(line) + len(text) + 2 > WIDTH:
            lines.append(line)
            line = ""
        line += f"{text}, "
    body = "\n".join(f"    {part.rstrip()}" for part in [*lines, line])
    return f"{head} = {{\n{body}\n}};"
