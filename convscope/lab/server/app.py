"""The rooms as one application: one router a room."""

from threading import Event

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ... import __version__
from ...errors import ConvscopeError
from ..classes import room as classes
from ..classes.sets import Sets
from ..datasets import room as datasets
from ..datasets.browse import Browser
from ..live.live import Trainer
from ..live.placing import Placings
from ..reply import refusal, refuse
from ..rooms import (
    backprop,
    convolution,
    descent,
    glass,
    inside,
    leaving,
    library,
    losses,
    play,
    pooling,
    shapes,
    training,
)
from ..rooms.train import sliced, watching
from ..shelf import Shelf
from . import pages
from .front import front
from .guard import Access

ROOMS = (
    losses,
    backprop,
    descent,
    convolution,
    pooling,
    shapes,
    library,
    leaving,
    training,
    watching,
    sliced,
    datasets,
    inside,
    play,
    glass,
    classes,
)


def create_app(access: Access, shelf: Shelf | None = None) -> Starlette:
    """The lab as an ASGI application, with all of its rooms; ``state.trainer`` has the run under way."""
    rooms = create_rooms(shelf, home=access.loopback)
    app = front(access, rooms)
    app.state.trainer = rooms.state.trainer
    return app


def create_rooms(shelf: Shelf | None = None, ending: Event | None = None, home: bool = False) -> FastAPI:
    """What answers below /api. ``shelf`` has the runs that may be opened: by default those in ./runs.

    Whatever would last as long as a run ends soon after ``ending`` is set. ``home`` says whether data may be chosen
    from the user's home folder, too.
    """
    app = FastAPI(
        title="convscope lab", version=__version__, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json"
    )

    app.state.shelf = shelf or Shelf()
    app.state.sets = Sets(app.state.shelf.root.parent)
    app.state.browser = Browser(home)
    app.state.trainer = Trainer()
    app.state.placings = Placings()
    app.state.ending = ending or Event()

    @app.get("/api", include_in_schema=False)
    def api() -> Response:
        return pages.api_page(app.openapi())

    for room in ROOMS:
        app.include_router(room.router)

    @app.exception_handler(ConvscopeError)
    async def project_error(_: Request, error: ConvscopeError) -> Response:
        return refuse(error)

    @app.exception_handler(RequestValidationError)
    async def wrong_fields(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
        return refusal(422, f"{where}: {first['msg']}", "the page /api lists what each address takes")

    @app.exception_handler(HTTPException)
    async def no_such_thing(_: Request, error: HTTPException) -> Response:
        return refusal(error.status_code, str(error.detail))

    return app
