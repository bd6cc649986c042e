"""What room 7 asks for to choose data: cards of what there is, and folders from which a person chooses."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...errors import ConvscopeError
from ..places import allowed, short
from ..reply import Reply
from ..shelf import Shelf
from .browse import Browser
from .cards import Card, at_hand, card

router = APIRouter(prefix="/api/data", tags=["train"])

LONGEST = 4096  # characters of a path
MOST_CHOSEN = 100  # data that were chosen since the lab was started


class ChooseRequest(BaseModel):
    """A folder that may be listed, to be used as data."""

    folder: str = Field(max_length=LONGEST)


@router.get("")
def known(request: Request) -> Response:
    """The data that have a card."""
    return Reply({"data": at_hand(_shelf(request).offered)})


@router.get("/card")
def show_card(data: Annotated[str, Query(max_length=LONGEST)], request: Request) -> Response:
    """How many images of which classes the data have, and what some of them look like; or why they are none."""
    try:
        return Reply(card(allowed(data, _shelf(request).offered)))
    except ConvscopeError as error:  # an answer, too: names are typed letter by letter, and what lies about is tried
        return Reply(Card.refused(data, error))


@router.get("/folders")
def folders(request: Request, at: Annotated[str, Query(max_length=LONGEST)] = "") -> Response:
    """The folders in the folder ``at``; without it, those where one may begin."""
    return Reply(_browser(request).show(at))


@router.post("/choose")
def choose(wanted: ChooseRequest, request: Request) -> Response:
    """The card of a folder that a person has chosen: from now on it may be trained on, if it can."""
    data = short(_browser(request).inside(wanted.folder))
    try:
        found = card(data)
    except ConvscopeError as error:
        return Reply(Card.refused(data, error))
    offered = _shelf(request).offered
    if data not in offered:
        offered.append(data)
        del offered[:-MOST_CHOSEN]
    return Reply(found)


def _browser(request: Request) -> Browser:
    browser: Browser = request.app.state.browser
    return browser


def _shelf(request: Request) -> Shelf:
    shelf: Shelf = request.app.state.shelf
    return shelf
