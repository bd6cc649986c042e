"""Where every array lies in a thread's memory: rooms that are not needed at the same time may share it.

The kernels are written first, and each has noted which rooms it touches. So a room is needed from the first to the
last kernel that touches it, and nothing has to be declared. What all blocks of a step share (sums of gradients,
transformed weights) and what nobody writes again (borders of zeros) has a place of its own. What crosses a cut between
two phases, every block has for itself.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from math import inf

from .ir.arrays import LINE, Room
from .ir.kernel import Kernel


@dataclass(frozen=True)
class Plan:
    """Sizes in bytes. ``zeros`` of ``size`` from the arena's ``start`` on begin every step as zeros."""

    start: int
    zeros: int
    size: int
    each: int  # more for every block of a thread's share


@dataclass
class _Use:
    room: Room
    spans: list[tuple[float, float]]  # when it is needed: first and last kernel

    @property
    def size(self) -> int:
        return self.room.size

    @property
    def extent(self) -> float:
        """Its bytes for each of the kernels for which it is needed."""
        return self.size * sum(last - first + 1 for first, last in self.spans)

    def meets(self, other: "_Use") -> bool:
        return any(a <= d and c <= b for a, b in self.spans for c, d in other.spans)


def plan(
    start: int, cleared: int, once: Iterable[Kernel], phases: Sequence[Sequence[Kernel]], again: Set[int] = frozenset()
) -> Plan:
    """Give every room that a kernel touches its place, from byte ``start`` of the arena on.

    ``once``: kernels that run once a step; ``phases``: those of a block, in order. Bytes ``cleared`` to ``start`` begin
    a step as zeros, too. What the rooms ``again`` hold is made in every phase that needs it.
    """
    rooms = {number: room for kernel in once for number, room in kernel.rooms.items()}
    shared = set(rooms)
    times: dict[int, dict[int, list[int]]] = {}  # by room and phase
    kernels = [(phase, kernel) for phase, members in enumerate(phases) for kernel in members]
    for time, (phase, kernel) in enumerate(kernels):
        for number, room in kernel.rooms.items():
            rooms[number] = room
            times.setdefault(number, {}).setdefault(phase, []).append(time)
    fixed: list[_Use] = []
    block: list[_Use] = []
    each: list[_Use] = []
    for number, room in sorted(rooms.items()):
        lasting = number in shared or room.zeros or room.keep
        found = list(times.get(number, {}).values())
        room.each = number not in shared | again and not room.zeros and len(found) > 1
        found = found if number in again else [[time for phase in found for time in phase]]
        use = _Use(room, [(-inf, inf)] if lasting else [(min(some), max(some)) for some in found])
        (each if room.each else fixed if lasting else block).append(use)
    zeros = [use for use in fixed if use.room.zeros]
    end = _place(_largest(zeros), start)
    last = _place(_largest([use for use in fixed if not use.room.zeros]), end)
    return Plan(cleared, end - cleared, _smallest(block, last), _smallest(each, 0))


def _largest(uses: Iterable[_Use]) -> list[_Use]:
    """The largest first."""
    return sorted(uses, key=lambda use: -use.size)


def _smallest(uses: Sequence[_Use], start: int) -> int:
    """``_place`` with the largest first, or what is large for long, whichever takes less."""
    orders = _largest(uses), sorted(uses, key=lambda use: -use.extent)
    return _place(min(orders, key=lambda order: _place(order, start)), start)


def _place(uses: Sequence[_Use], start: int) -> int:
    """Each in turn at the lowest byte that no other needs at the same time; returns where all of them end.

    Y. Pisarchyk, J. Lee, Efficient memory management for deep neural net inference (2020), "greedy by size".
    """
    placed: list[_Use] = []
    end = start
    for use in uses:
        offset = start
        for other in sorted((p for p in placed if p.meets(use)), key=lambda p: p.room.offset):
            if offset + use.size <= other.room.offset:
                break
            offset = max(offset, lines(other.room.offset + other.size))
        use.room.offset = offset
        placed.append(use)
        end = max(end, lines(offset + use.size))
    return end


def lines(size: int) -> int:
    """``size`` rounded up to whole cache lines."""
    return -(-size // LINE) * LINE
