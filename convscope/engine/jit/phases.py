"""A program is a list of phases, cut where all threads have to meet before they continue with their blocks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .ir.arrays import Room
from .ir.kernel import Kernel, Reduction
from .ways.way import Cut


@dataclass
class Phase:
    """What a thread does with each of its blocks, and then, once all threads have met, with none."""

    kernels: list[Kernel]
    met: list[Kernel]


def theirs(met: Sequence[Kernel]) -> list[Room]:
    """The rooms of other threads' memory into which these reductions look."""
    reductions = [kernel for kernel in met if isinstance(kernel, Reduction)]
    return list({number: room for reduction in reductions for number, room in reduction.theirs.items()}.values())


def remade(kernels: Sequence[Kernel], again: Mapping[int, Kernel]) -> list[Kernel]:
    """``kernels`` of a phase, and before the first of them that touches a room what makes its content ``again``."""
    result: list[Kernel] = []

    def append(kernel: Kernel) -> None:
        for number in kernel.rooms:
            maker = again.get(number)
            if maker and maker is not kernel and maker not in result:
                append(maker)
        result.append(kernel)

    for kernel in kernels:
        append(kernel)
    return result


def split(kernels: Iterable[Kernel | Cut]) -> list[Phase]:
    """The phases between the cuts."""
    phases = [Phase([], [])]
    for kernel in kernels:
        if isinstance(kernel, Cut):
            phases[-1].met.extend(kernel.kernels)
            phases.append(Phase([], []))
        else:
            phases[-1].kernels.append(kernel)
    return phases
