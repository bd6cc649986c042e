"""How a map of pixels is made: block by block, each with its checksum, so that a making that was stopped continues.

``NAME.part`` becomes ``NAME.npy`` when it is whole. Beside it ``NAME.blocks`` has a line of JSON for each block: its
CRC-32 and what is to be remembered of it. A block counts once its line is there. Who makes a map that is there already
checks it against these lines, and makes again what is damaged and all that follows.
"""

import contextlib
import io
import json
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...storage.files import disk_error, open_plain
from ...storage.trusted import open_own, read_own

PART, BLOCKS = ".part", ".blocks"
Told = tuple[NDArray[np.uint8], dict[str, Any]]  # the pixels of a block, and what is to be remembered of it


@dataclass(frozen=True)
class MapInBlocks:
    """A map of ``shape`` (N, C, H, W), uint8, made of blocks of ``step`` images.

    ``blocks`` makes them from a number on; ``known`` hears what was remembered of each that is there already.
    """

    shape: tuple[int, ...]
    step: int
    blocks: Callable[[int], Iterator[Told]]
    known: Callable[[dict[str, Any]], None] = lambda _: None

    @property
    def header(self) -> bytes:
        """The first bytes of the .npy file."""
        return npy_header(self.shape)

    @property
    def block_bytes(self) -> int:
        """Of every block but the last, which may be smaller."""
        return self.step * int(np.prod(self.shape[1:], dtype=np.int64))

    @property
    def count(self) -> int:
        """How many blocks."""
        return -(-self.shape[0] // self.step)


@dataclass(frozen=True)
class Made:
    """How many images were there already, and whether others were there that are damaged."""

    there: int
    damaged: bool


def make(path: Path, plan: MapInBlocks) -> Made:
    """Make the map at ``path``, or the rest of it. One process at a time.

    Raises TrainingError where the disk fails; nothing is left then.
    """
    part, lines = path.with_suffix(PART), path.with_suffix(BLOCKS)
    try:
        with contextlib.suppress(FileNotFoundError):
            path.replace(part)
        good, damaged = _there(part, lines, plan)
        for line in good:
            plan.known(json.loads(line))
        _begin(part, lines, plan, good)
        with os.fdopen(open_plain(part, os.O_RDWR), "r+b") as file, lines.open("a", encoding="utf-8") as told:
            file.seek(0, os.SEEK_END)
            for pixels, about in plan.blocks(len(good)):
                file.write(pixels.data)
                file.flush()
                told.write(_line(pixels, about))
                told.flush()
            os.fsync(told.fileno())
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        for left in (part, lines):
            with contextlib.suppress(OSError):
                left.unlink()
        raise disk_error(path, error) from None
    return Made(min(len(good) * plan.step, plan.shape[0]), damaged)


def is_whole(path: Path, shape: tuple[int, ...]) -> bool:
    """Whether every block of the map at ``path`` has the checksum that it was made with."""
    lines = _lines(path.with_suffix(BLOCKS))
    if not lines:
        return False
    plan = MapInBlocks(shape, int(lines[0]), lambda _: iter(()))
    return len(lines) - 1 == plan.count == len(_good(path, lines[1:], plan))


def npy_header(shape: tuple[int, ...]) -> bytes:
    """The header of an .npy file of uint8, version 1.0."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.getvalue()


def _there(part: Path, lines: Path, plan: MapInBlocks) -> tuple[list[str], bool]:
    """The lines of the blocks that are there and good, and whether there are others."""
    told = _lines(lines)
    if not told or told[0] != str(plan.step):
        return [], False
    good = _good(part, told[1:], plan)
    return good, len(good) < len(told) - 1


def _lines(path: Path) -> list[str]:
    """The whole lines of this user's own file; none of any other."""
    content = read_own(path) or b""
    *whole, _ = content.decode(errors="replace").split("\n")
    return whole


def _good(path: Path, lines: list[str], plan: MapInBlocks) -> list[str]:
    """The lines up to the first one whose block has another checksum."""
    file = open_own(path)
    if file is None:
        return []
    good: list[str] = []
    with file, contextlib.suppress(ValueError, KeyError, TypeError, OSError):  # whatever stands there
        if file.read(len(plan.header)) != plan.header:
            return []
        rest = int(np.prod(plan.shape, dtype=np.int64))
        for line in lines[: plan.count]:
            size = min(plan.block_bytes, rest)
            if json.loads(line)["crc"] != _crc(file, size):
                break
            rest -= size
            good.append(line)
    return good


def _crc(file: BinaryIO, size: int) -> int:
    block = file.read(size)
    return zlib.crc32(block) if len(block) == size else -1


def _begin(part: Path, lines: Path, plan: MapInBlocks, good: list[str]) -> None:
    """Both files, with nothing in them but what is good."""
    if not good:
        for left in (part, lines):  # whatever it is: a pipe, a link
            left.unlink(missing_ok=True)
        part.write_bytes(plan.header)
    size = len(plan.header) + min(len(good) * plan.block_bytes, int(np.prod(plan.shape, dtype=np.int64)))
    os.truncate(part, size)
    lines.write_text("".join(f"{line}\n" for line in [str(plan.step), *good]), encoding="utf-8")


def _line(pixels: NDArray[np.uint8], about: dict[str, Any]) -> str:
    return json.dumps({"crc": zlib.crc32(pixels.data), **about}) + "\n"
