"""JSON that every parser reads, written and read: no NaN, no Infinity, no number beyond the machine's.

A number that is not finite is written as ``null``; readers that need to know why look at the field's documentation.
"""

import dataclasses
import json
import math
import sys
from pathlib import Path
from typing import Any, NoReturn

LONGEST_INT = 20  # digits and sign: those of 64 bits


def plain(value: Any) -> Any:
    """``value`` as dicts, lists, strings, finite numbers, booleans and None. Raises TypeError for anything else."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    np = sys.modules.get("numpy")  # most JSON holds no arrays, and NumPy is slow to import
    if np is not None and isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and np.isfinite(value).all():
        return value.tolist()  # large arrays need no look at each number
    if np is not None and isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def dumps(value: Any, indent: int | None = None) -> str:
    """``plain(value)`` as text."""
    return json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)


def loads(text: str) -> Any:
    """The value of JSON from outside. Raises ValueError for what :func:`dumps` would not have written: text that is no
    JSON, NaN and Infinity, numbers that no machine number holds, nesting too deep to read.
    """
    try:
        return json.loads(text, parse_constant=_no_number, parse_int=_whole, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _whole(digits: str) -> int:
    return int(digits) if len(digits) <= LONGEST_INT else _no_number(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _no_number(digits)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text[:40]} is not a number of JSON that a machine can hold")
