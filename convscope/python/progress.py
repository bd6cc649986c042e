"""A bar and a line an epoch while a run is trained from Python: in notebooks, and in terminals that are watched."""

import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from .. import job
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
    yield from _tqdm()(many, total=total, unit=f" {unit}", leave=False, disable=_disable(wanted))


def _tqdm() -> Any:
    """The bar for terminals or notebooks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tqdm, where widgets for notebooks are not installed
        from tqdm.auto import tqdm
    return tqdm


def _disable(wanted: bool) -> bool | None:
    """What tqdm is told: True shows nothing, None lets it look whether stderr is a terminal."""
    return True if not wanted else False if "ipykernel" in sys.modules else None


class Bar:
    """Called with every event of a run. The bar is drawn from the first one on."""

    def __init__(self, wanted: bool = True) -> None:
        self.disable = _disable(wanted)
        self._bar: Any = None

    def __call__(self, event: job.Event) -> None:
        """Take notice of ``event``."""
        match event:
            case job.Started():
                recipe = event.recipe
                self.epochs = recipe.epochs
                total = event.epoch_steps * recipe.epochs
                self._bar = _tqdm()(
                    total=total, initial=event.resumed_at, unit=" updates", leave=True, disable=self.disable
                )
                self._say(f"{event.data.name}, {event.engine} on {event.device}")
                for note in (*event.data.notes, *event.notes):
                    self._say(note)
            case loop.Tick() if self._bar is not None:
                self._bar.set_description(f"epoch {event.epoch}/{self.epochs}", refresh=False)
                self._bar.update(event.step - self._bar.n)
            case loop.Epoch() if self._bar is not None:
                val = "" if event.val_accuracy is None else f"  val {100 * event.val_accuracy:.2f} %"
                self._say(
                    f"epoch {event.epoch:>3}  loss {event.train_loss:.4g}  test {100 * event.test_accuracy:.2f} %{val}"
                )
            case _:
                pass

    def _say(self, text: str) -> None:
        """A line above the bar; nothing where there is no bar."""
        if not self._bar.disable:
            self._bar.write(text, file=self._bar.fp)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
