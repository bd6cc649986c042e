"""What a step launches on a device, recorded once and launched again as a whole: CUDA graphs, behind an interface.

A small net's step is some fifty kernels of a few microseconds each, and PyTorch needs longer to launch one than the
device to compute it. A graph launches all of them at once.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import torch
from torch import nn

Work = Callable[[], None]


class Recorder(Protocol):
    """Records work on a device."""

    def apart(self) -> AbstractContextManager[None]:
        """Inside the block work is launched, recorded and repeated; what was launched before it is waited for."""
        ...

    def record(self, work: Work) -> Work:
        """What launches again what ``work`` launches, on the same tensors. ``work`` computes nothing meanwhile.

        Raises RuntimeError where something in it cannot be recorded, such as waiting for the device.
        """
        ...


class CudaGraphs:
    """Records on a stream of its own, as CUDA wants it."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = torch.cuda.Stream(device)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """See :class:`Recorder`."""
        outside = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(outside)
        try:
            with torch.cuda.stream(self.stream):
                yield
        finally:
            outside.wait_stream(self.stream)

    def record(self, work: Work) -> Work:
        """See :class:`Recorder`."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self.stream):
            work()
        return graph.replay


def recorder_for(net: nn.Module, device: torch.device) -> Recorder | None:
    """What records the steps of ``net``; None where they are to be launched one by one.

    Layers of somebody's own may run other Python code in every step, which a recording would not repeat.
    """
    known = all(type(module).__module__.partition(".")[0] in ("torch", "convscope") for module in net.modules())
    return CudaGraphs(device) if device.type == "cuda" and known else None
