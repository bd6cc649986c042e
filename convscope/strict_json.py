"""Dataclasses, tuples, NumPy values → JSON that every parser reads: no NaN, no Infinity.

A number that is not finite becomes ``null``; readers that need to know why look at the field's documentation.
"""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np


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
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and np.isfinite(value).all():
        return value.tolist()  # large arrays need no look at each number
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def dumps(value: Any, indent: int | None = None) -> str:
    """``plain(value)`` as text."""
    return json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)
