"""Steps of one batch size that find all that changes from step to step in tables on the device.

So every step launches the same work on the same memory, and can be recorded (:mod:`.recorder`). Nothing in a call
waits for the device.
"""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..storage.memory import is_out_of_memory
from .recorder import Recorder, Work

WARM_UP = 3  # steps taken as they are, so that libraries and the optimizer have set up what they keep
ROWS = 1024  # steps for which the tables have room

# Numbers of the images (B,), their pixels uint8 (B, C, H, W), the word int32 () that dropout draws by → the loss ().
Update = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Steps:
    """What changes from step to step, one row a step: the images' numbers int64 (S, B), learning rates, dropout's
    words; ``pixels`` uint8 (S, B, C, H, W), or None where the images look as in the training set.
    """

    order: Tensor
    rates: list[float]
    keys: list[int]
    pixels: Tensor | None


class RecordedSteps:
    """Takes steps over ``images`` with ``update``, which reads its learning rate from ``rate`` float32 ().

    ``shown``: every call brings pixels of its own. ``seconds`` is the time that recording took.
    """

    def __init__(
        self, recorder: Recorder, update: Update, images: Tensor, rate: Tensor, batch_size: int, shown: bool
    ) -> None:
        self.recorder, self.update, self.images, self.rate = recorder, update, images, rate
        device = images.device
        self.order = torch.zeros(ROWS, batch_size, dtype=torch.int64, device=device)
        self.rates = torch.zeros(ROWS, dtype=torch.float32, device=device)
        self.keys = torch.zeros(ROWS, dtype=torch.int32, device=device)
        self.losses = torch.zeros(ROWS, dtype=torch.float32, device=device)
        self.row = torch.zeros(1, dtype=torch.int64, device=device)
        self.pixels = images.new_empty((batch_size, *images.shape[1:])) if shown else None
        self.taken, self.seconds = 0, 0.0
        self.repeat: Work | None = None

    def run(self, steps: Steps) -> Tensor:
        """The losses float32 (S,), on the device."""
        losses = []
        with self.recorder.apart():
            for start in range(0, len(steps.rates), ROWS):
                count = self._fill(steps, start)
                for step in range(start, start + count):
                    if self.pixels is not None and steps.pixels is not None:
                        self.pixels.copy_(steps.pixels[step], non_blocking=True)
                    self._take()
                losses.append(self.losses[:count].clone())
            return torch.cat(losses)

    def _fill(self, steps: Steps, start: int) -> int:
        """Lay the next steps in the tables; how many there are."""
        end = min(start + ROWS, len(steps.rates))
        for table, rows in (
            (self.order, steps.order[start:end]),
            (self.rates, torch.tensor(steps.rates[start:end], dtype=torch.float32)),
            (self.keys, torch.tensor(steps.keys[start:end], dtype=torch.int32)),
        ):
            table[: end - start].copy_(rows, non_blocking=True)
        self.row.zero_()
        return end - start

    def _take(self) -> None:
        if self.taken == WARM_UP:
            self._record()
        work = self.repeat or self._work
        work()
        self.taken += 1

    def _record(self) -> None:
        began = time.perf_counter()
        try:
            self.repeat = self.recorder.record(self._work)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            told = str(error).strip().partition("\n")[0][:200]
            warnings.warn(f"the steps cannot be recorded, so they are launched one by one: {told}", stacklevel=2)
        self.seconds += time.perf_counter() - began

    def _work(self) -> None:
        """A step by the next row of the tables."""
        batch = self.order.index_select(0, self.row)[0]
        self.rate.copy_(self.rates.index_select(0, self.row)[0])
        pixels = self.images.index_select(0, batch) if self.pixels is None else self.pixels
        loss = self.update(batch, pixels, self.keys.index_select(0, self.row)[0])
        self.losses.index_copy_(0, self.row, loss.view(1))
        self.row.add_(1)


class Recordings:
    """The recorded steps of an engine: for each batch size, of images as they are or of other pixels.

    ``rate`` float32 () is where ``update`` finds its learning rate.
    """

    def __init__(self, recorder: Recorder, update: Update, images: Tensor, net: nn.Module) -> None:
        self.recorder, self.update, self.images, self.net = recorder, update, images, net
        self.rate = torch.zeros((), dtype=torch.float32, device=images.device)
        self.kinds: dict[tuple[int, bool], RecordedSteps] = {}
        self.places: list[int] = []
        self.before = 0.0  # seconds spent on recordings that are forgotten

    @property
    def seconds(self) -> float:
        """Time spent on recording so far."""
        return self.before + sum(kind.seconds for kind in self.kinds.values())

    def forget(self) -> None:
        """What is recorded does not hold any longer: it is recorded again when it is needed."""
        self.before = self.seconds
        self.kinds.clear()

    def run(self, index: Tensor, batch_size: int, rates: list[float], keys: list[int], pixels: Tensor | None) -> Tensor:
        """As :meth:`~convscope.engine.base.Engine.steps`; the losses are on the device."""
        places = [tensor.data_ptr() for tensor in self.net.state_dict().values()]
        if places != self.places:  # somebody has moved the net
            self.forget()
            self.places = places
        losses, whole = [], len(index) // batch_size
        for size, first, steps in ((batch_size, 0, whole), (len(index) - whole * batch_size, whole, 1)):
            if size and steps:
                images = slice(first * batch_size, first * batch_size + steps * size)
                rows = slice(first, first + steps)
                shown = None if pixels is None else pixels[images].unflatten(0, (steps, size))
                given = Steps(index[images].view(steps, size), rates[rows], keys[rows], shown)
                losses.append(self._of(size, pixels is not None).run(given))
        return torch.cat(losses)

    def _of(self, batch_size: int, shown: bool) -> RecordedSteps:
        kind = batch_size, shown
        if kind not in self.kinds:
            self.kinds[kind] = RecordedSteps(self.recorder, self.update, self.images, self.rate, batch_size, shown)
        return self.kinds[kind]
