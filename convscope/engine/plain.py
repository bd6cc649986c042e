"""torch as it is by default, inside the block: what the program around us has set changes nothing here, and is left."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch.utils import _python_dispatch

from ..errors import UsageError


@contextmanager
def plain_torch() -> Iterator[None]:
    """Gradients on, inference mode and autocast off, new tensors on the CPU; torch's thread count is put back.

    Raises UsageError inside of a mode in which torch does not compute (such as FakeTensorMode). The default dtype is of
    the whole process, so it is neither assumed nor changed: who makes tensors says float32.
    """
    mode = _python_dispatch._get_current_dispatch_mode()
    if mode is not None:
        raise UsageError(
            f"torch is in {type(mode).__name__}, where tensors hold no numbers of their own", "leave that block first"
        )
    threads = torch.get_num_threads()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda", "mps"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        try:
            yield
        finally:
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)


@contextmanager
def one_thread() -> Iterator[None]:
    """Every thread of this process computes alone inside the block: the cores share the work in larger pieces."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
