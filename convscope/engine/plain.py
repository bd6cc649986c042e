"""torch as it is by default, inside the block: what the program around us has set changes nothing here, and is left."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch.utils import _python_dispatch

from ..errors import UsageError


class _Outside:
    """How many threads torch takes outside of all blocks: one that is new to torch begins with what any has set."""

    lock = threading.Lock()
    open = 0  # threads that are in a block
    threads = 0


_HERE = threading.local()


def _after_fork() -> None:
    """In a forked child, where only the thread that forked continues."""
    _Outside.lock = threading.Lock()
    _Outside.open = int(getattr(_HERE, "depth", 0) > 0)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def _threads_put_back() -> Iterator[None]:
    """torch's thread count is put back, also where blocks overlap in several threads of this process."""
    depth: int = getattr(_HERE, "depth", 0)
    with _Outside.lock:
        if not depth and not _Outside.open:
            _Outside.threads = torch.get_num_threads()
        before = torch.get_num_threads() if depth else _Outside.threads
        _Outside.open += not depth
    _HERE.depth = depth + 1
    try:
        yield
    finally:
        _HERE.depth = depth
        with _Outside.lock:
            _Outside.open -= not depth
            if torch.get_num_threads() != before:
                torch.set_num_threads(before)


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
    with ExitStack() as stack:
        stack.enter_context(_threads_put_back())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda", "mps"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Every thread of this process computes alone inside the block: the cores share the work in larger pieces."""
    with _threads_put_back():
        torch.set_num_threads(1)
        yield
