"""Which of a folder's sub-folders are the training, the validation and the test set, by their names."""

import os
import re
from collections.abc import Iterable

from ...errors import DataError
from ...language.counts import some
from ..names import PARTS, part_named, shown
from .walk import Listing, joined

# A single folder of this name within a part is none of its classes.
WRAPPERS = ("images", "imgs", "data", "dataset", "set")


def find_parts(listing: Listing) -> dict[str, str]:
    """Part → its folder (below the root), where the folder brings a split; else nothing.

    ``train/`` with folders of its own makes it one. So do a ``seg_train/`` and a ``test_set/`` that have classes in
    common. Raises DataError where two folders mean the same part, and where ``train/`` might be a class.
    """
    exact = _exact(listing)
    similar = similar_parts(name for name in listing.holding("") if part_named(name) is None)
    names = {**similar, **exact}
    folders = {part: unwrapped(listing, names[part]) for part in PARTS if part in names}
    known = set(listing.holding(folders["train"])) if "train" in folders else set()

    def labelled(folder: str) -> bool:
        return not known.isdisjoint(listing.holding(folder))

    parts = {p: f for p, f in folders.items() if p in exact or labelled(f) or not listing.folders[f]}
    others = siblings(listing, parts)
    if exact:
        if others and not any(listing.holding(folder) for part, folder in parts.items() if part != "train"):
            raise _two_readings(listing, exact["train"], others)
        return parts
    labels = [part for part, folder in parts.items() if labelled(folder)]
    split = len(labels) > 1 and not any(labelled(unwrapped(listing, name)) for name in others)
    return parts if split else {}


def sound_like_parts(names: list[str]) -> bool:
    """Whether several names differ only in which part they say: ``train`` and ``test1``, ``seg_train`` and
    ``seg_test``; but not ``train station`` and ``test tube``.
    """
    spellings = {word for words in PARTS.values() for word in words}
    rests = set()
    for name in names:
        words = [word for word in re.split("[^a-z]+", name.lower()) if word]
        if not spellings & set(words):
            return False
        rests.add(tuple(word for word in words if word not in spellings and word not in WRAPPERS))
    return len(names) > 1 and len(rests) == 1 and len({tuple(similar_parts([name])) for name in names}) > 1


def similar_parts(names: Iterable[str]) -> dict[str, str]:
    """Part → the one name that says so among other words: ``seg_train``, ``test-set``."""
    found: dict[str, list[str]] = {}
    for name in names:
        words = re.split("[^a-z]+", name.lower())
        parts = {part for part, spellings in PARTS.items() if any(word in spellings for word in words)}
        for part in parts if len(parts) == 1 else ():
            found.setdefault(part, []).append(name)
    return {part: group[0] for part, group in found.items() if len(group) == 1}


def siblings(listing: Listing, parts: dict[str, str]) -> list[str]:
    """The folders with images beside the parts, but for those to which links of the parts lead."""
    tops = {folder.partition(os.sep)[0] for folder in parts.values()}
    return [name for name in listing.holding("") if name not in tops and name not in listing.linked]


def unwrapped(listing: Listing, folder: str) -> str:
    """``folder``, or the one within it that holds all it has and is called alike: ``seg_train/seg_train``."""
    while not listing.files[folder] and len(listing.folders[folder]) == 1:
        (inner,) = listing.folders[folder]
        outer = folder.rpartition(os.sep)[2]
        part = similar_parts([outer]).keys()
        alike = inner.lower() in (outer.lower(), *WRAPPERS) or bool(part & similar_parts([inner]).keys())
        if not alike or ("train" in part and not listing.folders[joined(folder, inner)]):
            break
        folder = joined(folder, inner)
    return folder


def images_text(count: int) -> str:
    """ "1 image", "1,200 images"."""
    return f"{count:,} image{'s' * (count != 1)}"


def folders_text(names: Iterable[str]) -> str:
    """ "a/, b/, c/", the first few of many."""
    return some((f"{shown(name)}/" for name in names), 5)


def _exact(listing: Listing) -> dict[str, str]:
    """Part → the folder with that very name, where ``train/`` has folders of its own; else nothing."""
    found: dict[str, list[str]] = {}
    for name in listing.folders[""]:
        if (part := part_named(name)) is not None:
            found.setdefault(part, []).append(name)
    if not any(listing.folders[name] for name in found.get("train", ())):
        return {}
    for names in found.values():
        if len(names) > 1:
            raise DataError(f"{listing.root} has {' and '.join(names)}, which mean the same", "keep one of them")
    return {part: names[0] for part, names in found.items()}


def _two_readings(listing: Listing, train: str, others: list[str]) -> DataError:
    """``bus/``, ``car/`` and ``train/{steam,electric}/``: classes, or a training set with something beside it?"""
    return DataError(
        f"{listing.root} can be read in two ways: beside {train}/, which has folders of its own "
        f"({folders_text(listing.folders[train])}), {folders_text(others)} hold images: is {train}/ the training set "
        "or a class?",
        f"for the training set, give {listing.root / train}, or move the others away; "
        f"for a class, put its images into {train}/ itself or rename it",
    )
