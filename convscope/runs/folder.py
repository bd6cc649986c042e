"""A run is a folder. Its files are written whole, read strictly, and never overwritten by another run.

recipe.json is written last of the files that a run begins with, and log.csv and epochs.csv are safe on the disk before
the state that follows them is saved. So wherever a run was killed, the folder is no run yet, or it can be resumed.

recipe.json        every choice
environment.json   versions, machine, and the fingerprints of the data
images.safetensors which images were in which part
log.csv            epoch,step,loss: the mean loss of each log interval; step counts the updates of its epoch
epochs.csv         one row an epoch
model.safetensors  the net, self-describing
resume.safetensors all that the next update depends on
summary.json       what it came to
curves.png         loss and accuracy against epoch
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError, UsageError, near
from ..recipe import Recipe
from ..storage.files import disk_error, open_plain, own_file
from ..storage.places import as_argument, user_path
from ..storage.strict_json import loads
from ..storage.versions import unreadable
from ..training.records import Epoch, Progress
from .summary import Summary

if TYPE_CHECKING:  # what is listed has been trained: only nets and tensors need PyTorch
    from torch import nn

    from ..net.model import Model
    from .checkpoint import ResumePoint
    from .exported import Answering
    from .images import RunImages

LOG_COLUMNS = ["epoch", "step", "loss"]
EPOCH_COLUMNS = ["epoch", "train_loss", "test_loss", "test_accuracy", "lr", "seconds", "images_per_second"]
VAL_COLUMNS = ["val_loss", "val_accuracy"]
NAME_A_RUN = "name a folder that convscope train made"
ONNX = ".onnx"
WHOLE = ("epoch", "step")  # columns of numbers from 1
LARGEST = {".csv": 64 * 2**20, ".json": 4 * 2**20}  # bytes of a text file that is read: more is not ours
# What the state of a run lies in.
FILES = (
    "recipe.json",
    "environment.json",
    "images.safetensors",
    "resume.safetensors",
    "model.safetensors",
    "summary.json",
    "log.csv",
    "epochs.csv",
)


@dataclass(frozen=True)
class RunFolder:
    """A run on disk. Every reader raises DataError where a file is absent, damaged, or a link to somewhere else."""

    path: Path
    weights: str = "model.safetensors"

    @property
    def name(self) -> str:
        """The folder's own name, such as note-mnist-1. A link has the name under which it stands, not its target's."""
        return Path(os.path.abspath(self.path)).name  # noqa: PTH100 - resolve() would follow the link

    def recipe(self) -> Recipe:
        """The choices of the run."""
        try:
            return Recipe.from_json(self.text("recipe.json"))
        except UsageError as error:
            try:
                written_by = self.environment().get("convscope")
            except DataError:
                written_by = None
            raise unreadable(self.path / "recipe.json", written_by, error.message, error.help) from None

    def environment(self) -> dict[str, Any]:
        """Versions, machine and data of the run."""
        return self._json("environment.json")

    def summary(self) -> Summary | None:
        """What the run came to, or None while it is not finished."""
        if not os.path.lexists(self.path / "summary.json"):
            return None
        try:
            return Summary.of(self._json("summary.json"))
        except ValueError as error:
            raise DataError(f"the file {self.path / 'summary.json'} is damaged: {error}") from None

    def model(self, own: nn.Module | None = None) -> Model:
        """The net with the run's weights: the best by validation where there was one, else the last.

        ``own`` takes them up where the run's net is a module of somebody's own.
        """
        if self.exported:
            raise DataError(
                f"{self.path / self.weights} is an exported file: it answers, but it cannot be looked into",
                "predict with it; for all else name the run it was exported from",
            )
        from ..net.model import load_model

        model = load_model(self._file(self.weights), own)
        if model.stored_loss is None and os.path.lexists(self.path / "recipe.json"):  # of an older version
            return replace(model, stored_loss=self.recipe().loss)
        return model

    @property
    def exported(self) -> bool:
        """Whether an ONNX file stands for the run, with nothing else beside it."""
        return self.weights.endswith(ONNX)

    def answering(self) -> Answering:
        """What answers for the run: its model, or the exported file that was named."""
        from .exported import open_exported

        return open_exported(self._file(self.weights)) if self.exported else self.model()

    def epochs(self) -> list[Epoch]:
        """The rows of epochs.csv."""
        return [Epoch(**row) for row in self._rows("epochs.csv", EPOCH_COLUMNS, VAL_COLUMNS)]

    def losses(self) -> list[Progress]:
        """The rows of log.csv."""
        return [Progress(**row) for row in self._rows("log.csv", LOG_COLUMNS, [])]

    def resume_point(self) -> ResumePoint | None:
        """What the next update depends on; None where the run was killed before its first save."""
        if not os.path.lexists(self.path / "resume.safetensors"):
            return None
        from .checkpoint import ResumePoint

        return ResumePoint.read(self._file("resume.safetensors"))

    def images(self) -> RunImages | None:
        """Which images were in which part; None where the run was begun by a version that did not keep them."""
        from .images import FILE, RunImages

        if not os.path.lexists(self.path / FILE):
            return None
        return RunImages.read(self._file(FILE))

    def _file(self, name: str) -> Path:
        try:
            return own_file(self.path, name)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and name == "model.safetensors":
                if os.path.lexists(self.path / "summary.json"):
                    gone = f"{self.path} is finished, but its weights are gone: it has no {name}"
                    raise DataError(gone, "put the file back, or train again") from None
                raise DataError(f"{self.path} has no weights yet: it was stopped before its first save",
                                f"resume it with: convscope resume {as_argument(self.path)}") from None  # fmt: skip
            if isinstance(error, FileNotFoundError | NotADirectoryError):
                raise DataError(f"{self.path} is no run: it has no {name}", NAME_A_RUN) from None
            raise DataError(f"{self.path / name} cannot be read: {error.strerror}") from None

    def text(self, name: str, errors: str = "strict") -> str:
        """The content of a text file of the run."""
        path = self._file(name)
        try:
            with os.fdopen(open_plain(path), encoding="utf-8", errors=errors) as file:
                if os.fstat(file.fileno()).st_size > LARGEST[path.suffix]:
                    raise DataError(
                        f"{path} is larger than {LARGEST[path.suffix] >> 20} MiB, so convscope did not write it"
                    )
                return file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path} cannot be read: {error}") from None

    def _json(self, name: str) -> dict[str, Any]:
        try:
            value = loads(self.text(name))
        except ValueError as error:
            raise DataError(f"the file {self.path / name} is damaged: {error}") from None
        if not isinstance(value, dict):
            raise DataError(f"the file {self.path / name} is damaged: it must hold a JSON object")
        return value

    def _rows(self, name: str, columns: list[str], optional: list[str]) -> Iterator[dict[str, Any]]:
        text = self.text(name, errors="replace")  # what a power cut tore need not be text
        lines = text.split("\n")[:-1]  # and is no whole line
        header = lines[0].split(",") if lines else []
        if header not in (columns, columns + optional):
            raise DataError(f"the file {self.path / name} is damaged: its header must be {','.join(columns)}")
        for number, line in enumerate(lines[1:], 2):
            try:
                cells = zip(header, line.split(","), strict=True)
                row = {column: _whole(cell) if column in WHOLE else float(cell) for column, cell in cells}
            except ValueError:
                raise DataError(f"the file {self.path / name} is damaged in line {number}: {line[:60]!r}") from None
            yield row


def create(root: Path, name: str) -> RunFolder:
    """Make ``root/name-<n>`` with the first number above all that exist. Raises TrainingError where it cannot."""
    root = user_path(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        pattern = re.compile(re.escape(name) + r"-(\d{1,9})")
        taken = [int(match[1]) for entry in root.iterdir() if (match := pattern.fullmatch(entry.name))]
        number = max(taken, default=0) + 1
        while True:
            path = root / f"{name}-{number}"
            try:
                path.mkdir()
                return RunFolder(path)
            except FileExistsError:  # another process was quicker
                number += 1
    except OSError as error:
        raise disk_error(root / name, error) from None


def find(text: str, root: Path = Path("runs"), recipes: Sequence[str] = ()) -> RunFolder:
    """The run that a user means: a folder's path, or the name of a run in ``root``. Raises DataError.

    A model file, or an exported one (.onnx), stands for the folder where it lies, which need not hold a whole run.
    ``recipes`` are names that could have been given instead: the error tells them, too.
    """
    if not text:  # which is this folder for Path
        raise DataError("the name of the run is empty", NAME_A_RUN)
    shown = text if len(text) <= 200 else text[:199] + "…"
    text, root = str(user_path(text)), user_path(root)
    try:
        if Path(text).suffix in (".safetensors", ONNX) and Path(text).is_file():
            return RunFolder(Path(text).parent, Path(text).name)
        for path in (Path(text), root / text):
            if (path / "recipe.json").is_file():
                return RunFolder(path)
        if (Path(text) / "model.safetensors").is_file():
            return RunFolder(Path(text))
        no_run = Path(text).is_dir()
    except OSError as error:  # a name too long, a folder that must not be looked into
        raise DataError(f"{shown} cannot be read: {error.strerror}", NAME_A_RUN) from None
    if no_run:
        raise DataError(f"{shown} is no run: it has no recipe.json", NAME_A_RUN)
    known = [folder.name for folder in every(root)]
    if recipes:
        raise DataError(f"no run and no recipe is called {shown!r}", near(shown, [*known, *recipes]))
    raise DataError(f"there is no run {shown!r}", near(shown, known) if known else "convscope train makes one")


def every(root: Path) -> Iterator[RunFolder]:
    """The runs in ``root``, by name and then number. Raises DataError where it must not be looked into."""
    root = user_path(root)
    try:
        if not root.is_dir():
            return
        folders = [entry for entry in root.iterdir() if (entry / "recipe.json").is_file()]
    except OSError as error:
        raise DataError(f"{root} cannot be read: {error.strerror}", "look at its permissions") from None
    for path in sorted(folders, key=lambda path: _natural(path.name)):
        yield RunFolder(path)


def _whole(cell: str) -> int:
    value = int(cell)
    if not 0 < value < 2**53:
        raise ValueError
    return value


def _natural(name: str) -> list[str | int]:
    """A sorting key that puts run-9 before run-10."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"([0-9]+)", name))]
