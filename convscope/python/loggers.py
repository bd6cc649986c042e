"""Loggers as callbacks: ``train(…, on=[CSV("log.csv")])``. A callback is a function of an event, and so are these.

Trackers are used by their own packages, which are imported when a run begins. They do what they do by themselves, the
network included; convscope asks for none of it.
"""

from __future__ import annotations

import csv
import importlib
import importlib.util
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import job
from ..errors import DataError, UsageError
from ..storage.files import write_atomic
from ..storage.places import user_path
from ..training.loop import Epoch, Progress, Tick
from .metric import Metric

EPOCH = ("train_loss", "test_loss", "test_accuracy", "val_loss", "val_accuracy", "lr", "images_per_second")


class Logger:
    """Called with every event of a run, it keeps the losses of log intervals and what every epoch came to.

    ``metrics`` are heard before, and kept with the epoch. A subclass says what ``begin``, ``log`` and ``close`` do;
    ``close`` is also called where training ends with an error.
    """

    def __init__(self, metrics: Sequence[Metric] = ()) -> None:
        self.metrics = tuple(metrics)
        self._step = self._epoch_steps = 0

    def __call__(self, event: job.Event) -> None:
        """Take notice of ``event``."""
        for metric in self.metrics:
            metric(event)
        match event:
            case job.Started():
                self._step, self._epoch_steps = event.resumed_at, event.epoch_steps
                self.begin(event)
            case Tick():
                self._step = event.step
            case Progress():
                step = (event.epoch - 1) * self._epoch_steps + event.step
                self.log(step, event.epoch, {"loss": event.loss})
            case Epoch():
                values = {name: getattr(event, name) for name in EPOCH if getattr(event, name) is not None}
                self.log(self._step, event.epoch, values | {metric.name: metric.value for metric in self.metrics})
            case job.Finished():
                self.close()

    def begin(self, started: job.Started) -> None:
        """A run begins, or is resumed at update ``started.resumed_at``."""
        raise NotImplementedError

    def log(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """``values`` by name after update ``step`` (of the whole run) in ``epoch``, both from 1."""
        raise NotImplementedError

    def close(self) -> None:
        """The run has ended, or was stopped. It may be called twice."""


class CSV(Logger):
    """A row of a .csv file for every log interval and every epoch; of several runs, if they are given the same file.

    A run that is resumed takes up its rows where it is resumed. Raises UsageError for a file that is none of these.
    """

    def __init__(self, path: str | Path, metrics: Sequence[Metric] = ()) -> None:
        super().__init__(metrics)
        self.path = user_path(path)
        if not self.path.parent.is_dir():
            raise UsageError(f"there is no folder {self.path.parent}", "make it, or name another file")
        self.columns = ("run", "step", "epoch", "loss", *EPOCH, *(metric.name for metric in self.metrics))
        self._rows()

    def begin(self, started: job.Started) -> None:
        """Keep the rows of other runs, and of this one those up to where it is resumed."""
        self._run = str(started.folder.path)
        kept = [row for row in self._rows() if row["run"] != self._run or int(row["step"]) <= started.resumed_at]
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
        write_atomic(self.path, text.getvalue())

    def log(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Add a row."""
        with self.path.open("a", encoding="utf-8", newline="") as file:
            row = {"run": self._run, "step": step, "epoch": epoch, **values}
            csv.DictWriter(file, self.columns, lineterminator="\n").writerow(row)

    def _rows(self) -> list[dict[str, str]]:
        if not self.path.exists():
            return []
        try:
            with self.path.open(encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file)
                rows = list(reader)
                known = tuple(reader.fieldnames or ()) == self.columns and all(row["step"].isdigit() for row in rows)
        except (OSError, ValueError, csv.Error) as error:
            raise DataError(f"{self.path} cannot be read: {error}", "name another file") from None
        if not known:
            raise UsageError(f"{self.path} is no log with the columns {', '.join(self.columns)}", "name another file")
        return rows


class TensorBoard(Logger):
    """Event files for TensorBoard, a folder a run below ``folder``; look at them with: tensorboard --logdir FOLDER."""

    def __init__(self, folder: str | Path = "tensorboard", metrics: Sequence[Metric] = ()) -> None:
        super().__init__(metrics)
        _require("tensorboard", "TensorBoard")
        self.folder = user_path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise UsageError(f"{self.folder} is a file, not a folder", "name a folder")
        self._writer: Any = None

    def begin(self, started: job.Started) -> None:
        """Begin a file; what an earlier one holds beyond the update where the run is resumed is hidden."""
        from torch.utils.tensorboard import SummaryWriter

        purge = started.resumed_at + 1 if started.resumed_at else None
        self._writer = SummaryWriter(str(self.folder / started.folder.name), purge_step=purge)
        self._writer.add_text("recipe", f"```json\n{started.recipe.to_json()}```", started.resumed_at)

    def log(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Scalars such as loss/test, which TensorBoard draws side by side."""
        for name, value in {**values, "epoch": epoch}.items():
            what, _, of = name.rpartition("_")
            tag = f"{of}/{what}" if what in ("train", "test", "val") else name
            self._writer.add_scalar(tag, value, step)
        self._writer.flush()

    def close(self) -> None:
        """End the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class MLflow(Logger):
    """A run of MLflow: the recipe as parameters, losses and accuracies as metrics.

    ``experiment`` and ``tracking_uri`` are MLflow's; None leaves them as they are set.
    """

    def __init__(
        self, experiment: str | None = None, tracking_uri: str | None = None, metrics: Sequence[Metric] = ()
    ) -> None:
        super().__init__(metrics)
        _require("mlflow", "MLflow")
        self.experiment, self.tracking_uri = experiment, tracking_uri
        self._mlflow: Any = None

    def begin(self, started: job.Started) -> None:
        """Begin a run that is called like the run's folder."""
        mlflow = importlib.import_module("mlflow")
        if self.tracking_uri is not None:
            mlflow.set_tracking_uri(self.tracking_uri)
        if self.experiment is not None:
            mlflow.set_experiment(self.experiment)
        mlflow.start_run(run_name=started.folder.name)
        mlflow.log_params(_recipe(started))
        self._mlflow = mlflow

    def log(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Metrics at an update."""
        self._mlflow.log_metrics({**values, "epoch": epoch}, step=step)

    def close(self) -> None:
        """End the run."""
        if self._mlflow is not None:
            self._mlflow.end_run()
            self._mlflow = None


class Trackio(Logger):
    """A run of Trackio, which keeps it on this machine: the recipe as its configuration; see it with: trackio show.

    ``options`` are those of trackio.init, such as {"space_id": …}.
    """

    package, title = "trackio", "Trackio"

    def __init__(
        self, project: str = "convscope", options: Mapping[str, Any] | None = None, metrics: Sequence[Metric] = ()
    ) -> None:
        super().__init__(metrics)
        _require(self.package, self.title)
        self.project, self.options = project, dict(options or {})
        self._run: Any = None

    def begin(self, started: job.Started) -> None:
        """Begin a run that is called like the run's folder."""
        package = importlib.import_module(self.package)
        about = {"name": started.folder.name, "config": _recipe(started)}
        self._run = package.init(project=self.project, **about, **self.options)

    def log(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Values at an update."""
        self._run.log({**values, "epoch": epoch}, step=step)

    def close(self) -> None:
        """End the run."""
        if self._run is not None:
            self._run.finish()
            self._run = None


class WandB(Trackio):
    """A run of Weights & Biases, which sends it to its server unless it is told otherwise: {"mode": "offline"}.

    ``options`` are those of wandb.init.
    """

    package, title = "wandb", "Weights & Biases"


def _recipe(started: job.Started) -> dict[str, Any]:
    return {**asdict(started.recipe), "engine": started.engine, "device": started.device, "threads": started.threads}


def _require(package: str, title: str) -> None:
    """Raise UsageError where a package is not installed, before anything begins."""
    try:
        found = importlib.util.find_spec(package) is not None
    except ValueError:  # it is barred: sys.modules holds None for it
        found = False
    if not found:
        raise UsageError(f"{title} is not installed", f"pip install {package}")
