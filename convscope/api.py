"""convscope from Python: ``run = convscope.train("mnist"); run.accuracy; run.predict(images); run.plot()``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, asdict, dataclass
from functools import cached_property
from inspect import Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, get_type_hints

from torch import nn

from . import job
from .auto import settle
from .data.handed import prepared
from .data.sources import data_name
from .engine.plain import plain_torch
from .errors import UsageError
from .net.model import Model
from .recipe import ExportName, Recipe
from .report.curves import draw_curves
from .runs import folder as runs
from .runs.evaluation import images_to_test, test_model
from .runs.own_data import own_data
from .runs.predict import predict
from .storage.places import user_path
from .training.augment import Augment, named
from .training.loop import Epoch, Progress
from .training.scores import Evaluation

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from .engine.jit import JitPredictor
    from .runs.exported import Answering

P = ParamSpec("P")


@dataclass(frozen=True)
class Run:
    """A finished (or interrupted) run and everything in its folder."""

    folder: runs.RunFolder

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.folder.path

    @property
    def recipe(self) -> Recipe:
        """Every choice of the run."""
        return self.folder.recipe()

    @property
    def summary(self) -> dict[str, Any]:
        """The content of summary.json; empty while the run is not finished."""
        summary = self.folder.summary()
        return {} if summary is None else asdict(summary)

    @property
    def accuracy(self) -> float:
        """The fraction of test images that the kept weights classify rightly (0..1); NaN while not finished."""
        value = self.summary.get("test_accuracy")
        return float("nan") if value is None else float(value)

    @property
    def history(self) -> list[Epoch]:
        """One record an epoch: losses, accuracies, seconds."""
        return self.folder.epochs()

    @property
    def losses(self) -> list[Progress]:
        """The mean loss of every log interval."""
        return self.folder.losses()

    @cached_property
    @plain_torch()
    def model(self) -> Model:
        """The net with what is needed to use it: image size, normalisation, classes."""
        return self.folder.model()

    @cached_property
    @plain_torch()
    def _answering(self) -> Answering:
        return self.folder.answering() if self.folder.exported else self.model

    @property
    def net(self) -> nn.Sequential:
        """The trained net, float32, on the CPU; it takes normalised images (N, C, H, W)."""
        return self.model.net

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names in the order of the net's outputs."""
        return self._answering.classes

    @plain_torch()
    def predict(self, images: Any) -> NDArray[np.float64]:
        """Probabilities float64 (N, K) for N images; columns are ``classes``. A net that was trained with mse or mae
        gives no probabilities, but scores: its raw outputs, near 1 for the class.

        ``images``: an array or tensor (N, H, W), (N, C, H, W) or (N, H, W, C) of uint8 or floats in 0..1, one such
        image, a Pillow image, the path of a file or folder, a map-style dataset, or a list of these, of any sizes.
        Each is prepared as the training images were (``run.model.preparation``). Raises UsageError, DataError.
        """
        return predict(self._answering, images)

    def prepare(self, images: Any) -> NDArray[np.uint8]:
        """The images, handed over as for :meth:`predict`, as the net takes them: uint8 (N, C, H, W)."""
        return prepared(images, self._answering.preparation)

    @plain_torch()
    def predictor(self, threads: int = 1) -> JitPredictor:
        """Machine code for this very net, for those who predict much or often: ``.logits(images)`` takes uint8 tensors
        (M, C, H, W) as :meth:`prepare` makes them, and returns raw scores (M, K). Raises UsageError where the net has a
        layer that is not covered.
        """
        from .engine.jit import JitPredictor  # llvmlite is slow to import

        return JitPredictor(self.net, self.model.image, self.model.mean, self.model.std, threads)

    @plain_torch()
    def evaluate(
        self,
        other: Any = None,
        *,
        data: Any = None,
        new: bool = False,
        data_dir: str | None = None,
        offline: bool = False,
    ) -> Evaluation:
        """Test the run on its own test images, on the ``new`` ones of its data, or on ``other`` data (paths or arrays).

        ``data`` are the run's own, where they were moved or given in Python. Of other data, images that the run was
        trained on are left out. Raises DataError where the run's own data have changed.
        """
        place = Path(data_dir) if data_dir else None
        test = images_to_test(self.folder, self.model, other, moved=data, new=new, data_dir=place, offline=offline)
        return test_model(self.model, test.images).evaluation

    @plain_torch()
    def export(
        self,
        path: str | Path | None = None,
        to: ExportName | None = None,
        *,
        force: bool = False,
        verify: bool = True,
        offline: bool = False,
    ) -> Path:
        """Write the net as a file for elsewhere, and return its path: ``RUN/export/NET-DATA.onnx``, or ``path``.

        ``to`` None is known by the path's ending, else onnx. The file is run again in its own runtime and compared with
        the net. Raises UsageError where there is one already (unless ``force``), TrainingError where it answers
        otherwise; then nothing is written.
        """
        from .export.formats import format_of
        from .export.leave import leave

        place = None if path is None else Path(path)
        return leave(self.folder, to or format_of(place), place, force=force, verify=verify, offline=offline).path

    def plot(self) -> Figure:
        """Loss and accuracy against epoch, as a matplotlib figure (``.savefig(path)`` writes it)."""
        return draw_curves([self.folder])


@dataclass(frozen=True)
class _Train(Recipe):
    """What :func:`train` may be given: the choices of a recipe, of which three may be more than there, and where to."""

    data: Any = "digits"
    _: KW_ONLY
    net: str | None = None  # type: ignore[assignment]  # None: what suits the data
    epochs: int | None = None  # type: ignore[assignment]  # None: as many as usual for the data
    augment: str | Augment | None = None  # type: ignore[assignment]  # None: as goes with a net that is chosen
    offline: bool = False
    out: str | Path = "runs"


def _given_as(call: Callable[P, Recipe]) -> Callable[[Callable[..., Run]], Callable[P, Run]]:
    """The keywords of ``call`` for a function that takes them by name: for type checkers, ``help`` and editors."""
    kinds = get_type_hints(call)  # without what else is annotated, which is for others
    given = [parameter.replace(annotation=kinds[name]) for name, parameter in signature(call).parameters.items()]
    keywords = Signature(given, return_annotation=Run)

    def as_given(function: Callable[..., Run]) -> Callable[P, Run]:
        function.__signature__ = keywords  # type: ignore[attr-defined]  # inspect.signature asks for it
        return function

    return as_given


@_given_as(_Train)
@plain_torch()
def train(data: Any = "digits", *, offline: bool = False, out: str | Path = "runs", **choices: Any) -> Run:
    """Train a net and return its run. The choices are those of ``convscope train``; see :class:`Recipe`.

    ``data`` may also be NumPy arrays or a map-style dataset (:func:`convscope.data.sources.open_source` says how).
    ``net`` None is chosen by the data, ``epochs`` None means 10, for digits 60. ``augment`` may be a function of your
    own: of pixels uint8 (M, C, H, W), the images' numbers int64 (M,) and the epoch, as tensors and int, which gives
    pixels of the same shape, the same ones for the same image and epoch; ``resume`` wants it again. Raises
    UsageError, DataError, TrainingError, and Interrupted on Ctrl-C (the work is saved).
    """
    own = _own_function(choices.get("augment"))
    if own is not None:
        choices["augment"] = named(own)
    recipe = Recipe.of({**choices, "data": str(data) if isinstance(data, str | Path) else data_name(data)})
    settled = settle(recipe, {name for name, value in choices.items() if value is not None}, offline, data)
    return _drain(job.start(settled.recipe, settled.data, _folder(out), augment=own))


@plain_torch()
def resume(
    run: str | Path,
    *,
    data: Any = None,
    epochs: int | None = None,
    offline: bool = False,
    augment: Augment | None = None,
) -> Run:
    """Go on with an interrupted run, or extend a finished one to ``epochs``.

    ``data`` is needed only where the run was trained on arrays, or where its folder or file was moved; its images
    must be the same (their pixels are checked), those that came since are not used.
    """
    folder = runs.find(str(run))
    return _drain(job.resume(folder, own_data(folder, data, offline=offline), epochs, augment=augment))


def load(path: str | Path) -> Run:
    """The run in a folder, or the net in a ``.safetensors`` or exported ``.onnx`` file alone. Raises DataError where
    there is none.

    A net alone can predict; it has no recipe, no history and no data. One from an ``.onnx`` file answers by
    onnxruntime, and has no ``model`` to look into.
    """
    return Run(runs.find(str(path)))


def _own_function(augment: Any) -> Augment | None:
    return None if augment is None or isinstance(augment, str) else augment


def _folder(out: object) -> Path:
    """Where runs are to be made. Raises UsageError for what names no folder."""
    if not isinstance(out, str | os.PathLike) or "\0" in str(out) or not str(out):
        raise UsageError(f"out is {str(out)[:60]!r}, a {type(out).__name__}", "it must be the path of a folder")
    return user_path(os.fspath(out))


def _drain(events: Iterator[job.Event]) -> Run:
    run = None
    for event in events:
        if isinstance(event, job.Finished):
            run = Run(event.folder)
    assert run is not None, "a job ends with Finished or an error"
    return run
