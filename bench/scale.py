"""What more processes bring: the terms of the formula in docs/scale.md, and an update as modelled beside as measured.

    torchrun --nproc-per-node 2 -m bench.scale

An update of b images by n processes, with net ``note``, the jit engine and one thread a process:

    t(n, b) = κ·t(1, b/n) + ω + (n − 1)·(α + β·g)

t(1, b/n): rank 0 computes its share while the others rest. κ: how many times as long that takes while all compute, none
of them sending anything (cores, caches and memory are shared; 1 on machines of their own). ω: what a message takes
longer when the processes come from work, not from the message before: who is woken on a core that another uses waits
for it. That is found without a net, by processes that watch the clock for κ·t(1, b/n) before each message. α + β·g: a
message of the gradient's g bytes. A round measures all in turn, so that other work on the machine counts in all.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from convscope.distributed.agree import manned
from convscope.distributed.join import joined
from convscope.distributed.team import ALONE, Team
from convscope.engine.jit import JitEngine

from .engine import random_problem, work
from .measure import columns, conditions

NET, IMAGE = "note", (1, 28, 28)
MESSAGES = 20  # of each size a round
SIZES = (1, 10, 30)  # of a message, in gradients
RATE = 0.01

Images = tuple[torch.Tensor, int]  # which, and how many an update


@dataclass(frozen=True)
class Line:
    """A message of s bytes takes α + β·s seconds."""

    alpha: float
    beta: float

    def seconds(self, ranks: int, size: int) -> float:
        """What ``ranks`` processes need to give each other ``size`` bytes each: a ring of ranks − 1 messages."""
        return (ranks - 1) * (self.alpha + self.beta * size)


def fitted(gathers: Mapping[int, float], ranks: int) -> Line:
    """The line nearest to the seconds of gathers by ``ranks`` processes, by their bytes; least squares, relative."""
    sizes, seconds = (np.array(list(part), float) for part in (gathers.keys(), gathers.values()))
    beta, alpha = np.polyfit(sizes, seconds / (ranks - 1), 1, w=1 / seconds)
    return Line(float(alpha), float(beta))


@dataclass(frozen=True)
class Round:
    """Seconds of an update, measured one after the other."""

    one: float  # one process, the whole batch
    part: float  # one process, its share
    beside: float  # each process its share, all at once, none sending: κ·t(1, b/n)
    woken: float  # ω
    message: float  # (n − 1)·(α + β·g)
    together: float  # what the formula is about

    @property
    def modelled(self) -> float:
        """By the formula."""
        return self.beside + self.woken + self.message

    @property
    def error(self) -> float:
        """Of the model, relative to what was measured."""
        return self.modelled / self.together - 1


class Bench:
    """The same updates by one process, by all at once, and by all together."""

    def __init__(self, team: Team, batch: int, updates: int) -> None:
        self.team, self.updates = team, updates
        share = batch // team.ranks
        self._one, self._part, self.together = self._engine(batch), self._engine(share), self._engine(batch, team)
        self._whole, self._own = (torch.arange(batch * updates), batch), (torch.arange(share * updates), share)
        self.size = 4 * sum(weights.numel() for weights in self.together.net.parameters())

    def _engine(self, batch: int, team: Team = ALONE) -> JitEngine:
        problem = random_problem(NET, IMAGE, batch * self.updates)
        problem.net.load_state_dict(self.team.share(problem.net.state_dict()))
        return JitEngine(problem, 1, batch_size=batch, team=team)

    def check(self) -> None:
        """Raises RuntimeError where the processes together do not give the bits of one with as many threads."""
        problem = random_problem(NET, IMAGE, len(self._whole[0]))
        problem.net.load_state_dict(self.together.net.state_dict())
        work(self.together, *self._whole)()
        work(JitEngine(problem, self.team.ranks, batch_size=self._whole[1]), *self._whole)()
        wanted, found = problem.net.state_dict(), self.together.net.state_dict()
        same = all(found[name].equal(weights) for name, weights in wanted.items())
        if not all(same for (same,) in self.team.gather_numbers(same)):
            raise RuntimeError("the processes together do not give the bits of one")

    def round(self) -> Round:
        """One of each."""
        ranks = self.team.ranks
        one, part = self._first(self._one, self._whole), self._first(self._part, self._own)
        beside = self.team.largest(self._seconds(self._part, self._own))
        message = fitted({size: self._gather(size) for size in self._sizes()}, ranks).seconds(ranks, self.size)
        woken = self._gather(self.size, beside) - beside - message
        self.team.first(0.0)  # all begin together
        return Round(one, part, beside, woken, message, self._seconds(self.together, self._whole))

    def _first(self, engine: JitEngine, images: Images) -> float:
        """Seconds of rank 0's updates, while the others wait."""
        return self.team.first(self._seconds(engine, images) if self.team.leads else 0.0)[0]

    def _seconds(self, engine: JitEngine, images: Images) -> float:
        """Of an update, mean of a call."""
        index, batch = images
        began = time.perf_counter()
        engine.steps(index, batch, [RATE] * self.updates)
        return (time.perf_counter() - began) / self.updates

    def _sizes(self) -> list[int]:
        return [8, *(times * self.size for times in SIZES)]

    def _gather(self, size: int, work: float = 0.0) -> float:
        """Mean seconds of a message of ``size`` bytes, and of as many seconds of ``work`` before it."""
        own = torch.zeros(size, dtype=torch.uint8)
        self.team.first(0.0)
        began = time.perf_counter()
        for _ in range(MESSAGES):
            until = time.perf_counter() + work
            while time.perf_counter() < until:
                pass
            self.team.gather(own)
        return (time.perf_counter() - began) / MESSAGES


def table(ranks: int, found: Mapping[int, Sequence[Round]]) -> str:
    """A row for each batch: medians in ms, and ranges of what is compared."""
    rows = []
    for batch, rounds in found.items():
        terms = [[getattr(one, name) for one in rounds] for name in ("one", "part", "woken", "message")]
        modelled, together = [one.modelled for one in rounds], [one.together for one in rounds]
        kappa = [one.beside / one.part for one in rounds]
        errors = [one.error for one in rounds]
        range_of = f"({1e3 * min(together):.2f}–{1e3 * max(together):.2f})"
        cells = [f"{1e3 * statistics.median(seconds):.2f}" for seconds in (*terms, modelled, together)]
        cells[2:2] = [f"{statistics.median(kappa):.2f}"]
        cells[-1] += f" {range_of}"
        error = f"{statistics.median(errors):+.0%} ({min(errors):+.0%} to {max(errors):+.0%})"
        rows.append([f"{batch:,}", *cells, error])
    n = len(next(iter(found.values())))
    title = f"Milliseconds of an update by {ranks} processes, net {NET}, one thread each; medians of n = {n}, in turn"
    header = ["batch", "t(1, b)", "t(1, b/n)", "κ", "ω", "messages", "modelled", "measured", "error"]
    return f"{title}\n\n{columns(header, rows)}"


def measured(team: Team, batches: Sequence[int], images: int, repeats: int) -> dict[int, list[Round]]:
    """``repeats`` rounds for every batch size, of about ``images`` images each, after one that warms up."""
    found = {}
    for batch in batches:
        bench = Bench(team, batch, max(2, images // batch))
        bench.check()
        found[batch] = [bench.round() for _ in range(repeats + 1)][1:]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="torchrun --nproc-per-node 2 -m bench.scale", description=__doc__)
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 256, 1024, 4096])
    parser.add_argument("--images", type=int, default=32_768, help="a repeat, so that it takes some tenths of a second")
    parser.add_argument("--repeats", type=int, default=9)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with joined() as team:
        if team.ranks == 1:
            parser.error("this is one process; start it as: torchrun --nproc-per-node 2 -m bench.scale")
        if any(batch % team.ranks for batch in given.batches):
            parser.error(f"--batches must be multiples of {team.ranks}, the number of processes")
        team = manned(team, 1)
        found = measured(team, given.batches, given.images, given.repeats)
        if team.leads:
            print(f"{conditions()}\n\n{table(team.ranks, found)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
