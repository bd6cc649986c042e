"""``torchrun -m convscope train``: of the processes on a machine one speaks, and rank 0 alone shows the training."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TextIO

from ..errors import ConvscopeError, UsageError

TAUGHT = ("train", "resume")
_before: list[TextIO] = []


def several() -> bool:
    """Whether torchrun has started this process as one of several."""
    return "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"


def calm() -> None:
    """Let torch be silent about lost connections; before torch is imported."""
    if several():
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")


def hush() -> None:
    """Let all but the first process of a machine be silent from now on.

    What is wrong before the processes join is said by each that finds it: none of them knows of the others, and as soon
    as one has ended, torchrun ends the rest.
    """
    if several() and os.environ.get("LOCAL_RANK", "0") != "0" and not _before:
        _before.extend((sys.stdout, sys.stderr))
        nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for as long as we run
        sys.stdout = sys.stderr = nowhere


def speak() -> None:
    """Be silent no longer: something has happened that nobody else can tell."""
    if _before:
        sys.stdout, sys.stderr = _before


def speak_for(error: ConvscopeError) -> None:
    """Be silent no longer where ``error`` is that the process which speaks on this machine has died."""
    lost = getattr(error, "rank", None)
    rank, local = os.environ.get("RANK", "0"), os.environ.get("LOCAL_RANK", "0")
    if _before and lost is not None and rank.isdigit() and local.isdigit() and lost == int(rank) - int(local):
        speak()


def alone(what: str) -> None:
    """Raise UsageError for what several processes that run one script would only do several times."""
    if several():
        raise UsageError(
            f"torchrun runs this script in several processes, and each of them would do {what}",
            "call train, resume, steps, seeds or folds, which they do together, or start the script without torchrun",
        )


def check(verb: str | None) -> None:
    """Raise UsageError for a verb that several processes would only do several times."""
    if several() and verb not in (None, *TAUGHT):
        raise UsageError(f"torchrun is for train and resume, not for {verb}", f"call it alone: convscope {verb} …")


def refuse(options: dict[str, bool]) -> None:
    """Raise UsageError for options of ``train`` that are several trainings."""
    given = [name for name, wanted in options.items() if wanted]
    if several() and given:
        raise UsageError(f"{', '.join(given)} cannot be given with torchrun", "train each run by itself")
