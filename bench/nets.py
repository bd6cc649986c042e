"""What the named nets reach, for ``convscope nets``: ``python -m bench.nets FOLDER [--net A,B] [--seeds 2]``.

FOLDER holds photographs of 32×32 in ``train/`` and ``test/``. Nets for digits train on MNIST by the recipe mnist-992,
the others on FOLDER with the choices of ``auto``, each in a process of its own and one thread, so that the processor's
seconds say the same on a busy machine. Printed are the lines of convscope/net/measured.py.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from convscope.net.pretrained.catalogue import PRETRAINED
from convscope.net.zoo import ZOO

AS_AUTO = [
    *("--optimizer", "adamw", "--lr", "0.004", "--weight-decay", "0.05", "--schedule", "one-cycle"),
    *("--epochs", "40", "--label-smoothing", "0.1", "--augment", "auto"),
]


def command(net: str, folder: str) -> list[str]:
    """What trains ``net``, but for its seed."""
    if net in PRETRAINED:
        return [folder, "--net", net]
    channels, height, _ = ZOO[net].image
    if channels == 1:
        return ["--recipe", "mnist-992", "--net", net]
    return [folder, "--net", net, *AS_AUTO, *(["--image-size", str(height)] if height != 32 else [])]


def trained(words: list[str], seed: int) -> tuple[float, float]:
    """(test accuracy, seconds of the processor) of one run."""
    with tempfile.TemporaryDirectory() as out:
        train = [sys.executable, "-m", "convscope", "train", *words, "--seed", str(seed)]
        with subprocess.Popen(
            [*train, "--threads", "1", "--out", out, "--json"], stdout=subprocess.PIPE, text=True
        ) as process:
            told, _ = process.communicate()
        if process.returncode:
            raise SystemExit(process.returncode)
        return float(json.loads(told)["test_accuracy"]), processor_seconds()


def processor_seconds() -> float:
    """Of all processes that were waited for."""
    times = os.times()
    return times.children_user + times.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--net", default=",".join(ZOO))
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    for net in given.net.split(","):
        words = command(net, given.folder)
        data = "mnist" if "mnist-992" in words else Path(given.folder).name
        before = processor_seconds()
        runs = [trained(words, seed) for seed in range(given.seeds)]
        seconds = (runs[-1][1] - before) / len(runs)
        accuracies = [accuracy for accuracy, _ in runs]
        spread = f"{statistics.stdev(accuracies):.4f}" if len(runs) > 1 else "None"
        mean = statistics.mean(accuracies)
        print(f'    "{net}": Measured("{data}", {mean:.4f}, {spread}, {len(runs)}, {seconds:.1f}),', flush=True)


if __name__ == "__main__":
    main()
