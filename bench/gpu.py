"""``python -m bench.gpu FOLDER``: what one GPU does: its tests, an epoch of nets against plain PyTorch, two accuracies.

Writes FOLDER/gpu.json with every raw second and FOLDER/gpu.md with tables, after each part, so that one that fails or
is broken off costs no other. Needs MNIST and CIFAR-10 (--cifar), no network, and less than six minutes on an H100.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from convscope.data.images import Dataset, ImageSet
from convscope.data.images import statistics as moments
from convscope.data.sources import open_source
from convscope.recipe import Recipe
from convscope.recipes import shipped
from convscope.runs.views import seen
from convscope.training.loop import train
from convscope.training.prepared import prepare
from convscope.training.state import State

from .contenders import COMPILE, Measured, Work, contenders, measure, table
from .measure import conditions

ROOT = Path(__file__).parent.parent
TESTED = (
    "tests/engine/test_recorded.py",
    "tests/engine/test_eager.py",
    "tests/engine/test_precision.py",
    "tests/training/test_augment.py",
    "tests/test_gpu.py",
)
# A step that cannot be recorded is a failure here; what other versions of libraries warn of is none.
WARNINGS = ("-W", "default", "-W", "error:the steps cannot be recorded:UserWarning")
TESTS_SECONDS = 120
CONTENDER_SECONDS, LEAST_SECONDS = 60, 30  # that a contender in a process of its own may take, and needs


class Bench:
    """Where results go, and what they are measured on."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given, self.folder, self.device = given, given.folder, torch.device(given.device)
        self.began = time.perf_counter()
        self.results: dict[str, Any] = {"conditions": self.conditions()}
        self.tables: dict[str, str] = {}

    def conditions(self) -> str:
        if self.device.type != "cuda":
            return conditions()
        return f"{torch.cuda.get_device_name(self.device)}, CUDA {torch.version.cuda}; {conditions()}"

    @property
    def left(self) -> float:
        """Seconds before --seconds are over."""
        return self.given.seconds - (time.perf_counter() - self.began)

    def keep(self, name: str, raw: Any, table: str = "") -> None:
        """Write what a part has found."""
        self.results[name] = raw
        if table:
            print("\n" + table, flush=True)
            self.tables[name] = table
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "gpu.json").write_text(json.dumps(self.results, indent=1) + "\n")
        (self.folder / "gpu.md").write_text("\n\n".join([self.results["conditions"], *self.tables.values()]) + "\n")

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


def tests(bench: Bench) -> None:
    """The tests that need a GPU, in a process of their own."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:cacheprovider", "-ra", "--tb=short", *WARNINGS]
    path, code = bench.folder / "tests.txt", -1
    with path.open("w") as file, suppress(subprocess.TimeoutExpired):
        done = subprocess.run([*command, *TESTED], cwd=ROOT, stdout=file, stderr=file, timeout=TESTS_SECONDS)
        code = done.returncode
    lines = path.read_text().strip().splitlines() or ["no output"]
    print("\n".join(lines[-90:]))
    bench.keep("tests", {"code": code, "last line": lines[-1]}, f"## GPU tests\n\n{lines[-1]} (exit code {code})")
    assert code == 0, "GPU tests have failed, or took too long"


def epochs_of(bench: Bench, part: str, work: Work) -> None:
    """Seconds of an epoch by every contender; with --contender by that one."""
    names, title = list(contenders(work)), f"epoch of {work.net}"
    if bench.given.contender not in (None, *names):
        raise ValueError(f"no contender is called {bench.given.contender}; there are: {'; '.join(names)}")
    here = [bench.given.contender] if bench.given.contender else [name for name in names if COMPILE not in name]
    found = measure(work, here, bench.given.repeats, lambda: bench.left > 10)
    failed: dict[str, str] = {}

    def keep() -> None:
        bench.keep(title, {name: asdict(measured) for name, measured in found.items()}, table(work, found, failed))

    keep()
    for name in () if bench.given.contender or bench.given.quick else [name for name in names if COMPILE in name]:
        try:
            found[name] = apart(bench, part, title, name)
        except RuntimeError as error:
            failed[name] = str(error)
        keep()


def apart(bench: Bench, part: str, title: str, name: str) -> Measured:
    """A contender in a process of its own, which takes nothing with it where it crashes. Raises RuntimeError."""
    if bench.left < LEAST_SECONDS:
        raise RuntimeError("left out for want of time")
    folder = bench.folder / f"{part}-{name.replace(', ', '-').replace(' ', '-')}"
    given = ["--only", part, "--contender", name, "--device", str(bench.device), "--cifar", str(bench.given.cifar)]
    given += ["--repeats", str(bench.given.repeats), *(["--quick"] if bench.given.quick else [])]
    command = [sys.executable, "-X", "faulthandler", "-m", "bench.gpu", str(folder), *given]
    seconds = min(bench.left, CONTENDER_SECONDS)
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"took more than {seconds:.0f} s") from None
    if done.returncode:
        print("\n".join((done.stdout + done.stderr).splitlines()[-40:]), flush=True)
        code = done.returncode
        raise RuntimeError(f"ended with {signal.Signals(-code).name if code < 0 else f'exit code {code}'}")
    raw = json.loads((folder / "gpu.json").read_text())[title]
    if name not in raw:
        raise RuntimeError(f"failed: {(done.stdout.splitlines() or ['no output'])[-1][:200]}")
    return Measured(**raw[name])


def note(bench: Bench) -> None:
    """An epoch of the note's net, as the note trains it."""
    epochs_of(bench, "note", Work(bench.device, "note", bench.data("mnist"), 64))


def wide(bench: Bench) -> None:
    """An epoch of a wide net."""
    epochs_of(bench, "wide", Work(bench.device, "fast94", bench.data("cifar10"), 512))


def accuracy(bench: Bench, name: str, data: Dataset, seeds: int, goal: float, tta: bool) -> None:
    """Runs of a recipe that comes with the package, with other seeds: test accuracy after the last epoch, and time."""
    fixed = {key: value for key, value in shipped(name).choices.items() if key != "data"}
    recipe = Recipe(data.name, **fixed, device=str(bench.device), engine="eager")
    recipe = replace(recipe, epochs=1) if bench.given.quick else recipe
    _run(bench, replace(recipe, epochs=1), data, False)  # libraries are loaded by the first run of a process
    runs = []
    for seed in range(seeds):
        if bench.left < 20:
            print(f"left out for want of time: seed {seed} and later")
            break
        runs.append(_run(bench, replace(recipe, seed=seed), data, tta))
        print(name, seed, runs[-1], flush=True)
    means = {key: statistics.mean(run[key] for run in runs) for key in runs[0]}
    deviation = statistics.stdev([run["accuracy"] for run in runs]) if len(runs) > 1 else 0.0
    lines = [
        f"## Recipe {name}: {recipe.epochs} epochs, batch {recipe.batch_size}, n = {len(runs)}",
        f"test accuracy {100 * means['accuracy']:.2f} % ± {100 * deviation:.2f} (goal {100 * goal:.0f} %)"
        + (f"; {100 * means['tta']:.2f} % with --tta flip+shift" if tta else ""),
        f"training {means['training']:.3f} s, of which recording {means['recording']:.3f} s; "
        f"tests {means['tests']:.2f} s; {means['whole']:.2f} s from the data in memory to the last test",
    ]
    bench.keep(f"recipe {name}", {"recipe": json.loads(recipe.to_json()), "runs": runs}, "\n\n".join(lines))


def _run(bench: Bench, recipe: Recipe, data: Dataset, tta: bool) -> dict[str, float]:
    """Accuracies, and seconds."""
    began = time.perf_counter()
    prepared, state = prepare(recipe, data), State()
    for _ in train(prepared.engine, recipe, data, state, batches=prepared.batches):
        pass
    bench.wait()
    found = {
        "accuracy": state.last.test_accuracy or 0.0,
        "training": state.seconds.train,
        "recording": prepared.engine.compile_seconds,
        "tests": state.seconds.test,
        "whole": time.perf_counter() - began,
    }
    if tta:
        logits = seen(prepared.engine.logits, torch.from_numpy(data.test.images), "flip+shift")
        found["tta"] = float((logits.argmax(1) == torch.from_numpy(data.test.labels)).float().mean())
    return found


def mnist(bench: Bench) -> None:
    """99 % of MNIST."""
    accuracy(bench, "mnist-99", bench.data("mnist"), 10, 0.99, False)


def cifar(bench: Bench) -> None:
    """94 % of CIFAR-10."""
    accuracy(bench, "cifar10-94", bench.data("cifar10"), 3, 0.94, True)


PARTS = {"tests": tests, "note": note, "mnist": mnist, "cifar": cifar, "wide": wide}


def parser() -> argparse.ArgumentParser:
    """The command's words."""
    result = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    result.add_argument("folder", type=Path, help="for gpu.json and gpu.md")
    result.add_argument("--only", default=",".join(PARTS), help=f"parts, with commas between: {', '.join(PARTS)}")
    result.add_argument("--cifar", type=Path, default=Path("cifar10/cifar10.npz"), help="CIFAR-10 as an .npz")
    result.add_argument("--contender", help="of an epoch measure only this one, in this process")
    result.add_argument("--device", default="cuda")
    result.add_argument("--repeats", type=int, default=7)
    result.add_argument("--seconds", type=float, default=350, help="begin nothing new when so many are over")
    result.add_argument("--quick", action="store_true", help="a few images of noise: try the script, measure nothing")
    return result


def main(words: list[str] | None = None) -> int:
    """The exit code: 1 where a part failed."""
    given = parser().parse_args(words)
    if unknown := set(given.only.split(",")) - set(PARTS):
        parser().error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if given.device.startswith("cuda") and not torch.cuda.is_available():
        parser().error("there is no CUDA device; --device cpu --quick tries the script")
    given.folder.mkdir(parents=True, exist_ok=True)
    bench, failed = Bench(given), []
    print(bench.results["conditions"], flush=True)
    for name in given.only.split(","):
        began = time.perf_counter()
        try:
            PARTS[name](bench)
        except Exception:
            failed.append(name)
            traceback.print_exc(file=sys.stdout)
            bench.keep(f"{name} failed", traceback.format_exc())
        print(f"-- {name}: {time.perf_counter() - began:.1f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
