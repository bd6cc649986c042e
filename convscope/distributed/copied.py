"""A run that several processes resume: rank 0 has its folder, each of the others gets a copy to read from."""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .team import Team


@contextmanager
def copied(team: Team, find: Callable[[], Path], names: Sequence[str]) -> Iterator[Path]:
    """The folder that rank 0 finds: itself there, elsewhere a temporary one with copies of its files ``names``."""
    if team.ranks == 1:
        yield find()
        return
    if team.leads:
        folder = find()
        team.gather_bytes(_packed(folder, names))
        yield folder
        return
    packed = team.gather_bytes(b"")[0]
    with tempfile.TemporaryDirectory(prefix="convscope-") as place:
        yield _unpacked(packed, Path(place), names)


def _packed(path: Path, names: Sequence[str]) -> bytes:
    there = [path / name for name in names if (path / name).is_file() and not (path / name).is_symlink()]
    contents = [file.read_bytes() for file in there]
    sizes = [(file.name, len(content)) for file, content in zip(there, contents, strict=True)]
    head = json.dumps([path.name, sizes]).encode()
    return b"".join([len(head).to_bytes(8, "little"), head, *contents])


def _unpacked(packed: bytes, place: Path, names: Sequence[str]) -> Path:
    start = 8 + int.from_bytes(packed[:8], "little")
    name, sizes = json.loads(packed[8:start])
    path = place / Path(str(name)).name
    path.mkdir()
    for file, size in sizes:
        if file in names:
            (path / file).write_bytes(packed[start : start + size])
        start += size
    return path
