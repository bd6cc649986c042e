"""A net that was exported to ONNX, used again: onnxruntime answers, the file's own metadata say what it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..data.look import Look
from ..data.preparation import Preparation
from ..errors import DataError, UsageError
from ..net.model import known_loss
from ..recipe import LossName
from ..storage.strict_json import loads

LARGEST = 2**31  # bytes: what protobuf allows
MISSING = "onnxruntime is not installed"
INSTALL = "pip install onnxruntime"
TOGETHER = 64  # images in one call of the runtime
PREPARED = "prepared"  # an input of nets for ink on paper: true where it need not be looked for


class Answering(Protocol):
    """What can be asked for its scores: a :class:`~convscope.net.model.Model`, or a file that was exported."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names in the order of the scores."""

    @property
    def loss(self) -> LossName:
        """What it was trained with."""

    @property
    def preparation(self) -> Preparation:
        """What is done to a picture before."""

    @property
    def look(self) -> Look | None:
        """What the training images look like."""

    def logits(self, images: Tensor) -> Tensor:
        """Raw scores float32 (N, K) for uint8 images (N, C, H, W)."""


@dataclass(frozen=True)
class Exported:
    """An ONNX file as :class:`Answering` wants it. ``session`` is onnxruntime's."""

    classes: tuple[str, ...]
    loss: LossName
    preparation: Preparation
    look: Look | None
    session: Any

    def logits(self, images: Tensor) -> Tensor:
        """Raw scores float32 (N, K) for uint8 images (N, C, H, W), by onnxruntime."""
        channels_last = images.permute(0, 2, 3, 1).contiguous().numpy()
        more = as_they_are(self.session)
        parts = [
            self.session.run(["scores"], {"image": channels_last[start : start + TOGETHER], **more})[0]
            for start in range(0, len(channels_last), TOGETHER)
        ]
        return torch.from_numpy(np.concatenate(parts))


def open_exported(path: Path) -> Exported:
    """Read an ONNX file that convscope wrote. Raises DataError for any other, UsageError without onnxruntime."""
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path} is larger than ONNX files can be", "export it again")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "name a file that convscope export made") from None
    session = session_of(content, str(path))
    told: dict[str, str] = session.get_modelmeta().custom_metadata_map
    try:
        return _described(told, session)
    except (KeyError, ValueError) as error:
        reason = f"its metadata lack {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(f"{path} was not exported by convscope: {reason}", "convscope export RUN makes one") from None


def as_they_are(session: Any) -> dict[str, Any]:
    """What is given beside images that are prepared already; nothing to a net that looks for no ink."""
    known = [value.name for value in session.get_overridable_initializers()]
    return {PREPARED: np.array(True)} if PREPARED in known else {}


def session_of(content: bytes, name: str) -> Any:
    """An onnxruntime session for the bytes of a file. Bytes alone: a file may name others, which are not read."""
    try:
        import onnxruntime
    except ImportError:
        raise UsageError(f"{MISSING}, which is needed to run {name}", INSTALL) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own classes of errors have no common name
        reason = str(error).splitlines()[0][:200]
        raise DataError(f"{name} cannot be read: {reason}", "it must be an ONNX file; export it again") from None


def _described(told: Mapping[str, str], session: Any) -> Exported:
    """What the metadata say, checked against the graph. Raises KeyError, ValueError."""
    classes = loads(told["classes"])
    if not (isinstance(classes, list) and classes and all(isinstance(name, str) for name in classes)):
        raise ValueError("its classes must be a list of names")
    outputs = {value.name: value.shape for value in session.get_outputs()}
    inputs = [(value.name, value.type) for value in session.get_inputs()]
    if inputs != [("image", "tensor(uint8)")] or outputs.get("scores", [])[-1:] != [len(classes)]:
        raise ValueError("it must take one image of uint8 and give a score for each class")
    look = Look.from_json(told["look"]) if "look" in told else None
    return Exported(tuple(classes), known_loss(told["loss"]), Preparation.from_json(told["preparation"]), look, session)
