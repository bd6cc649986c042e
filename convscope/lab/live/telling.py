"""What the training process tells the server of a run as it goes, and how often."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from ... import job
from ...training import loop
from ..binary import pack
from .control import Control, Reporter
from .filmed import begin
from .lit import FourLines
from .probe import Probe

FLUSH_SECONDS = 0.05  # points are collected this long before they are sent
SHOW_SECONDS = 1.0  # between two looks that the page gets, at least: each costs the browser time, too


class Telling:
    """Reports a run's events as they come: points in bundles, looks as often as the run can spare."""

    def __init__(self, control: Control, report: Reporter) -> None:
        self.control, self.report = control, report
        self.points: list[tuple[int, float]] = []
        self.flushed = self.began = self.shown_at = time.monotonic()
        self.waited = 0.0
        self.first = 0

    def started(self, event: job.Started) -> None:
        """The run begins: introduce it, and take the first look."""
        if self.control.stopping:  # the interrupt came where Python ignores it, as in an import's clean-up
            raise KeyboardInterrupt
        self.probe, self.first, self.lines = Probe(event), event.resumed_at, FourLines(event)
        look = self.probe.take(self.first, self.control.probe)  # the first of all is slow: torch sets itself up
        self.film = begin(event, self.probe)
        self.film.keep(look)
        if self.control.paused:
            self.lines.stand(self.first)
        self.began = time.monotonic()
        self.report("started", pack({}, {"images": self.probe.pixels}), **_introduction(event, self.probe))
        self.show(self.first)

    def tick(self, event: loop.Tick) -> None:
        """Some updates were taken: tell, look, and stand still where the page wants it."""
        self.points.append((event.step, event.loss))
        with self.control.changed:
            self.control.steps = max(0, self.control.steps - 1)
            standing = self.control.must_wait()
        now = time.monotonic()
        if (told := self.lines.told(event)) is not None:
            self.report("lines", told, step=event.step)
        if standing or now - self.flushed >= FLUSH_SECONDS:
            self.flush(event, standing, now)
        shown = self.control.probe
        due = self.probe.due(now)
        if standing or (due and now - self.shown_at >= SHOW_SECONDS):
            self.show(event.step, always=standing)
        elif self.film.wants(event.step, due):
            self.film.keep(self.probe.take(event.step, shown))
        if standing:
            self.lines.stand(event.step)
            self.waited += stand_still(self.control, shown, lambda: self.show(event.step), self.report)

    def flush(self, event: loop.Tick, standing: bool, now: float) -> None:
        """Tell the points since the last time."""
        active = now - self.began - self.waited
        speed = (event.step - self.first) / active if active > 0 else None
        self.report(
            "ticks",
            points=self.points,
            step=event.step,
            epoch=event.epoch,
            paused=standing,
            steps_per_second=speed,
        )
        self.points, self.flushed = [], now

    def show(self, step: int, always: bool = False) -> None:
        """Take a look that the page gets, too."""
        look = self.probe.take(step, self.control.probe)
        self.film.keep(look, always)
        self.report("film", steps=self.film.steps)
        self.report("probe", look.packed(), step=step)
        self.shown_at = time.monotonic()

    def finished(self, event: job.Finished) -> None:
        """The run has ended by itself."""
        self.show(event.summary.steps, always=True)
        self.report("finished", summary=event.summary, points=self.points)


def stand_still(control: Control, shown: int, show: Callable[[], None], report: Reporter) -> float:
    """Stand still until the page wants something else; the seconds that took.

    Another probe image than the one ``shown`` is shown at once, also where it was asked for before this began.
    """
    began = time.monotonic()
    with control.changed:
        while control.must_wait():
            if control.probe != shown:
                shown = control.probe
                show()
            else:
                control.changed.wait()
        report("going", paused=control.paused)
    return time.monotonic() - began


def follow(stream: Iterator[job.Event], control: Control, report: Reporter) -> None:
    """Pull the events one by one, as fast as the page wants them, and report each."""
    telling = Telling(control, report)
    for event in stream:
        match event:
            case job.Started():
                telling.started(event)
            case loop.Tick():
                telling.tick(event)
            case loop.Epoch():
                report("epoch", epoch=event)
            case job.Finished():
                telling.finished(event)
            case _:
                pass


def _introduction(event: job.Started, probe: Probe) -> dict[str, Any]:
    recipe = event.recipe
    return {
        "run": event.folder.name, "data": recipe.data, "net": event.model.spec, "epochs": recipe.epochs,
        "lr": recipe.lr, "loss": recipe.loss, "label_smoothing": recipe.label_smoothing,
        "class_weight": recipe.class_weight,
        "epoch_steps": event.epoch_steps, "batch_size": recipe.batch_size, "engine": event.engine,
        "device": event.device, "threads": event.threads, "notes": event.notes, "resumed_at": event.resumed_at,
        "classes": event.data.classes, "image": event.data.train.shape, "training_images": len(event.data.train),
        "parameters": sum(row.parameters for row in event.rows), "probes": probe.labels, "layers": probe.layers,
    }  # fmt: skip
