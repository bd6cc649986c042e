"""What torch writes itself: a torch.export program (pt2), and of nets of somebody's own an ONNX file.

Pixels in, probabilities and scores out; images are of the net's own size.
"""

import copy
import importlib.util
import io
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import UsageError
from .subject import Pixels, Subject

TOGETHER = 64  # images at once
OPSET = 20  # as of the files that convscope writes itself


class Whole(nn.Module):
    """``image`` uint8 (N, H, W, C) of the net's size → (probabilities, scores), float32 (N, K)."""

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        model = subject.model
        self.net = copy.deepcopy(model.net).eval().requires_grad_(False)
        self.sure = subject.sure == "probability"
        self.register_buffer("mean", torch.tensor(model.mean).reshape(-1, 1, 1))
        self.register_buffer("std", torch.tensor(model.std).reshape(-1, 1, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """As the class says."""
        assert isinstance(self.mean, Tensor)
        assert isinstance(self.std, Tensor)
        x = image.permute(0, 3, 1, 2).float() / 255
        scores = self.net((x - self.mean) / self.std)
        return (scores.softmax(1) if self.sure else scores.clone()), scores


def exported(subject: Subject) -> bytes:
    """The content of the .pt2 file, with classes and facts beside the program."""
    channels, height, width = subject.model.image
    example = torch.zeros((2, height, width, channels), dtype=torch.uint8)
    facts = {"classes": json.dumps(subject.model.classes, ensure_ascii=False)} | subject.facts
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about itself
        batch = torch.export.Dim("N")
        program = torch.export.export(Whole(subject), (example,), dynamic_shapes=({0: batch},))
        torch.export.save(program, buffer, extra_files=facts)
    return buffer.getvalue()


def own_onnx(subject: Subject) -> bytes:
    """The content of an ONNX file by ``torch.onnx.export``. Raises UsageError where onnxscript, which that needs, is
    not installed, or where torch cannot follow the net.
    """
    for needed in ("onnx", "onnxscript"):
        if importlib.util.find_spec(needed) is None:
            raise UsageError(
                f"a net of your own goes to ONNX by torch.onnx.export, which needs {needed}", f"pip install {needed}"
            )
    channels, height, width = subject.model.image
    example = torch.zeros((2, height, width, channels), dtype=torch.uint8)
    with _silent():
        try:
            made = torch.onnx.export(
                Whole(subject),
                (example,),
                input_names=["image"],
                output_names=["probabilities", "scores"],
                dynamic_shapes=({0: torch.export.Dim("N")},),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            reason = str(error).strip().splitlines()[0][:200]
            raise UsageError(f"torch.onnx.export cannot write this net: {reason}", "export it as pt2") from None
        from onnx import helper

        from .onnx.file import metadata

        assert made is not None
        model = made.model_proto
        helper.set_model_props(model, metadata(subject.model) | subject.facts)
    return bytes(model.SerializeToString(deterministic=True))


@contextmanager
def _silent() -> Iterator[None]:
    """Without what torch says about itself."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def replay(content: bytes, images: Pixels) -> NDArray[np.float64]:
    """Probabilities (N, K) of images uint8 (N, C, H, W) by the file's own program, which this process just wrote."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.load(io.BytesIO(content)).module()
    channels_last = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 2, 3, 1)))
    with torch.inference_mode():
        parts = [program(part)[0] for part in channels_last.split(TOGETHER)]
    return torch.cat(parts).double().numpy()
