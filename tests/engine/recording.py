"""A recorder for the CPU that repeats what CUDA graphs repeat: operations on the very tensors, nothing of Python."""

from contextlib import contextmanager

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

WAITS = {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default}


class Tape(TorchDispatchMode):
    """Notes every operation inside the block, refuses those that wait for a device, and undoes them at its end."""

    def __init__(self):
        super().__init__()
        self.operations, self.before, self.made = [], {}, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in WAITS:
            raise RuntimeError(f"{func} waits for the device")
        for tensor in tensors_of((args, kwargs)):
            if id(tensor) not in self.before:
                self.before[id(tensor)] = tensor, tensor.clone()
        out = func(*args, **(kwargs or {}))
        self.made |= {id(tensor) for tensor in tensors_of(out)} - self.before.keys()
        self.operations.append((func, args, kwargs or {}, out))
        return out

    def __exit__(self, *given):
        super().__exit__(*given)
        with torch.no_grad():
            for name, (tensor, value) in self.before.items():
                if name not in self.made:
                    tensor.copy_(value)

    def repeat(self):
        for func, args, kwargs, out in self.operations:
            again = func(*args, **kwargs)
            for place, value in zip(tensors_of(out), tensors_of(again), strict=True):
                if place.data_ptr() != value.data_ptr():
                    place.copy_(value)


def tensors_of(tree):
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


class TapeRecorder:
    """``repeats`` counts the steps that were taken from a tape, ``recorded`` the tapes."""

    def __init__(self):
        self.recorded = self.repeats = 0

    @contextmanager
    def apart(self):
        yield

    def record(self, work):
        with Tape() as tape:
            work()
        self.recorded += 1

        def repeat():
            self.repeats += 1
            with torch.no_grad():
                tape.repeat()

        return repeat
