"""Model files: weights in safetensors, with metadata that make the file self-describing. Nothing is executed."""

import json
import os
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from .. import __version__
from ..data.batches import EVALUATION_BATCH, Normalize, images_together
from ..data.look import Look
from ..data.preparation import Preparation
from ..errors import ConvscopeError, DataError
from ..language.counts import number_of, some
from ..recipe import LossName
from ..storage.files import write_atomic
from ..storage.strict_json import loads
from ..storage.versions import unreadable
from .build import build
from .own.net import CUSTOM, filled
from .spec import parse

MOST_CLASSES = 1_000_000
MOST_TENSORS = 10_000  # a net has up to 200 layers of up to 5 tensors; a saved state, those of the optimizer too


@dataclass(frozen=True)
class Model:
    """A net and all that is needed to use it: the image it takes (C, H, W), its normalisation and its classes.

    ``stored`` is what is done to a picture before, None where nothing says so (in files of older versions): the plain
    fit to that image; ``look`` is what the training images look like and ``stored_loss`` what the net was trained with,
    None there, too.
    """

    net: nn.Module
    spec: str
    image: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    stored: Preparation | None = None
    stored_loss: LossName | None = None
    look: Look | None = None

    @property
    def loss(self) -> LossName:
        """What the net was trained with: it says whether its answers are probabilities or scores."""
        return self.stored_loss or "cross-entropy"

    @property
    def preparation(self) -> Preparation:
        """What is done to every picture before the net sees it."""
        return self.stored or Preparation(self.image)

    def logits(self, images: Tensor) -> Tensor:
        """Raw scores float32 (N, K) for uint8 images (N, C, H, W), in evaluation mode, without gradients."""
        device = next(self.net.parameters()).device
        normalize = Normalize(self.mean, self.std, device)
        parts = []
        together = images_together(*self.image[1:])
        # Large images are up to twice as fast with channels last; what small ones come to keeps its bits.
        order = torch.contiguous_format if together == EVALUATION_BATCH else torch.channels_last
        for part in images.split(together):
            with evaluation(self.net), torch.inference_mode():
                parts.append(self.net(normalize(part).contiguous(memory_format=order)))
        return torch.cat(parts).cpu()


_LOCKS: "weakref.WeakKeyDictionary[nn.Module, threading.RLock]" = weakref.WeakKeyDictionary()
_CHOOSING = threading.Lock()


@contextmanager
def evaluation(net: nn.Module) -> Iterator[None]:
    """The net in evaluation mode inside the block; every module's own mode is put back afterwards.

    One thread at a time: the mode, hooks and exchanged weights belong to the net, and so to all who use it.
    """
    with _CHOOSING:
        lock = _LOCKS.setdefault(net, threading.RLock())
    with lock:
        modes = [(module, module.training) for module in net.modules()]
        net.eval()
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training


def _after_fork() -> None:
    """In a forked child nobody gives back what another thread held."""
    global _CHOOSING
    _CHOOSING = threading.Lock()
    _LOCKS.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write tensors and metadata as one safetensors file, whole or not at all: equal content makes equal files."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomic(path, _ordered(save(plain, metadata)))


def _ordered(file: bytes) -> bytes:
    """A safetensors file with its metadata in the order of their keys, which the library leaves to chance.

    The file is the length of its header (8 bytes, little-endian), the header (JSON, with spaces up to a multiple of
    8), and the tensors' bytes, which are addressed from the header's end.
    """
    length = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + file[8 + length :]


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file: tensors and metadata. Raises DataError where it is absent or damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            if len(names) > MOST_TENSORS:
                raise ValueError(f"it holds {len(names):,} tensors, more than any net here has")
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except (SafetensorError, OSError, ValueError, RuntimeError, OverflowError) as error:
        raise DataError(
            f"{path} cannot be read: {error}", "it must be a safetensors file that convscope wrote"
        ) from None


def save_model(path: Path, model: Model, weights: Mapping[str, Tensor]) -> None:
    """Write ``model`` with ``weights`` for its net, so that :func:`load_model` needs nothing else."""
    metadata = {
        "format": "convscope",
        "version": __version__,
        "net": model.spec,
        "input": json.dumps(model.image),
        "mean": json.dumps(model.mean),
        "std": json.dumps(model.std),
        "classes": json.dumps(model.classes, ensure_ascii=False),
        "preparation": model.preparation.to_json(),
        "loss": model.loss,
    }
    if model.look is not None:
        metadata["look"] = model.look.to_json()
    save_tensors(path, weights, metadata)


def load_model(path: Path, own: nn.Module | None = None) -> Model:
    """Read a model file. Raises DataError where it is damaged, its parts do not fit, or a weight is not finite.

    ``own`` takes up the weights where the net is a module of somebody's own; then UsageError where they do not fit.
    """
    tensors, metadata = load_tensors(path)
    if metadata.get("format") != "convscope":
        raise DataError(f"{path} holds no convscope model", "its metadata lack format=convscope")
    try:
        image = _numbers(metadata, "input", int, 3)
        classes = loads(metadata["classes"])
        if not (
            isinstance(classes, list) and 0 < len(classes) <= MOST_CLASSES and all(isinstance(c, str) for c in classes)
        ):
            raise ValueError("classes must be a list of names")
        "".join(classes).encode()  # a name that is no text could never be written: UnicodeEncodeError is a ValueError
        if not (image[0] in (1, 3) and all(1 <= size <= 65_535 for size in image)):
            raise ValueError(f"input {image} is no image size")
        mean, std = _numbers(metadata, "mean", float, image[0]), _numbers(metadata, "std", float, image[0])
        preparation = Preparation.from_json(metadata["preparation"]) if "preparation" in metadata else None
        if preparation and preparation.image != image:
            raise ValueError(f"its images are prepared to {preparation.image}, but the net takes {image}")
        look = Look.from_json(metadata["look"]) if "look" in metadata else None
        loss = known_loss(metadata["loss"]) if "loss" in metadata else None
        shape, spec = (image[0], image[1], image[2]), metadata["net"]
        is_own = spec.split(" ")[0] == CUSTOM
        net = None if is_own else _empty_net(spec, shape, len(classes), tensors)
    except (KeyError, ValueError, TypeError, ConvscopeError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise unreadable(path, metadata.get("version"), reason, "train again, or copy the file again") from None
    loaded = filled(own, spec, tensors) if net is None else net
    learnt = dict(loaded.named_parameters()) if is_own else tensors  # buffers of somebody's own may be, such as masks
    if strange := [name for name, tensor in learnt.items() if not tensor.isfinite().all()]:
        raise DataError(
            f"the weights of {path} hold numbers that are not finite: {some(strange, 4)}",
            "the file is damaged, or the run diverged: train again, or copy the file again",
        )
    return Model(
        net=loaded,
        spec=spec,
        image=shape,
        mean=mean,
        std=std,
        classes=tuple(classes),
        stored=preparation,
        stored_loss=loss,
        look=look,
    )


def known_loss(name: str) -> LossName:
    """The loss of that name. Raises ValueError where there is none."""
    for known in get_args(LossName):
        if name == known:
            return cast(LossName, known)
    raise ValueError(f"loss {name[:40]!r} is unknown")


def _numbers(metadata: dict[str, str], key: str, kind: type, count: int) -> tuple[Any, ...]:
    values = loads(metadata[key])
    if not isinstance(values, list) or len(values) != count or any(type(v) not in (int, kind) for v in values):
        raise ValueError(f"{key} must be a list of {number_of(count, 'number')}")
    if not all(abs(value) < 1e30 for value in values):
        raise ValueError(f"{key} holds a number that is far too large")
    return tuple(kind(value) for value in values)


def _empty_net(spec: str, image: tuple[int, int, int], classes: int, tensors: dict[str, Tensor]) -> nn.Sequential:
    """The net of ``spec`` with ``tensors`` as its weights.

    It is built without memory first ("meta"), so that a hostile spec cannot allocate more than the file holds.
    """
    net = build(parse(spec), image, classes, device="meta")
    wanted = net.state_dict()
    if wanted.keys() != tensors.keys():
        raise ValueError(f"weights {some(sorted(wanted.keys() ^ tensors.keys()), 4)} are missing or too many")
    for name, tensor in tensors.items():
        if tensor.shape != wanted[name].shape or tensor.dtype != wanted[name].dtype:
            raise ValueError(
                f"{name} is {tensor.dtype} {tuple(tensor.shape)}, "
                f"but the net needs {wanted[name].dtype} {tuple(wanted[name].shape)}"
            )
    net.load_state_dict(tensors, assign=True)
    return net
