"""A map of a run's test images by what its last layer reads, in which the reader's picture lands."""

import io
from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Any
from weakref import WeakKeyDictionary

import numpy as np
from fastapi import APIRouter, Path, Request
from numpy.typing import NDArray
from PIL import Image
from starlette.responses import Response

from ....explain.trained.embedding import Plane, among, features, plane
from ...binary import floats
from ...live.placing import Placing, Placings
from ...shelf import Opened, Shelf, png
from ..given import ImageRequest, see

router = APIRouter()

MOST = 1000  # test images on a map, evenly spread over the set
SIDE = 32  # of their pictures in the sheet, at most
ACROSS = 32  # pictures in a row of the sheet


@dataclass(frozen=True)
class Atlas:
    """The images ``which`` of a test set, their features (n, F) and classes as the net has it, and their plane."""

    which: NDArray[np.int64]
    features: NDArray[np.float32]
    predicted: NDArray[np.int64]
    plane: Plane


_known: WeakKeyDictionary[Opened, Atlas] = WeakKeyDictionary()  # of the runs that are open
_making = Lock()


class AtlasRequest(ImageRequest):
    """A picture for a run, and whether t-SNE's map is asked for: it is begun then, and told as far as it is."""

    neighbours: bool = False


@router.post("/atlas")
def atlas(question: AtlasRequest, request: Request) -> Response:
    """The map: ``places`` (n, 2) of the test images ``which``, and ``mine`` (2,), where the picture lands.

    By PCA at once. By t-SNE ``done`` of ``rounds`` are behind it; it is computed in a process of its own.
    """
    shelf: Shelf = request.app.state.shelf
    opened = shelf.open(question.run)
    seen = see(opened, question)
    made = _atlas(opened)
    with opened.alone() as model:
        own, scores = features(model, seen.pixels[None])
    near = among(made.features, own[0])
    head: dict[str, Any] = {
        "classes": opened.classes,
        "which": made.which,
        "labels": opened.images.labels[made.which],
        "predicted": made.predicted,
        "all": len(opened.images),
        "features": made.features.shape[1],
        "explained": made.plane.explained,
        "near": made.which[near],
        "answer": int(scores[0].argmax()),
        "side": _side(opened),
        "across": ACROSS,
        "done": None,
        "rounds": None,
        "failed": "",
    }
    if not question.neighbours:
        return floats(head, {"places": made.plane.places, "mine": made.plane.land(own)[0]})
    placings: Placings = request.app.state.placings
    state: Placing = placings.of(opened, made.features, made.plane.places)
    places = state.places
    head |= {"done": state.done, "rounds": state.rounds, "failed": state.failed}
    return floats(head, {"places": places, "mine": places[near].mean(0)})


@router.get("/atlas/{name}.png")
def sheet(name: Annotated[str, Path(max_length=300)], request: Request) -> Response:
    """The test images of the map, small, 32 in a row."""
    shelf: Shelf = request.app.state.shelf
    opened = shelf.open(name)
    made, side = _atlas(opened), _side(opened)
    rows = -(-len(made.which) // ACROSS)
    mode = "L" if opened.image[0] == 1 else "RGB"
    whole = Image.new(mode, (ACROSS * side[1], rows * side[0]))
    for i, n in enumerate(made.which):
        one = Image.open(io.BytesIO(png(opened.test_image(int(n))))).convert(mode).resize((side[1], side[0]))
        whole.paste(one, (i % ACROSS * side[1], i // ACROSS * side[0]))
    file = io.BytesIO()
    whole.save(file, "PNG")
    return Response(file.getvalue(), media_type="image/png")


def _atlas(opened: Opened) -> Atlas:
    """That of a run, made once. Raises DataError where its data are gone."""
    with _making:
        if opened not in _known:
            count = len(opened.images)
            which = np.unique(np.linspace(0, count - 1, min(count, MOST)).round().astype(int))
            with opened.alone() as model:
                found, scores = features(model, opened.images.images[which])
            _known[opened] = Atlas(which, found, scores.argmax(1), plane(found))
        return _known[opened]


def _side(opened: Opened) -> tuple[int, int]:
    """Height and width of one picture of the sheet."""
    height, width = opened.image[1:]
    scale = min(1.0, SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))
