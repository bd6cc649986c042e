"""The import of PyTorch, in a process of our own."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Import in here what brings PyTorch: what is loaded counts as there to stay.

    The import makes 300,000 objects. To look through them for garbage while it lasts, and again whenever a quarter as
    many have been made since, takes a fifth of a short command.
    """
    if "torch" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
