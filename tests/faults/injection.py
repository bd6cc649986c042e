"""What can go wrong with a disk, made to happen: at the n-th operation of this process the plug is pulled.

Operations are the ones that convscope writes files with: a temporary file is made and written, synced, renamed; lines
are appended; a file is removed. Each can fail before, half way through, or after.
"""

import os
import signal
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

KINDS = ("create", "write", "append", "fsync", "rename", "unlink")
MOMENTS = ("before", "half", "after")


@dataclass
class Fault:
    """At operation number ``at`` (from 1): ``kill`` (SIGKILL), ``power`` (a power cut), or an errno to fail with."""

    at: int
    moment: str
    effect: str | int


@dataclass
class Disk:
    """Counts operations and lets the fault happen. ``seen`` lists their kinds."""

    fault: Fault | None = None
    seen: list[str] = field(default_factory=list)
    unsynced: dict[str, int] = field(default_factory=dict)  # file → bytes that are safe
    unsafe_renames: dict[str, bytes | None] = field(default_factory=dict)  # target → what a power cut brings back
    injected: str | None = None

    def operation(self, kind, perform, perform_half=None):
        self.seen.append(kind)
        due = self.fault is not None and len(self.seen) == self.fault.at
        if due:
            self.injected = kind
        if due and self.fault.moment == "before":
            self._fail()
        if due and self.fault.moment == "half" and perform_half is not None:
            perform_half()
            self._fail()
        result = perform()
        if due:
            self._fail()
        return result

    def _fail(self):
        if isinstance(self.fault.effect, int):
            raise OSError(self.fault.effect, os.strerror(self.fault.effect))
        if self.fault.effect == "power":
            self._lose_what_is_not_synced()
        os.kill(os.getpid(), signal.SIGKILL)

    def _lose_what_is_not_synced(self):
        """Bytes that were not synced are torn, renames in a folder that was not synced are undone."""
        for target, before in self.unsafe_renames.items():
            if before is None:
                real_unlink(target)
            else:
                Path(target).write_bytes(before)
        for path, safe in self.unsynced.items():
            if Path(path).exists():
                content = Path(path).read_bytes()
                lost = len(content) - safe
                torn = content[: safe + lost // 2] + b"\0" * (lost // 3)
                Path(path).write_bytes(torn)


real_write, real_fsync, real_replace, real_unlink, real_fdopen = os.write, os.fsync, os.replace, os.unlink, os.fdopen
real_mkstemp = tempfile.mkstemp


def path_of(descriptor: int) -> str:
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


class File:
    """A file opened for writing, of which every write is an operation."""

    def __init__(self, disk, file):
        self.disk, self.file = disk, file

    def write(self, data):
        def put(part):
            self.disk.unsynced.setdefault(path_of(self.file.fileno()), 0)
            self.file.write(part)
            self.file.flush()

        self.disk.operation("write", lambda: put(data), lambda: put(memoryview(data)[: len(data) // 2]))

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()


def arm(disk: Disk) -> None:
    """From now on this process's disk is ``disk``. It cannot be undone: for a child that is thrown away."""

    def append(descriptor, data):
        path = path_of(descriptor)
        if not path.endswith(".csv"):
            return real_write(descriptor, data)
        disk.unsynced.setdefault(path, os.fstat(descriptor).st_size)
        return disk.operation(
            "append", lambda: real_write(descriptor, data), lambda: real_write(descriptor, data[: len(data) // 2])
        )

    def fsync(descriptor):
        def sync():
            real_fsync(descriptor)
            path = path_of(descriptor)
            if Path(path).is_dir():
                for target in [t for t in disk.unsafe_renames if str(Path(t).parent) == path]:
                    del disk.unsafe_renames[target]
            disk.unsynced.pop(path, None)

        disk.operation("fsync", sync)

    def replace(source, target):
        def rename():
            before = Path(target).read_bytes() if Path(target).exists() else None
            disk.unsafe_renames.setdefault(str(target), before)
            if str(source) in disk.unsynced:  # renamed before it was safe: the new name then has torn content
                disk.unsynced[str(target)] = disk.unsynced.pop(str(source))
            else:
                disk.unsynced.pop(str(target), None)
            real_replace(source, target)

        disk.operation("rename", rename)

    def unlink(path, **options):
        ours = Path(path).name == "summary.json" or Path(path).suffix == ".tmp"
        if not ours or not Path(path).exists():
            return real_unlink(path, **options)
        return disk.operation("unlink", lambda: real_unlink(path, **options))

    os.write, os.fsync, os.replace, os.unlink = append, fsync, replace, unlink
    os.fdopen = lambda handle, mode="r", *rest, **options: (
        File(disk, real_fdopen(handle, mode, *rest, **options)) if mode == "wb" else real_fdopen(handle, mode, *rest)
    )
    tempfile.mkstemp = lambda **options: disk.operation("create", lambda: real_mkstemp(**options))
