"""The program: graph → the text of machine code that trains and predicts.

Every thread owns an arena (plan.py). A training step is, for each thread,

    for each of its blocks:  gather images · forward through the nodes · loss · backward through the nodes
    barrier · update a slice of the parameters from all threads' gradients, summed in order · barrier

and one call of ``train`` takes many steps. What the runtime hands over stands in the job: machine/slots.py.
"""

from collections.abc import Sequence
from math import prod

from . import clipping, optimizers
from .block import Block, Learning
from .graph import Graph, parameter_count
from .ir.arrays import Index, Lanes, padded
from .ir.function import Function, Module
from .ir.kernel import Header, Kernel, Reduction
from .ir.values import F32, I32, I64, PTR, Value, Var
from .machine import slots
from .machine.barrier import write_barrier
from .optimizers import Rule
from .phases import Phase, remade, split, theirs
from .plan import lines, plan


def header(count: int, lanes: Lanes, draws: bool, clips: bool) -> Header:
    """Where a block's images, labels, weights and losses stand, and the gradients of ``count`` parameters.

    ``draws``: there is something that depends on the images' numbers and on the update. ``clips``: its norm is limited.
    """
    places, lane = [0], 4 * lanes.count
    for size in (
        2 * lane,
        lane,
        lane,
        lane,
        lane if draws else 0,
        4 if draws else 0,
        lane if clips else 0,
        4 * padded(count),
    ):
        places.append(places[-1] + lines(size))
    return Header(*places)


class Program:
    """A program's text and plan. It has ``predict(job, thread)`` and, given ``learning``, ``train(job, thread)``.

    ``scale`` None takes images that are floats. For one image it also has ``refresh(job, thread)``, which takes up the
    weights for ``predict``. ``exported``: every kernel can be called, too.
    """

    def __init__(
        self,
        nodes: Graph,
        lanes: Lanes,
        scale: Sequence[float] | None,
        shift: Sequence[float],
        learning: Learning | None,
        pause: str,
        exported: bool = False,
    ) -> None:
        self.nodes, self.lanes, self.learning, self.pause = nodes, lanes, learning, pause
        self.pixel = 1 if scale else 4  # bytes
        self.count = parameter_count(nodes)
        self.draws = any(node.op.draws for node in nodes)
        self.clip_norm = learning.clip_norm if learning else None
        self.local_norm = bool(learning and learning.local_norm)
        self.header = header(self.count if learning else 0, lanes, self.draws, self.clip_norm is not None)
        self.module = Module(32 * lanes.width, exported)
        self.block = Block(nodes, lanes, self.module, self.header, learning)
        weights, forward = self.block.weights(), list(self.block.forward(scale, shift))
        backward = list(self.block.backward(learning)) if learning else []
        finish = self.block.finish() if learning else []
        phases = split([*forward, *backward])
        again = {way.site.y.room.number: way.again for way in self.block.ways if way.again}
        for phase in phases[1:]:
            phase.kernels = remade(phase.kernels, again)
        once = [*weights, *finish, *(kernel for phase in phases for kernel in phase.met)]
        self.plan = plan(self.header.size, self.header.gradients, once, [phase.kernels for phase in phases], set(again))
        self.predicts = len(split(forward)) == 1 and not any(node.op.training_only for node in nodes)
        if self.predicts:
            self._predict(weights, split(forward)[0].kernels)
        if learning:
            self._train(weights, phases, finish, learning.rule)
        self.text = self.module.text()

    def _prepare(self, name: str, labels: bool) -> Function:
        """Fill the arena's header for images index[start:stop]; lanes beyond repeat the last image, with weight 0."""
        parameters = [("job", PTR), ("a", PTR), ("start", I64), ("stop", I64), ("weight", F32)]
        f = self.module.function(name, parameters)
        image, index = f.load(PTR, f["job"], 8 * slots.IMAGES), f.load(PTR, f["job"], 8 * slots.INDEX)
        size = self.pixel * prod(self.nodes[0].shapes[0])
        with f.loop(self.lanes.count) as lane:
            place = f["start"] + lane
            real = f.compare("slt", place, f["stop"])
            at = f.minimum(place, f["stop"] - 1)
            chosen = f.load(I64, index, (at, 8))
            row = f.load(I64, f.load(PTR, f["job"], 8 * slots.PLACES), (at, 8)) if labels else chosen
            f.store(f.address(image, (row, size)), f["a"], self.header.images, (lane, 8))
            weight = f.select(real, f["weight"], f.constant(0.0, F32))
            f.store(weight, f["a"], self.header.weights, (lane, 4))
            if labels:
                label = f.convert("trunc", f.load(I64, f.load(PTR, f["job"], 8 * slots.LABELS), (chosen, 8)), I32)
                f.store(label, f["a"], self.header.labels, (lane, 4))
            if labels and self.draws:
                f.store(f.convert("trunc", chosen, I32), f["a"], self.header.numbers, (lane, 4))
        return f

    def _arena(self, f: Function, thread: Value | None = None) -> Value:
        arenas, stride = f.load(PTR, f["job"], 8 * slots.ARENAS), f.load(I64, f["job"], 8 * slots.STRIDE)
        return f.address(arenas, (f["thread"] if thread is None else thread) * stride)

    def _share(self, blocks: Value, thread: Value, threads: Value) -> tuple[Value, Value]:
        """What number ``thread`` of ``threads`` computes of so many blocks: first and last plus one."""
        return blocks * thread // threads, blocks * (thread + 1) // threads

    def _refresh(self, weights: Sequence[Function]) -> None:
        """What ``predict`` of one image finds ready; that of more images makes it itself."""
        f = self.module.function("refresh", [("job", PTR), ("thread", I64)], public=True)
        a, p = self._arena(f), f.load(PTR, f["job"], 8 * slots.PARAMETERS)
        for kernel in weights:
            f.call(kernel, a, p, p, a)

    def _predict(self, weights: Sequence[Kernel], forward: Sequence[Kernel]) -> None:
        """Logits (M, K) of the images at index (M,). One image finds the weights ready, more images make them so."""
        prepare = self._prepare("select", labels=False)
        if self.lanes.count == 1:
            self._refresh(weights)
        f = self.module.function("predict", [("job", PTR), ("thread", I64)], public=True)
        lanes, z = self.lanes, self.block.values[-1]
        threads, count = f.load(I64, f["job"], 8 * slots.THREADS), f.load(I64, f["job"], 8 * slots.COUNT)
        p, out, a = f.load(PTR, f["job"], 8 * slots.PARAMETERS), f.load(PTR, f["job"], 8 * slots.LOGITS), self._arena(f)
        blocks = (count + (lanes.count - 1)) // lanes.count
        first, last = self._share(blocks, f["thread"], threads)
        for kernel in weights if lanes.count > 1 else ():
            f.call(kernel, a, p, p, a)
        with f.loop(last, first) as block:
            start = f.integer(block) * lanes.count
            f.call(prepare, f["job"], a, start, count, f.constant(0.0, F32))
            for kernel in forward:
                f.call(kernel, a, p, p, a)
            with f.loop(f.minimum(count - start, lanes.count)) as lane, f.loop(z.channels) as k:
                score = f.load(F32, a, z.room.offset, *z.at(k, 0, 0), (lane, 4))
                f.store(score, out, (start + lane, 4 * z.channels), (k, 4))

    def _train(self, before: Sequence[Kernel], phases: Sequence[Phase], after: Sequence[Kernel], rule: Rule) -> None:
        """``STEPS`` steps of batches of ``BATCH`` images; the last one may hold fewer.

        The threads of all processes are numbered through, and each process has memory for all of them: where threads
        have met, it learns what those of the others computed (machine/meeting.py), and then all add the same up.
        """
        prepare, update = self._prepare("select_labelled", labels=True), self._update(rule)
        measure = None if self.clip_norm is None else self._measure()
        barrier = write_barrier(self.module, self.pause)
        f = self.module.function("train", [("job", PTR), ("thread", I64)], public=True)
        job, lanes = f["job"], self.lanes
        given = (slots.THREADS, slots.TEAM, slots.FIRST, slots.COUNT, slots.BATCH, slots.STEPS)
        threads, team, offset, count, batch, steps = (f.load(I64, job, 8 * slot) for slot in given)
        me = offset + f["thread"]
        p, a = f.load(PTR, job, 8 * slots.PARAMETERS), self._arena(f, me)
        g = f.address(a, self.header.gradients)
        arenas, running = f.load(PTR, job, 8 * slots.ARENAS), f.load(PTR, job, 8 * slots.RUNNING)
        stride = f.load(I64, job, 8 * slots.STRIDE)
        zero = f.constant(0.0, lanes.vector)
        f.call(barrier, job)
        f.leave_when(f.compare("ne", f.shared(job, 8 * slots.ABANDONED), 0))
        with f.loop(steps) as step:
            begin = f.integer(step) * batch
            end = f.minimum(begin + batch, count)
            weight = 1.0 / f.convert("sitofp", end - begin, F32)
            with f.loop(self.plan.zeros, 0, lanes.bytes) as i:
                f.store(zero, g, i)
            with f.loop(lanes.vectors) as v:
                f.store(zero, a, self.header.loss, (v, lanes.bytes))
            if self.draws:
                f.store(f.load(I32, f.load(PTR, job, 8 * slots.KEYS), (step, 4)), a, self.header.key)
            first, last = self._share((end - begin + (lanes.count - 1)) // lanes.count, me, team)
            for kernel in before:
                f.call(kernel, a, p, g, a)
            for turn, phase in enumerate(phases):
                with f.loop(last, first) as number:
                    # There and back: what the phase before touched last is still in the caches.
                    block = first + last - 1 - f.integer(number) if turn % 2 else f.integer(number)
                    f.call(prepare, job, a, begin + block * lanes.count, end, weight)
                    own = block - first if self.plan.each else 0
                    b = f.address(a, self.plan.size, (own, self.plan.each)) if self.plan.each else a
                    for kernel in phase.kernels:
                        f.call(kernel, a, p, g, b)
                if phase.met:
                    f.call(barrier, job)
                if phase.met and not self.local_norm:
                    self._meet(f, barrier, [(room.offset, room.size) for room in theirs(phase.met)])
                for kernel in phase.met:
                    if not isinstance(kernel, Reduction):
                        f.call(kernel, a, p, g, a)
                        continue
                    known = (f.address(arenas, offset * stride), threads) if self.local_norm else (arenas, team)
                    f.call(kernel, a, p, g, a, known[0], stride, known[1], f["thread"], running)
            for kernel in after:
                f.call(kernel, a, p, g, a)
            f.call(barrier, job)
            sums = self.header.gradients + 4 * padded(self.count)
            self._meet(f, barrier, [(self.header.loss, sums - self.header.loss)])
            slices = self._share(team, f["thread"], threads)
            if measure:
                with f.loop(slices[1], slices[0]) as number:
                    f.call(measure, job, f.integer(number))
                f.call(barrier, job)
            with f.loop(slices[1], slices[0]) as number:
                f.call(update, job, f.integer(number), f.integer(step))
            f.call(barrier, job)

    def _meet(self, f: Function, barrier: Function, parts: Sequence[tuple[int, int]]) -> None:
        """Learn these parts (place and size) of the memory of other processes' threads, where there are any."""
        job = f["job"]
        with f.when(f.compare("ne", f.load(I64, job, 8 * slots.MEET), 0)):
            with f.when(f.compare("eq", f["thread"], 0)):
                for place, size in parts:
                    f.call(f.load(PTR, job, 8 * slots.MEET), f.constant(place, I64), f.constant(size, I64))
            f.call(barrier, job)
            f.leave_when(f.compare("ne", f.shared(job, 8 * slots.ABANDONED), 0))

    def _measure(self) -> Function:
        """Adds up slice ``thread`` of the gradient, and its squares: see :mod:`convscope.engine.jit.clipping`."""
        f = self.module.function("measure", [("job", PTR), ("thread", I64)])
        lanes, threads = self.lanes, f.load(I64, f["job"], 8 * slots.TEAM)
        arenas, stride = f.load(PTR, f["job"], 8 * slots.ARENAS), f.load(I64, f["job"], 8 * slots.STRIDE)
        squares = f.var(f.constant(0.0, lanes.vector))
        first, last = self._share(f.constant(padded(self.count) // lanes.width, I64), f["thread"], threads)
        with f.loop(last, first) as i:
            g = self._summed(f, arenas, stride, threads, i).value
            squares.value = f.fma(g, g, squares.value)
            f.store(g, arenas, self.header.gradients, (i, lanes.bytes))
        f.store(squares.value, self._arena(f), self.header.squares)
        return f

    def _summed(self, f: Function, arenas: Value, stride: Value, threads: Value, i: Index) -> Var:
        """A vector of the gradient, added up over the threads in their order."""
        lanes = self.lanes
        g = f.var(f.constant(0.0, lanes.vector))
        with f.loop(threads) as t:
            g.value = g.value + f.load(
                lanes.vector, arenas, self.header.gradients, f.integer(t) * stride, (i, lanes.bytes)
            )
        return g

    def _update(self, rule: Rule) -> Function:
        """Updates slice ``thread`` of the parameters; the first also adds up the loss."""
        f = self.module.function("update", [("job", PTR), ("thread", I64), ("step", I64)])
        job, lanes = f["job"], self.lanes
        threads, arenas = f.load(I64, job, 8 * slots.TEAM), f.load(PTR, job, 8 * slots.ARENAS)
        stride = f.load(I64, job, 8 * slots.STRIDE)
        p, states = f.load(PTR, job, 8 * slots.PARAMETERS), f.load(PTR, job, 8 * slots.STATES)
        given = len(rule.rates(0.0, 1))
        rates_at = f.address(f.load(PTR, job, 8 * slots.RATES), (f["step"], 4 * given))
        rates = [f.splat(f.load(F32, rates_at, 4 * n), lanes.width) for n in range(given)]
        room = 4 * padded(self.count)
        first, last = self._share(f.constant(padded(self.count) // lanes.width, I64), f["thread"], threads)
        scale = None
        if self.clip_norm is not None:
            scale = clipping.factor(f, arenas, stride, threads, self.header, lanes, self.clip_norm)
        with f.loop(last, first) as i:
            if scale:
                g = f.var(f.load(lanes.vector, arenas, self.header.gradients, (i, lanes.bytes)) * scale)
            else:
                g = self._summed(f, arenas, stride, threads, i)
            places = [f.address(p, (i, lanes.bytes))]
            places += [f.address(states, n * room, (i, lanes.bytes)) for n in range(len(rule.states))]
            old = [f.load(lanes.vector, place) for place in places]
            own = rates
            if rule.factored:
                own = optimizers.factored(
                    f, rates, f.load(lanes.vector, states, len(rule.states) * room, (i, lanes.bytes))
                )
            new = optimizers.update(f, rule, g.value, old[0], old[1:], own)
            for value, place in zip(new, places, strict=True):
                f.store(value, place)
        with f.when(f.compare("eq", f["thread"], 0)):
            loss = f.var(f.constant(0.0, F32))
            with f.loop(threads) as t, f.loop(lanes.count) as lane:
                loss.value = loss.value + f.load(F32, arenas, self.header.loss, f.integer(t) * stride, (lane, 4))
            f.store(loss.value, f.load(PTR, job, 8 * slots.LOSSES), (f["step"], 4))
            f.store(f["step"] + 1, job, 8 * slots.DONE)
        return f
