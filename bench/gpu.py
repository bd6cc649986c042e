"""``python -m bench.gpu FOLDER``: what one GPU does: its tests, an epoch of nets against plain PyTorch, two accuracies.

Every piece of work has a process and a limit of time of its own, what counts most and takes least first. What it finds
it prints and writes at once, to FOLDER/gpu.json (every raw second) and FOLDER/gpu.md (tables): one that fails, crashes
or is broken off costs no other, and of its own findings only those that it had not made yet. Needs MNIST and CIFAR-10
(--cifar), no network, and less than six minutes on an H100.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
import traceback
from dataclasses import asdict, replace
from pathlib import Path

import torch

from convscope.data.images import Dataset
from convscope.recipe import Recipe
from convscope.recipes import shipped
from convscope.training.augment.views import seen
from convscope.training.loop import train
from convscope.training.prepared import prepare
from convscope.training.state import State

from .contenders import COMPILE, Work, contenders, measure
from .pieces import ENDING, PLAN, ROOT, Bench, Piece, apart

TESTED = (
    "tests/engine/test_recorded.py",
    "tests/engine/test_eager.py",
    "tests/engine/test_precision.py",
    "tests/training/test_augment.py",
    "tests/test_gpu.py",
    "tests/distributed/test_cards.py",
)
# A step that cannot be recorded is a failure here; what other versions of libraries warn of is none.
WARNINGS = ("-W", "default", "-W", "error:the steps cannot be recorded:UserWarning")


def tests(bench: Bench) -> None:
    """The tests that need a GPU."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:cacheprovider", "-ra", "--tb=short", *WARNINGS]
    path, lines = bench.folder / "tests.txt", ["no output"]
    process = subprocess.Popen(
        [*command, *TESTED], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with path.open("w") as file, process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            print(line, end="", flush=True, file=file)
            lines.append(line.strip())
    code = process.returncode
    bench.keep("tests", {"code": code, "last line": lines[-1]}, f"## GPU tests\n\n{lines[-1]} (exit code {code})")
    assert code == 0, "GPU tests have failed"


def epochs_of(bench: Bench, work: Work) -> None:
    """Seconds of an epoch by every contender without torch.compile; with --contender by that one."""
    names, one = list(contenders(work)), bench.given.contender
    if one not in (None, *names):
        raise ValueError(f"no contender is called {one}; there are: {'; '.join(names)}")
    here = [name for name in names if COMPILE not in name] if one is None else [one]
    for known in measure(work, here, bench.given.repeats, lambda: bench.left):
        bench.keep(f"epoch of {work.net}", asdict(known), known.table(), shown=False)
    print("\n" + known.table(), flush=True)
    assert known.found, f"no contender was measured: {known.failed}"


def note(bench: Bench) -> None:
    """An epoch of the note's net, as the note trains it."""
    epochs_of(bench, Work(bench.device, "note", bench.data("mnist"), 64))


def wide(bench: Bench) -> None:
    """An epoch of a wide net."""
    epochs_of(bench, Work(bench.device, "fast94", bench.data("cifar10"), 512))


def accuracy(bench: Bench, name: str, data: Dataset, seeds: int, goal: float, tta: bool) -> None:
    """Runs of a recipe that comes with the package, with other seeds: test accuracy after the last epoch, and time."""
    fixed = {key: value for key, value in shipped(name).choices.items() if key != "data"}
    recipe = Recipe(data.name, **fixed, device=str(bench.device), engine="eager")
    recipe = replace(recipe, epochs=1) if bench.given.quick else recipe
    _run(bench, replace(recipe, epochs=1), data, False)  # libraries are loaded by the first run of a process
    runs: list[dict[str, float]] = []
    for seed in range(seeds):
        if bench.left < (2 * runs[-1]["whole"] if runs else ENDING):
            print(f"left out for want of time: seed {seed} and later")
            break
        runs.append(_run(bench, replace(recipe, seed=seed), data, tta))
        print(name, seed, runs[-1], flush=True)
        raw = {"recipe": json.loads(recipe.to_json()), "runs": runs}
        bench.keep(f"recipe {name}", raw, _told(name, recipe, runs, goal), shown=seed == seeds - 1)


def _told(name: str, recipe: Recipe, runs: list[dict[str, float]], goal: float) -> str:
    """Accuracy and time of a recipe, means of runs."""
    means = {key: statistics.mean(run[key] for run in runs) for key in runs[0]}
    deviation = statistics.stdev([run["accuracy"] for run in runs]) if len(runs) > 1 else 0.0
    lines = [
        f"## Recipe {name}: {recipe.epochs} epochs, batch {recipe.batch_size}, n = {len(runs)}",
        f"test accuracy {100 * means['accuracy']:.2f} % ± {100 * deviation:.2f} (goal {100 * goal:.0f} %)"
        + (f"; {100 * means['tta']:.2f} % with --tta flip+shift" if "tta" in means else ""),
        f"training {means['training']:.3f} s, of which recording {means['recording']:.3f} s; "
        f"tests {means['tests']:.2f} s; {means['whole']:.2f} s from the data in memory to the last test",
    ]
    return "\n\n".join(lines)


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


PARTS = {"note": note, "mnist": mnist, "tests": tests, "cifar": cifar, "wide": wide}


def parser() -> argparse.ArgumentParser:
    """The command's words."""
    result = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    result.add_argument("folder", type=Path, help="for gpu.json and gpu.md")
    result.add_argument("--only", default=",".join(PARTS), help=f"parts, with commas between: {', '.join(PARTS)}")
    result.add_argument("--cifar", type=Path, default=Path("cifar10/cifar10.npz"), help="CIFAR-10 as an .npz")
    result.add_argument("--contender", help="of an epoch measure only this one")
    result.add_argument("--here", action="store_true", help="do the parts in this process")
    result.add_argument("--device", default="cuda")
    result.add_argument("--repeats", type=int, default=7)
    result.add_argument("--seconds", type=float, default=345, help="be done when so many are over")
    result.add_argument("--until", type=float, help="the second of the Unix clock at which to be done")
    result.add_argument("--quick", action="store_true", help="a few images of noise: try the script, measure nothing")
    return result


def here(bench: Bench, part: str) -> bool:
    """Do a part in this process; whether it was done."""
    try:
        PARTS[part](bench)
    except Exception as error:
        traceback.print_exc(file=sys.stdout)
        bench.keep(f"{part} failed", f"{type(error).__name__}: {error}")
        return False
    return True


def main(words: list[str] | None = None) -> int:
    """The exit code: 1 where a piece failed."""
    given = parser().parse_args(words)
    parts = given.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser().error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if given.device.startswith("cuda") and not torch.cuda.is_available():
        parser().error("there is no CUDA device; --device cpu --quick tries the script")
    given.folder.mkdir(parents=True, exist_ok=True)
    bench, failed = Bench(given), 0
    print(bench.results["conditions"], flush=True)
    pieces = [piece for piece in PLAN if piece.part in parts and not (given.quick and piece.contender)]
    if given.here or given.contender:
        pieces = [Piece(part, given.seconds, given.contender) for part in parts]
    for piece in pieces:
        began = time.perf_counter()
        failed += not (here(bench, piece.part) if given.here else apart(bench, piece))
        print(f"-- {piece.name}: {time.perf_counter() - began:.1f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
