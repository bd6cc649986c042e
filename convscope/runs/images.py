"""images.safetensors: which images a run was trained, validated and tested on, by the hashes of their pixels.

Of every part ("train", "val", "test") it keeps, in the run's order, 16 bytes of hash and the label of each image
(``train.hashes``, ``train.labels``), and what the images were called (``train.names``, joined by zero bytes) where
they had names; its metadata hold the classes. 70,000 images without names take 1.4 MB.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import __version__
from ..data.images import HASH_BYTES, Dataset, ImageSet, sets_of
from ..errors import DataError
from ..net.model import load_tensors, save_tensors
from ..storage.strict_json import loads

FILE = "images.safetensors"
FORMAT = "convscope-images"
PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Part:
    """The images of one part in the run's order: ``hashes`` uint8 (N, 16), ``labels`` int64 (N,), ``names`` or ()."""

    hashes: NDArray[np.uint8]
    labels: NDArray[np.int64]
    names: tuple[str, ...]

    def name(self, index: int) -> str:
        """What image ``index`` was called when the run began."""
        return self.names[index] if self.names else str(index)


@dataclass(frozen=True)
class RunImages:
    """Which images were in which part of a run, and the run's classes; labels index ``classes``."""

    classes: tuple[str, ...]
    parts: Mapping[str, Part]

    @classmethod
    def of(cls, data: Dataset) -> "RunImages":
        """The images of ``data`` as they are divided now."""
        return cls(data.classes, {name: _part(images) for name, images in sets_of(data).items()})

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        tensors: dict[str, Tensor] = {}
        for name, part in self.parts.items():
            tensors[f"{name}.hashes"] = torch.from_numpy(part.hashes.copy())
            tensors[f"{name}.labels"] = torch.from_numpy(part.labels.astype(np.int32))
            if part.names:
                text = "\0".join(name.replace("\0", "\ufffd") for name in part.names).encode(errors="replace")
                tensors[f"{name}.names"] = torch.from_numpy(np.frombuffer(text, dtype=np.uint8).copy())
        classes = json.dumps(self.classes, ensure_ascii=False)
        save_tensors(path, tensors, {"format": FORMAT, "version": __version__, "classes": classes})

    @classmethod
    def read(cls, path: Path) -> "RunImages":
        """Read the file strictly. Raises DataError where it is absent or damaged."""
        tensors, metadata = load_tensors(path)
        try:
            if metadata.get("format") != FORMAT:
                raise ValueError(f"its metadata lack format={FORMAT}")
            classes = loads(metadata.get("classes", ""))
            if not (isinstance(classes, list) and classes and all(isinstance(name, str) for name in classes)):
                raise ValueError("classes must be a list of names")
            wanted = {f"{name}.{what}" for name in PARTS for what in ("hashes", "labels", "names")}
            if tensors.keys() - wanted:
                raise ValueError(f"unknown tensor {min(tensors.keys() - wanted)[:60]!r}")
            present = [name for name in PARTS if f"{name}.hashes" in tensors]
            if "train" not in present or "test" not in present:
                raise ValueError("a part is missing")
            return cls(tuple(classes), {name: _read_part(tensors, name, len(classes)) for name in present})
        except (ValueError, TypeError) as error:
            raise DataError(f"the file {path} is damaged: {error}", "copy the run's folder again") from None

    def seen(self, images: ImageSet) -> NDArray[np.bool_]:
        """Which of ``images`` (N,) the run was trained on or chose its best weights by, judged by their pixels."""
        known = np.concatenate([self.parts[name].hashes for name in ("train", "val") if name in self.parts])
        return np.isin(_keys(images.hashes), _keys(known))


def _part(images: ImageSet) -> Part:
    return Part(images.hashes, images.labels, tuple(images.names))


def _keys(hashes: NDArray[np.uint8]) -> NDArray[np.void]:
    """Hashes (N, 16) as N values that can be compared and sorted."""
    return np.ascontiguousarray(hashes).view(f"S{HASH_BYTES}").reshape(-1)


def _read_part(tensors: dict[str, Tensor], name: str, classes: int) -> Part:
    hashes, labels = tensors[f"{name}.hashes"], tensors.get(f"{name}.labels", torch.empty(0))
    if hashes.dtype != torch.uint8 or hashes.ndim != 2 or hashes.shape[1] != HASH_BYTES:
        raise ValueError(f"{name}.hashes are {hashes.dtype} {tuple(hashes.shape)}, expected uint8 (N, {HASH_BYTES})")
    if labels.dtype != torch.int32 or labels.shape != hashes.shape[:1]:
        raise ValueError(f"{name}.labels do not go with {len(hashes)} hashes")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"{name}.labels name no class")
    names: tuple[str, ...] = ()
    if f"{name}.names" in tensors:
        names = tuple(bytes(tensors[f"{name}.names"].numpy()).decode().split("\0"))
        if len(names) != len(hashes):
            raise ValueError(f"{name}.names are {len(names)}, but there are {len(hashes)} images")
    return Part(hashes.numpy(), labels.numpy().astype(np.int64), names)
