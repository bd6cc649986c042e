"""Every choice of a run in one frozen dataclass, checked when it is made, and its JSON."""

import json
import types
from collections.abc import Mapping
from dataclasses import KW_ONLY, Field, asdict, dataclass, fields
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from .choice import Choice
from .errors import UsageError, near
from .storage.strict_json import loads

LossName = Literal["cross-entropy", "mse", "mae"]
OptimizerName = Literal["sgd", "sgdw", "adam", "adamw", "muon"]
ClassWeightName = Literal["none", "balanced"]
InitName = Literal["default", "dirac", "whitened"]
ScheduleName = Literal["constant", "cosine", "one-cycle"]
EngineName = Literal["auto", "eager", "jit"]
PrecisionName = Literal["auto", "fp32", "tf32", "bf16", "fp16"]
ViewsName = Literal["none", "flip", "shift", "flip+shift"]
ExportName = Literal["onnx", "html", "c", "native", "pt2"]

# The note trains ten epochs on 60,000 images. The bundled digits are 1,437, so they need more passes for 97 %.
DEFAULT_EPOCHS = {"digits": 60}

LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Recipe:
    """The choices of a run. The defaults are the note's.

    Seconds are wall-clock, ``val_fraction`` is the share of the training images that is held out for validation,
    ``threads`` 0 means all cores, ``image_size`` (pixels) None means the data's own size, ``class_from`` is the pattern
    by which the names of a folder's files tell their classes. Where nobody chose a ``net``, the command line and
    :func:`convscope.train` choose it by the data (:mod:`convscope.auto`).
    """

    data: Annotated[
        str,
        Choice(
            "digits, mnist, fashion-mnist, kmnist, a folder of images or IDX files, an archive (.zip, .tar), a table "
            "of labels (.csv), Parquet, an .npz; several, or with ':' between.",
            page="first",
        ),
    ] = "digits"
    _: KW_ONLY
    net: Annotated[
        str,
        Choice(
            "A named net (convscope nets), a spec, or auto: what suits the data.",
            usual="auto; note for digits and mnist",
            page="first",
        ),
    ] = "note"
    init: Annotated[
        InitName,
        Choice("First weights: PyTorch's, partial identities, or these with a first layer that whitens.", page="more"),
    ] = "default"
    epochs: Annotated[
        int, Choice("Passes over the images.", ge=1, le=1_000_000, usual="10; digits 60", page="first")
    ] = 10
    batch_size: Annotated[int, Choice("Images of one update.", ge=1, le=LARGEST, short="-b", page="first")] = 64
    lr: Annotated[float, Choice("Learning rate.", ge=0, le=1e6, page="first")] = 0.01
    momentum: Annotated[float, Choice("Momentum of SGD.", ge=0, lt=1, page="first")] = 0.5
    nesterov: Annotated[bool, Choice("Nesterov's momentum.")] = False
    weight_decay: Annotated[
        float, Choice("Weight decay (L2, as in torch.optim; sgdw, adamw, muon: decoupled).", ge=0, le=1e6, page="more")
    ] = 0.0
    optimizer: Annotated[OptimizerName, Choice("How gradients change the weights.", page="first")] = "sgd"
    schedule: Annotated[ScheduleName, Choice("The learning rate over the updates.", page="first")] = "constant"
    loss: Annotated[LossName, Choice("What is minimised (mse, mae: to one-hot).", page="first")] = "cross-entropy"
    label_smoothing: Annotated[
        float, Choice("Share of the target that cross entropy gives to all classes.", ge=0, le=1, page="more")
    ] = 0.0
    clip_norm: Annotated[
        float | None, Choice("Scale the gradient down to this norm where it is larger.", gt=0, le=1e30, page="more")
    ] = None
    augment: Annotated[
        str,
        Choice(
            "Other pictures of the training images every epoch: none, light, auto, or a spec such as 'flip | shift 4'.",
            usual="as auto chooses with the net; else none",
            page="more",
        ),
    ] = "none"
    warmup: Annotated[
        float, Choice("Epochs in which the learning rate rises to its value, in a line.", ge=0, le=1e6, page="more")
    ] = 0.0
    ema: Annotated[
        float,
        Choice(
            "Test and keep an average of the weights with this decay, such as 0.99 (0: none).", ge=0, lt=1, page="more"
        ),
    ] = 0.0
    lr_factors: Annotated[
        str, Choice("Rates of some parameters as multiples of --lr: 'conv1.* = 0.1, *.bias = 2'.", page="more")
    ] = ""
    lookahead: Annotated[
        int,
        Choice(
            "Draw the weights halfway back to slow ones after so many updates each, such as 5 (0: never).",
            ge=0,
            le=LARGEST,
            page="more",
        ),
    ] = 0
    class_weight: Annotated[
        ClassWeightName, Choice("balanced: rare classes count as much in the loss as common ones.", page="more")
    ] = "none"
    target_loss: Annotated[float | None, Choice("Stop when a log interval's mean loss falls to it.", ge=0, le=1e30)] = (
        None
    )
    patience: Annotated[int | None, Choice("Stop after epochs without a lower validation loss.", ge=1, le=LARGEST)] = (
        None
    )
    max_seconds: Annotated[float | None, Choice("Stop after these seconds of training and tests.", ge=0, le=1e9)] = None
    minutes: Annotated[
        float | None, Choice("Take as many epochs as fit into these minutes, --epochs at most.", gt=0, le=1e6)
    ] = None
    val_fraction: Annotated[
        float, Choice("Share of the training images held out for validation.", ge=0, lt=1, page="more")
    ] = 0.0
    seed: Annotated[
        int, Choice("Decides initial weights, order, splits and dropout.", ge=0, le=2**63 - 1, page="more")
    ] = 0
    device: Annotated[str, Choice("auto, cpu, cuda, cuda:N or mps (convscope devices).")] = "auto"
    engine: Annotated[EngineName, Choice("Who does the arithmetic; auto takes the fastest.")] = "auto"
    precision: Annotated[
        PrecisionName,
        Choice("Numbers that the net is computed in; auto takes fewer bits where they are faster.", page="more"),
    ] = "auto"
    threads: Annotated[int, Choice("CPU threads; 0 means all cores.", ge=0, le=1024)] = 0
    window: Annotated[
        int | None,
        Choice(
            "Images that are shuffled together, of data that are read from a file as they are used; 0: all.",
            ge=0,
            le=LARGEST,
            usual="all where they fit into memory",
        ),
    ] = None
    local_batchnorm: Annotated[
        bool, Choice("With torchrun: batch norm takes each process's own images, not the whole batch.")
    ] = False
    log_interval: Annotated[int, Choice("Updates between two lines of the log.", ge=1, le=LARGEST)] = 300
    save_seconds: Annotated[float, Choice("Save the state this often, and after each epoch.", ge=0, le=1e9)] = 60.0
    image_size: Annotated[
        int | None, Choice("Height and width of a folder's images.", ge=1, le=65_535, page="more", page_le=1024)
    ] = None
    skip_bad: Annotated[bool, Choice("Leave unreadable images out and count them.")] = False
    data_dir: Annotated[
        str | None,
        Choice("Where data sets are looked for first; then $CONVSCOPE_DATA, then your cache.", metavar="<path>"),
    ] = None
    class_from: Annotated[
        str | None, Choice("Read a folder's classes from its file names, as by '{class}.*' from cat.0.png.")
    ] = None
    no_pretrained: Annotated[bool, Choice("Let auto take no net that has learned from other images.")] = False
    tta: Annotated[
        ViewsName, Choice("Test the trained net by the mean over views of each image, too; that accuracy says so.")
    ] = "none"
    unfreeze: Annotated[int, Choice("Train a pretrained net's last so many blocks, too.", ge=0, le=1000)] = 0
    remark: Annotated[str | None, Choice("Words to keep with the run; auto adds why it chose its net.")] = None

    def __post_init__(self) -> None:
        for name in CHOICES:
            check(name, getattr(self, name))
        if self.nesterov and self.momentum == 0:
            raise UsageError("--nesterov needs momentum, but --momentum is 0", "for example --momentum 0.9")
        if self.label_smoothing and self.loss != "cross-entropy":
            raise UsageError(
                f"--label-smoothing goes with --loss cross-entropy, but --loss is {self.loss}", "leave one of them out"
            )
        if self.class_weight != "none" and self.loss != "cross-entropy":
            raise UsageError(
                f"--class-weight goes with --loss cross-entropy, but --loss is {self.loss}", "leave one of them out"
            )
        if self.warmup and self.schedule == "one-cycle":
            raise UsageError("--warmup does not go with --schedule one-cycle, which begins with one", "leave it out")

    @classmethod
    def of(cls, choices: Mapping[str, Any]) -> "Recipe":
        """The recipe of what somebody has chosen.

        ``epochs`` absent or None means as many as usual for the data, ``net`` absent or None that it is to be chosen,
        any other None of a choice that may not be None its default.
        """
        usual = {"net": "auto", "epochs": DEFAULT_EPOCHS.get(choices.get("data", cls.data), cls.epochs)}
        left = {name: known.default for name, known in CHOICES.items() if known.choice.usual} | usual
        given = {name: value for name, value in choices.items() if value is not None or name not in left}
        return cls(**{**left, **given})

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
        for name in values:
            if name not in CHOICES:
                raise UsageError(f"the recipe has an unknown choice {name[:60]!r}", near(name[:60], CHOICES))
        return cls(**values)


def flag(name: str) -> str:
    """batch_size → --batch-size: how a user writes a recipe's field."""
    return "--" + name.replace("_", "-")


def fits(value: Any, kind: Any) -> bool:
    """Whether ``value`` is of type ``kind``, which may be a union or Literal.

    A whole number is a float too; a truth value is not a number.
    """
    if isinstance(kind, types.UnionType):
        return any(fits(value, option) for option in get_args(kind))
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if kind in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, int | float) if kind is float else isinstance(value, kind)


def check(name: str, value: Any, called: str = "") -> None:
    """Refuse a value that the choice ``name`` cannot have. Raises UsageError, in which the choice is ``called`` by its
    flag, or by what the user wrote instead.
    """
    known, called = CHOICES[name], called or flag(name)
    _check_type(called, value, known.kind)
    if isinstance(value, int | float):
        known.choice.check(name, value, called)


def misread(name: str, text: str) -> UsageError:
    """The error of a ``text``, from an option or a variable, that is no value of the choice ``name`` whatever it is."""
    known, shown = CHOICES[name], repr(text[:60])
    kinds = get_args(known.kind) if isinstance(known.kind, types.UnionType) else (known.kind,)
    if known.options:
        return UsageError(f"{flag(name)} is {shown}", near(text[:60], known.options))
    if bool in kinds:
        return UsageError(f"{flag(name)} is {shown}, which is neither true nor false", "write true or false")
    if float in kinds:
        return UsageError(f"{flag(name)} is {shown}, which is not a number", known.choice.bounds(name))
    return UsageError(f"{flag(name)} is {shown}, which is not a whole number", known.choice.bounds(name))


def _check_type(called: str, value: Any, kind: Any) -> None:
    if fits(value, kind):
        if isinstance(value, str) and not value.isascii():
            _check_text(called, value)
        return
    shown = str(value)[:60]
    if get_origin(kind) is Literal:
        raise UsageError(f"{called} is {shown!r}", near(shown, get_args(kind)))
    options = get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    wanted = " | ".join("None" if option is type(None) else option.__name__ for option in options)
    raise UsageError(f"{called} is {shown!r}, a {type(value).__name__}", f"its type must be {wanted}")


def _check_text(called: str, value: str) -> None:
    """A path may hold bytes that are no text; no JSON file could hold them, nor name the data again."""
    try:
        value.encode()
    except UnicodeEncodeError:
        shown = value.encode(errors="replace").decode()[:60]
        raise UsageError(f"{called} is {shown!r}, which is no text", "rename the folder or file") from None


@dataclass(frozen=True)
class Declared:
    """A field of :class:`Recipe`: its type without what is annotated, its default and what is annotated."""

    name: str
    kind: Any
    default: Any
    choice: Choice

    @property
    def options(self) -> tuple[str, ...]:
        """The words to choose from; empty where anything goes."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()


def _declared(field: Field[Any], hint: Any) -> Declared:
    kind, choice = get_args(hint)
    return Declared(field.name, kind, field.default, choice)


_HINTS = get_type_hints(Recipe, include_extras=True)
CHOICES = {field.name: _declared(field, _HINTS[field.name]) for field in fields(Recipe)}
