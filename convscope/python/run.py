"""A run from Python: what it came to, its net, its answers, its pictures; and runs side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from ..data.handed import prepared
from ..engine.plain import plain_torch
from ..errors import ConvscopeError, UsageError
from ..language.counts import number_of
from ..net.model import Model
from ..net.own.net import own_net
from ..recipe import ExportName, Recipe, ViewsName
from ..report.curves import draw_curves
from ..report.style import picture
from ..runs import folder as runs
from ..runs import predict as core
from ..runs.evaluation import images_to_test, test_model
from ..runs.listing import columns, entry
from ..runs.views import explained, views_of
from ..shown import Part, Picture, Records, Shown, Table, Tabular
from ..training.loop import Epoch, Progress
from ..training.scores import Evaluation

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from ..engine.jit import JitPredictor
    from ..runs.exported import Answering


@dataclass(frozen=True, repr=False)
class Run(Shown):
    """A finished (or interrupted) run and everything in its folder."""

    folder: runs.RunFolder
    own: nn.Module | None = None  # takes up the weights where the net is somebody's own

    def told(self) -> Iterator[Part]:
        """What it is and what it came to, and, in a notebook, its curves."""
        try:
            recipe, summary, epochs = self.recipe, self.summary, self.folder.epochs()
        except ConvscopeError:  # a model alone, or a damaged run
            yield f"model   {self.folder.path / self.folder.weights}"
            return
        yield f"run     {self.path}\nnet     {recipe.net}\ndata    {recipe.data}"
        if summary:
            yield f"result  test accuracy {100 * self.accuracy:.2f} % after {number_of(summary['steps'], 'update')}"
            if summary["tta_accuracy"] is not None:
                yield f"        {explained(summary['tta_accuracy'], recipe.tta)}"
            yield f"speed   {summary['images_per_second']:,.0f} images/s, {summary['engine']} on {summary['device']}"
        else:
            yield "state   unfinished: convscope.resume continues it"
        if summary and summary["warning"]:
            yield f"warning {summary['warning']}"
        if epochs:
            yield Picture("loss and accuracy against epoch", lambda: picture(self.plot()))

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
    def history(self) -> Records[Epoch]:
        """One record an epoch: losses, accuracies, seconds; a list, a table, and ``.to_pandas()``."""
        return Records(self.folder.epochs())

    @property
    def losses(self) -> Records[Progress]:
        """The mean loss of every log interval."""
        return Records(self.folder.losses())

    @cached_property
    @plain_torch()
    def model(self) -> Model:
        """The net with what is needed to use it: image size, normalisation, classes."""
        return self.folder.model(self.own)

    @cached_property
    @plain_torch()
    def _answering(self) -> Answering:
        return self.folder.answering() if self.folder.exported else self.model

    @property
    def net(self) -> nn.Module:
        """The trained net, float32, on the CPU; it takes normalised images (N, C, H, W)."""
        return self.model.net

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names in the order of the net's outputs."""
        return self._answering.classes

    @plain_torch()
    def predict(self, images: Any, tta: ViewsName = "none") -> NDArray[np.float64]:
        """Probabilities float64 (N, K) for N images; columns are ``classes``. A net that was trained with mse or mae
        gives no probabilities, but scores: its raw outputs, near 1 for the class.

        ``images``: an array or tensor (N, H, W), (N, C, H, W) or (N, H, W, C) of uint8 or floats in 0..1, one such
        image, a Pillow image, the path of a file or folder, a map-style dataset, or a list of these, of any sizes.
        Each is prepared as the training images were (``run.model.preparation``). ``tta`` takes the mean over views of
        each image: none, flip, shift or flip+shift. Raises UsageError, DataError.
        """
        return core.predict(self._answering, images, views_of(tta))

    def prepare(self, images: Any) -> NDArray[np.uint8]:
        """The images, handed over as for :meth:`predict`, as the net takes them: uint8 (N, C, H, W)."""
        return prepared(images, self._answering.preparation)

    @plain_torch()
    def predictor(self, threads: int = 1) -> JitPredictor:
        """Machine code for this very net, for those who predict much or often: ``.logits(images)`` takes uint8 tensors
        (M, C, H, W) as :meth:`prepare` makes them, and returns raw scores (M, K). Raises UsageError where the net has a
        layer that is not covered.
        """
        from ..engine.jit import JitPredictor  # llvmlite is slow to import

        net = self.net if isinstance(self.net, nn.Sequential) else own_net(self.net)[0]
        return JitPredictor(net, self.model.image, self.model.mean, self.model.std, threads)

    @plain_torch()
    def evaluate(
        self,
        other: Any = None,
        *,
        data: Any = None,
        new: bool = False,
        tta: ViewsName = "none",
        data_dir: str | None = None,
        offline: bool = False,
    ) -> Evaluation:
        """Test the run on its own test images, on the ``new`` ones of its data, or on ``other`` data (paths or arrays).

        ``data`` are the run's own, where they were moved or given in Python. Of other data, images that the run was
        trained on are left out. ``tta`` takes the mean over views of each image: none, flip, shift or flip+shift.
        Raises DataError where the run's own data have changed.
        """
        views = views_of(tta)
        place = Path(data_dir) if data_dir else None
        test = images_to_test(self.folder, self.model, other, moved=data, new=new, data_dir=place, offline=offline)
        return test_model(self.model, test.images, views).evaluation

    @plain_torch()
    def export(
        self,
        path: str | Path | None = None,
        to: ExportName | None = None,
        *,
        quantize: bool = False,
        force: bool = False,
        verify: bool = True,
        offline: bool = False,
    ) -> Path:
        """Write the net as a file for elsewhere, and return its path; as :func:`convscope.export`."""
        from ..export.leave import export

        return export(self, path, to, quantize=quantize, force=force, verify=verify, offline=offline)

    @plain_torch()
    def bundle(self, path: str | Path | None = None, *, force: bool = False, offline: bool = False) -> Path:
        """Write one .zip of model, ONNX, page, report, card and checksums, and return its path:
        ``RUN/export/NET-DATA-bundle.zip``, or ``path``. Raises UsageError where there is a file already (unless
        ``force``), TrainingError where a part answers otherwise than the net; then nothing is written.
        """
        from ..export.bundle import bundle

        place = None if path is None else Path(path)
        return bundle(self.folder, place, own=self.own, force=force, offline=offline).path

    @plain_torch()
    def report(
        self,
        path: str | Path | None = None,
        *,
        compare: Sequence[str | Path | Run] = (),
        card: bool = False,
        force: bool = False,
        offline: bool = False,
    ) -> Path:
        """Write all that is known of the run as one HTML file, and return its path: ``RUN/report.html``, or ``path``.

        ``compare`` puts other runs beside it; ``card`` writes a model card in Markdown (``RUN/README.md``) instead.
        Raises UsageError where there is a file already (unless ``force``).
        """
        from ..report.document import write

        return write.report(
            self.folder,
            None if path is None else Path(path),
            compare=[load(other).folder for other in compare],
            card=card,
            own=self.own,
            force=force,
            offline=offline,
        ).path

    def score(self, data: Any = None) -> float:
        """The accuracy (0..1) on the run's own test images, or on other ``data``, as :meth:`evaluate` takes them."""
        return self.evaluate(data).accuracy

    def plot(self) -> Figure:
        """Loss and accuracy against epoch, as a matplotlib figure (``.savefig(path)`` writes it)."""
        return draw_curves([self.folder])


@dataclass(frozen=True, repr=False)
class Comparison(Tabular):
    """Runs side by side: ``entries`` hold what summary.json says of each."""

    runs: tuple[Run, ...]

    @property
    def entries(self) -> list[dict[str, Any]]:
        """All that is known of each run."""
        return [entry(run.folder) for run in self.runs]

    def told(self) -> Iterator[Part]:
        """A row a run, and, in a notebook, the curves."""
        names = columns(self.entries)
        yield Table(names, [[one.get(name) for name in names] for one in self.entries])
        yield Picture("loss and accuracy against epoch", lambda: picture(self.plot()))

    def plot(self) -> Figure:
        """The curves of all runs in one matplotlib figure."""
        return draw_curves([run.folder for run in self.runs])


def load(path: str | Path | Run, net: nn.Module | None = None) -> Run:
    """The run in a folder, or the net in a ``.safetensors`` or exported ``.onnx`` file alone. Raises DataError where
    there is none.

    A net alone can predict; it has no recipe, no history and no data. One from an ``.onnx`` file answers by
    onnxruntime, and has no ``model`` to look into. ``net`` takes up the weights of a run whose net was a module of your
    own: a new one of the same class.
    """
    if isinstance(path, Run):
        return path if net is None else Run(path.folder, net)
    return Run(runs.find(str(path)), net)


def predict(run: str | Path | Run, images: Any, tta: ViewsName = "none") -> NDArray[np.float64]:
    """Probabilities of a run for images; as :meth:`Run.predict`. On the command line: ``convscope predict``."""
    return load(run).predict(images, tta)


def evaluate(
    run: str | Path | Run,
    other: Any = None,
    *,
    data: Any = None,
    new: bool = False,
    tta: ViewsName = "none",
    data_dir: str | None = None,
    offline: bool = False,
) -> Evaluation:
    """Test a run; as :meth:`Run.evaluate`. On the command line: ``convscope evaluate``."""
    return load(run).evaluate(other, data=data, new=new, tta=tta, data_dir=data_dir, offline=offline)


def compare(*compared: str | Path | Run) -> Comparison:
    """Two runs or more, side by side, and ``.plot()`` for their curves. On the command line: ``convscope compare``.

    Raises UsageError for fewer, DataError where there is no such run.
    """
    if len(compared) < 2:
        raise UsageError("compare needs two runs or more", "such as convscope.compare('note-digits-1', run)")
    return Comparison(tuple(load(one) for one in compared))
