"""A number of one's own after every epoch, as a callback: ``train(…, on=[Metric("f1", f1)])``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .. import job
from ..errors import UsageError
from ..runs.predict import scores_of
from ..shown import Table, Tabular
from ..training.loop import Epoch

Function = Callable[[NDArray[np.int64], NDArray[np.float64]], Any]


class Metric(Tabular):
    """``function(labels, probabilities)`` on the test or validation images after every epoch; a table of its values.

    ``labels`` are int64 (N,), ``probabilities`` float64 (N, K) as ``run.predict`` gives them (scores for a net that is
    trained with mse or mae), of the weights as they are then. ``values`` holds (epoch, value), ``value`` the last one.
    Nothing is chosen by it. Raises UsageError for what is not a number, and for validation images that the run has not.
    """

    def __init__(self, name: str, function: Function, images: Literal["test", "val"] = "test") -> None:
        if not callable(function):
            raise UsageError(
                f"the metric {name!r} is a {type(function).__name__}", "give function(labels, p) -> number"
            )
        if images not in ("test", "val"):
            raise UsageError(f"a metric of the {images!r} images", "say test or val")
        self.name, self.function, self.images = name, function, images
        self.values: list[tuple[int, float]] = []
        self._began: job.Started | None = None
        self._seen: object = None

    @property
    def value(self) -> float:
        """The last value; NaN before the first epoch has ended."""
        return self.values[-1][1] if self.values else float("nan")

    def told(self) -> Iterator[str | Table]:
        """A row an epoch."""
        yield Table(("epoch", self.name), self.values)

    def __call__(self, event: job.Event) -> None:
        """Take notice of ``event``, once, however many loggers pass it on."""
        if event is self._seen:
            return
        self._seen = event
        if isinstance(event, job.Started):
            self._began, self.values = event, []
            if self.images == "val" and event.data.val is None:
                raise UsageError(
                    f"{self.name} wants validation images, and there are none", "train(…, val_fraction=0.1)"
                )
        elif isinstance(event, Epoch) and self._began is not None:
            self.values.append((event.epoch, self._measured(self._began)))

    def _measured(self, began: job.Started) -> float:
        images = began.data.test if self.images == "test" or began.data.val is None else began.data.val
        found = self.function(images.labels, scores_of(began.model, images.images))
        try:
            return float(found)
        except (TypeError, ValueError, RuntimeError):
            raise UsageError(f"{self.name} gave a {type(found).__name__}, which is not a number") from None
