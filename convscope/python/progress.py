"""A bar and a line an epoch while a run is trained from Python: in notebooks, and in terminals that are watched."""

import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from .. import job
from ..language import say
from ..training import loop

T = TypeVar("T")


@contextmanager
def bar(wanted: bool = True) -> Iterator["Bar"]:
    """A bar that is told of the events of a run; it shows nothing where nobody watches, or it is not ``wanted``."""
    shown = Bar(wanted)
    try:
        yield shown
    finally:
        shown.close()


def counted(many: Iterable[T], unit: str, wanted: bool = True, total: int | None = None) -> Iterator[T]:
    """``many``, with a bar that counts them."""
    yield from _tqdm()(many, total=total, unit=f" {say(unit)}", leave=False, disable=_disable(wanted), file=_stream())


def _tqdm() -> Any:
    """The bar for terminals or notebooks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tqdm, where widgets for notebooks are not installed
        from tqdm.auto import tqdm
    return tqdm


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel: tqdm asks the same."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and "IPKernelApp" in shell.config


def _disable(wanted: bool) -> bool | None:
    """What tqdm is told: True shows nothing, None lets it look whether stderr is a terminal."""
    return True if not wanted else False if in_notebook() else None


def _stream() -> Any:
    """Where a bar is drawn: notebooks colour what stands on stderr as an error."""
    return sys.stdout if in_notebook() else sys.stderr


class Bar:
    """Called with every event of a run. The bar is drawn from the first one on.

    A terminal gets a line an epoch above the bar; a notebook, which shows the run's history as a table, the last epoch
    beside it.
    """

    def __init__(self, wanted: bool = True) -> None:
        self.disable, self.notebook = _disable(wanted), in_notebook()
        self._bar: Any = None

    def __call__(self, event: job.Event) -> None:
        """Take notice of ``event``."""
        match event:
            case job.Started():
                self._begin(event)
            case loop.Tick() if self._bar is not None:
                self._bar.set_description(say(f"epoch {event.epoch}/{self.epochs}"), refresh=False)
                self._bar.update(event.step - self._bar.n)
            case loop.Epoch() if self._bar is not None:
                self._end_of_epoch(event)
            case _:
                pass

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()

    def _begin(self, event: job.Started) -> None:
        recipe = event.recipe
        self.epochs = recipe.epochs
        lines = (f"data {event.data.name}, engine {event.engine} on {event.device}", *event.data.notes, *event.notes)
        if self.notebook and not self.disable:
            print("\n".join(map(say, lines)))
        self._bar = _tqdm()(
            total=event.epoch_steps * recipe.epochs,
            initial=event.resumed_at,
            unit=f" {say('updates')}",
            leave=True,
            disable=self.disable,
            file=_stream(),
        )
        if not self.notebook:
            self._say(*lines)

    def _end_of_epoch(self, event: loop.Epoch) -> None:
        val = "" if event.val_accuracy is None else f"  val {100 * event.val_accuracy:.2f} %"
        told = f"loss {event.train_loss:.4g}  test {100 * event.test_accuracy:.2f} %{val}"
        if self.notebook:
            self._bar.set_postfix_str(say(told), refresh=False)
        else:
            self._say(f"epoch {event.epoch}  {told}")

    def _say(self, *lines: str) -> None:
        """Lines above the bar; nothing where there is no bar."""
        if not self._bar.disable:
            for line in lines:
                self._bar.write(say(line), file=self._bar.fp)
