"""Which part and class an image belongs to, from the names of the folders above it.

Each sub-folder is a class, and the folders below a class belong to it. ``train/`` (``training``) and ``test/``
(``testing``) beside each other hold the split, ``val/`` (``valid``, ``validation``) the validation set; names that
say so in other words (``seg_train``, ``test_set``) are taken where every folder has one. A part may lie in a folder
of its own once more (``seg_train/seg_train/CLASS``). A ``val/`` without a ``test/`` is what is held out, so it is the
test set. What could be meant in two ways is refused.
"""

from pathlib import Path

from ...errors import DataError
from ..names import PARTS, part_named, shown
from .parts import find_parts, folders_text, images_text, siblings, sound_like_parts
from .tree import Classes, Tree, natural_order, no_images, unlabelled
from .walk import Listing, joined


def lay_out(listing: Listing) -> Tree:
    """Parts and classes of a folder. Classes may be empty or differ between parts: what to make of that is the caller's
    business. Raises DataError where there are no class folders, a test set but no training set, or two readings.
    """
    tree = Tree(listing.root, listing.root)
    parts = find_parts(listing)
    notes: list[str] = []
    if parts:
        tree.split = True
        notes += _take_parts(listing, parts, tree)
    else:
        _refuse_misreadings(listing)
        tree.parts["train"] = _classes(listing, "")
        tree.places["train"] = str(listing.root)
    if not any(files for classes in tree.parts.values() for files in classes.values()):
        raise no_images(listing)
    tree.notes = (*notes, *listing.passed.notes(listing.root))
    return tree


def _take_parts(listing: Listing, parts: dict[str, str], tree: Tree) -> list[str]:
    """Fill ``tree`` with the parts; returns what to say of them."""
    notes = []
    if any("/" in (place := shown(folder)) or part_named(place) is None for folder in parts.values()):
        named = {"train": "training", "val": "validation", "test": "test"}
        notes.append(", ".join(f"{shown(f)}/ is taken as the {named[part]} set" for part, f in parts.items()))
    for name in siblings(listing, parts):
        count = images_text(listing.counts[name])
        notes.append(f"{shown(name)}/ with {count} is none of {folders_text(parts.values())}: left out")
    listing.passed.loose += len(listing.files[""])
    for part in (part for part in PARTS if part in parts):
        folder = parts[part]
        if part != "train" and listing.files[folder] and not listing.folders[folder]:
            notes.append(unlabelled(listing, folder, "without class folders"))
        else:
            tree.parts[part], tree.places[part] = _classes(listing, folder), f"{shown(folder)}/"
    return notes


def _refuse_misreadings(listing: Listing) -> None:
    """A folder whose sub-folders are no classes, though they look like some."""
    root, top, holding = listing.root, listing.folders[""], listing.holding("")
    if not top or (not holding and listing.files[""]):
        raise _no_class_folders(listing, root)
    if holding and (all(part_named(name) for name in holding) or sound_like_parts(holding)):
        if any(listing.holding(name) for name in holding):
            raise DataError(
                f"{root} has {folders_text(holding)}, but no train/",
                "put the images for training into train/, one sub-folder a class, or give a folder of classes",
            )
        where = "them" if len(holding) > 1 else "it"
        raise DataError(f"{root} has {folders_text(holding)}, but no class folders in {where}", _advice(listing))
    deeper = _only_folder(listing)
    if deeper:
        raise DataError(
            f"{root} holds all its images in one folder, {shown(deeper)}/, so there is one class; in that lie "
            f"{folders_text(listing.holding(deeper))}",
            f"give the folder below: {root / deeper}",
        )


def _only_folder(listing: Listing) -> str:
    """The folder some levels down in which several folders hold images, where all above hold one only; else ""."""
    folder = ""
    while not listing.files[folder] and len(listing.holding(folder)) == 1:
        folder = joined(folder, listing.holding(folder)[0])
    return folder if folder and len(listing.holding(folder)) > 1 and not listing.files[folder] else ""


def _no_class_folders(listing: Listing, folder: Path) -> DataError:
    count = len(listing.passed.links)
    links = f"; links that lead out of it are not followed ({count:,})" if count else ""
    return DataError(f"{folder} has no class folders{links}", _advice(listing))


def _advice(listing: Listing) -> str:
    """How images get their classes; a table that lies there is named."""
    beside = listing.root.iterdir() if listing.root.is_dir() else ()
    tables = sorted(str(path) for path in beside if path.suffix.lower() in (".csv", ".tsv", ".parquet"))
    table = f"; a table lies there: if it holds path,label, give {tables[0]}" if tables else ""
    return (
        "put the images of each class into a sub-folder of its own, named after the class; where file names tell the "
        f"class, --class-from '{{class}}.*' takes it from there{table}"
    )


def _classes(listing: Listing, folder: str) -> Classes:
    """Class name → its files by path, for the class folders in ``folder``."""
    groups: Classes = {}
    for name in listing.folders[folder]:
        groups.setdefault(shown(name), []).extend(listing.images(joined(folder, name)))
    if not groups:
        raise _no_class_folders(listing, listing.root / folder)
    listing.passed.loose += len(listing.files[folder])
    return natural_order(groups)
