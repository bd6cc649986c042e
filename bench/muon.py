"""What Muon's own part of an update takes: the moves of hidden weights between two calls of the engine."""

import time
from dataclasses import replace

import torch

from convscope.engine.jit import JitEngine

from .engine import random_problem
from .measure import columns

# Net, image, batch.
NETS = (("fast94", (3, 32, 32), 512), ("resnet8", (3, 32, 32), 256), ("note", (1, 28, 28), 64))


def share(net: str, image: tuple[int, int, int], batch: int, repeats: int) -> tuple[float, float]:
    """Processor seconds of an update on one thread, and of Muon in it; the least of ``repeats`` each."""
    problem = replace(random_problem(net, image, batch), optimizer="muon", momentum=0.6, nesterov=True)
    engine = JitEngine(problem, 1, batch_size=batch)
    muon, index = engine._muon, torch.arange(batch)
    assert muon is not None
    wholes, parts = [], []
    for _ in range(repeats + 1):
        start = time.process_time()
        engine.steps(index, batch, [1e-3])
        wholes.append(time.process_time() - start)
        start = time.process_time()
        muon.begin()
        muon.step(0.0)
        parts.append(time.process_time() - start)
    return min(wholes[1:]), min(parts[1:])


def table(repeats: int) -> str:
    """A row for each net."""
    rows = []
    for net, image, batch in NETS:
        whole, part = share(net, image, batch, repeats)
        rows.append([net, f"{batch}", f"{whole * 1e3:.1f} ms", f"{part * 1e3:.2f} ms", f"{part / whole:.1%}"])
    return columns(["net", "batch", "an update", "Muon in it", "share"], rows)
