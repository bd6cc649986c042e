"""Room 9, my classes: name them, collect their pictures, train, test live."""

from dataclasses import asdict
from typing import Annotated

import numpy as np
import torch
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import FileResponse, Response

from ...data.sources import TEST_FRACTION
from ...data.split import stratified_split
from ...errors import UsageError
from ...net.pretrained.catalogue import PRETRAINED
from ...net.pretrained.weights import available
from ...recipe import Recipe
from ...storage.places import is_offline
from ...training.scores import confidence_of, confidences, wilson
from ..live.live import Trainer
from ..reply import Reply
from ..rooms.given import ImageRequest, see
from ..shelf import Shelf
from .pictures import MOST_BASE64, kept
from .sets import MOST_CLASSES, MOST_PICTURES, Sets

router = APIRouter(prefix="/api/classes", tags=["classes"])

FEWEST = 5  # pictures of a class: of them one is held out for the test
NET = "efficientnet-lite0"  # which auto takes for few photographs

assert NET in PRETRAINED
Text = Annotated[str, Field(max_length=200)]
Count = Annotated[int, Field(ge=2, le=MOST_PICTURES)]


class ClassRequest(BaseModel):
    """A class of a set."""

    set: Text
    name: Text


class RenameRequest(ClassRequest):
    """What it is to be called."""

    to: Text


class PictureRequest(ClassRequest):
    """A picture file in base64, to be kept in the class."""

    picture: str = Field(max_length=MOST_BASE64)


class RemoveRequest(ClassRequest):
    """A picture by its file name; without one, the class with all of its pictures."""

    file: Text | None = None


class LearnRequest(BaseModel):
    """A set to train on: with a net that has learned from other photographs where it is installed, or without."""

    set: Text
    pretrained: bool = True


@router.get("")
def sets(request: Request) -> Response:
    """The sets that are there, the fewest pictures of a class, and whether the pretrained net is installed."""
    return Reply({"sets": _sets(request).names(), "fewest": FEWEST, "net": NET, "installed": available(NET)})


@router.post("/begin")
def begin(request: Request) -> Response:
    """A new, empty set."""
    return Reply({"set": _sets(request).begin()})


@router.get("/split")
def split(pictures: Annotated[list[Count], Query(min_length=2, max_length=MOST_CLASSES)]) -> Response:
    """How many pictures of each class are held out of so many, and the 95 % interval of a net that has all right."""
    labels = np.repeat(np.arange(len(pictures)), pictures)
    _, held = stratified_split(labels, TEST_FRACTION, 0)
    return Reply({"test": np.bincount(labels[held]), "interval": wilson(len(held), len(held))})


@router.get("/{name}")
def show(name: Annotated[str, Path(max_length=200)], request: Request) -> Response:
    """The classes of a set with the names of their pictures."""
    return Reply(_sets(request).show(name))


@router.get("/{name}/{of}/{file}")
def picture(
    name: Annotated[str, Path(max_length=200)],
    of: Annotated[str, Path(max_length=200)],
    file: Annotated[str, Path(max_length=200)],
    request: Request,
) -> Response:
    """A picture of a class."""
    path = _sets(request).picture(name, of, file)
    return FileResponse(path, media_type="image/png" if path.suffix == ".png" else "image/jpeg")


@router.post("/class")
def add_class(wanted: ClassRequest, request: Request) -> Response:
    """A new, empty class."""
    _sets(request).add_class(wanted.set, wanted.name)
    return Reply(_sets(request).show(wanted.set))


@router.post("/rename")
def rename(wanted: RenameRequest, request: Request) -> Response:
    """Another name for a class."""
    _sets(request).rename_class(wanted.set, wanted.name, wanted.to)
    return Reply(_sets(request).show(wanted.set))


@router.post("/add")
def add(given: PictureRequest, request: Request) -> Response:
    """Keep a picture in a class; the name of its file."""
    file, content = kept(given.picture)
    _sets(request).add_picture(given.set, given.name, file, content)
    return Reply({"file": file})


@router.post("/remove")
def remove(wanted: RemoveRequest, request: Request) -> Response:
    """Remove a picture, or a class with all of its pictures, from the disk."""
    if wanted.file is None:
        _sets(request).remove_class(wanted.set, wanted.name)
    else:
        _sets(request).remove_picture(wanted.set, wanted.name, wanted.file)
    return Reply(_sets(request).show(wanted.set))


@router.post("/train")
def train(wanted: LearnRequest, request: Request) -> Response:
    """Begin a run on the set, in a process of its own, with the net that ``auto`` chooses for so few pictures."""
    known = _sets(request).show(wanted.set)
    if len(known.classes) < 2:
        raise UsageError(f"{wanted.set} has {len(known.classes)} class, but there must be two or more", "add a class")
    for one in known.classes:
        if len(one.pictures) + one.others < FEWEST:
            raise UsageError(
                f"class {one.name!r} has too few pictures: {len(one.pictures)}, but it needs {FEWEST} or more",
                "hold the button below its name, or choose files",
            )
    recipe = Recipe.of({"data": known.path, "no_pretrained": not wanted.pretrained})
    trainer: Trainer = request.app.state.trainer
    task = {"recipe": asdict(recipe), "out": str(_shelf(request).root), "offline": is_offline()}
    return Reply({"job": trainer.start(task).number})


@router.post("/answer")
def answer(given: ImageRequest, request: Request) -> Response:
    """What a run's net takes a picture for: its classes and how sure it is of each. Nothing is kept."""
    opened = _shelf(request).open(given.run)
    seen = see(opened, given)
    with opened.alone() as model, torch.inference_mode():
        scores = model.net(seen.tensor[None])
    sure = confidences(scores.double(), opened.loss)[0]
    return Reply(
        {"classes": opened.classes, "confidence": confidence_of(opened.loss), "confidences": np.asarray(sure).tolist()}
    )


def _sets(request: Request) -> Sets:
    sets: Sets = request.app.state.sets
    return sets


def _shelf(request: Request) -> Shelf:
    shelf: Shelf = request.app.state.shelf
    return shelf
