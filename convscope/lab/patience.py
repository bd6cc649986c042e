"""Long answers that end when nobody waits for them any more."""

import asyncio
from collections.abc import Callable
from threading import Event

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

Check = Callable[[], None]
GONE = 499  # no status of HTTP's own; nobody reads it


class Gone(Exception):
    """Whoever asked has gone, or the lab ends."""


async def while_waited_for(request: Request, answer: Callable[[Check], Response]) -> Response:
    """``answer`` in a thread. It calls what it is given now and then: that raises where nobody waits any more."""
    gone, ending = Event(), request.app.state.ending

    def check() -> None:
        if gone.is_set() or ending.is_set():
            raise Gone

    working = asyncio.create_task(run_in_threadpool(answer, check))
    leaving = asyncio.create_task(_left(request))
    await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        leaving.cancel()
    else:
        gone.set()
    try:
        return await working
    except Gone:
        return Response(status_code=GONE)


async def _left(request: Request) -> None:
    """Until the connection is closed by the other side."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
