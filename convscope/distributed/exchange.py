"""How numbers of all ranks are gathered: over gloo in main memory, over NCCL from GPU to GPU.

An exchange is only begun here. Whoever waits for it looks at the others' pulse meanwhile, for a collective whose other
end has died may wait for ever.
"""

import os
import time
from datetime import timedelta
from typing import Any, Protocol

import torch
from torch import Tensor
from torch import distributed as dist

LONG = timedelta(days=7)  # whether a process lives is the pulse's concern, not that of a time limit
SPIN = 1e-3  # seconds for which a GPU's numbers are asked for without a pause: they come within microseconds
PAUSE = 1e-4  # seconds between two questions after that


class Pending(Protocol):
    """Numbers that are under way."""

    def come(self, seconds: float) -> bool:
        """Whether they have come; waits for it for so many seconds. Raises RuntimeError where a connection breaks."""
        ...


class Exchange(Protocol):
    """Gathers tensors of one kind of device."""

    def ready(self, own: Tensor) -> None:
        """Wait until this process itself has computed ``own``."""
        ...

    def begin(self, rows: Tensor, own: Tensor) -> Pending:
        """Gather ``own`` uint8 (M,) of every rank, in their order, into ``rows`` uint8 (ranks, M)."""
        ...

    def abort(self) -> None:
        """Give up what has been begun, so that the device is free: another rank is lost."""
        ...


class Gloo:
    """Tensors in main memory."""

    def ready(self, own: Tensor) -> None:
        """See :class:`Exchange`: it is."""

    def begin(self, rows: Tensor, own: Tensor) -> "GlooPending":
        """See :class:`Exchange`."""
        return GlooPending(dist.all_gather(list(rows.unbind()), own, async_op=True))

    def abort(self) -> None:
        """See :class:`Exchange`: nobody is kept from anything by what gloo waits for."""


class GlooPending:
    """What gloo's own threads fetch."""

    def __init__(self, work: Any) -> None:
        self._work = work

    def come(self, seconds: float) -> bool:
        """See :class:`Pending`."""
        try:
            self._work.wait(timedelta(seconds=seconds))
        except RuntimeError:
            if self._work.is_completed():
                raise
            return False
        return True


class Nccl:
    """Tensors on GPUs, of which every rank has its own, over the process group ``group``.

    PyTorch's own watch over NCCL is switched off (TORCH_NCCL_ASYNC_ERROR_HANDLING): it ends a process in the middle of
    whatever it does, without a word of who is lost.
    """

    def __init__(self, group: Any) -> None:
        self._group, self._aborted = group, False

    @classmethod
    def connect(cls) -> "Nccl":
        """That of all ranks, which call it at once; their GPUs are connected when it is used first."""
        os.environ.setdefault("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0")
        return cls(dist.new_group(backend="nccl", timeout=LONG))

    def ready(self, own: Tensor) -> None:
        """See :class:`Exchange`: what the GPU still computes is no waiting for others."""
        torch.cuda.current_stream(own.device).synchronize()

    def begin(self, rows: Tensor, own: Tensor) -> "NcclPending":
        """See :class:`Exchange`."""
        return NcclPending(dist.all_gather(list(rows.unbind()), own, self._group, async_op=True))

    def abort(self) -> None:
        """See :class:`Exchange`: the kernel that waits for the others ends, and what it would have fetched is void."""
        if not self._aborted:
            self._aborted = True
            dist.distributed_c10d._abort_process_group(self._group)


class NcclPending:
    """What a kernel on the GPU fetches.

    Work.wait with a time limit would count the communicator as broken once that is over, so it is asked instead
    whether it is done. Only then is it waited for, which raises what went wrong.
    """

    def __init__(self, work: Any) -> None:
        self._work = work

    def come(self, seconds: float) -> bool:
        """See :class:`Pending`."""
        began = time.monotonic()
        while not self._work.is_completed():
            waited = time.monotonic() - began
            if waited > seconds:
                return False
            time.sleep(PAUSE if waited > SPIN else 0)
        self._work.wait()
        return True
