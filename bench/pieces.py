"""The pieces of bench/gpu.py: each has a process and a limit of time of its own, and leaves what it has found."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from convscope.data.images import Dataset, ImageSet
from convscope.data.images import statistics as moments
from convscope.data.sources import open_source

from .contenders import COMPILE, PLAIN, Epochs
from .measure import conditions

ROOT = Path(__file__).parent.parent
LEAST_SECONDS = 15  # nothing is begun with fewer
ENDING = 3  # seconds before its limit in which a process begins nothing new


@dataclass(frozen=True)
class Piece:
    """Work for a process of its own: a part, or one contender of its epochs; ``seconds`` that it may take."""

    part: str
    seconds: float
    contender: str | None = None

    @property
    def name(self) -> str:
        return self.part if self.contender is None else f"{self.part}, {self.contender}"


PLAN = (
    Piece("note", 45),
    Piece("mnist", 50),
    Piece("tests", 110),
    Piece("cifar", 75),
    Piece("note", 60, PLAIN + COMPILE),
    Piece("wide", 60),
    Piece("note", 60, "convscope, tf32" + COMPILE),
    Piece("wide", 60, PLAIN + COMPILE),
    Piece("wide", 60, "convscope, bf16" + COMPILE),
    Piece("note", 60, "convscope, bf16" + COMPILE),
    Piece("wide", 60, "convscope, tf32" + COMPILE),
)


class Bench:
    """Where results go, and what they are measured on."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given, self.folder, self.device = given, given.folder, torch.device(given.device)
        self.until = given.until or time.time() + given.seconds
        self.results: dict[str, Any] = {"conditions": self.conditions()}
        self.tables: dict[str, str] = {}

    def conditions(self) -> str:
        if self.device.type != "cuda":
            return conditions()
        return f"{torch.cuda.get_device_name(self.device)}, CUDA {torch.version.cuda}; {conditions()}"

    @property
    def left(self) -> float:
        """Seconds before all must be done."""
        return float(self.until - time.time())

    def keep(self, name: str, raw: Any, table: str = "", shown: bool = True) -> None:
        """Write what a part has found, and print it."""
        self.results[name] = raw
        if table:
            self.tables[name] = table
        if table and shown:
            print("\n" + table, flush=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        whole = {**self.results, "tables": self.tables}
        self._write("gpu.json", json.dumps(whole, indent=1))
        self._write("gpu.md", "\n\n".join([self.results["conditions"], *self.tables.values()]))

    def _write(self, name: str, text: str) -> None:
        """In one step: who is broken off meanwhile leaves what was there."""
        path = self.folder / f"{name}.new"
        path.write_text(text + "\n", encoding="utf-8")
        path.replace(self.folder / name)

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def data(self, name: str) -> Dataset:
        """MNIST or CIFAR-10; with --quick noise of its shape."""
        if not self.given.quick:
            return open_source("mnist" if name == "mnist" else str(self.given.cifar))
        shape = (1, 28, 28) if name == "mnist" else (3, 32, 32)
        rng = np.random.default_rng(0)
        parts = [rng.integers(0, 256, (count, *shape), dtype=np.uint8) for count in (70, 10)]
        sets = [ImageSet(part, np.arange(len(part)) % 10, tuple("0123456789")) for part in parts]
        return Dataset(name, sets[0], sets[1], *moments(parts[0]))


def apart(bench: Bench, piece: Piece) -> bool:
    """Do a piece in a process of its own and take over what it has found; whether that is all."""
    seconds = min(bench.left, piece.seconds)
    if seconds < LEAST_SECONDS:
        bench.keep(f"{piece.name} failed", "left out for want of time", f"{piece.name}: left out for want of time")
        return False
    folder = bench.folder / piece.name.replace(", ", "-").replace(" ", "-")
    given = ["--only", piece.part, "--here", "--device", str(bench.device), "--cifar", str(bench.given.cifar.resolve())]
    given += ["--repeats", str(bench.given.repeats), *(["--quick"] if bench.given.quick else [])]
    given += ["--until", f"{time.time() + seconds - ENDING:.1f}"]
    given += ["--contender", piece.contender] if piece.contender else []
    command = [sys.executable, "-X", "faulthandler", "-m", "bench.gpu", str(folder.resolve()), *given]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)  # what it prints is seen at once
    try:
        code: int | None = process.wait(seconds)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # compilers and tests that it has started, too
        process.wait()
    reason = f"took more than {seconds:.0f} s"
    if code is not None:
        reason = f"ended with {signal.Signals(-code).name if code < 0 else f'exit code {code}'}" if code else ""
    _take_over(bench, piece, folder, reason)
    return not reason


def _take_over(bench: Bench, piece: Piece, folder: Path, reason: str) -> None:
    """What the process of a piece has written: as it is, or one contender's seconds beside those of the others."""
    path = folder / "gpu.json"
    written = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"tables": {}}
    tables = written.pop("tables")
    why = ": ".join(filter(None, [reason, written.pop(f"{piece.part} failed", "")]))
    for name, raw in written.items():
        if name == "conditions":
            continue
        if piece.contender and name in bench.results:
            known = Epochs.read(bench.results[name])
            known.add(Epochs.read(raw))
            raw, tables[name] = asdict(known), known.table()
        bench.keep(name, raw, tables.get(name, ""), shown=False)
    if why:
        bench.keep(f"{piece.name} failed", why, f"{piece.name}: {why}")
