"""environment.json: on what a run was made, so that one that resumes can tell what it cannot promise."""

import platform
import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, get_args

from .. import __version__
from ..data.images import Dataset, sets_of
from ..engine.devices import cpu_name, resolve
from ..errors import DataError, UsageError
from ..recipe import EngineName, Recipe

FIRST_CHECK, SHARE = 20.0, 0.02  # of the data in memory: seconds until the first, and its share of the time

# What the bits of a training step may depend on.
BITS = ("convscope", "torch", "numpy", "llvmlite", "machine", "cpu", "engine", "device", "threads")


def describe(data: Dataset, engine: str, device: str, threads: int) -> dict[str, Any]:
    """The content of environment.json."""
    return {
        "convscope": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "numpy", "llvmlite")},
        "system": platform.platform(),
        "machine": platform.machine(),
        "cpu": cpu_name(),
        "engine": engine,
        "device": device,
        "threads": threads,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": {
            "name": data.name,
            "place": data.place,
            "classes": data.classes,
            "shape": data.train.shape,
            "mean": data.mean,
            "std": data.std,
            "skipped": data.skipped,
            "images": {name: len(images) for name, images in sets_of(data).items()},
            "fingerprints": {name: images.fingerprint for name, images in sets_of(data).items()},
        },
    }


class Watch:
    """Whether the data in memory are still what they were when the run began or resumed.

    To hash all pixels takes a while (0.3 s for MNIST), so ``due`` is true for at most SHARE of the time.
    """

    def __init__(self, data: Dataset) -> None:
        self._data = data
        self._next = time.monotonic() + FIRST_CHECK

    def due(self) -> bool:
        """Whether it is time to check again."""
        return time.monotonic() >= self._next

    def check(self) -> None:
        """Raise DataError where pixels, labels or classes have changed."""
        began = time.monotonic()
        sets = sets_of(self._data).items()
        changed = [name for name, images in sets if replace(images).fingerprint != images.fingerprint]
        now = time.monotonic()
        self._next = now + (now - began) / SHARE
        if changed:
            raise DataError(
                f"the {' and '.join(changed)} images or labels were changed while the run was training on them",
                "leave the arrays alone and put them back; convscope resume then begins this run again",
            )


def as_before(recipe: Recipe, environment: dict[str, Any]) -> Recipe:
    """``recipe`` with the engine, device and threads that its "auto" meant when the run began, where they are here."""
    engine: Any
    engine, device, threads = (environment.get(name) for name in ("engine", "device", "threads"))
    if recipe.engine == "auto" and engine in get_args(EngineName):
        recipe = replace(recipe, engine=engine)
    if recipe.threads == 0 and isinstance(threads, int) and 1 <= threads <= 1024:
        recipe = replace(recipe, threads=threads)
    if recipe.device == "auto" and isinstance(device, str):
        try:
            resolve(device)
        except UsageError:
            return recipe
        recipe = replace(recipe, device=device)
    return recipe


def go_on_here(before: dict[str, Any], now: dict[str, Any], step: int) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The content of environment.json for a run that resumes after update ``step``, and what it cannot promise.

    Where anything that bits depend on has changed, an entry under ``resumed`` keeps what and when, and a line says so.
    """
    data = before.get("data")
    if now["data"]["place"] and isinstance(data, dict):  # where they are looked for next time
        before = {**before, "data": {**data, "place": now["data"]["place"]}}
    changes = [f"{name} {str(before.get(name))[:60]} → {now[name]}" for name in BITS if before.get(name) != now[name]]
    if not changes:
        return before, ()
    known = before.get("resumed")
    entry = {"at": now["started"], "update": step, "changes": changes}
    return {**before, "resumed": [*(known if isinstance(known, list) else []), entry]}, (
        f"bits may differ from those of an uninterrupted run, for it began elsewhere: {', '.join(changes)}",
    )
