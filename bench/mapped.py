"""Training in windows on a map of pixels beside training on the same pixels in memory: net ``note``, jit engine.

The map's file is in the page cache, and four windows are shuffled an epoch. The times are CPU seconds of the process,
those of the system for it among them, so that other work on the machine counts little.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from convscope.data.images import Dataset, ImageSet
from convscope.data.pictures.maps import owned
from convscope.recipe import Recipe
from convscope.training.loop import train
from convscope.training.prepared import prepare
from convscope.training.state import State

from .measure import Timing, interleaved

IMAGES, SHAPE, WINDOWS = 240_000, (1, 28, 28), 4  # 188 MB


@contextmanager
def datasets() -> Iterator[dict[str, Dataset]]:
    """The same random images in memory and in a map."""
    stream = np.random.default_rng(0)
    images, labels = stream.integers(0, 256, (IMAGES, *SHAPE), np.uint8), stream.integers(0, 10, IMAGES)
    classes = tuple(map(str, range(10)))
    few = ImageSet(images[:100], labels[:100], classes)
    here = Dataset("random", ImageSet(images, labels, classes), few, (0.5,), (0.3,))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pixels"
        images.tofile(path)
        there = owned(np.memmap(path, np.uint8, "c", 0, images.shape))
        yield {"in memory": here, "in windows": replace(here, train=replace(here.train, images=there))}


def timings(repeats: int) -> list[Timing]:
    """An epoch of each, in turn."""
    with datasets() as found:
        return interleaved({name: _epoch(name, data) for name, data in found.items()}, repeats, time.process_time)


def _epoch(name: str, data: Dataset):
    window = IMAGES // WINDOWS if name == "in windows" else 0
    recipe = Recipe(net="note", epochs=10**6, batch_size=64, window=window, threads=1, engine="jit")
    prepared, state = prepare(recipe, data), State()

    def work() -> None:
        events = train(prepared.engine, replace(recipe, epochs=state.epoch + 1), data, state, batches=prepared.batches)
        for _ in events:
            pass
        state.stopped_by = None

    return work
