"""Which engine a run uses: the fastest that covers the net on the device, unless the user insists."""

import torch

from ..errors import UsageError
from ..recipe import EngineName
from ..storage.memory import TooLarge
from .base import Engine, Problem
from .eager import EagerEngine


def choose(
    name: EngineName, problem: Problem, device: torch.device, threads: int, batch_size: int
) -> tuple[Engine, tuple[str, ...]]:
    """The engine for ``problem``, and what the user should know of the choice.

    ``threads`` is at least 1; ``batch_size`` is what programs are compiled for. Raises UsageError where the user
    insists on the jit engine and it does not cover the net or the device, or needs more memory than there is.
    """
    torch.set_num_threads(threads)
    if name == "eager":
        return EagerEngine(problem, device), ()
    if device.type != "cpu":
        if name == "jit":
            raise UsageError(f"the jit engine runs on the CPU, not on {device}", "use --device cpu or --engine auto")
        return EagerEngine(problem, device), ()
    from .jit import JitEngine, why_not, why_slower  # llvmlite is slow to import

    _, channels, height, width = problem.images.shape
    image = channels, height, width
    reason = "weights of classes" if problem.class_weights is not None else why_not(problem.net, image)
    if reason and name == "jit":
        raise UsageError(f"the jit engine does not cover this run: {reason}", "use --engine auto")
    slower = None if reason or name == "jit" else why_slower(problem.net, image, batch_size)
    if slower:
        return EagerEngine(problem, device), (f"PyTorch is faster than the jit engine here: {slower}",)
    if reason is None:
        try:
            return JitEngine(problem, threads, batch_size=batch_size), ()
        except UsageError as error:
            if name == "jit":
                raise
            if isinstance(error, TooLarge):
                return EagerEngine(problem, device), (f"PyTorch may do with less memory: {error.message}",)
            reason = error.message
    return EagerEngine(problem, device), (f"not covered by the jit engine: {reason}",)
