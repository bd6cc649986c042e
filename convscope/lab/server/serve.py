"""A socket, a server, a browser: what ``convscope lab`` starts."""

import socket
import threading
import webbrowser
from ipaddress import ip_address

import torch
import uvicorn

from ...errors import UsageError
from ..live.live import Trainer
from ..rooms.feeding import warm
from ..shelf import Shelf
from .app import create_app
from .guard import Access

DEFAULT_PORT = 8765
LAST_ANSWERS = 10.0  # seconds that requests under way may still take at the end


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
            server.listen(128)
            return server
        except OSError as error:
            server.close()
            reason = error.strerror
    raise UsageError(f"cannot listen on {host}, port {wanted}: {reason}",
                     "choose another --port, or none: then a free one is taken")  # fmt: skip


def address(server: socket.socket, access: Access) -> str:
    """What to open in a browser; on other than loopback it holds the token."""
    host, port = server.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/" + ("" if access.loopback else f"?token={access.token}")


def is_loopback(server: socket.socket) -> bool:
    """Whether only this machine can reach the socket."""
    return ip_address(server.getsockname()[0]).is_loopback


def serve(server: socket.socket, access: Access, browser: bool, shelf: Shelf | None = None, room: str = "") -> None:
    """Run until Ctrl-C (KeyboardInterrupt). The socket listens already, so the browser may come before the server.

    ``room`` is where the browser goes: what follows the address. A run under way is saved before this returns.
    """
    torch.set_num_threads(1)  # one small image at a time: a second thread costs more than it brings
    app = create_app(access, shelf)
    config = uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
    warming = threading.Thread(target=warm)
    warming.start()
    if browser:
        threading.Thread(target=webbrowser.open, args=(address(server, access) + room,), daemon=True).start()
    try:
        uvicorn.Server(config).run(sockets=[server])
    finally:
        trainer: Trainer = app.state.trainer
        if trainer.live is not None and trainer.live.running:
            trainer.live.close()  # it saves its run
        for thread in (warming, *_answering()):
            thread.join(LAST_ANSWERS)


def _answering() -> list[threading.Thread]:
    """The threads of requests still under way: one that is in torch while the interpreter ends would abort it."""
    return [thread for thread in threading.enumerate() if thread.name == "AnyIO worker thread"]
