"""Writes a run's files while it is trained."""

from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import DataError
from ..net.model import Model, save_model
from ..recipe import Recipe
from ..storage.files import append, remove, remove_leftovers, sync, write_atomic
from ..storage.strict_json import dumps
from ..training.loop import Epoch, Progress, Record
from .checkpoint import ResumePoint
from .folder import EPOCH_COLUMNS, LOG_COLUMNS, VAL_COLUMNS, RunFolder
from .images import FILE as IMAGES
from .images import RunImages
from .summary import Summary


class RunWriter:
    """Writes one run's files as its records come in. Whoever has one holds the run's lock."""

    def __init__(self, folder: RunFolder, validation: bool) -> None:
        self.path = folder.path
        self.columns = EPOCH_COLUMNS + (VAL_COLUMNS if validation else [])
        self._unsafe: set[Path] = set()  # files with rows that a power cut could still take back

    def begin(self, recipe: Recipe, environment: dict[str, Any], images: RunImages) -> None:
        """Write what is known before the first update."""
        write_atomic(self.path / "environment.json", dumps(environment, indent=2) + "\n")
        self.keep_images(images)
        self._begin_logs()
        write_atomic(self.path / "recipe.json", recipe.to_json())

    def _begin_logs(self) -> None:
        write_atomic(self.path / "log.csv", ",".join(LOG_COLUMNS) + "\n")
        write_atomic(self.path / "epochs.csv", ",".join(self.columns) + "\n")

    def keep_images(self, images: RunImages) -> None:
        """Write which images are in which part, for a run begun by a version that did not."""
        images.save(self.path / IMAGES)

    def begin_again(self, recipe: Recipe, environment: dict[str, Any], log_rows: int, epoch_rows: int) -> None:
        """Keep so many rows of log.csv and epochs.csv: those after them were written after the state was saved, and
        the coming updates write them again. Raises DataError where rows are missing.
        """
        logs = {"log.csv": (LOG_COLUMNS, log_rows), "epochs.csv": (self.columns, epoch_rows)}
        kept = {name: _first_rows(self.path, name, columns, count) for name, (columns, count) in logs.items()}
        # The recipe first: an extended run is unfinished by it, whatever happens before the old summary is gone.
        write_atomic(self.path / "recipe.json", recipe.to_json())
        remove(self.path / "summary.json")
        write_atomic(self.path / "environment.json", dumps(environment, indent=2) + "\n")
        for name, text in kept.items():
            write_atomic(self.path / name, text)
        remove_leftovers(self.path)

    def record(self, record: Record) -> None:
        """Add a row to log.csv or epochs.csv."""
        if isinstance(record, Progress):
            self._append("log.csv", f"{record.epoch},{record.step},{record.loss!r}\n")
        elif isinstance(record, Epoch):
            self._append("epochs.csv", ",".join(repr(getattr(record, name)) for name in self.columns) + "\n")

    def _append(self, name: str, row: str) -> None:
        append(self.path / name, row)
        self._unsafe.add(self.path / name)

    def save(self, point: ResumePoint) -> None:
        """Write resume.safetensors, after the rows that belong to it are safe."""
        for path in sorted(self._unsafe):
            sync(path)
        self._unsafe.clear()
        point.save(self.path / "resume.safetensors")

    def save_weights(self, model: Model, weights: dict[str, Tensor]) -> None:
        """Write model.safetensors: ``model`` with these weights."""
        save_model(self.path / "model.safetensors", model, weights)

    def forget(self) -> None:
        """Remove the saved state, so that the run begins again when it is resumed."""
        remove(self.path / "resume.safetensors")

    def finish(self, summary: Summary) -> None:
        """Write summary.json."""
        write_atomic(self.path / "summary.json", summary.to_json())


class Onlooker(RunWriter):
    """Writes nothing: what a process has that trains along, but is not the one that keeps the run."""

    def begin(self, recipe: Recipe, environment: dict[str, Any], images: RunImages) -> None:
        """As all here: nothing."""

    def keep_images(self, images: RunImages) -> None:  # noqa: D102
        pass

    def begin_again(self, recipe: Recipe, environment: dict[str, Any], log_rows: int, epoch_rows: int) -> None:  # noqa: D102
        pass

    def record(self, record: Record) -> None:  # noqa: D102
        pass

    def save(self, point: ResumePoint) -> None:  # noqa: D102
        pass

    def save_weights(self, model: Model, weights: dict[str, Tensor]) -> None:  # noqa: D102
        pass

    def forget(self) -> None:  # noqa: D102
        pass

    def finish(self, summary: Summary) -> None:  # noqa: D102
        pass


def _first_rows(folder: Path, name: str, columns: list[str], count: int) -> str:
    """Header and first ``count`` rows of a CSV whose end a crash may have torn."""
    lines = RunFolder(folder).text(name, errors="replace").split("\n")[:-1]
    if not lines or lines[0] != ",".join(columns):
        raise DataError(f"the file {folder / name} is damaged: its header must be {','.join(columns)}")
    if len(lines) <= count:
        raise DataError(
            f"{folder / name} has lost rows: it holds {len(lines) - 1}, but {count} belong to the saved state",
            "put it back, or start a new run with convscope train",
        )
    return "".join(f"{line}\n" for line in lines[: count + 1])
