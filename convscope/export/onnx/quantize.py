"""A net of float32 in ONNX → int8: static quantization by onnxruntime, calibrated on training images.

Weights get a scale for each output channel, activations one for each tensor from their range over the calibration
images (QuantizeLinear and DequantizeLinear around every convolution and linear layer; B. Jacob et al., arXiv
1712.05877). Weights use seven of the eight bits: processors without VNNI add two products in 16 bits, which would
overflow with more. What is done to pictures before the net stays exact.
"""

import importlib.util
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from ...errors import UsageError
from ...runs.exported import INSTALL, MISSING, as_they_are, session_of
from ..program import Program
from ..steps import Conv, Linear
from ..subject import Pixels


def quantized(content: bytes, found: Program, samples: Pixels) -> bytes:
    """The int8 form of an ONNX file of a program; ``samples`` uint8 (N, C, H, W) are prepared training images. Raises
    UsageError where onnxruntime is not installed.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        raise UsageError(f"{MISSING}, which quantizes", INSTALL)
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no annotations
        """One image at a time."""

        def __init__(self) -> None:
            self.images = iter(np.ascontiguousarray(samples.transpose(0, 2, 3, 1)))

        def get_next(self) -> Any:
            image = next(self.images, None)
            return None if image is None else {"image": image[None], **more}

    more = as_they_are(session_of(content, "the file"))
    names = [step.name for step in found.steps if isinstance(step.op, Conv | Linear)]
    with tempfile.TemporaryDirectory(prefix="convscope-int8-") as name, _silent():
        before, after = Path(name) / "float.onnx", Path(name) / "int8.onnx"
        before.write_bytes(content)
        quantize_static(
            before,
            after,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Gemm"],
            nodes_to_quantize=names,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return after.read_bytes()


def with_facts(content: bytes, facts: dict[str, str]) -> bytes:
    """The file with ``facts`` added to its metadata."""
    model = onnx.load_model_from_string(content)
    told = {entry.key: entry.value for entry in model.metadata_props} | facts
    onnx.helper.set_model_props(model, told)
    return bytes(model.SerializeToString(deterministic=True))


@contextmanager
def _silent() -> Iterator[None]:
    """Without onnxruntime's advice on files that others wrote."""
    import onnxruntime

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    onnxruntime.set_default_logger_severity(3)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(2)  # warnings: as it is from the start
        logging.disable(before)
