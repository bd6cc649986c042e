"""The page at once, and behind it the rooms, which need PyTorch and come a little later."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ..reply import refusal
from . import pages
from .guard import Access, guard

App = TypeVar("App", bound=ASGIApp)


def front(access: Access, rooms: ASGIApp) -> Starlette:
    """The whole lab: the guard, the page with its files, and ``rooms`` for every other address."""

    async def page(_: Request) -> Response:
        return pages.page(access.token)

    async def no_such_thing(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return refusal(error.status_code, str(error.detail))

    return Starlette(
        routes=[Route("/", page), Mount(pages.files_path(), pages.Files()), Mount("/", rooms)],
        middleware=guard(access),
        exception_handlers={HTTPException: no_such_thing},
    )


class Late(Generic[App]):
    """An application that ``make`` makes in a thread meanwhile; requests wait until it is there."""

    def __init__(self, make: Callable[[], App]) -> None:
        maker = ThreadPoolExecutor(1, "convscope rooms")
        self.made = maker.submit(make)
        maker.shutdown(wait=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then pass the request on."""
        rooms = await asyncio.wrap_future(self.made)
        await rooms(scope, receive, send)
