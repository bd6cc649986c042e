"""The class of an image from its file's name, by a pattern such as ``{class}.*`` (cat.0.png) or ``{class}_#.*``."""

import os
import re

from ...errors import DataError, UsageError
from ...language.counts import number_of
from ..names import PARTS, part_named, shown
from .parts import folders_text, images_text, siblings, similar_parts
from .tree import Classes, Tree, natural_order, no_images, unlabelled
from .walk import Listing

CLASS = "{class}"
WILD = {CLASS: "(?P<label>[^/]+?)", "*": "[^/]*?", "?": "[^/]", "#": "[0-9]+"}
MOST_WILD = 4  # wildcards in a pattern: each multiplies the time that a name may take
LONGEST = 200
SYNTAX = (
    "{class} stands for the class, * for any text, # for digits, ? for one character: '{class}.*' reads cat.0.png, "
    "'{class}_#.*' british_cat_12.jpg; a pattern with / is compared with the path below the folder"
)


def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression with the group ``label``. Raises UsageError where it has no single
    ``{class}``, or more wildcards than a few.
    """
    wild = [match.group() for match in re.finditer(r"\{class\}|[*?#]", pattern)]
    if wild.count(CLASS) != 1 or len(wild) > MOST_WILD or len(pattern) > LONGEST:
        raise UsageError(
            f"--class-from is {pattern[:60]!r}: it needs {CLASS} once, and at most {MOST_WILD - 1} other wildcards",
            SYNTAX,
        )
    pieces = re.split(r"(\{class\}|[*?#])", pattern)
    return re.compile("".join(WILD.get(piece, re.escape(piece)) for piece in pieces))


def lay_out_by_name(listing: Listing, pattern: str) -> Tree:
    """Parts and classes of a folder whose file names tell the class: ``train/``, ``val/`` and ``test/`` directly below
    it are the parts, else all is for training. Raises DataError where names in the training set do not fit.
    """
    expression = compiled(pattern)
    tree = Tree(listing.root, listing.root)
    if not listing.counts[""]:
        raise no_images(listing)
    holding = listing.holding("")
    tops = similar_parts(holding) | {part: name for name in holding if (part := part_named(name))}
    parts = {part: tops[part] for part in PARTS if part in tops} if "train" in tops else {"train": ""}
    tree.split = len(parts) > 1
    notes = []
    if parts["train"]:
        listing.passed.loose += len(listing.files[""])
        for name in siblings(listing, parts):
            count = images_text(listing.counts[name])
            notes.append(f"{shown(name)}/ with {count} is none of {folders_text(parts.values())}: left out")
    for part, folder in parts.items():
        classes, strange = _by_label(listing, folder, expression, by_path="/" in pattern)
        if part != "train" and not classes:
            notes.append(unlabelled(listing, folder, f"whose names do not fit {pattern!r}"))
            continue
        if strange:
            raise DataError(
                f"{len(strange):,} of {number_of(listing.counts[folder], 'image')} in {listing.root / folder} "
                f"do not fit {pattern!r}, such as {shown(strange[0])}",
                SYNTAX,
            )
        tree.parts[part], tree.places[part] = natural_order(classes), f"{folder}/" if folder else str(listing.root)
    tree.notes = (*notes, *listing.passed.notes(listing.root))
    return tree


def _by_label(listing: Listing, folder: str, expression: re.Pattern[str], by_path: bool) -> tuple[Classes, list[str]]:
    """Class → files of ``folder`` and deeper, and the names that do not fit."""
    groups: Classes = {}
    strange: list[str] = []
    start = len(folder) + 1 if folder else 0
    for file in listing.images(folder):
        name = file.path[start:].replace(os.sep, "/")
        match = expression.fullmatch(name if by_path else name.rpartition("/")[2])
        if match:
            groups.setdefault(shown(match["label"]), []).append(file)
        else:
            strange.append(file.path)
    return groups, strange
