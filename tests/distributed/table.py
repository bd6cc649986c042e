"""A team in one process: its ranks are threads, and what they give each other lies on a table."""

import threading

import torch

from convscope.distributed.team import Team


class Table:
    """A line on which ``ranks`` threads of this process meet."""

    waited = 0.0

    def __init__(self, ranks):
        self.parts, self.barrier = [None] * ranks, threading.Barrier(ranks)

    def team(self, rank, **choices):
        table = self

        class End:
            waited = 0.0

            def gather(self, own):
                table.parts[rank] = own
                table.barrier.wait()
                found = torch.stack(table.parts)
                table.barrier.wait()
                return found

            def carries(self, device):
                return device.type == "cpu"

        return Team(rank, len(self.parts), line=End(), **choices)


def each(ranks, work, **choices):
    """What ``work`` gives on every rank, or the error that it raised."""
    table, found = Table(ranks), [None] * ranks

    def run(rank):
        try:
            found[rank] = work(table.team(rank, **choices))
        except Exception as error:
            found[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(ranks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return found
