"""Machine code, written down: the few words that every kernel of the engine is built from.

A :class:`Function` collects lines of LLVM's intermediate language, which LLVM then turns into machine code. A reader
needs to know only this:

* A :class:`Value` is the result of one instruction: a number, an address (``ptr``), or a *vector* of ``width`` numbers
  that are computed at once. ``a + b``, ``a * b`` and so on write the instruction that fits the type.
* ``f.loop(n)`` is a ``for``: the lines written inside the ``with`` block are the body. A Python ``for`` around them
  instead writes the body several times ("unrolled").
* ``f.var(x)`` is a variable that keeps its value from one round of a loop to the next; LLVM keeps it in a register.
* An address is a base plus terms ``(index, stride in bytes)``: see :meth:`Function.address`. The base may be a
  ``Room``, whose place in memory is put into the text last of all.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .arrays import Room
from .values import F32, I1, I8, I16, I32, I64, PTR, Term, Value, Var, element, like, number, vector, width

ROOM = re.compile(r"\{(\d+)([+-]\d+)?\}")  # what Room.pointer and Room.place stand for


class Module:
    """A program: functions and constant tables, and the text that LLVM compiles.

    ``exported``: its kernels, too, can be called from outside.
    """

    def __init__(self, vector_bits: int, exported: bool = False) -> None:
        self.vector_bits, self.exported = vector_bits, exported
        self.functions: list[Function] = []
        self.tables: list[str] = []
        self.declared: set[str] = set()
        self.rooms: list[Room] = []

    def room(self, size: int, keep: bool = False, zeros: bool = False) -> Room:
        """So many bytes of every thread's memory."""
        self.rooms.append(Room(len(self.rooms), size, keep, zeros))
        return self.rooms[-1]

    def function(self, name: str, parameters: Sequence[tuple[str, str]], public: bool = False) -> "Function":
        """A new function ``name`` with ``parameters`` (name, type); the runtime can call ``public`` ones."""
        self.functions.append(Function(self, name, parameters, public))
        return self.functions[-1]

    def table(self, numbers: Sequence[int]) -> str:
        """A constant table of int64; returns its address as an operand."""
        name = f"@table{len(self.tables)}"
        rows = ", ".join(f"i64 {n}" for n in numbers)
        self.tables.append(f"{name} = private constant [{len(numbers)} x i64] [{rows}], align 64")
        return name

    def text(self) -> str:
        """The whole program in LLVM's language, once every room has its place."""
        # Without these words LLVM splits 512-bit vectors in two on CPUs whose clock once fell when they were used.
        words = f'nounwind "prefer-vector-width"="{self.vector_bits}" "min-legal-vector-width"="{self.vector_bits}"'
        parts = [*self.tables, *sorted(self.declared), *(f.text() for f in self.functions)]
        whole = "\n".join([*parts, f"attributes #0 = {{ {words} noinline }}", ""])
        return ROOM.sub(self._place, whole)

    def _place(self, found: re.Match[str]) -> str:
        room = self.rooms[int(found[1])]
        if found[2] is None:
            return "%b" if room.each else "%a"
        return str(room.offset + int(found[2]))


class Function:
    """One function while it is being written. ``f["name"]`` is a parameter."""

    def __init__(self, module: Module, name: str, parameters: Sequence[tuple[str, str]], public: bool) -> None:
        self.module, self.name, self.public = module, name, public
        self.signature = ", ".join(f"{kind} noundef %{p}" for p, kind in parameters)
        self.parameters = {p: Value(self, f"%{p}", kind) for p, kind in parameters}
        self.rooms: dict[int, Room] = {}  # that it has touched
        self.reserved: list[str] = []
        self.lines: list[str] = []
        self.count = 0
        self.block = "entry"

    def __getitem__(self, name: str) -> Value:
        return self.parameters[name]

    def text(self) -> str:
        """The function in LLVM's language."""
        head = f"define {'' if self.public else 'internal '}void @{self.name}({self.signature}) #0 {{"
        return "\n".join([head, "entry:", *self.reserved, *self.lines, "  ret void", "}"])

    # -- instructions ------------------------------------------------------------------------------------------------

    def fresh(self, prefix: str = "%v") -> str:
        """A name that is not used yet."""
        self.count += 1
        return f"{prefix}{self.count}"

    def emit(self, instruction: str, kind: str) -> Value:
        """Write an instruction that has a result of type ``kind``."""
        name = self.fresh()
        self.lines.append(f"  {name} = {instruction}")
        return Value(self, name, kind)

    def reserve(self, kind: str, count: int = 1) -> Value:
        """Room on the stack for ``count`` values."""
        name = self.fresh()
        self.reserved.append(f"  {name} = alloca {kind}, i64 {count}, align 64")
        return Value(self, name, PTR)

    def var(self, start: Value) -> Var:
        """A variable that starts with ``start``."""
        return Var(self, start)

    def constant(self, value: float, kind: str) -> Value:
        """A constant; a vector gets it in every lane."""
        scalar = element(kind)
        text = number(value, kind)
        return Value(self, f"splat ({scalar} {text})" if kind[0] == "<" else text, kind)

    def vector(self, numbers: Sequence[float]) -> Value:
        """A constant vector of float32."""
        lanes = ", ".join(f"{F32} {number(n, F32)}" for n in numbers)
        return Value(self, f"<{lanes}>", vector(len(numbers)))

    def integer(self, i: "int | Value") -> Value:
        """A loop's counter as a value, also where the loop has one round and its counter is a number."""
        return self.constant(i, I64) if isinstance(i, int) else i

    def address(self, base: Value | Room, *terms: Term) -> Value:
        """``base`` plus Σ terms in bytes; a term is a number or a pair (index, stride)."""
        fixed, moving = 0, None
        for term in terms:
            index, stride = term if isinstance(term, tuple) else (term, 1)
            if isinstance(index, int):
                fixed += index * stride
            else:
                step = index if stride == 1 else self.emit(f"mul nsw i64 {index.name}, {stride}", I64)
                moving = step if moving is None else self.emit(f"add nsw i64 {moving.name}, {step.name}", I64)
        last: str | int | None = fixed or None
        if isinstance(base, Room):
            self.rooms[base.number] = base
            last, base = base.place(fixed), Value(self, base.pointer, PTR)
        for part in (moving.name if moving else None, last):
            if part is not None:
                base = self.emit(f"getelementptr i8, ptr {base.name}, i64 {part}", PTR)
        return base

    def within(self, arena: Value, room: Room, *terms: Term) -> Value:
        """An address in ``room`` of another thread's memory, which begins at ``arena``."""
        self.rooms[room.number] = room
        return self.address(self.emit(f"getelementptr i8, ptr {arena.name}, i64 {room.place(0)}", PTR), *terms)

    def load(self, kind: str, base: Value | Room, *terms: Term, align: int = 0) -> Value:
        """The ``kind`` at an address. Vectors lie at multiples of their size unless ``align`` says otherwise."""
        place = self.address(base, *terms)
        return self.emit(f"load {kind}, ptr {place.name}{_align(kind, align)}", kind)

    def store(self, value: Value, base: Value | Room, *terms: Term, align: int = 0) -> None:
        """Write ``value`` at an address."""
        place = self.address(base, *terms)
        self.lines.append(f"  store {value.type} {value.name}, ptr {place.name}{_align(value.type, align)}")

    def prefetch(self, base: Value | Room, *terms: Term, write: bool = False) -> None:
        """Have the cache line at an address brought near, before it is read or written; any address will do."""
        self.module.declared.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        place = self.address(base, *terms)
        self.line(f"call void @llvm.prefetch.p0(ptr {place.name}, i32 {int(write)}, i32 3, i32 1)")

    def shared(self, base: Value, *terms: Term) -> Value:
        """The int64 at an address that other threads write: what they wrote before it can be seen, too."""
        return self.emit(f"load atomic i64, ptr {self.address(base, *terms).name} acquire, align 8", I64)

    def splat(self, scalar: Value, lanes: int) -> Value:
        """A vector with ``scalar`` in every lane ("broadcast")."""
        kind = vector(lanes, scalar.type)
        first = self.emit(f"insertelement {kind} poison, {scalar.type} {scalar.name}, i64 0", kind)
        return self.shuffle(first, first, [0] * lanes)

    def shuffle(self, a: Value, b: Value, order: Sequence[int]) -> Value:
        """The vector whose lane i is lane ``order[i]`` of ``a`` followed by ``b``."""
        mask = ", ".join(f"i32 {i}" for i in order)
        kind = vector(len(order), element(a.type))
        return self.emit(f"shufflevector {a.type} {a.name}, {b.type} {b.name}, <{len(order)} x i32> <{mask}>", kind)

    def intrinsic(self, name: str, kind: str, *arguments: Value) -> Value:
        """One of LLVM's own functions that become one instruction, such as ``fmuladd`` or ``sqrt``."""
        suffix = f"v{width(kind)}f32" if kind[0] == "<" else "f32"
        full = f"@llvm.{name}.{suffix}"
        self.module.declared.add(f"declare {kind} {full}({', '.join(a.type for a in arguments)})")
        return self.emit(f"call {kind} {full}({', '.join(f'{a.type} {a.name}' for a in arguments)})", kind)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """a·b + c, in one instruction where the CPU has it."""
        return self.intrinsic("fmuladd", a.type, a, b, c)

    def compare(self, relation: str, a: Value, b: Value | float) -> Value:
        """Lane by lane: true where the relation holds.

        For floats ogt, olt, oge, oeq are false and ugt, ult, uge, uno are true where one side is not a number;
        for integers eq, ne, slt, sge, ugt and so on.
        """
        right = self.constant(b, a.type) if isinstance(b, int | float) else b
        word = "fcmp" if element(a.type) == F32 else "icmp"
        return self.emit(f"{word} {relation} {a.type} {a.name}, {right.name}", like(a.type, I1))

    def select(self, condition: Value, yes: Value | float, no: Value) -> Value:
        """Lane by lane ``yes`` where the condition is true, else ``no``."""
        first = self.constant(yes, no.type) if isinstance(yes, int | float) else yes
        return self.emit(
            f"select {condition.type} {condition.name}, {no.type} {first.name}, {no.type} {no.name}", no.type
        )

    def convert(self, word: str, a: Value, to_element: str) -> Value:
        """``zext``, ``sext``, ``trunc`` between integers, ``sitofp`` to float, ``bitcast`` between equal sizes."""
        kind = like(a.type, to_element)
        return self.emit(f"{word} {a.type} {a.name} to {kind}", kind)

    def bits(self, a: Value, kind: str) -> Value:
        """The same bits, read as ``kind``."""
        return self.emit(f"bitcast {a.type} {a.name} to {kind}", kind)

    def minimum(self, a: Value, b: Value | int) -> Value:
        """The smaller one of two integers."""
        other = self.constant(b, a.type) if isinstance(b, int) else b
        return self.select(self.compare("slt", a, other), a, other)

    def call(self, function: "Function | Value", *arguments: Value, result: str = "void") -> None:
        """Call another function of the program, or one whose address is a value; the result is not used."""
        name = function.name if isinstance(function, Value) else f"@{function.name}"
        self.lines.append(f"  call {result} {name}({', '.join(f'{a.type} {a.name}' for a in arguments)})")

    def line(self, text: str) -> None:
        """Write a line as it is, for what has no word here."""
        self.lines.append(f"  {text}")

    # -- flow --------------------------------------------------------------------------------------------------------

    def label(self, name: str) -> None:
        """Begin a block of instructions that jumps can reach."""
        self.lines.append(f"{name}:")
        self.block = name

    @contextmanager
    def loop(self, stop: "int | Value", start: "int | Value" = 0, step: int = 1) -> Iterator["int | Value"]:
        """The block is written once and runs for i = start, start + step, ... below ``stop``."""
        if isinstance(start, int) and isinstance(stop, int) and start < stop <= start + step:
            yield start  # one round: no loop
            return
        head, body, done = (self.fresh(word) for word in ("head", "body", "done"))
        first, last = (x if isinstance(x, int) else x.name for x in (start, stop))
        before = self.block
        i = Value(self, self.fresh("%i"), I64)
        runs = isinstance(start, int) and isinstance(stop, int) and start < stop
        self.line(f"br label %{body if runs else head}")
        if not runs:
            self.label(head)
            phi = len(self.lines)
            self.lines.append("")
            go = self.compare("slt", i, Value(self, str(last), I64))
            self.line(f"br i1 {go.name}, label %{body}, label %{done}")
            self.label(body)
        else:
            self.label(body)
            phi = len(self.lines)
            self.lines.append("")
        yield i
        following = self.emit(f"add nsw i64 {i.name}, {step}", I64)
        self.lines[phi] = f"  {i.name} = phi i64 [ {first}, %{before} ], [ {following.name}, %{self.block} ]"
        if runs:
            go = self.compare("slt", following, Value(self, str(last), I64))
            self.line(f"br i1 {go.name}, label %{body}, label %{done}")
        else:
            self.line(f"br label %{head}")
        self.label(done)

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """The block runs only where ``condition`` (one bit) is true."""
        yes, done = self.fresh("yes"), self.fresh("done")
        self.line(f"br i1 {condition.name}, label %{yes}, label %{done}")
        self.label(yes)
        yield
        self.line(f"br label %{done}")
        self.label(done)

    def leave_when(self, condition: Value) -> None:
        """Return from the function where ``condition`` is true."""
        with self.when(condition):
            self.line("ret void")
            self.label(self.fresh("after"))


def _align(kind: str, align: int) -> str:
    if align:
        return f", align {align}"
    sizes = {F32: 4, I64: 8, I32: 4, I16: 2, I8: 1, PTR: 8}
    return f", align {width(kind) * sizes[element(kind)]}"
