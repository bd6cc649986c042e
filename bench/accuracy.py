"""``python -m bench.accuracy [EPOCHS]``: what both engines end with on MNIST, seeds 0–4, all else equal, in %."""

import statistics
import sys
import tempfile

import convscope

from .measure import conditions

SEEDS = range(5)


def final_accuracies(engine: str, epochs: int) -> list[float]:
    """The accuracy after the last epoch in per cent, one number a seed."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [convscope.train("mnist", engine=engine, seed=seed, epochs=epochs, out=folder) for seed in SEEDS]
        return [100 * run.accuracy for run in runs]


if __name__ == "__main__":
    epochs = int(sys.argv[1]) if sys.argv[1:] else 10
    print(conditions())
    print(f"\nTest accuracy in % after {epochs} epochs of net note on MNIST, seeds 0–{SEEDS[-1]}\n")
    for engine in ("eager", "jit"):
        found = final_accuracies(engine, epochs)
        print(f"{engine:<8}" + "".join(f"{value:>8.2f}" for value in found) + f"   mean {statistics.mean(found):.3f}")
