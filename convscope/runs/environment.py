"""environment.json: on what a run was made, so that one that resumes can tell what it cannot promise."""

import platform
import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, get_args

from .. import __version__
from ..data.images import Dataset, sets_of
from ..data.pictures.maps import owner_of
from ..distributed.team import ALONE, Team
from ..engine.devices import cpu_name, resolve
from ..errors import DataError, UsageError
from ..recipe import EngineName, Recipe

FIRST_CHECK, SHARE = 20.0, 0.02  # of the data in memory: seconds until the first, and its share of the time

MOST_THREADS = 1024
ONE = {"slices": 1}  # where nothing is said

# What the bits of a training step may depend on.
BITS = ("convscope", "torch", "numpy", "llvmlite", "machine", "cpu", "engine", "device", "threads", "slices")


def describe(data: Dataset, engine: str, device: str, threads: int, team: Team = ALONE) -> dict[str, Any]:
    """The content of environment.json. ``threads`` are those of all processes for the jit engine, in which they share
    every sum, else those of each."""
    several = {"ranks": team.ranks} if team.ranks > 1 else {}
    if engine == "jit":
        threads = team.all_threads(threads)
    elif team.slices > 1:
        several["slices"] = team.slices
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
        **several,
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
        # What is mapped is not in memory: its file is this program's own, and to read all of it takes its time.
        self._sets = {name: images for name, images in sets_of(data).items() if owner_of(images.images) is None}
        self._next = time.monotonic() + FIRST_CHECK

    def due(self) -> bool:
        """Whether it is time to check again."""
        return time.monotonic() >= self._next

    def check(self) -> None:
        """Raise DataError where pixels, labels or classes have changed."""
        began = time.monotonic()
        sets = self._sets.items()
        changed = [name for name, images in sets if replace(images).fingerprint != images.fingerprint]
        now = time.monotonic()
        self._next = now + (now - began) / SHARE
        if changed:
            raise DataError(
                f"the {' and '.join(changed)} images or labels were changed while the run was training on them",
                "leave the arrays alone and put them back; convscope resume then begins this run again",
            )


def as_before(recipe: Recipe, environment: dict[str, Any], team: Team = ALONE) -> tuple[Recipe, Team]:
    """``recipe`` with the engine, device and threads that its "auto" meant when the run began, where they are here.

    Where it was begun by several processes, or is resumed by ``team``, their threads (jit) or slices (eager) are shared
    out again, as long as each process gets one.
    """
    recipe = _as_before(recipe, environment, team)
    known, slices = environment.get("threads"), environment.get("slices", 1)
    if team.ranks == 1 and environment.get("ranks", 1) == 1:
        return recipe, team
    if isinstance(known, int) and 1 <= known <= MOST_THREADS:
        own = known
        if environment.get("engine") == "jit":
            own = max(1, known * (team.rank + 1) // team.ranks - known * team.rank // team.ranks)
        recipe = replace(recipe, threads=own)
    fits = isinstance(slices, int) and team.ranks <= slices <= MOST_THREADS
    return recipe, replace(team, slices=slices if fits else team.ranks)


def _as_before(recipe: Recipe, environment: dict[str, Any], team: Team) -> Recipe:
    engine: Any
    engine, device, threads = (environment.get(name) for name in ("engine", "device", "threads"))
    if recipe.engine == "auto" and engine in get_args(EngineName):
        recipe = replace(recipe, engine=engine)
    if recipe.threads == 0 and isinstance(threads, int) and 1 <= threads <= MOST_THREADS:
        recipe = replace(recipe, threads=threads)
    if recipe.device == "auto" and isinstance(device, str):
        device = device.partition(":")[0] if team.ranks > 1 else device  # known is rank 0's; each has its own GPU
        try:
            resolve(device, team)
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
    changes = [
        f"{name} {str(was)[:60]} → {is_now}"
        for name in BITS
        if (was := before.get(name, ONE.get(name))) != (is_now := now.get(name, ONE.get(name)))
    ]
    if not changes:
        return before, ()
    known = before.get("resumed")
    entry = {"at": now["started"], "update": step, "changes": changes}
    return {**before, "resumed": [*(known if isinstance(known, list) else []), entry]}, (
        f"bits may differ from those of an uninterrupted run, for it began elsewhere: {', '.join(changes)}",
    )
