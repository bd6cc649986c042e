"""Room 7: start a run, watch it, hold it, let it take one step, stop it, resume it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from fastapi import APIRouter, Header, Query, Request
from fastapi import Path as PathParameter
from pydantic import BaseModel, Field, create_model
from starlette.responses import Response, StreamingResponse

from ...data.sources import NAMES
from ...engine.devices import resolve as resolve_device
from ...errors import UsageError
from ...net.listing import listing
from ...net.shapes import ShapeError, table
from ...net.zoo import ZOO
from ...net.zoo import resolve as resolve_net
from ...recipe import CHOICES, DEFAULT_EPOCHS, Declared, Recipe
from ...storage.places import is_offline
from ...storage.strict_json import dumps
from ..binary import KIND
from ..live.live import Live, Trainer
from ..places import allowed
from ..programs.train_script import script
from ..reply import Reply
from ..shelf import Shelf

router = APIRouter(prefix="/api/train", tags=["train"])

BEAT = 0.5  # seconds between two updates of a page, at least: each costs the browser time that training needs
LONGEST = 20_000  # characters of a text
SIDE, LARGEST_SIDE = "image_size", 1024  # pixels of an image
SILENCE = 15.0  # seconds after which a silent connection is kept alive


class RecipeRequest(BaseModel):
    """A run's recipe, as ``convscope train`` takes it: the choices that the page offers."""

    def recipe(self) -> Recipe:
        """The same as a Recipe, which checks it once more. Raises UsageError."""
        return Recipe.of(self.model_dump())


def _open(declared: Declared) -> bool:
    """Whether a choice may be left to the data. The page shows the net that it trains, so it names one."""
    return bool(declared.choice.usual) and declared.name != "net"


def _field(declared: Declared) -> tuple[Any, Any]:
    """A choice as pydantic has it: type and default. Texts and images are no larger than a page needs."""
    bounds = {"max_length": LONGEST} if declared.kind is str else {"le": LARGEST_SIDE} if declared.name == SIDE else {}
    kind, default = (declared.kind | None, None) if _open(declared) else (declared.kind, declared.default)
    return Annotated[kind, declared.choice, Field(**bounds)], default  # type: ignore[call-overload]  # two of its many


OFFERED = {name: declared for name, declared in CHOICES.items() if declared.choice.page}
if TYPE_CHECKING:
    Choices = RecipeRequest
else:
    Choices = create_model(
        "Choices", __base__=RecipeRequest, **{name: _field(known) for name, known in OFFERED.items()}
    )


@dataclass(frozen=True)
class Offer:
    """A choice as the page shows it: ``kind`` of field, ``place`` in the form, and what may be entered.

    ``most`` itself may not where it is ``below``; ``default`` None is entered as 0, or as nothing where it is a text.
    """

    name: str
    kind: Literal["text", "whole", "real", "one", "flag"]
    place: str
    default: str | float | bool | None
    options: tuple[str, ...]
    least: float | None
    most: float | None
    below: bool


def _offer(declared: Declared) -> Offer:
    choice, kinds = declared.choice, {declared.kind, *get_args(declared.kind)}
    kind: Literal["text", "whole", "real", "one", "flag"] = "text"
    if declared.options:
        kind = "one"
    elif bool in kinds:
        kind = "flag"
    elif kinds & {int, float}:
        kind = "whole" if int in kinds else "real"
    return Offer(
        name=declared.name,
        kind=kind,
        place=choice.page,
        default=None if _open(declared) else declared.default,
        options=declared.options,
        least=choice.ge if choice.gt is None else choice.gt,
        most=choice.le if choice.lt is None else choice.lt,
        below=choice.lt is not None,
    )


class ResumeRequest(BaseModel):
    """A run to resume; ``epochs`` extends it."""

    run: str = Field(max_length=300)
    epochs: int | None = Field(None, ge=1, le=1_000_000)


class ControlRequest(BaseModel):
    """What the run under way shall do, or which of the probe images to show."""

    do: Literal["pause", "go", "step", "stop", "none"] = "none"
    probe: int | None = Field(None, ge=0, lt=1000)


@router.get("")
def state(request: Request) -> Response:
    """The run under way, or the last one: its number and where it stands; and what may be chosen."""
    trainer = _trainer(request)
    live = trainer.live
    offered = _shelf(request).data
    return Reply(
        {
            "job": None if live is None else live.number,
            "state": None if live is None else _state(live),
            "data": [*NAMES, *([] if offered is None else [offered])],
            "nets": {name: ZOO[name].spec for name in ZOO},
            "default_epochs": DEFAULT_EPOCHS,
        }
    )


@router.get("/choices")
def offered() -> Response:
    """The choices of a recipe that the page offers, in their order."""
    return Reply([_offer(declared) for declared in OFFERED.values()])


@router.post("")
def start(choices: Choices, request: Request) -> Response:
    """Begin a run in a process of its own. Wrong choices are refused at once; bad data turn up in the events."""
    recipe = choices.recipe()
    recipe = replace(recipe, data=allowed(recipe.data, _shelf(request).data))
    resolve_net(recipe.net)
    resolve_device(recipe.device)
    live = _trainer(request).start(
        {"recipe": asdict(recipe), "out": str(_shelf(request).root), "offline": is_offline()}
    )
    return Reply({"job": live.number})


@router.post("/resume")
def resume(again: ResumeRequest, request: Request) -> Response:
    """Go on with a run at the very update where it was saved."""
    folder = _shelf(request).folder(again.run)
    task = {"resume": str(folder.path), "data": _shelf(request).moved_data(folder), "epochs": again.epochs}
    live = _trainer(request).start({**task, "offline": is_offline()})
    return Reply({"job": live.number})


@router.post("/control")
def control(order: ControlRequest, request: Request) -> Response:
    """Pause, continue, take one step, stop; or choose the probe image."""
    live = _trainer(request).current()
    if live.running:
        live.tell({key: value for key, value in order.model_dump().items() if value is not None})
    return Reply({"job": live.number, "status": live.said.status})


@router.get("/events")
async def events(
    request: Request,
    job: Annotated[int, Query(ge=0)],
    last_event_id: Annotated[str, Header(max_length=40)] = "",
) -> Response:
    """Server-sent events of job number ``job``: where it stands, and points and epochs since the event that came last.

    An event's id is the update that it reaches, so whoever reconnects gets what was missed. At most two a second.
    """
    live = _trainer(request).current()
    if live.number != job:
        raise UsageError(f"job {job} is over", "ask for /api/train: it says which one is under way")
    since = int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() else -1
    return StreamingResponse(stream(live, since, request.app.state.ending), media_type="text/event-stream")


@router.get("/probe")
def probe(request: Request) -> Response:
    """The latest look at the probe images, as float32 (see convscope.lab.live.probe)."""
    live = _trainer(request).current()
    if not live.said.probe:
        raise UsageError("there is no probe yet", "the first is taken before the first update")
    return Response(live.said.probe, media_type=KIND)


@router.get("/probe/{index}.png")
def probe_image(index: Annotated[int, PathParameter(ge=0, lt=1000)], request: Request) -> Response:
    """One of the probe images as a PNG."""
    thumbnails = _trainer(request).current().said.thumbnails
    if index >= len(thumbnails):
        raise UsageError(f"there is no probe image {index}", f"there are {len(thumbnails)}")
    return Response(thumbnails[index], media_type="image/png")


@router.post("/script")
def as_pytorch(choices: Choices, request: Request) -> Response:
    """The run as a program that needs only torch; empty where the net does not fit the images that it is for."""
    recipe = choices.recipe()
    image, classes = _images(recipe, _trainer(request).live)
    try:
        rows = table(resolve_net(recipe.net), image, classes)
    except ShapeError:
        return Reply({"script": ""})
    parameters = sum(row.parameters for row in rows)
    return Reply({"script": script(listing(rows), parameters, image, classes, recipe)})


def _images(recipe: Recipe, live: Live | None) -> tuple[tuple[int, int, int], int]:
    """(C, H, W) and classes of the data: known by name or from the last run on them, else a usual colour image."""
    if live is not None and live.said.intro.get("data") == recipe.data:
        c, h, w = live.said.intro["image"]
        return (c, h, w), len(live.said.intro["classes"])
    side = recipe.image_size
    return ((1, side or 28, side or 28), 10) if recipe.data in NAMES else ((3, side or 64, side or 64), 10)


async def stream(live: Live, since: int, ending: Event) -> AsyncIterator[str]:
    """Events until the run has ended and all is said, or the lab ends.

    What changed between two beats is told once, as it is then.
    """
    seen, silent = -1, 0.0
    norms_since, reached = since, since
    told = 0  # epoch; after a break the one that ended with the last event is told again, as its row came just behind
    while not ending.is_set():
        said = live.said
        if said.version != seen:
            seen, silent = said.version, 0.0
            running, step = live.running, said.step  # read first: what comes in from here on is told at the next beat
            losses = [point for point in said.losses if since < point[0] <= step]
            norms = [point for point in said.norms if point[0] > norms_since]
            rows = [(row["epoch"] * said.intro["epoch_steps"], row) for row in said.epochs if row["epoch"] > told]
            rows = [(end, row) for end, row in rows if end <= step or not running]  # the last may be cut short
            told = rows[-1][1]["epoch"] if rows else told
            epochs = [row for end, row in rows if end >= reached]
            since = max(since, step)
            norms_since = norms[-1][0] if norms else norms_since
            news = {**_state(live), "epochs_done": epochs, "losses": losses, "norms": norms}
            yield f"id: {since}\ndata: {dumps(news)}\n\n"
            if not running:
                return
        elif silent >= SILENCE:
            silent = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(BEAT)
        silent += BEAT


def _state(live: Live) -> dict[str, Any]:
    """All but the curves."""
    said = live.said
    total = said.intro["epochs"] * said.intro["epoch_steps"] if said.intro else None
    rate = said.steps_per_second
    return {
        "job": live.number,
        "status": said.status,
        **said.intro,
        "step": said.step,
        "epoch": said.epoch,
        "total": total,
        "images_per_second": None if rate is None else rate * said.intro["batch_size"],
        "seconds_left": None if not rate or total is None or not live.running else (total - said.step) / rate,
        "epochs_done": said.epochs,
        "probe_version": said.probe_version,
        "summary": said.summary,
        "message": said.message,
        "help": said.help,
    }


def _trainer(request: Request) -> Trainer:
    trainer: Trainer = request.app.state.trainer
    return trainer


def _shelf(request: Request) -> Shelf:
    shelf: Shelf = request.app.state.shelf
    return shelf
