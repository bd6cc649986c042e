"""WebDataset: TAR archives in which ``0042.jpg`` and ``0042.cls`` belong together, the latter a number of a class.

Names are the same up to the first dot (webdataset/webdataset, "The WebDataset Format"). Shards that are called train,
val or test are those parts.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ...errors import DataError
from ..names import part_named
from ..pictures.archives import Archive, open_archive
from ..pictures.cache import File
from ..pictures.formats import SUFFIXES
from .tree import Tree, natural_order

LABEL = ".cls"
ENDING = ".tar"


def shards(path: Path) -> list[Path]:
    """The TAR archives that ``path`` is or holds, where the first of them has labels beside its images; else none."""
    found = [path] if path.is_file() else sorted(path.glob(f"*{ENDING}")) if path.is_dir() else []
    found = [shard for shard in found if shard.name.lower().endswith(ENDING) and shard.is_file()]
    try:
        return found if found and any(e.name.endswith(LABEL) for e in open_archive(found[0]).entries()) else []
    except DataError:
        return []  # whoever reads it as an archive says what is wrong


def read_webdataset(path: Path, found: Sequence[Path]) -> Tree:
    """The images of the shards ``found``, in the classes that their labels name. Raises DataError for an image without
    a label, and for a label that is none.
    """
    tree = Tree(path, path)
    for shard in found:
        part = part_named(shard.stem.rstrip("0123456789-_.").split("-")[0]) or "train"
        before = "" if path.is_file() else f"{shard.name}/"
        classes = tree.parts.setdefault(part, {})
        tree.places.setdefault(part, shard.name)
        _add(open_archive(shard), before, classes)
    tree.split = len(tree.parts) > 1
    if "train" not in tree.parts:
        raise DataError(f"{path} has no training shards", "call them train-000000.tar and so on")
    every = {name for classes in tree.parts.values() for name in classes}
    tree.parts = {
        part: natural_order({name: classes.get(name, []) for name in every}) for part, classes in tree.parts.items()
    }
    tree.parts = {part: tree.parts[part] for part in ("train", "val", "test") if part in tree.parts}
    return tree


def _add(archive: Archive, before: str, classes: dict[str, list[File]]) -> None:
    entries = [entry for entry in archive.entries() if not entry.is_folder and not entry.is_link]
    labels = {_key(entry.name): entry.name for entry in entries if entry.name.endswith(LABEL)}
    for entry in entries:
        if PurePosixPath(entry.name).suffix.lower() not in SUFFIXES:
            continue
        label = labels.get(_key(entry.name))
        if label is None:
            wanted = f"put {_key(entry.name)}{LABEL} beside it"
            raise DataError(f"{archive.path}/{entry.name} has no label beside it", wanted)
        text = archive.read(label)[:100].decode("utf-8", "replace").strip()
        if not text or not text.isprintable():
            raise DataError(
                f"the label {archive.path}/{label} is {text[:20]!r}", "it must hold the number or name of a class"
            )
        classes.setdefault(text, []).append(File(before + entry.name, entry.size, entry.stamp))


def _key(name: str) -> str:
    folder, _, file = name.rpartition("/")
    return f"{folder}/{file.partition('.')[0]}".removeprefix("/")
