"""This CPU: its vector width, its code. LLVM turns a program's text into machine code, the cache keeps it."""

import os
import platform
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import llvmlite
import llvmlite.binding as llvm

from ....errors import UsageError
from ..ir.arrays import Lanes
from .cache import ObjectCache

Isa = Literal["avx512", "avx2", "sse", "neon"]

WIDTHS: dict[Isa, int] = {"avx512": 16, "avx2": 8, "sse": 4, "neon": 4}
# Sums that a kernel may keep in registers: 32 registers less what is loaded, or 16 less that.
SUMS: dict[Isa, int] = {"avx512": 24, "avx2": 10, "sse": 10, "neon": 20}
LARGE = 2**21  # bytes
PASSES = "codegen 2: sroa, instcombine, simplifycfg"  # what compile_object does; a part of the cache's key
# A forced instruction set stands for the CPUs of its generation.
GENERIC: dict[Isa, str] = {"avx512": "x86-64-v4", "avx2": "x86-64-v3", "sse": "x86-64-v2", "neon": "generic"}

# One thread at a time writes and compiles programs.
COMPILING = threading.RLock()


def _before_fork() -> None:
    """A fork waits until no other thread is inside LLVM: in the child, nobody would give back the locks it holds."""
    COMPILING.acquire()
    llvm.ffi.lib._lock.__enter__()  # llvmlite's own, which every call takes, those of destructors too


def _after_fork() -> None:
    llvm.ffi.lib._lock.__exit__(None, None, None)
    COMPILING.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)


@cache
def _initialise() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


@dataclass(frozen=True)
class Machine:
    """An instruction set, and the CPU and features that LLVM compiles for."""

    isa: Isa
    cpu: str
    features: str

    @property
    def width(self) -> int:
        """float32 numbers in a full vector."""
        return WIDTHS[self.isa]

    @property
    def pause(self) -> str:
        """The instruction of a waiting loop."""
        return "@llvm.aarch64.hint(i32 1)" if self.isa == "neon" else "@llvm.x86.sse2.pause()"

    def lanes(self, images: int, largest: int, streams: bool = False) -> Lanes:
        """The block for a thread that has ``images`` of a batch: two full vectors, where that leaves no lanes idle.

        ``largest`` is the size of the net's largest array for one image: where two vectors of it are far beyond the
        second-level cache, one does better (measured: 47 % of the peak against 97 % for tiny-vgg's input gradient).
        ``streams``: blocks come and go between phases, so that less of the cache is theirs (3 to 10 % for resnet8).
        """
        width = self.width
        while width > 4 and width // 2 >= images:
            width //= 2
        two = images > width and 2 * width * 4 * largest <= (LARGE // 2 if streams else LARGE)
        return Lanes(width, 2 if two else 1, SUMS[self.isa])

    def alone(self) -> Lanes:
        """The block for one image: one lane. Its vectors run along the image (one_image/rows.py)."""
        return Lanes(1, 1, SUMS[self.isa])


def available() -> tuple[Isa, ...]:
    """The instruction sets of this CPU that the engine can use, the widest first; none on an unknown processor."""
    processor = platform.machine().lower()
    if processor in ("arm64", "aarch64"):
        return ("neon",)
    if processor not in ("x86_64", "amd64"):
        return ()
    have = llvm.get_host_cpu_features()
    wide = all(have.get(f"avx512{part}", False) for part in ("f", "bw", "dq", "vl"))
    middle = have.get("avx2", False) and have.get("fma", False)
    return (*(("avx512",) if wide else ()), *(("avx2",) if middle else ()), "sse")


def machine(isa: str | None = None) -> Machine:
    """This CPU, or ``isa`` of it. Raises UsageError where the CPU does not have it."""
    found = available()
    if not found:
        raise UsageError(f"the CPU engine knows no {platform.machine()} processors", "take the eager engine")
    if isa is None:
        return Machine(found[0], llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())
    for name in found:
        if name == isa:
            return Machine(name, GENERIC[name], "")
    raise UsageError(f"this CPU does not have {isa!r}", f"it has: {', '.join(found)}")


class Code:
    """A compiled program, loaded. ``address(name)`` is where a function begins."""

    def __init__(self, text: str, host: Machine, folder: Path | None) -> None:
        from .... import __version__

        _initialise()
        store = ObjectCache(folder)
        versions = (__version__, llvmlite.__version__, str(llvm.llvm_version_info))
        key = "\0".join((text, PASSES, *versions, host.cpu, host.features, llvm.get_process_triple(), os.name))
        target = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
            cpu=host.cpu, features=host.features, opt=2, jit=True
        )
        code = store.load(key)
        self.cached = code is not None
        if code is None:
            code = compile_object(text, target)
            store.save(key, code)
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Where function ``name`` begins."""
        return int(self._engine.get_function_address(name))


def compile_object(text: str, target: llvm.TargetMachine) -> bytes:
    """The object file of a program for ``target``."""
    module = llvm.parse_assembly(text)
    module.triple = target.triple
    module.verify()
    # LLVM's full pipeline takes seven times as long and finds nothing more in kernels that are written as these are.
    builder = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=2))
    passes = llvm.create_new_function_pass_manager()
    passes.add_sroa_pass()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    for function in module.functions:
        if not function.is_declaration:
            passes.run(function, builder)
    return bytes(target.emit_object(module))
