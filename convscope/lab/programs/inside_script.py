"""Room 8 "as PyTorch": the run's weights read without any library but torch, and the scores asserted."""

import numpy as np
from numpy.typing import NDArray

from ...net.listing import listing
from ...net.shapes import table
from ...net.spec import parse
from ..shelf import Opened


def script(opened: Opened, pixels: NDArray[np.uint8], scores: list[float]) -> str:
    """A program for one image uint8 (C, H, W) and the ``scores`` (K,) that the net gives it."""
    rows = table(parse(opened.spec), opened.image, len(opened.classes))
    path = (opened.folder.path / "model.safetensors").resolve()
    return f'''import json
from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn

{listing(rows)}
# A safetensors file: the length of its head, the head, then the numbers.
data = Path({str(path)!r}).read_bytes()
size = int.from_bytes(data[:8], "little")
kinds = {{"F32": torch.float32, "I64": torch.int64}}
weights = {{}}
for name, entry in json.loads(data[8 : 8 + size]).items():
    if name != "__metadata__":
        start, end = (8 + size + offset for offset in entry["data_offsets"])
        weights[name] = torch.frombuffer(bytearray(data[start:end]), dtype=kinds[entry["dtype"]]).view(entry["shape"])
net.load_state_dict(weights)

pixels = bytes.fromhex(
    "{_hex(pixels)}"
)
x = torch.tensor(list(pixels), dtype=torch.float32).view(1, {", ".join(map(str, opened.image))}) / 255
mean = torch.tensor({list(opened.mean)}).view(1, -1, 1, 1)
std = torch.tensor({list(opened.std)}).view(1, -1, 1, 1)
with torch.no_grad():
    scores = net.eval()((x - mean) / std)[0]
shown = torch.tensor({[round(score, 6) for score in scores]})
assert torch.allclose(scores, shown, rtol=1e-4, atol=1e-4), (scores, shown)
classes = {list(opened.classes)}
print(classes[int(scores.argmax())], torch.softmax(scores, 0).max().item())
'''


def _hex(pixels: NDArray[np.uint8]) -> str:
    """The bytes as text, 48 of them a line."""
    data = pixels.tobytes()
    return '"\n    "'.join(data[start : start + 48].hex() for start in range(0, len(data), 48))
