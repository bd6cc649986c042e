"""The process that trains for the page: ``python -m convscope.lab.live.worker``. It talks to the server over two pipes.

In, as :mod:`.messages`: first the task, then {"do": "pause" | "go" | "step" | "stop"} and {"probe": n}. Out: what
``RunStatus.take`` takes. When its standard input ends, the server is gone, whatever killed it: the worker then saves
and ends, so that no process trains unseen and the run can be resumed. Ctrl-C in the terminal reaches it only so.
"""

import _thread
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ... import job
from ...auto import settle
from ...errors import ConvscopeError, Interrupted
from ...recipe import Recipe
from ...runs import folder as runs
from ...runs.own_data import own_data
from ...storage.strict_json import dumps
from ...training import loop
from ...training.pace import Pace
from ..binary import pack
from .messages import read
from .probe import Probe

log = logging.getLogger("convscope.lab")

FLUSH_SECONDS = 0.05  # points are collected this long before they are sent


class Control:
    """What the page wants: run, pause, take one step, or stop."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.pace = Pace()
        self.paused = self.stopping = False
        self.steps = 0
        self.probe = 0

    def listen(self, pipe: IO[bytes]) -> None:
        """Obey every order; at their end, or where they are none, stop: then the server is not what it was."""
        try:
            for order, _ in read(pipe):
                self.obey(order)
        except Exception:  # torn, foreign, or read from a pipe that is gone
            log.exception("the training process no longer understands the lab")
        finally:
            self.obey({"do": "stop"})

    def obey(self, order: dict[str, Any]) -> None:
        """Take one order."""
        with self.changed:
            self.probe = order.get("probe", self.probe)
            match order.get("do"):
                case "pause":
                    self.paused, self.steps = True, 0
                case "go":
                    self.paused, self.steps = False, 0
                case "step":
                    self.paused, self.steps = True, self.steps + 1
                case "stop" if not self.stopping:
                    self.stopping = True
                    _thread.interrupt_main(signal.SIGTERM)  # Ctrl-C may be ignored: the job saves and ends
            self.pace.most = 1 if self.paused else Pace.most
            self.changed.notify_all()

    def must_wait(self) -> bool:
        """Whether the loop waits until the next order; call it with ``changed`` held."""
        return self.paused and self.steps == 0 and not self.stopping


class Reporter:
    """Writes to the server through file descriptor ``out``."""

    def __init__(self, out: int) -> None:
        self.out = out

    def __call__(self, kind: str, body: bytes = b"", **fields: Any) -> None:
        """One message. That the server is gone is learnt from standard input, so here it does not matter."""
        line = dumps({"kind": kind, **fields, "bytes": len(body)}).encode() + b"\n"
        rest = memoryview(line + body)
        with contextlib.suppress(OSError):
            while rest:
                rest = rest[os.write(self.out, rest) :]


def main() -> None:
    """Train what the first line says and report until the end."""
    report = Reporter(os.dup(1))
    os.dup2(2, 1)  # whatever prints must not come between the messages
    control = Control()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # also before the job listens to it
    orders = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115 - a reader without a lock, to the very end
    try:
        task, _ = next(read(orders), ({}, b""))
        if not task:
            return
        threading.Thread(target=control.listen, args=(orders,), daemon=True).start()
        follow(events(task, control.pace), control, report)
    except (Interrupted, KeyboardInterrupt) as error:
        report("stopped", message=str(getattr(error, "message", "stopped before training began")))
    except ConvscopeError as error:
        report("failed", message=error.message, help=error.help)
    except MemoryError:
        report("failed", message="there is not enough memory to train this", help="use a smaller net or --batch-size")


def events(task: dict[str, Any], pace: Pace) -> Iterator[job.Event]:
    """The events of a new run ({"recipe", "out"}) or of one that is resumed ({"resume", "epochs"}, perhaps "data").

    Both say "offline"; "data" is where the run's data are now, None where they are where they were.
    """
    if "resume" in task:
        folder = runs.RunFolder(Path(task["resume"]))
        own = own_data(folder, task.get("data"), offline=task["offline"])
        yield from job.resume(folder, own, task["epochs"], pace)
    else:
        recipe = Recipe(**task["recipe"])
        settled = settle(recipe, offline=task["offline"])
        yield from job.start(settled.recipe, settled.data, Path(task["out"]), pace)


def follow(stream: Iterator[job.Event], control: Control, report: Reporter) -> None:
    """Pull the events one by one, as fast as the page wants them, and report each."""
    points: list[tuple[int, float]] = []
    flushed = began = time.monotonic()
    waited = 0.0
    for event in stream:
        match event:
            case job.Started() if (
                control.stopping
            ):  # the interrupt came where Python ignores it, as in an import's clean-up
                raise KeyboardInterrupt
            case job.Started():
                probe, first = Probe(event), event.resumed_at
                probe.take(first, control.probe)  # the first of all is slow: torch sets itself up
                began = time.monotonic()
                report("started", pack({}, {"images": probe.pixels}), **_introduction(event, probe))
                report("probe", probe.take(first, control.probe), step=first)
            case loop.Tick():
                points.append((event.step, event.loss))
                with control.changed:
                    control.steps = max(0, control.steps - 1)
                    standing = control.must_wait()
                now = time.monotonic()
                if standing or now - flushed >= FLUSH_SECONDS:
                    active = now - began - waited
                    report(
                        "ticks",
                        points=points,
                        step=event.step,
                        epoch=event.epoch,
                        paused=standing,
                        steps_per_second=(event.step - first) / active if active > 0 else None,
                    )
                    points, flushed = [], now
                shown = control.probe
                if standing or probe.due(now):
                    report("probe", probe.take(event.step, shown), step=event.step)
                if standing:
                    waited += stand_still(control, probe, shown, event.step, report)
            case loop.Epoch():
                report("epoch", epoch=event)
            case job.Finished():
                report("probe", probe.take(event.summary.steps, control.probe), step=event.summary.steps)
                report("finished", summary=event.summary, points=points)
            case _:
                pass


def stand_still(control: Control, probe: Probe, shown: int, step: int, report: Reporter) -> float:
    """Stand still until the page wants something else; the seconds that took.

    Another probe image than the one ``shown`` is shown at once, also where it was asked for before this began.
    """
    began = time.monotonic()
    with control.changed:
        while control.must_wait():
            if control.probe != shown:
                shown = control.probe
                report("probe", probe.take(step, shown), step=step)
            else:
                control.changed.wait()
        report("going", paused=control.paused)
    return time.monotonic() - began


def _introduction(event: job.Started, probe: Probe) -> dict[str, Any]:
    recipe = event.recipe
    return {
        "run": event.folder.name, "data": recipe.data, "net": event.model.spec, "epochs": recipe.epochs,
        "lr": recipe.lr, "loss": recipe.loss,
        "epoch_steps": event.epoch_steps, "batch_size": recipe.batch_size, "engine": event.engine,
        "device": event.device, "threads": event.threads, "notes": event.notes, "resumed_at": event.resumed_at,
        "classes": event.data.classes, "image": event.data.train.shape, "training_images": len(event.data.train),
        "parameters": sum(row.parameters for row in event.rows), "probes": probe.labels, "layers": probe.layers,
    }  # fmt: skip


if __name__ == "__main__":
    main()
