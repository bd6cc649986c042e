"""Where the threads of a program wait for each other: spinning for a moment, then leaving the core to others."""

from ..ir.function import Function, Module
from ..ir.values import I32, I64, PTR
from . import slots

SPINS = 4000  # looks before a thread gives its core away


def write_barrier(module: Module, pause: str) -> Function:
    """A function ``barrier(job)``: returns once all threads of the job have called it.

    A thread also continues when the job is abandoned: an interrupt may keep the caller's own thread from coming.
    """
    f = module.function("barrier", [("job", PTR)])
    job = f["job"]
    arrived, turn = f.address(job, 8 * slots.ARRIVED), f.address(job, 8 * slots.ROUND)
    now = f.shared(turn)
    before = f.emit(f"atomicrmw add ptr {arrived.name}, i64 1 acq_rel", I64)
    with f.when(f.compare("eq", before + 1, f.load(I64, job, 8 * slots.THREADS))):
        f.line(f"store i64 0, ptr {arrived.name}, align 8")
        f.line(f"store atomic i64 {(now + 1).name}, ptr {turn.name} release, align 8")
        f.line("ret void")
        f.label(f.fresh("after"))
    spins = f.var(f.constant(0, I64))
    f.line("br label %look")
    f.label("look")
    f.leave_when(f.compare("ne", f.shared(turn), now) | f.compare("ne", f.shared(job, 8 * slots.ABANDONED), 0))
    spins.value = spins.value + 1
    f.line(f"call void {pause}")  # tells the core that this is a waiting loop
    module.declared.add(f"declare void {pause.replace(' 1', '')}")
    with f.when(f.compare("sgt", spins.value, SPINS)):
        f.call(f.load(PTR, job, 8 * slots.YIELD), result=I32)
    f.line("br label %look")
    f.label("never")
    return f
