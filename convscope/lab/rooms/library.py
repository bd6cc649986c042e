"""The runs for the page: their list, their test images, their curves, and where a net is wrong."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from ...errors import DataError
from ...net.shapes import table
from ...net.zoo import resolve
from ...runs.evaluation import Mistake
from ...training.lonely import batches_of
from ...training.scores import Confidence, Evaluation, confidence_of
from ..reply import Reply
from ..shelf import Shelf, png

router = APIRouter(prefix="/api/runs", tags=["runs"])

Name = Annotated[str, Path(max_length=300)]
WORST = 24
MOST_IN_CELL = 400


@dataclass(frozen=True)
class Verdict:
    """How good a run is on its test images, and its most confident mistakes, the worst first.

    ``confidence`` says what the confidence of a mistake is: "probability" or "score".
    """

    run: str
    evaluation: Evaluation
    confidence: Confidence
    worst: list[Mistake]


@router.get("")
def runs(request: Request) -> Response:
    """Every run that the page may open."""
    return Reply(_shelf(request).listing())


@router.get("/{name}/curves")
def curves(name: Name, request: Request) -> Response:
    """Over the updates since the start: the mean loss of every log interval, and what every epoch came to."""
    folder = _shelf(request).folder(name)
    recipe, data = folder.recipe(), folder.environment().get("data", {})
    try:
        rows = table(resolve(recipe.net), tuple(data["shape"]), len(data["classes"]))
        each = batches_of(rows, int(data["images"]["train"]), recipe.batch_size).steps
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{folder.path / 'environment.json'} does not say what images there were") from None
    losses = [((row.epoch - 1) * each + row.step, row.loss) for row in folder.losses()]
    epochs = [(row.epoch * each, row) for row in folder.epochs()]
    return Reply({"run": name, "epoch_steps": each, "losses": losses, "epochs": epochs})


@router.get("/{name}/images")
def images(name: Name, request: Request) -> Response:
    """Classes of the run and the label of every test image, in order."""
    opened = _shelf(request).open(name)
    return Reply({"classes": opened.classes, "labels": opened.images.labels, "image": opened.image, "net": opened.spec})


@router.get("/{name}/images/{index}.png")
def image(name: Name, index: Annotated[int, Path(ge=0, lt=2**31)], request: Request) -> Response:
    """Test image ``index`` as a PNG."""
    return Response(png(_shelf(request).open(name).test_image(index)), media_type="image/png")


@router.get("/{name}/verdict")
def verdict(name: Name, request: Request) -> Response:
    """Accuracy, per class and in full (confusion), and the worst mistakes."""
    tested = _shelf(request).open(name).answers
    return Reply(Verdict(name, tested.evaluation, confidence_of(tested.loss), tested.mistakes(WORST)))


@router.get("/{name}/cell")
def cell(
    name: Name,
    request: Request,
    label: Annotated[int, Query(ge=0, lt=2**31)],
    predicted: Annotated[int, Query(ge=0, lt=2**31)],
) -> Response:
    """The test images of class ``label`` that the net takes for ``predicted``: the surest first, at most 400."""
    found = _shelf(request).open(name).answers.cell(label, predicted)
    return Reply({"run": name, "images": len(found), "shown": found[:MOST_IN_CELL]})


def _shelf(request: Request) -> Shelf:
    shelf: Shelf = request.app.state.shelf
    return shelf
