"""convscope from Python: ``run = convscope.train("mnist"); run.accuracy; run.predict(images); run.plot()``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from . import job
from .data.handed import prepared
from .data.sources import data_name, open_recipe
from .engine.plain import plain_torch
from .net.model import Model
from .recipe import DEFAULT_EPOCHS, EngineName, LossName, OptimizerName, Recipe, ScheduleName
from .report.curves import draw_curves
from .runs import folder as runs
from .runs.evaluation import images_to_test, test_model
from .runs.own_data import own_data
from .runs.predict import predict
from .training.loop import Epoch, Progress
from .training.scores import Evaluation

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from .engine.jit import JitPredictor


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

    @property
    def net(self) -> nn.Sequential:
        """The trained net, float32, on the CPU; it takes normalised images (N, C, H, W)."""
        return self.model.net

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names in the order of the net's outputs."""
        return self.model.classes

    @plain_torch()
    def predict(self, images: Any) -> NDArray[np.float64]:
        """Probabilities float64 (N, K) for N images; columns are ``classes``. A net that was trained with mse or mae
        gives no probabilities, but scores: its raw outputs, near 1 for the class.

        ``images``: an array or tensor (N, H, W), (N, C, H, W) or (N, H, W, C) of uint8 or floats in 0..1, one such
        image, a Pillow image, the path of a file or folder, a map-style dataset, or a list of these, of any sizes.
        Each is prepared as the training images were (``run.model.preparation``). Raises UsageError, DataError.
        """
        return predict(self.model, images)

    def prepare(self, images: Any) -> NDArray[np.uint8]:
        """The images, handed over as for :meth:`predict`, as the net takes them: uint8 (N, C, H, W)."""
        return prepared(images, self.model.preparation)

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

    def plot(self) -> Figure:
        """Loss and accuracy against epoch, as a matplotlib figure (``.savefig(path)`` writes it)."""
        return draw_curves([self.folder])


@plain_torch()
def train(
    data: Any = "digits",
    *,
    net: str = "note",
    epochs: int | None = None,
    batch_size: int = 64,
    lr: float = 0.01,
    momentum: float = 0.5,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    optimizer: OptimizerName = "sgd",
    schedule: ScheduleName = "constant",
    loss: LossName = "cross-entropy",
    target_loss: float | None = None,
    patience: int | None = None,
    max_seconds: float | None = None,
    val_fraction: float = 0.0,
    seed: int = 0,
    device: str = "auto",
    engine: EngineName = "auto",
    threads: int = 0,
    log_interval: int = 300,
    save_seconds: float = 60.0,
    image_size: int | None = None,
    skip_bad: bool = False,
    data_dir: str | None = None,
    class_from: str | None = None,
    offline: bool = False,
    out: str | Path = "runs",
) -> Run:
    """Train a net and return its run. The choices are those of ``convscope train``; see :class:`Recipe`.

    ``data`` may also be NumPy arrays or a map-style dataset (:func:`convscope.data.sources.open_source` says how).
    ``epochs`` None means 10, for digits 60. Raises UsageError, DataError, TrainingError, and Interrupted on Ctrl-C
    (the work is saved).
    """
    name = str(data) if isinstance(data, str | Path) else data_name(data)
    recipe = Recipe(
        data=name, net=net, epochs=DEFAULT_EPOCHS.get(name, 10) if epochs is None else epochs, batch_size=batch_size,
        lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay, optimizer=optimizer, schedule=schedule,
        loss=loss, target_loss=target_loss, patience=patience, max_seconds=max_seconds, val_fraction=val_fraction,
        seed=seed, device=device, engine=engine, threads=threads, log_interval=log_interval, save_seconds=save_seconds,
        image_size=image_size, skip_bad=skip_bad, data_dir=data_dir, class_from=class_from,
    )  # fmt: skip
    return _drain(job.start(recipe, open_recipe(recipe, offline, data), Path(out)))


@plain_torch()
def resume(run: str | Path, *, data: Any = None, epochs: int | None = None, offline: bool = False) -> Run:
    """Go on with an interrupted run, or extend a finished one to ``epochs``.

    ``data`` is needed only where the run was trained on arrays, or where its folder or file was moved; its images
    must be the same (their pixels are checked), those that came since are not used.
    """
    folder = runs.find(str(run))
    return _drain(job.resume(folder, own_data(folder, data, offline=offline), epochs))


def load(path: str | Path) -> Run:
    """The run in a folder, or the model in a ``.safetensors`` file alone. Raises DataError where there is none.

    A model alone can predict; it has no recipe, no history and no data.
    """
    return Run(runs.find(str(path)))


def _drain(events: Iterator[job.Event]) -> Run:
    run = None
    for event in events:
        if isinstance(event, job.Finished):
            run = Run(event.folder)
    assert run is not None, "a job ends with Finished or an error"
    return run
