"""A header compiled by the C compiler of this machine, and run on images."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import TrainingError

COMPILERS = ("gcc", "clang", "cc")
FLAGS = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O2")
SECONDS = 400  # for compiler and program

MAIN = """
#include <stdio.h>
#include <time.h>

static int run(FILE *in, FILE *out, size_t bytes, int classes, int count,
               void (*predict)(const uint8_t *, float *), uint8_t *image, float *probabilities)
{
    while (count--) {
        if (fread(image, 1, bytes, in) != bytes) return 1;
        predict(image, probabilities);
        if (fwrite(probabilities, sizeof(float), (size_t)classes, out) != (size_t)classes) return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static uint8_t image[LARGEST];
    static float probabilities[MOST];
    FILE *in = argc == 3 ? fopen(argv[1], "rb") : NULL, *out = argc == 3 ? fopen(argv[2], "wb") : NULL;
    clock_t start = clock();
    if (!in || !out) return 2;
RUNS
    printf("%.9f", (double)(clock() - start) / CLOCKS_PER_SEC);
    return fclose(out) != 0;
}
"""


@dataclass(frozen=True)
class Job:
    """A header whose functions begin with ``identifier``, the number of its classes, and images uint8 (N, H, W, C)."""

    identifier: str
    header: str
    classes: int
    images: NDArray[np.uint8]


def compiler() -> str | None:
    """The C compiler of this machine."""
    return next((found for name in COMPILERS if (found := shutil.which(name))), None)


def answers(jobs: Sequence[Job]) -> tuple[list[NDArray[np.float32]], float]:
    """Probabilities (N, K) of every job by one program, and the seconds of all. Raises TrainingError where it fails."""
    found = compiler()
    assert found is not None
    with tempfile.TemporaryDirectory(prefix="convscope-c-") as name:
        folder = Path(name)
        (folder / "main.c").write_text(_program(jobs, folder))
        (folder / "images").write_bytes(b"".join(job.images.tobytes() for job in jobs))
        _run([found, *FLAGS, "main.c", "-lm", "-o", "main"], folder)
        seconds = float(_run(["./main", "images", "scores"], folder))
        values = np.fromfile(folder / "scores", np.float32)
    results, start = [], 0
    for job in jobs:
        end = start + len(job.images) * job.classes
        results.append(values[start:end].reshape(len(job.images), job.classes))
        start = end
    return results, seconds


def _program(jobs: Sequence[Job], folder: Path) -> str:
    parts, runs = [], []
    for job in jobs:
        upper = job.identifier.upper()
        (folder / f"{job.identifier}.h").write_text(job.header)
        parts.append(f'#define {upper}_IMPLEMENTATION\n#include "{job.identifier}.h"\n')
        runs.append(
            f"    if (run(in, out, {upper}_HEIGHT * {upper}_WIDTH * {upper}_CHANNELS, {upper}_CLASSES, "
            f"{len(job.images)}, {job.identifier}_predict, image, probabilities)) return 1;"
        )
    largest, most = max(job.images[0].size for job in jobs), max(job.classes for job in jobs)
    main = MAIN.replace("LARGEST", str(largest)).replace("MOST", str(most))
    return "".join(parts) + main.replace("RUNS", "\n".join(runs))


def _run(command: Sequence[str], folder: Path) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TrainingError(
            f"the exported C could not be tried: {error}", "--no-verify writes it all the same"
        ) from None
    if done.returncode:
        said = done.stderr.strip().splitlines()[:3]
        raise TrainingError(f"the exported C does not run: {' / '.join(said)[:400] or done.returncode}",
                            "report it with the net's text; --no-verify writes the file all the same")  # fmt: skip
    return done.stdout
