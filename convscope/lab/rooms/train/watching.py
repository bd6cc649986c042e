"""Looks into the net of the run under way, its last single update, and the films of all runs."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi import Path as PathParameter
from starlette.responses import Response

from ....errors import DataError, UsageError
from ...binary import KIND, floats
from ...live.film import Film, read_film
from ...live.filmed import seen, shows_all
from ...live.live import Trainer
from ...reply import NOTHING, Reply
from ...shelf import Shelf, png

router = APIRouter(tags=["train"])

Index = Annotated[int, PathParameter(ge=0, lt=1000)]
Step = Annotated[int, PathParameter(ge=0, lt=2**53)]
Chosen = Annotated[int | None, Query(ge=0, lt=1000)]
Name = Annotated[str, PathParameter(max_length=300)]
Job = Annotated[int | None, Query(ge=0)]  # whose; nothing (204) is sent of one that another has followed


@router.get("/api/train/probe")
def probe(request: Request, job: Job = None) -> Response:
    """The latest look at the probe images, as float32 (see convscope.lab.live.probe)."""
    live = _trainer(request).job(job)
    if live is None:
        return NOTHING
    if not live.said.probe:
        raise UsageError("there is no probe yet", "the first is taken before the first update")
    return Response(live.said.probe, media_type=KIND)


@router.get("/api/train/probe/{index}.png")
def probe_image(index: Index, request: Request, job: Job = None) -> Response:
    """One of the probe images as a PNG."""
    live = _trainer(request).job(job)
    if live is None:
        return NOTHING
    thumbnails = live.said.thumbnails
    if index >= len(thumbnails):
        raise UsageError(f"there is no probe image {index}", f"there are {len(thumbnails)}")
    return Response(thumbnails[index], media_type="image/png")


@router.get("/api/train/lines")
def lines(request: Request, job: Job = None) -> Response:
    """The last update that was taken alone, line by line, as float32 (see convscope.lab.live.lit)."""
    live = _trainer(request).job(job)
    if live is None:
        return NOTHING
    if not live.said.lines:
        raise UsageError("no update has been taken alone", "pause the run, then take one step")
    return Response(live.said.lines, media_type=KIND)


@router.get("/api/runs/{name}/film")
def film(name: Name, request: Request) -> Response:
    """Of which updates the film of a run has a frame (none where it has no film), and the classes of the run."""
    found = read_film(_shelf(request).folder(name).path)
    if found is None:
        return Reply({"run": name, "steps": [], "classes": [], "layers": []})
    head = {key: found.head.get(key, []) for key in ("classes", "layers")}
    return Reply({"run": name, "steps": [frame.step for frame in found.frames], **head})


@router.get("/api/runs/{name}/film/{step}")
def film_frame(name: Name, step: Step, request: Request, image: Chosen = None) -> Response:
    """The last frame at or before update ``step``, as a look at the probe images is sent.

    With the maps of probe image ``image`` where the frame has all weights, else of the one that was chosen then;
    ``any`` says which of the two it is.
    """
    found = _film(name, request)
    frame = found.at(step)
    whole = shows_all(found, frame)
    head, arrays = frame.head, frame.arrays()
    if whole and image is not None and image < len(found.thumbnails) and image != head["chosen"]:
        head, arrays = seen(found, frame, image)
    head = {key: value for key, value in head.items() if key not in ("kind", "arrays")}
    weights = {
        f"weight.{key[6:-7]}": arrays[key] for key in arrays if key.endswith(".weight") and arrays[key].ndim == 4
    }
    shown = {key: values for key, values in arrays.items() if key == "image" or key.startswith("map.")}
    return floats({**head, "any": whole, "confidences": arrays["confidences"]}, {**shown, **weights})


@router.get("/api/runs/{name}/film/images/{index}.png")
def film_image(name: Name, index: Index, request: Request) -> Response:
    """One of the film's probe images as a PNG."""
    thumbnails = _film(name, request).thumbnails
    if index >= len(thumbnails):
        raise UsageError(f"there is no probe image {index}", f"there are {len(thumbnails)}")
    return Response(png(thumbnails[index]), media_type="image/png")


def _film(name: str, request: Request) -> Film:
    found = read_film(_shelf(request).folder(name).path)
    if found is None:
        raise DataError(f"the run {name[:60]} has no film", "the lab keeps one of every run that it trains")
    return found


def _trainer(request: Request) -> Trainer:
    trainer: Trainer = request.app.state.trainer
    return trainer


def _shelf(request: Request) -> Shelf:
    shelf: Shelf = request.app.state.shelf
    return shelf
