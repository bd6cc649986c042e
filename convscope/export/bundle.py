"""``convscope bundle``: model, ONNX, page, report, card and checksums of a run in one .zip, always the same bytes."""

import hashlib
import io
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ..errors import DataError, TrainingError, UsageError
from ..language import chosen
from ..recipe import ExportName
from ..report.document.card import card
from ..report.document.facts import gather
from ..report.document.page import page
from ..runs.folder import RunFolder
from ..storage.leaving import put, require_room
from ..storage.places import user_path
from .leave import content_of, name_of

DATE = (1980, 1, 1, 0, 0, 0)  # the same run, the same bytes
LARGEST = 2**31 - 1  # bytes of all parts together: what every unzip reads
FORMATS: tuple[ExportName, ...] = ("onnx", "html")


@dataclass(frozen=True)
class Bundled:
    """The .zip at ``path``, ``bytes`` long, with the ``files`` in it (SHA-256 by name). ``left_out`` says which parts
    could not be made, and why; ``notes`` are for the user.
    """

    path: Path
    bytes: int
    files: dict[str, str]
    left_out: dict[str, str]
    notes: tuple[str, ...]

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def bundle(
    folder: RunFolder,
    output: Path | None = None,
    *,
    own: nn.Module | None = None,
    force: bool = False,
    offline: bool = False,
) -> Bundled:
    """Write ``RUN/export/NET-DATA-bundle.zip``, or ``output``.

    A part that this net or machine cannot have (no onnx, a net of somebody's own) is left out and told. Raises
    UsageError where there is a file already (unless ``force``), DataError where the folder is no whole run,
    TrainingError where a part answers otherwise than the net, or the disk is full; then nothing is written.
    """
    name = f"{name_of(folder)}-bundle.zip"
    path = folder.path / "export" / name if output is None else user_path(output)
    require_room(path, force, default=output is None)
    parts = parts_of(folder, own, offline=offline)
    content = packed(parts, name_of(folder))
    require_room(path, force, default=output is None)
    put(path, content, default=output is None)
    return Bundled(path, len(content), _sums(parts.files), parts.left_out, tuple(parts.notes))


@dataclass(frozen=True)
class Parts:
    """The files of a bundle but for their checksums, which parts could not be made and why, and notes for the user."""

    files: dict[str, bytes]
    left_out: dict[str, str]
    notes: list[str]


def parts_of(folder: RunFolder, own: nn.Module | None = None, *, offline: bool = False) -> Parts:
    """What :func:`bundle` packs; raises what it raises."""
    facts = gather(folder, own, offline=offline)
    files = {"model.safetensors": _model(folder)}
    left_out: dict[str, str] = {}
    notes = [f"{facts.missing}; what its images would show is left out"] if facts.missing else []
    for to in FORMATS:
        try:
            made = content_of(folder, to, own, offline=offline)
        except UsageError as error:
            left_out[to] = error.message
            notes.append(f"{to} is left out: {error.message}")
            continue
        files[made.name] = made.content
        notes += [f"{made.name}: {line}" for line in (*made.notes, *([str(made.proof)] if made.proof else []))]
    files |= {"report.html": page(facts, language=chosen()).encode(), "README.md": card(facts).encode()}
    return Parts(files, left_out, notes)


def packed(parts: Parts, folder: str) -> bytes:
    """A .zip with one folder in it: the parts, and SHA256SUMS."""
    if sum(map(len, parts.files.values())) > LARGEST:
        raise TrainingError("the parts together are larger than 2 GB", "export them one by one with convscope export")
    sums = "".join(f"{digest}  {file}\n" for file, digest in _sums(parts.files).items())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, content in {**parts.files, "SHA256SUMS": sums.encode()}.items():
            entry = zipfile.ZipInfo(f"{folder}/{file}", DATE)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _sums(files: dict[str, bytes]) -> dict[str, str]:
    return {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}


def _model(folder: RunFolder) -> bytes:
    path = folder.path / folder.weights
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
