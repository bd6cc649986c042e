"""A spec becomes a torch module whose children bear the names of the shape table."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode

from .graph import GraphNet
from .shapes import table
from .tree import Net
from .wiring import elsewhere

DRAWS = {
    Tensor.uniform_,
    Tensor.normal_,
    torch.randn,
    torch.rand,
    init.uniform_,
    init.normal_,
    init.kaiming_uniform_,
    init.kaiming_normal_,
}
MAKES = {torch.empty, torch.zeros, torch.ones, torch.randn, torch.rand}


class Seeded(TorchFunctionMode):
    """What torch draws at random in this thread inside the block comes from ``generator``, and tensors that it makes
    are float32 on ``device``.

    The bits are those of ``torch.manual_seed``, but no global generator is touched: nets may be built in many threads
    at once. Nor does it matter which default dtype or device the program around us has chosen.
    """

    def __init__(self, generator: torch.Generator, device: str = "cpu") -> None:
        super().__init__()
        self.generator, self.device = generator, device

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in DRAWS and kwargs.get("generator") is None:
            kwargs["generator"] = self.generator
        if func in MAKES:
            kwargs["device"] = kwargs.get("device") or self.device
            kwargs["dtype"] = kwargs.get("dtype") or torch.float32
        return func(*args, **kwargs)


def seeded(seed: int, device: str = "cpu") -> Seeded:
    """Random numbers from ``seed``, as after ``torch.manual_seed(seed)``, inside the block."""
    return Seeded(torch.Generator().manual_seed(seed), device)


def build(net: Net, image: tuple[int, int, int], classes: int, seed: int = 0, device: str = "cpu") -> GraphNet:
    """The net for images (C, H, W): (N, C, H, W) float32 → logits (N, classes).

    Initial weights are PyTorch's defaults, drawn from ``seed`` on the CPU (so they are the same for every device);
    on the ``device`` "meta" there are none.
    Raises ShapeError where the net does not fit.
    """
    rows = table(net, image, classes)
    with seeded(seed, device):
        modules = {row.name: row.op.module(row.shapes) for row in rows}
    return GraphNet(modules, elsewhere([row.name for row in rows], [row.inputs for row in rows]))
