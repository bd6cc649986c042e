"""How many CPU cores a run takes, and why not more."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GROUPS, OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


@dataclass(frozen=True)
class Cores:
    """``threads`` for a run on this machine; ``limit`` says why they are fewer than the ``usable`` cores."""

    usable: int
    threads: int
    limit: str = ""


def cores() -> int:
    """The threads that a run takes by itself."""
    return survey().threads


def survey() -> Cores:
    """The cores that this process may run on, less where a container's quota or $OMP_NUM_THREADS gives it fewer.

    A quota is rounded down, for threads wait for each other: one that is stopped until the next period stops them all,
    and those that wait use the quota up.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = Cores(usable, usable)
    if (quota := cpu_quota()) is not None and max(1, int(quota)) < found.threads:
        found = Cores(usable, max(1, int(quota)), f"the container's CPU quota is {quota:.3g} cores")
    if (asked := _omp_threads()) is not None and asked < found.threads:
        found = Cores(usable, asked, f"OMP_NUM_THREADS is {asked}")
    return found


def tell_libraries() -> None:
    """Make PyTorch and NumPy, which know nothing of quotas, take no more threads than a run does. They read
    $OMP_NUM_THREADS when they are imported; who has set it is not overruled.
    """
    found = survey()
    if found.threads < found.usable:
        os.environ.setdefault("OMP_NUM_THREADS", str(found.threads))


def cpu_quota() -> float | None:
    """CPU seconds a second that the control groups of this process allow it; None where there is no limit."""
    quotas = [quota for folder in _groups() if (quota := _quota(folder)) is not None]
    return min(quotas, default=None)


def _groups() -> Iterator[Path]:
    """The folders of this process's control groups and of those above them, of version 2 and of version 1.

    A container may see its own group as the root, whatever its path is called outside.
    """
    lines: list[str] = []
    with suppress(OSError):
        lines = OWN_GROUPS.read_text(errors="replace").splitlines()
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        for mount in {GROUPS / controllers, GROUPS / "cpu"} if controllers else {GROUPS, GROUPS / "unified"}:
            here = mount / path.strip("/")
            while here != mount and mount in here.parents:
                yield here
                here = here.parent
            yield mount


def _quota(folder: Path) -> float | None:
    with suppress(OSError, ValueError, ZeroDivisionError):  # no such file, or "max": no limit
        if (folder / "cpu.max").exists():
            quota, period = (int(part) for part in (folder / "cpu.max").read_text().split())
        else:
            quota = int((folder / "cpu.cfs_quota_us").read_text())
            period = int((folder / "cpu.cfs_period_us").read_text())
        return quota / period if quota > 0 else None
    return None


def _omp_threads() -> int | None:
    """$OMP_NUM_THREADS: "4", or "4,2" for nested regions, of which the first counts."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isascii() and first.isdigit() and len(first) < 6 and int(first) > 0 else None
