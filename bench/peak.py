"""The yardstick: how many multiply-adds a core can do at most, by a loop that does nothing else.

Twelve independent sums are enough to keep every multiplier of today's CPUs busy; none of them touches memory.
"""

import ctypes
import threading
import time

from convscope.engine.jit.ir.function import Module
from convscope.engine.jit.machine.host import Code, machine
from convscope.engine.jit.machine.runtime import aligned, native

SUMS, ROUNDS = 12, 2_000_000


class Peak:
    """The loop, compiled. ``measure(threads)`` runs it."""

    def __init__(self, isa: str | None = None) -> None:
        host = machine(isa)
        self.flops = 2 * SUMS * ROUNDS * host.width
        module = Module(32 * host.width)
        f = module.function("peak", [("out", "ptr"), ("unused", "i64")], public=True)
        kind = f"<{host.width} x float>"
        factor = f.splat(f.load("float", f["out"]), host.width)
        sums = [f.var(f.constant(float(n), kind)) for n in range(SUMS)]
        with f.loop(ROUNDS):
            for total in sums:
                total.value = f.fma(total.value, factor, factor)
        result = sums[0].value
        for total in sums[1:]:
            result = result + total.value
        f.store(result, f["out"], align=4)
        self._code = Code(module.text(), host, None)
        self._run = native(self._code.address("peak"))

    def once(self) -> float:
        """GFLOP/s of one core, from one run of some milliseconds."""
        room = (ctypes.c_float * 32)(0.5)
        start = time.perf_counter()
        self._run(ctypes.addressof(room), 0)
        return self.flops / (time.perf_counter() - start) / 1e9

    def measure(self, threads: int = 1, runs: int = 7) -> float:
        """GFLOP/s of ``threads`` cores together, the best of some runs."""
        best = 0.0
        for _ in range(runs):
            rates = [0.0] * threads
            together = threading.Barrier(threads)

            def work(n: int, rates: list[float] = rates, together: threading.Barrier = together) -> None:
                together.wait()
                rates[n] = self.once()

            workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            best = max(best, sum(rates))
        return best


class Stream:
    """Reads a piece of memory again and again: bytes a second from a cache, or from memory, for the roofline."""

    def __init__(self, isa: str | None = None) -> None:
        host = machine(isa)
        module = Module(32 * host.width)
        f = module.function("stream", [("data", "ptr"), ("bytes", "i64")], public=True)
        kind, step = f"<{host.width} x float>", 4 * host.width
        sums = [f.var(f.constant(0.0, kind)) for _ in range(8)]
        with f.loop(f["bytes"], 0, 8 * step) as i:
            for n, total in enumerate(sums):
                total.value = total.value + f.load(kind, f["data"], i, n * step)
        result = sums[0].value
        for total in sums[1:]:
            result = result + total.value
        f.store(result, f["data"])
        self._code = Code(module.text(), host, None)
        self._run = native(self._code.address("stream"))

    def measure(self, size: int, runs: int = 50) -> float:
        """GB/s of one core reading ``size`` bytes, the best of some runs."""
        data = aligned(size // 4)
        data[:] = 1  # memory that nobody wrote is one page of zeros, many times over
        best = 1e9
        for _ in range(runs):
            start = time.perf_counter()
            self._run(data.ctypes.data, size)
            best = min(best, time.perf_counter() - start)
        return size / best / 1e9
