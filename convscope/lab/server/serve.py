"""A socket, a server, a browser: what ``convscope lab`` starts. The page does not wait for PyTorch, the rooms do."""

import asyncio
import logging
import resource
import socket
import threading
import webbrowser
from ipaddress import ip_address
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ...errors import UsageError
from .front import Late, front
from .guard import Access

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ..shelf import Shelf

DEFAULT_PORT = 8765
LAST_ANSWERS = 10.0  # seconds that requests under way may still take at the end
WAITING = 64  # connections that wait until they are accepted; so many may be accepted before any of them is counted
MOST_CONNECTIONS = 1000
KEPT_FREE = 48  # file descriptors that connections leave to files, and to the pipes of a run


def listen(host: str, port: int | None) -> socket.socket:
    """A listening socket on ``host``. None: the default port, or any free one where that is taken.

    Raises UsageError where the user's own choice cannot be had.
    """
    try:
        family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
    except ValueError as error:
        raise UsageError(f"--host must be an IP address, not {host[:60]!r}", "such as 127.0.0.1 or 0.0.0.0") from error
    for wanted in (port,) if port is not None else (DEFAULT_PORT, 0):
        # With the protocol named, asyncio switches Nagle's algorithm off; else every answer waits 40 ms for an ACK.
        server = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((host, wanted))
            server.listen(WAITING)
            return server
        except OSError as error:
            server.close()
            reason = error.strerror
    raise UsageError(
        f"cannot listen on {host}, port {wanted}: {reason}", "choose another --port, or none: then a free one is taken"
    )


def address(server: socket.socket, key: str) -> str:
    """What to open in a browser; ``key`` is the token or the ticket of the lab's Access."""
    host, port = server.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/{key}/"


def is_loopback(server: socket.socket) -> bool:
    """Whether only this machine can reach the socket."""
    return ip_address(server.getsockname()[0]).is_loopback


class Server(uvicorn.Server):
    """uvicorn, which says when it begins to end and does not cry when descriptors run out."""

    def __init__(self, app: Any, ending: threading.Event) -> None:
        config = uvicorn.Config(
            app,
            http=Connection,
            lifespan="off",
            log_config=None,
            backlog=min(WAITING, most_connections() // 4),
            timeout_graceful_shutdown=2,
        )
        super().__init__(config)
        self.ending = ending

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal comes."""
        asyncio.get_running_loop().set_exception_handler(_without_accept)
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came: what lasts ends, and what is then cut off is no failure."""
        self.ending.set()
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        super().handle_exit(sig, frame)


class Connection(H11Protocol):
    """A connection, closed at once where there are too many already: pages try again by themselves."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Count it."""
        super().connection_made(transport)
        if len(self.connections) > most_connections():
            transport.close()


def most_connections() -> int:
    """How many connections there is room for: this process may open only so many files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(8, min(MOST_CONNECTIONS, soft - KEPT_FREE))


def _without_accept(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Connections that find no descriptor wait: asyncio accepts them a second later, and would print each."""
    if context.get("message") != "socket.accept() out of system resource":
        loop.default_exception_handler(context)


def serve(server: socket.socket, access: Access, browser: bool, shelf: "Shelf | None" = None, room: str = "") -> None:
    """Run until Ctrl-C (KeyboardInterrupt). The socket listens already, so the browser may come before the server.

    ``room`` is where the browser goes: what follows the address. A run under way is saved before this returns.
    """
    ending = threading.Event()
    rooms = Late(lambda: _rooms(shelf, ending, access.loopback))
    running = Server(front(access, rooms), ending)
    if browser:
        opened = address(server, access.ticket) + room
        threading.Thread(target=webbrowser.open, args=(opened,), daemon=True).start()
    try:
        running.run(sockets=[server])
    finally:
        made = rooms.made.result()
        made.state.trainer.close()  # a run under way is saved
        for thread in _answering():
            thread.join(LAST_ANSWERS)


def _rooms(shelf: "Shelf | None", ending: threading.Event, home: bool) -> "FastAPI":
    """The rooms, with all that the first user would else wait for; ``home`` as create_rooms has it."""
    import torch

    from ..rooms.feeding import warm
    from .app import create_rooms

    torch.set_num_threads(1)  # one small image at a time: a second thread costs more than it brings
    rooms = create_rooms(shelf, ending, home)
    threading.Thread(target=warm, name=WARMING).start()
    return rooms


WARMING = "convscope warming"


def _answering() -> list[threading.Thread]:
    """The threads still at work: one that is in torch while the interpreter ends would abort it."""
    return [thread for thread in threading.enumerate() if thread.name in ("AnyIO worker thread", WARMING)]
