"""A run's net leaves: named, written, proved, and only then put where it was asked for."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from .. import __version__
from ..data.sources import data_name
from ..errors import DataError, UsageError, near
from ..language.counts import number_of
from ..net.pretrained.catalogue import PRETRAINED
from ..net.zoo import net_name
from ..recipe import ExportName
from ..runs.folder import RunFolder, find
from ..storage.leaving import put, require_room
from ..storage.places import user_path
from .formats import FORMATS, OWN, Format, format_of, require_ending
from .subject import Subject
from .verify import Images, Proof, compare_int8, images_for, prove


@dataclass(frozen=True)
class Left:
    """The file at ``path``, ``bytes`` long. ``proof`` is None where nothing proved it; ``notes`` are for the user."""

    path: Path
    to: ExportName
    bytes: int
    proof: Proof | None
    notes: tuple[str, ...]

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Content:
    """A file before it is put anywhere: its ``name`` without a folder, and what is known of it, as in :class:`Left`."""

    name: str
    content: bytes
    proof: Proof | None
    notes: tuple[str, ...]


def leave(
    folder: RunFolder,
    to: ExportName,
    output: Path | None = None,
    own: nn.Module | None = None,
    *,
    quantize: bool = False,
    force: bool = False,
    verify: bool = True,
    offline: bool = False,
) -> Left:
    """Write the run's net as a file: ``RUN/export/NET-DATA.onnx`` (and so on), or ``output``.

    The file is run again on the run's test images before it is put there. ``quantize`` makes it int8 (ONNX alone),
    which is less exact: how much is said. ``own`` takes up the weights of a net of somebody's own. Raises UsageError
    where there is one already (unless ``force``), TrainingError where it answers otherwise than the net or cannot be
    written; then nothing is left behind.
    """
    path = folder.path / "export" / file_name(folder, to, quantize) if output is None else user_path(output)
    require_ending(path, to)
    require_room(path, force, default=output is None)
    made = content_of(folder, to, own, quantize=quantize, verify=verify, offline=offline)
    require_room(path, force, default=output is None)
    put(path, made.content, default=output is None)
    return Left(path, to, len(made.content), made.proof, made.notes)


def content_of(
    folder: RunFolder,
    to: ExportName,
    own: nn.Module | None = None,
    *,
    quantize: bool = False,
    verify: bool = True,
    offline: bool = False,
) -> Content:
    """The file that :func:`leave` puts, proved; raises what it raises."""
    file, model = file_name(folder, to, quantize), folder.model(own)
    subject = Subject(model, name_of(folder))
    if subject.own and (quantize or to not in OWN):
        raise UsageError(
            f"a net of your own leaves as {' or '.join(OWN)}, not as {f'{to} in int8' if quantize else to}",
            "a net that is written as text leaves in every format (convscope shapes --help)",
        )
    made = OWN[to] if subject.own else FORMATS[to]
    images = images_for(folder, model, None if subject.own else subject.program, offline)
    lacking = made.lacking() if verify else ""
    checked = "yes" if verify and not lacking else f"no: {lacking or 'written with --no-verify'}"
    limits = made.limits(subject)
    facts = _facts(folder, checked) | ({"limits": limits} if limits else {})
    subject = Subject(model, subject.name, facts, images.samples)
    content, proof = (_quantized if quantize else _proved)(made, subject, images, verify and not lacking)
    notes = [*(images.notes if proof else ()), *([limits] if limits else ())]
    if proof is None:
        notes.append(f"not verified: {lacking or '--no-verify'}; the file says so")
    return Content(file, content, proof, tuple(notes))


def export(
    run: Any,
    path: str | Path | None = None,
    to: ExportName | None = None,
    *,
    quantize: bool = False,
    force: bool = False,
    verify: bool = True,
    offline: bool = False,
) -> Path:
    """Write the net of ``run`` (a run, its folder or name) as a file for elsewhere, and return the file's path:
    ``RUN/export/NET-DATA.onnx`` (and so on), or ``path``. On the command line: ``convscope export``.

    ``to`` None is known by the path's ending, else onnx; ``quantize`` makes that int8. The file is run again in its own
    runtime and compared with the net. Raises UsageError where there is one already (unless ``force``), TrainingError
    where it answers otherwise; then nothing is written. A net of your own leaves as onnx, where onnxscript is
    installed, or pt2.
    """
    own = getattr(run, "own", None)
    folder = run.folder if hasattr(run, "folder") else find(str(run))
    place = None if path is None else Path(path)
    to = to or format_of(place)
    return leave(folder, to, place, own, quantize=quantize, force=force, verify=verify, offline=offline).path


def file_name(folder: RunFolder, to: ExportName, quantize: bool = False) -> str:
    """NET-DATA.onnx and so on. Raises UsageError for a format that there is not, or that has no int8."""
    if to not in FORMATS:
        raise UsageError(f"{to!r} is no format to export to", near(str(to), FORMATS))
    if quantize and to != "onnx":
        raise UsageError(f"--quantize goes with --to onnx, but --to is {to}", "leave one of them out")
    return f"{name_of(folder)}{'-int8' if quantize else ''}{FORMATS[to].ending}"


def _proved(made: Format, subject: Subject, images: Images, verify: bool) -> tuple[bytes, Proof | None]:
    """The file's content, and its proof where one is asked for."""
    content = made.write(subject)
    if not verify:
        return content, None
    return content, prove(subject.model, images, made.replay(content, subject, images.test))


def _quantized(made: Format, subject: Subject, images: Images, verify: bool) -> tuple[bytes, Proof | None]:
    """The same in int8; its metadata say on what it was calibrated, and what accuracy it lost."""
    if images.samples is None or not len(images.samples):
        why = images.notes[0] if images.notes else "the run has none"
        raise DataError(f"int8 needs training images to calibrate on: {why}", "export it without --quantize")
    plain = made.write(subject)
    from .onnx.quantize import quantized, with_facts

    content = quantized(plain, subject.program, images.samples)
    facts = {"quantized": f"int8, calibrated on {number_of(len(images.samples), 'training image')}"}
    proof = None
    if verify:
        proof = compare_int8(subject.model, images, made.replay(content, subject, images.test))
        facts["accuracy"] = proof.lost
    return with_facts(content, facts), proof


def name_of(folder: RunFolder) -> str:
    """NET-DATA of a run; the file's own name for a model alone."""
    try:
        recipe = folder.recipe()
    except DataError:
        return Path(folder.weights).stem
    return f"{net_name(recipe.net)}-{data_name(recipe.data)}"


def _facts(folder: RunFolder, checked: str) -> dict[str, str]:
    """What the file says besides the net: who made it, from what, by which recipe, and whether it was proved."""
    facts = {"made_by": f"convscope {__version__}", "verified": checked}
    try:
        recipe = folder.recipe()
    except DataError:
        return facts
    facts["recipe"] = recipe.to_json()
    entry = PRETRAINED.get(recipe.net.strip())
    if entry:
        facts["licence"] = f"{recipe.net.strip()}: {entry.licence}, {entry.source}"
    return facts
