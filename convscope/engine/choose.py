"""Which engine a run uses: the fastest that covers the net on the device, unless the user insists."""

import torch

from ..distributed.team import ALONE, Team
from ..errors import UsageError
from ..recipe import EngineName
from ..storage.memory import TooLarge
from .base import Engine, Problem
from .eager import EagerEngine
from .precision import Chip, chosen
from .recorder import recorder_for
from .sliced import SlicedEngine


def choose(
    name: EngineName,
    problem: Problem,
    device: torch.device,
    threads: int,
    batch_size: int,
    team: Team = ALONE,
) -> tuple[Engine, tuple[str, ...]]:
    """The engine for ``problem``, and what the user should know of the choice.

    ``threads`` is at least 1; ``batch_size`` is what programs are compiled for. Raises UsageError where the user
    insists on the jit engine and it does not cover the net, the device or the precision, or needs more memory than
    there is; or where the device does not have the precision. Where ``team`` has more than one slice, each computes its
    part of every batch.
    """
    torch.set_num_threads(threads)
    if name != "eager" and device.type == "cpu":
        precision = chosen(problem.precision, Chip.of(device), problem.net)
        if precision.name == "fp32":
            return _on_cpu(name, problem, device, threads, batch_size, team)
        if name == "jit":
            raise UsageError(
                f"the jit engine computes in fp32, not in {precision.name}", "use --engine auto or --precision fp32"
            )
        return eager(problem, device, team), (f"PyTorch trains this net: the jit engine has no {precision.name}",)
    if name == "jit":
        raise UsageError(f"the jit engine runs on the CPU, not on {device}", "use --device cpu or --engine auto")
    engine = eager(problem, device, team)
    usual = engine.precision.name != "fp32" and problem.precision == "auto"
    return engine, (f"computed in {engine.precision.name} (--precision fp32 for float32)",) if usual else ()


def _on_cpu(
    name: EngineName, problem: Problem, device: torch.device, threads: int, batch_size: int, team: Team
) -> tuple[Engine, tuple[str, ...]]:
    from .jit import JitEngine, why_not, why_slower  # llvmlite is slow to import

    _, channels, height, width = problem.images.shape
    image = channels, height, width
    reason = _weights(problem) or why_not(problem.net, image)
    if reason and name == "jit":
        raise UsageError(f"the jit engine does not cover this run: {reason}", "use --engine auto")
    slower = None if reason or name == "jit" else why_slower(problem.net, image, batch_size)
    if slower:
        return eager(problem, device, team), (f"PyTorch is faster than the jit engine here: {slower}",)
    if reason is None:
        try:
            return JitEngine(problem, threads, team.isa, batch_size=batch_size, team=team), ()
        except UsageError as error:
            if name == "jit":
                raise
            if isinstance(error, TooLarge):
                return eager(problem, device, team), (f"PyTorch may do with less memory: {error.message}",)
            reason = error.message
    return eager(problem, device, team), (f"not covered by the jit engine: {reason}",)


def eager(problem: Problem, device: torch.device, team: Team) -> EagerEngine:
    """PyTorch's engine, divided where there is more than one slice."""
    if team.slices > 1:
        return SlicedEngine(problem, device, team)
    return EagerEngine(problem, device, recorder_for(problem.net, device))


def _weights(problem: Problem) -> str:
    """What the jit engine's plain mean of losses does not know; "" where nothing is weighted."""
    if problem.class_weights is not None:
        return "weights of classes"
    return "weights of samples" if problem.sample_weights is not None else ""
