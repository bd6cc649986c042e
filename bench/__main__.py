"""``python -m bench [TABLE ...] [--repeats N] [--record]``: print the tables.

``--record`` also keeps the raw seconds behind the README's figures in bench/recorded.json; a test compares the two.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from convscope import load
from convscope.data.sources import open_source
from convscope.storage.cores import cores

from . import compiled, engine, epoch, mapped, muon, norm
from .measure import Timing, conditions, interleaved, ratio, table

# Seconds for ten epochs in Julia's own post (Elrod, Rackauckas et al. 2022, "Doing small network scientific machine
# learning in Julia 5x faster than PyTorch"), compilation apart.
SIMPLE_CHAINS = {"18 cores (i9-10980XE)": 1.24, "32 cores (EPYC 7513)": 3.08, "4 cores (i7-1165G7)": 5.32}
RECORD = Path(__file__).parent / "recorded.json"


def print_epoch(repeats: int) -> list[Timing]:
    data = open_source("mnist")
    timings = interleaved(epoch.contenders(data, ("eager", "jit")), repeats)
    print(f"\nOne epoch of training, net note, batch 64, 60,000 MNIST images; n = {repeats}, interleaved\n")
    for reference in ("the note's pipeline", "plain PyTorch in memory"):
        print(table(timings, reference) + "\n")
    return timings


def whole_command(*arguments: str) -> dict[str, Any]:
    """A run as a user sees it: process start, data, training with tests, all files written."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "convscope", "train", *arguments, "-q", "--out", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (run,) = Path(folder).iterdir()
        return load(run).summary


def print_run(repeats: int) -> list[Timing]:
    """The note's whole run, ten epochs."""
    timings = interleaved({"convscope train mnist": lambda: whole_command("mnist")}, repeats)
    seconds = sorted(timings[0].seconds)
    print(f"\nThe whole command, ten epochs, tests and files; n = {repeats}")
    print(f"median {timings[0].median:.1f} s ({seconds[0]:.1f}–{seconds[-1]:.1f})")
    return timings


def print_lenet5(repeats: int) -> list[Timing]:
    """LeNet-5 with ReLU and max pools on MNIST, ten epochs: what SimpleChains.jl publishes times of."""
    runs = []
    timings = interleaved({"lenet5-relu": lambda: runs.append(whole_command("--recipe", "lenet5-relu"))}, repeats)
    runs = runs[-repeats:]  # without what warmed up
    training = sorted(run["train_seconds"] for run in runs)
    accuracy = statistics.mean(run["test_accuracy"] for run in runs)
    print(f"\nLeNet-5 with ReLU and max pools, MNIST, ten epochs; n = {repeats}, {cores()} cores\n")
    print("| | training | whole command | test accuracy |\n|---|---|---|---|")
    print(
        f"| convscope train --recipe lenet5-relu | {statistics.median(training):.2f} s"
        f" ({training[0]:.2f}–{training[-1]:.2f}) | {timings[0].median:.1f} s | {accuracy:.2%} |"
    )
    for machine, seconds in SIMPLE_CHAINS.items():
        print(f"| SimpleChains.jl on {machine}, as published | {seconds:.2f} s | | 97.0–97.4 % |")
    return timings


def print_engine(repeats: int) -> list[Timing]:
    """The tables of docs/engine-figures.md; their figures are ratios, which need no record."""
    threads = cores()
    engine.share_of_peak(repeats, threads)
    engine.nets_and_batches(min(repeats, 3), threads)
    engine.print_inference(repeats, threads)
    return []


def print_inference(repeats: int) -> list[Timing]:
    """Inference of net note by every runtime that is installed."""
    engine.print_inference(repeats, cores())
    return []


def print_norm(repeats: int) -> list[Timing]:
    """What batch norm costs, and wide nets."""
    print(norm.cost_of_norm(repeats, cores()))
    return []


def print_program(repeats: int) -> list[Timing]:
    """How long resnet8's program takes to be there, and its memory."""
    print(norm.programs(repeats, cores()))
    return []


def print_muon(repeats: int) -> list[Timing]:
    """What Muon takes of an update."""
    print(f"\nMuon's part of an update, one thread, processor time; the least of n = {repeats}\n")
    print(muon.table(repeats))
    return []


def print_compile(repeats: int) -> list[Timing]:
    """``convscope.compile`` for one image and for 1,024, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    timings = compiled.timings(repeats)
    torch.set_num_threads(threads)
    print(f"\nInference of net note by convscope.compile, one thread, CPU time; n = {repeats}, interleaved\n")
    compiled.show(timings)
    return timings


def print_windows(repeats: int) -> list[Timing]:
    """Data that lie in a file beside data in memory."""
    timings = mapped.timings(repeats)
    here, there = timings
    median, least, most = ratio(there, here)
    print(f"\nAn epoch of net note, batch 64, one thread, CPU time, {mapped.IMAGES:,} images; n = {repeats}\n")
    for one in timings:
        print(f"{one.name:12} {one.median:.2f} s")
    print(f"in windows takes {median:.3f} times as long ({least:.3f}–{most:.3f})")
    return timings


TABLES = {
    "epoch": print_epoch,
    "run": print_run,
    "lenet5": print_lenet5,
    "engine": print_engine,
    "inference": print_inference,
    "norm": print_norm,
    "program": print_program,
    "muon": print_muon,
    "compile": print_compile,
    "windows": print_windows,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("tables", nargs="*", default=[], help=f"which: {', '.join(TABLES)}; all unless named")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--record", action="store_true", help="keep the raw seconds in bench/recorded.json")
    arguments = parser.parse_args()
    unknown = set(arguments.tables) - set(TABLES)
    if unknown:
        parser.error(f"no table {', '.join(sorted(unknown))}; there are {', '.join(TABLES)}")
    torch.set_num_threads(cores())
    print(conditions())
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    for name, make in TABLES.items():
        if not arguments.tables or name in arguments.tables:
            timings = make(arguments.repeats)
            if not timings:
                continue
            record[name] = {"conditions": conditions(), "seconds": {timing.name: timing.seconds for timing in timings}}
    if arguments.record:
        RECORD.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
