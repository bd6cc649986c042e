"""What a descent is asked for, by the command line and from Python: what is usual, and what does not go together."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError
from .descent import Descent, compare
from .objectives import NetObjective, Objective, Regression, Terrain, regression
from .optimizers import OPTIMIZERS, UpdateRule, rule
from .surfaces import Surface, surface

FARTHEST = 1_000.0  # a start's coordinate


@dataclass(frozen=True)
class Usual:
    """What is taken where nothing else is said."""

    samples: int
    batch_size: int
    epochs: int
    lr: float


ON_A_LINE = Usual(samples=100, batch_size=10, epochs=20, lr=0.1)
ON_IMAGES = Usual(samples=1_000, batch_size=32, epochs=5, lr=0.01)
ON_A_SURFACE = Usual(samples=1, batch_size=1, epochs=100, lr=0.05)


@dataclass(frozen=True)
class Asked:
    """A descent on a line's loss, on a net's with ``data``, or on a ``surface``; None is what is usual there.

    ``optimizers`` are further paths, by mini-batches; ``adam_lr`` is Adam's own learning rate.
    """

    data: str | None = None
    net: str = "note"
    surface: str | None = None
    start: tuple[float, float] | None = None
    samples: int | None = None
    batch_size: int | None = None
    epochs: int | None = None
    lr: float | None = None
    optimizers: Sequence[str] = ()
    momentum: float = 0.9
    adam_lr: float | None = None
    seed: int = 0
    data_dir: Path | None = None
    offline: bool = False

    @property
    def usual(self) -> Usual:
        """What is taken where nothing else is said."""
        return ON_A_SURFACE if self.surface is not None else ON_A_LINE if self.data is None else ON_IMAGES

    def objective(self) -> Objective:
        """What is minimised. Raises UsageError and DataError."""
        _together(self)
        if self.surface is not None:
            return surface(self.surface, self.start)
        samples = self.usual.samples if self.samples is None else self.samples
        if self.data is None:
            return regression(samples, self.seed, self.start)
        from ...data.sources import open_source

        source = open_source(self.data, data_dir=self.data_dir, offline=self.offline)
        return NetObjective(self.net, source, samples, self.seed)

    def descend(self, objective: Objective, tell: Callable[[str], None] | None = None) -> Descent:
        """:func:`compare` with these choices. Raises UsageError and TrainingError."""
        usual = self.usual
        lr = usual.lr if self.lr is None else self.lr
        return compare(
            objective,
            usual.batch_size if self.batch_size is None else self.batch_size,
            usual.epochs if self.epochs is None else self.epochs,
            lr,
            self.seed,
            tell,
            further=further(self.optimizers, lr, self.momentum, self.adam_lr),
        )


def further(optimizers: Sequence[str], lr: float, momentum: float, adam_lr: float | None) -> list[UpdateRule]:
    """The rules of further paths, each once, in the order of OPTIMIZERS. Raises UsageError."""
    rules = [
        rule(name, lr if adam_lr is None or name != "adam" else adam_lr, momentum) for name in dict.fromkeys(optimizers)
    ]
    if any(one.optimizer == "sgd" for one in rules):
        raise UsageError("sgd is there already", f"further optimizers are {', '.join(OPTIMIZERS[1:])}")
    return sorted(rules, key=lambda one: OPTIMIZERS.index(one.optimizer))


def terrain(objective: Objective) -> Terrain | None:
    """The objective, if it has two parameters and can be drawn as a map."""
    return objective if isinstance(objective, Regression | Surface) else None


def _together(asked: Asked) -> None:
    if asked.surface is not None and asked.data is not None:
        raise UsageError("a surface has no data", "give either --surface or --data")
    if asked.surface is not None:
        for name, given in (("samples", asked.samples), ("batch-size", asked.batch_size)):
            if given is not None:
                raise UsageError(f"--{name} has no meaning on a surface: its gradient is exact", f"leave --{name} out")
    if asked.start is not None and asked.data is not None:
        raise UsageError("--start is a place on a map, and a net has none", "leave --start out: --seed decides it")
    if asked.start is not None and not all(math.isfinite(v) and abs(v) <= FARTHEST for v in asked.start):
        raise UsageError(
            f"--start is {asked.start[0]:g},{asked.start[1]:g}", f"w and b lie between -{FARTHEST:g} and {FARTHEST:g}"
        )


def read_start(text: str) -> tuple[float, float]:
    """ "-1,2" → (-1.0, 2.0). Raises UsageError."""
    try:
        w, b = (float(part) for part in text.replace(",", " ").split())
    except ValueError:
        raise UsageError(f"--start is {text[:40]!r}, expected w and b", "such as --start=-1,2") from None
    return w, b
