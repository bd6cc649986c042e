"""The runs that the page may open: those in one folder, by name, and what was named when the lab was started.

A run is only ever looked up in that list, so no text from outside becomes a path.
"""

import io
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..data.images import ImageSet
from ..data.sources import NAMES
from ..errors import ConvscopeError, DataError, UsageError, near
from ..net.model import Model
from ..net.own.net import CUSTOM
from ..recipe import Recipe
from ..runs.evaluation import Tested, test_model
from ..runs.folder import RunFolder, every, find
from ..runs.own_data import own_data
from ..runs.views import stated
from ..storage.places import search_dirs, user_path

MOST_OPEN = 4

# The net of the front page, there from the first second. It is trained by
#   convscope train mnist --net note --optimizer adam --schedule one-cycle --epochs 8 --batch-size 128
#   --augment "shift 1 | rotate 10"
# and of that run model.safetensors, recipe.json and, without the machine, environment.json.
BUNDLED = RunFolder(Path(__file__).parent / "bundled" / "bundled-note-mnist")


@dataclass(frozen=True)
class Listed:
    """A run in the list. ``accuracy`` is a fraction; None, as ``finished`` false says, while there is no result.

    ``done`` of its ``epochs`` are behind it. ``model`` says whether there are weights to look into, ``resumable``
    whether the run can be resumed. ``own``: its net is a module of somebody's own, which only their Python can load, so
    there are no weights to look into here. ``views`` says what the accuracy is by the mean over views, where the run
    noted one. ``warning`` says why the result is no success.
    """

    name: str
    data: str
    net: str
    epochs: int
    done: int
    accuracy: float | None
    finished: bool
    model: bool
    resumable: bool
    own: bool = False
    views: str = ""
    warning: str | None = None


@dataclass(frozen=True)
class TestImages:
    """The test images of a run, read when they are first asked for; they stay while its weights change.

    ``fingerprint`` is that of the images that the run was tested on, by which another run in the same place is told
    from it; ``moved`` is where the run's data are now, None where they are where they were.
    """

    folder: RunFolder
    recipe: Recipe
    fingerprint: str | None
    moved: str | None = None

    @cached_property
    def images(self) -> ImageSet:
        """The images. Raises DataError where the data are gone or are not those of the run."""
        return own_data(self.folder, self.moved, offline=True).data.test


class Opened:
    """A run whose weights are loaded. One net serves all requests, and some hang hooks on it: see :meth:`alone`."""

    def __init__(self, model: Model, tested: TestImages) -> None:
        self._model, self.tested = model, tested
        self.spec, self.image, self.classes = model.spec, model.image, model.classes
        self.mean, self.std, self.preparation = model.mean, model.std, model.preparation
        self.loss = model.loss
        self._answers: Tested | None = None
        self._lock = Lock()

    @contextmanager
    def alone(self) -> Iterator[Model]:
        """The model, for one thread at a time. There is no other way to let its net compute."""
        with self._lock:
            yield self._model

    @property
    def folder(self) -> RunFolder:
        """Where the run lies."""
        return self.tested.folder

    @property
    def recipe(self) -> Recipe:
        """The choices of the run."""
        return self.tested.recipe

    @property
    def images(self) -> ImageSet:
        """The run's test images. Raises DataError where the data are gone or are not those of the run."""
        return self.tested.images

    @property
    def answers(self) -> Tested:
        """What the net makes of all test images; computed once."""
        images = self.images
        with self.alone() as model:
            if self._answers is None:
                self._answers = test_model(model, images)
            return self._answers

    def test_image(self, index: int) -> NDArray[np.uint8]:
        """Test image ``index`` as uint8 (C, H, W). Raises UsageError where there is none."""
        if not 0 <= index < len(self.images):
            raise UsageError(f"there is no test image {index}", f"they are counted from 0 to {len(self.images) - 1}")
        image: NDArray[np.uint8] = self.images.images[index]
        return image


class Shelf:
    """Finds and opens runs in ``root``. ``extra`` is a run elsewhere, ``data`` are data, both named by the user.

    ``moved`` is where the data of ``extra`` are now, None where they are where they were.
    """

    def __init__(
        self,
        root: Path = Path("runs"),
        extra: RunFolder | None = None,
        data: str | None = None,
        moved: str | None = None,
    ) -> None:
        self.root, self.extra, self.moved = root, extra, moved
        self.offered = [] if data is None else [data]  # data that the user named at the start, or chose since
        self._open: OrderedDict[Path, tuple[int, Opened]] = OrderedDict()  # and the time of the weights
        self._lock = Lock()

    def folders(self) -> dict[str, RunFolder]:
        """Every run by its name."""
        found = {folder.name: folder for folder in every(self.root)}
        if self.extra is not None:
            found[self.extra.name] = self.extra
        return found

    def folder(self, name: str) -> RunFolder:
        """The run called ``name``. Raises DataError."""
        if self.extra is None and name == Path(name).name:  # straight to it: the others need no look at every stroke
            straight = RunFolder(self.root / name)
            if (straight.path / "recipe.json").is_file() and straight.name == name:
                return straight
        folders = self.folders()
        if name == BUNDLED.name and name not in folders:
            return BUNDLED
        if name not in folders:
            known = near(name[:60], folders) if folders else "train one in room 7, or with convscope train"
            raise DataError(f"there is no run {name[:60]!r}", known)
        return folders[name]

    def moved_data(self, folder: RunFolder) -> str | None:
        """Where the data of the run in ``folder`` are now, where the user said so."""
        return self.moved if folder == self.extra else None

    def listing(self) -> list[Listed]:
        """What the page offers. A run whose files are damaged is left out."""
        rows = []
        for name, folder in self.folders().items():
            try:
                recipe, summary = folder.recipe(), folder.summary()
            except ConvscopeError:
                continue
            own = recipe.net.split()[:1] == [CUSTOM]
            done = _epochs_done(folder) if summary is None else summary.epochs
            rows.append(
                Listed(
                    name=name,
                    data=recipe.data,
                    net=recipe.net,
                    epochs=recipe.epochs,
                    done=done,
                    accuracy=None if summary is None else summary.test_accuracy,
                    finished=summary is not None,
                    model=not own and (folder.path / "model.safetensors").is_file(),
                    resumable=not own and (folder.path / "resume.safetensors").is_file() and done != recipe.epochs,
                    own=own,
                    views=stated(recipe, summary),
                    warning=None if summary is None else summary.warning,
                )
            )
        return rows

    def open(self, name: str) -> Opened:
        """The run with its weights as they are now on disk; the last few stay open.

        A run under way has new weights after every epoch, but its images are read only once.
        """
        folder = self.folder(name)
        path = folder.path / "model.safetensors"
        try:
            path, written = path.resolve(), path.stat().st_mtime_ns
        except OSError:
            if folder.summary() is not None:
                folder.model()  # which says that they are gone
            raise DataError(f"{name} has no weights yet", "it saves them after its first epoch") from None
        with self._lock:
            before, opened = self._open.get(path, (None, None))
            if opened is None or before != written:
                model = folder.model()
                model.net.eval().requires_grad_(False)
                tested = TestImages(folder, folder.recipe(), _fingerprint(folder), self.moved_data(folder))
                opened = Opened(model, opened.tested if opened is not None and opened.tested == tested else tested)
                self._open[path] = written, opened
                while len(self._open) > MOST_OPEN:
                    self._open.popitem(last=False)
            self._open.move_to_end(path)
            return opened


def _epochs_done(folder: RunFolder) -> int:
    try:
        return len(folder.epochs())
    except ConvscopeError:  # it has just begun
        return 0


def _fingerprint(folder: RunFolder) -> str | None:
    known = folder.environment().get("data")
    prints = known.get("fingerprints") if isinstance(known, dict) else None
    found = prints.get("test") if isinstance(prints, dict) else None
    return found if isinstance(found, str) else None


def choose(what: str | None, moved: str | None = None) -> tuple[Shelf, str]:
    """What ``convscope lab WHAT`` opens: the shelf, and the room as the address has it. ``moved`` is its --data.

    Raises DataError where there is no such thing, UsageError where --data goes with no run.
    """
    if moved is not None and (what is None or not _is_run(what)):
        raise UsageError("--data says where the data of a run are now", "name the run: convscope lab RUN --data PATH")
    if what is None:
        return Shelf(), ""
    if _is_run(what):
        folder = find(what)
        return Shelf(extra=folder, moved=moved), f"#/inside?run={quote(folder.name)}"
    if what in NAMES or any((base / user_path(what)).exists() for base in (Path(), *search_dirs(None))):
        return Shelf(data=what), f"#/train?data={quote(what)}"
    known = [*NAMES, *(folder.name for folder in every(Path("runs")))]
    raise DataError(f"there is neither a run nor data called {what[:60]!r}", near(what[:60], known))


def _is_run(what: str) -> bool:
    return any((place / "recipe.json").is_file() for place in (Path(what), Path("runs") / what))


def png(image: NDArray[np.uint8]) -> bytes:
    """uint8 (C, H, W) as a PNG file."""
    plane = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(plane)).save(file, "PNG")
    return file.getvalue()
