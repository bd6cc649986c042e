"""Room 7: start a run, watch it, hold it, let it take one step, stop it, resume it."""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, Field, create_model
from starlette.responses import Response, StreamingResponse

from ...data.sources import NAMES
from ...engine.devices import resolve as resolve_device
from ...net.listing import listing
from ...net.shapes import ShapeError, table
from ...net.zoo import ZOO
from ...net.zoo import resolve as resolve_net
from ...recipe import CHOICES, DEFAULT_EPOCHS, Declared, Recipe
from ...storage.places import is_offline
from ..live.live import Live, Trainer
from ..places import allowed
from ..programs.train_script import script
from ..reply import NOTHING, Reply
from ..shelf import Shelf
from .train.stream import state_of, stream

router = APIRouter(prefix="/api/train", tags=["train"])

LONGEST = 20_000  # characters of a text


class RecipeRequest(BaseModel):
    """A run's recipe, as ``convscope train`` takes it: the choices that the page offers."""

    def recipe(self) -> Recipe:
        """The same as a Recipe, which checks it once more. Raises UsageError."""
        return Recipe.of(self.model_dump())


def _open(declared: Declared) -> bool:
    """Whether a choice may be left to the data. The page shows the net that it trains, so it names one."""
    return bool(declared.choice.usual) and declared.name != "net"


def _field(declared: Declared) -> tuple[Any, Any]:
    """A choice as pydantic has it: type and default. Texts are no longer than a page needs."""
    bounds: dict[str, Any] = {"max_length": LONGEST} if declared.kind is str else {"le": declared.choice.page_le}
    kind, default = (declared.kind | None, None) if _open(declared) else (declared.kind, declared.default)
    return Annotated[kind, declared.choice, Field(**bounds)], default


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
    return Reply(
        {
            "job": None if live is None else live.number,
            "state": None if live is None else state_of(live),
            "data": [*NAMES, *_shelf(request).offered],
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
    recipe = _checked(choices, request)
    live = _trainer(request).start(
        {"recipe": asdict(recipe), "out": str(_shelf(request).root), "offline": is_offline()}
    )
    return Reply({"job": live.number})


@router.post("/ready")
def ready(request: Request) -> Response:
    """Load what takes long before a run can start: somebody has come to the room."""
    _trainer(request).ready()
    return Reply({})


@router.post("/rates")
def rates(choices: Choices, request: Request) -> Response:
    """The learning-rate range test of a recipe; empty where it was stopped."""
    recipe = _checked(choices, request)
    found = _trainer(request).find({"rates": asdict(recipe), "offline": is_offline()})
    return Reply(found or {})


@router.post("/rates/stop")
def stop_rates(request: Request) -> Response:
    """Stop the range test that is under way."""
    finding = _trainer(request).finding
    if finding is not None:
        finding.tell({"do": "stop"})
    return Reply({})


@router.post("/resume")
def resume(again: ResumeRequest, request: Request) -> Response:
    """Resume a run at the very update where it was saved."""
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
    Nothing (204) of a job that another has followed.
    """
    live = _trainer(request).job(job)
    if live is None:
        return NOTHING
    since = int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() else -1
    return StreamingResponse(stream(live, since, request.app.state.ending), media_type="text/event-stream")


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


def _checked(choices: Choices, request: Request) -> Recipe:
    """The recipe, of data that the page may name. Raises UsageError where it cannot be begun."""
    recipe = choices.recipe()
    recipe = replace(recipe, data=allowed(recipe.data, _shelf(request).offered))
    resolve_net(recipe.net)
    resolve_device(recipe.device)
    return recipe


def _images(recipe: Recipe, live: Live | None) -> tuple[tuple[int, int, int], int]:
    """(C, H, W) and classes of the data: known by name or from the last run on them, else a usual colour image."""
    if live is not None and live.said.intro.get("data") == recipe.data:
        c, h, w = live.said.intro["image"]
        return (c, h, w), len(live.said.intro["classes"])
    side = recipe.image_size
    return ((1, side or 28, side or 28), 10) if recipe.data in NAMES else ((3, side or 64, side or 64), 10)


def _trainer(request: Request) -> Trainer:
    trainer: Trainer = request.app.state.trainer
    return trainer


def _shelf(request: Request) -> Shelf:
    shelf: Shelf = request.app.state.shelf
    return shelf
