"""Numbers that travel as they are: a JSON head and float32 arrays behind it, in one answer.

Layout, little-endian: uint32 length of the head, the head (JSON, padded with spaces to a multiple of four bytes), then
the arrays one after the other. The head's ``arrays`` lists name, shape and offset (in floats, from the first array).
JSON would be four times as large and a hundred times as slow to write for a net's feature maps.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.responses import Response

from ..storage.strict_json import dumps

KIND = "application/vnd.convscope.floats"


@dataclass(frozen=True)
class Part:
    """Where an array lies in the answer."""

    name: str
    shape: tuple[int, ...]
    offset: int


def pack(head: Mapping[str, Any], arrays: Mapping[str, NDArray[np.floating | np.integer]]) -> bytes:
    """Head and arrays (any numeric type; they travel as float32) as bytes."""
    parts, offset = [], 0
    for name, array in arrays.items():
        parts.append(Part(name, array.shape, offset))
        offset += math.prod(array.shape)
    text = dumps({**head, "arrays": parts}).encode()
    text += b" " * (-len(text) % 4)
    bodies = [np.ascontiguousarray(array, dtype="<f4").tobytes() for array in arrays.values()]
    return b"".join([len(text).to_bytes(4, "little"), text, *bodies])


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    """The reverse of :func:`pack`, for tests and scripts."""
    import json

    size = int.from_bytes(data[:4], "little")
    head = json.loads(data[4 : 4 + size])
    floats = np.frombuffer(data, dtype="<f4", offset=4 + size)
    arrays = {}
    for part in head.pop("arrays"):
        end = part["offset"] + math.prod(part["shape"])
        arrays[part["name"]] = floats[part["offset"] : end].reshape(part["shape"])
    return head, arrays


def floats(head: Mapping[str, Any], arrays: Mapping[str, NDArray[np.floating | np.integer]]) -> Response:
    """An answer of numbers."""
    return Response(pack(head, arrays), media_type=KIND)
