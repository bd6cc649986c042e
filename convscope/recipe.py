"""Recipe: every choice of a run in one frozen dataclass, checked when it is made, and its JSON."""

import json
import types
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from .errors import UsageError, near
from .storage.strict_json import loads

LossName = Literal["cross-entropy", "mse", "mae"]
OptimizerName = Literal["sgd", "adam"]
ScheduleName = Literal["constant", "cosine", "one-cycle"]
EngineName = Literal["auto", "eager", "jit"]

# The note trains ten epochs on 60,000 images. The bundled digits are 1,437, so they need more passes for 97 %.
DEFAULT_EPOCHS = {"digits": 60}

LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Recipe:
    """The choices of a run. The defaults are the note's.

    Seconds are wall-clock, ``val_fraction`` is the share of the training images that is held out for validation,
    ``threads`` 0 means all cores, ``image_size`` (pixels) None means the data's own size, ``class_from`` is the pattern
    by which the names of a folder's files tell their classes.
    """

    data: str = "digits"
    net: str = "note"
    epochs: int = 10
    batch_size: int = 64
    lr: float = 0.01
    momentum: float = 0.5
    nesterov: bool = False
    weight_decay: float = 0.0
    optimizer: OptimizerName = "sgd"
    schedule: ScheduleName = "constant"
    loss: LossName = "cross-entropy"
    target_loss: float | None = None
    patience: int | None = None
    max_seconds: float | None = None
    val_fraction: float = 0.0
    seed: int = 0
    device: str = "auto"
    engine: EngineName = "auto"
    threads: int = 0
    log_interval: int = 300
    save_seconds: float = 60.0
    image_size: int | None = None
    skip_bad: bool = False
    data_dir: str | None = None
    class_from: str | None = None

    def __post_init__(self) -> None:
        for field, kind in zip(fields(self), get_type_hints(Recipe).values(), strict=True):
            _check_type(field.name, getattr(self, field.name), kind)
        _within("epochs", self.epochs, 1, 1_000_000)
        _within("batch_size", self.batch_size, 1, LARGEST)
        _within("log_interval", self.log_interval, 1, LARGEST)
        _within("seed", self.seed, 0, 2**63 - 1)
        _within("threads", self.threads, 0, 1024)
        _within("momentum", self.momentum, 0, 1, below=True)
        _within("val_fraction", self.val_fraction, 0, 1, below=True)
        _within("lr", self.lr, 0, 1e6)
        _within("weight_decay", self.weight_decay, 0, 1e6)
        _within("save_seconds", self.save_seconds, 0, 1e9)
        for name, least, most in (("patience", 1, LARGEST), ("max_seconds", 0, 1e9), ("target_loss", 0, 1e30),
                                  ("image_size", 1, 65_535)):  # fmt: skip
            if getattr(self, name) is not None:
                _within(name, getattr(self, name), least, most)
        if self.nesterov and self.momentum == 0:
            raise UsageError("--nesterov needs momentum, but --momentum is 0", "for example --momentum 0.9")

    def to_json(self) -> str:
        """All fields, one a line."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """Read :meth:`to_json` back, strictly: unknown names and wrong types are refused. Raises UsageError."""
        try:
            values = loads(text)
        except ValueError as error:
            raise UsageError(f"the recipe is not JSON: {error}") from None
        if not isinstance(values, dict):
            raise UsageError(f"the recipe must be a JSON object, but is a {type(values).__name__}")
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise UsageError(f"the recipe has an unknown choice {name[:60]!r}", near(name[:60], known))
        return cls(**values)


def flag(name: str) -> str:
    """batch_size → --batch-size: how a user writes a recipe's field."""
    return "--" + name.replace("_", "-")


def _within(name: str, value: float, least: float, most: float, below: bool = False) -> None:
    """Refuse a number outside least ≤ value ≤ most (< most where ``below``)."""
    if not (least <= value and (value < most if below else value <= most)):  # NaN is refused too
        sign = "<" if below else "≤"
        raise UsageError(
            f"{flag(name)} is {str(value)[:60]}", f"it must be a number with {least} ≤ {name} {sign} {most:,}"
        )


def fits(value: Any, kind: Any) -> bool:
    """Whether ``value`` is of type ``kind``, which may be a union or Literal.

    A whole number is a float too; a truth value is no number.
    """
    if isinstance(kind, types.UnionType):
        return any(fits(value, option) for option in get_args(kind))
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if kind in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, int | float) if kind is float else isinstance(value, kind)


def _check_type(name: str, value: Any, kind: Any) -> None:
    if fits(value, kind):
        if isinstance(value, str) and not value.isascii():
            _check_text(name, value)
        return
    shown = str(value)[:60]
    if get_origin(kind) is Literal:
        raise UsageError(f"{flag(name)} is {shown!r}", near(shown, get_args(kind)))
    options = get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    wanted = " or ".join("nothing" if option is type(None) else option.__name__ for option in options)
    raise UsageError(f"{flag(name)} is {shown!r}, a {type(value).__name__}", f"it must be {wanted}")


def _check_text(name: str, value: str) -> None:
    """A path may hold bytes that are no text; no JSON file could hold them, nor name the data again."""
    try:
        value.encode()
    except UnicodeEncodeError:
        shown = value.encode(errors="replace").decode()[:60]
        raise UsageError(f"{flag(name)} is {shown!r}, which is no text", "rename the folder or file") from None
