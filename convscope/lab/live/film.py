"""The film of a run: what the probes saw while it was trained, in ``film.bin`` in the run folder, for the timeline.

Layout: messages as :mod:`.messages` reads them (a line of JSON, of which ``bytes`` announces so many raw bytes behind
it). The first has ``kind`` "film", ``version`` 1, ``run``, ``classes``, ``labels``, ``index``, ``image``,
``confidence``, ``epoch_steps`` and ``thumbnails``: the shape of the probe images that follow as uint8. Every other one
is a frame: the head of a look (see :mod:`.probe`), its ``step`` in rising order, and ``arrays``, which says of each
float16 array behind it (little-endian) name, shape and offset in numbers. Those are

    confidences     (N, K) of the N probe images
    image           (C, H, W) in 0..255, the image that was chosen then
    map.<layer>     (C, H, W) of that image
    state.<name>    of the net's state dict: all of it where ``whole``, else the kernels of its convolutions

Nothing but the lab reads it, and no run depends on it: it may be deleted. It stays below MOST_BYTES however long the
run is: where it would grow beyond, every second frame goes. A killed process leaves a torn last frame, which is passed
over.
"""

import contextlib
import io
import logging
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import ConvscopeError, DataError
from ...storage.files import open_plain, own_file, write_atomic
from ...storage.strict_json import dumps
from ..binary import Part
from .messages import BrokenMessage, Message, read
from .probe import Look

log = logging.getLogger("convscope.lab")

FILE = "film.bin"
VERSION = 1
MOST_BYTES = 6 * 2**20
EARLY = 128  # updates in which a net changes most: there a frame is taken wherever their number has doubled
THUMBNAILS = 2**18  # bytes of the probe images; larger ones are thinned out
HALF = np.dtype("<f2")
LARGEST = float(np.finfo(np.float16).max)  # of a half


@dataclass(frozen=True)
class Frame:
    """One frame: its ``head``, and the float16 bytes of the arrays that the head lists."""

    head: Message
    body: bytes

    @property
    def step(self) -> int:
        """How many updates had been taken."""
        return int(self.head["step"])

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """The arrays as float32, by name. Raises DataError where the frame is damaged."""
        numbers = np.frombuffer(self.body[: len(self.body) // 2 * 2], dtype=HALF)
        found = {}
        try:
            for part in self.head["arrays"]:
                shape, start = tuple(map(int, part["shape"])), int(part["offset"])
                if min((start, *shape)) < 0:
                    raise ValueError
                values = numbers[start : start + math.prod(shape)].reshape(shape)
                found[str(part["name"])] = values.astype(np.float32)
        except (KeyError, TypeError, ValueError, OverflowError):
            raise DataError(f"{FILE} is damaged in the frame of update {self.step}", "delete it") from None
        return found

    def written(self) -> bytes:
        """The frame as it stands in the file."""
        return _message(self.head, self.body)


@dataclass(frozen=True)
class Film:
    """A film that was read: what its first message says, the probe images uint8 (N, C, H, W), and its frames."""

    head: Message
    thumbnails: NDArray[np.uint8]
    frames: list[Frame] = field(default_factory=list)

    def at(self, step: int) -> Frame:
        """The last frame at or before update ``step``, else the first. Raises DataError where there is none."""
        if not self.frames:
            raise DataError("the film of this run has no frame yet", "the first is taken before the first update")
        return next((frame for frame in reversed(self.frames) if frame.step <= step), self.frames[0])


def read_film(folder: Path) -> Film | None:
    """The film in a run folder, None where there is none. Raises DataError where the file is not one of these."""
    try:
        path = own_file(folder, FILE)
        with os.fdopen(open_plain(path), "rb") as file:
            data = file.read(2 * MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{folder / FILE} cannot be read: {error.strerror}") from None
    if len(data) > 2 * MOST_BYTES:
        raise DataError(f"{path} is larger than {2 * MOST_BYTES >> 20} MiB, so convscope did not write it")
    messages = _whole(data)
    try:
        head, body = next(messages, ({}, b""))
        if head.get("kind") != "film" or head.get("version") != VERSION:
            raise ValueError
        thumbnails = np.frombuffer(body, dtype=np.uint8).reshape(head["thumbnails"])
        frames = [Frame(frame, content) for frame, content in messages if type(frame["step"]) is int]
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{path} is damaged, or of a later version of convscope", "delete it") from None
    return Film(head, thumbnails, frames)


def _whole(data: bytes) -> Iterator[tuple[Message, bytes]]:
    """The messages in ``data`` up to where they are torn."""
    try:
        yield from read(io.BytesIO(data))
    except BrokenMessage:
        return


class Filming:
    """Writes the film of a run as its looks come in. What goes wrong there ends the film, never the run."""

    def __init__(self, folder: Path, head: Message, probes: NDArray[np.uint8], resumed_at: int = 0) -> None:
        self.path, self.spacing, self.ended = folder / FILE, 0.0, False
        self.steps: list[int] = []  # the updates of its frames
        stride = 1
        while probes[:, :, ::stride, ::stride].size > THUMBNAILS:
            stride += 1
        thumbnails = np.ascontiguousarray(probes[:, :, ::stride, ::stride])
        whole = {"kind": "film", "version": VERSION, **head, "thumbnails": thumbnails.shape}
        self._head = _message(whole, thumbnails.tobytes())
        with self._trying():
            self._write([frame for frame in _before(folder, head) if frame.step < resumed_at])

    @property
    def last(self) -> int:
        """The update of the last frame, −1 before the first."""
        return self.steps[-1] if self.steps else -1

    def wants(self, step: int, due: bool) -> bool:
        """Whether to take a look after update ``step``: where one is ``due``, and often in the beginning."""
        if self.ended:
            return False
        return step >= 2 * self.last if step < EARLY else due and step - self.last >= self.spacing

    def keep(self, look: Look, always: bool = False) -> None:
        """Add a frame, unless one was added a moment ago; ``always`` even then."""
        step = int(look.head["step"])
        if self.ended or step <= self.last or not (always or step < EARLY or step - self.last >= self.spacing):
            return
        with self._trying():
            self._append(_frame(look).written())
            self.steps.append(step)

    def _append(self, data: bytes) -> None:
        if self.size + len(data) > MOST_BYTES:
            self._thin()
        with os.fdopen(open_plain(self.path, os.O_WRONLY | os.O_APPEND), "wb", buffering=0) as file:
            if file.write(data) != len(data):
                raise OSError("the disk is full")
        self.size += len(data)

    def _thin(self) -> None:
        """Leave out every second frame, of the early ones only where they are most of the film."""
        film = read_film(self.path.parent)
        frames = [] if film is None else film.frames
        early = [frame for frame in frames if frame.step < EARLY]
        late = frames[len(early) :]
        if len(early) > len(late):
            early, late = [], frames
        kept = early + late[::2]
        self.spacing = (late[-1].step - late[0].step) / max(1, len(late[::2]) - 1)
        self._write(kept)

    def _write(self, frames: list[Frame]) -> None:
        data = b"".join([self._head, *(frame.written() for frame in frames)])
        write_atomic(self.path, data)
        self.size = len(data)
        self.steps = [frame.step for frame in frames]
        late = [step for step in self.steps if step >= EARLY]
        if len(late) > 1:
            self.spacing = max(self.spacing, (late[-1] - late[0]) / (len(late) - 1))

    @contextlib.contextmanager
    def _trying(self) -> Iterator[None]:
        """What cannot be written ends the film here."""
        try:
            yield
        except (OSError, ConvscopeError) as error:
            self.ended = True
            log.warning("the film of the run ends here: %s", error)


def _before(folder: Path, head: Message) -> list[Frame]:
    """The frames of the same net and images that a run has from before it was stopped."""
    try:
        film = read_film(folder)
    except DataError:  # a new one begins
        return []
    same = film is not None and all(film.head.get(key) == head[key] for key in ("index", "image"))
    return film.frames if film is not None and same else []


def _frame(look: Look) -> Frame:
    parts, bodies, offset = [], [], 0
    for name, values in look.kept.items():
        half = np.clip(values, -LARGEST, LARGEST).astype(HALF)
        parts.append(Part(name, half.shape, offset))
        bodies.append(half.tobytes())
        offset += half.size
    head = {key: value for key, value in look.head.items() if key != "confidences"}
    return Frame({**head, "kind": "frame", "whole": look.whole, "arrays": parts}, b"".join(bodies))


def _message(head: Message, body: bytes) -> bytes:
    return dumps({**head, "bytes": len(body)}).encode() + b"\n" + body
