"""What stands before every route: who may ask (Host, Origin, token), how much (body size), and what browsers may do.

A page on the internet can make a browser send requests to 127.0.0.1, and by DNS rebinding even read the answers.
Hence: on loopback only loopback names are served, an Origin must be our own, and whatever is not a plain read needs
the token that only our own page carries. On any other address every request needs the token.
"""

import hmac
import logging
import secrets
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..reply import refusal

TOKEN_HEADER = "x-convscope-token"
MAX_BODY = 4 * 2**20  # bytes; the largest honest request is an image or a few thousand numbers

HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data: blob:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

log = logging.getLogger("convscope.lab")


@dataclass(frozen=True)
class Access:
    """Who may ask. ``token`` is drawn anew at every start; ``loopback`` says whether only this machine can reach us."""

    loopback: bool = True
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))


class Guard:
    """ASGI middleware around the whole application; nothing goes in or out beside it."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass the request on with its body read and bounded."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets here
            await send({"type": "websocket.close", "code": 1008})
            return
        started = False

        async def send_safe(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
                if self._invited(scope):
                    headers.append(
                        "set-cookie", f"{_cookie(scope)}={self.access.token}; Path=/; HttpOnly; SameSite=Strict"
                    )
            await send(message)

        refused: Response | None = self._refusal(scope)
        body = b""
        if refused is None:
            more = True
            while more and refused is None:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > MAX_BODY:
                    refused = refusal(413, f"the request is larger than {MAX_BODY:,} bytes", "send less at a time")
        if refused is not None:
            await refused(scope, receive, send_safe)
            return
        try:
            await self.app(scope, _replay(body, receive), send_safe)
        except Exception:
            log.exception("the lab failed on %s %s", scope["method"], scope["path"])
            if not started:
                text = "the lab itself failed; the terminal where it runs says more"
                await refusal(500, text, "please report what you did")(scope, receive, send_safe)

    def _refusal(self, scope: Scope) -> Response | None:
        """Why this request is not served, or None."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.access.loopback and not _local(host):
            return refusal(403, f"this lab does not answer to the name {host[:80]!r}", "open it as http://127.0.0.1")
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return refusal(403, f"a page from {origin[:80]!r} may not use this lab")
        reading = scope["method"] in ("GET", "HEAD")
        if self._known(headers.get(TOKEN_HEADER, "")):
            return None
        if reading and (self.access.loopback or self._admitted(scope, headers)):
            return None
        return refusal(403, "the token is missing or out of date", "reload the page, or open the lab's full address")

    def _known(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self.access.token.encode())

    def _invited(self, scope: Scope) -> bool:
        """Whether the address itself holds the token, as the one that the terminal prints for other machines does."""
        if self.access.loopback:
            return False
        query = parse_qs(scope["query_string"].decode("latin-1"))
        return self._known(query.get("token", [""])[0])

    def _admitted(self, scope: Scope, headers: Headers) -> bool:
        cookies = headers.get("cookie", "").split("; ")
        return self._invited(scope) or any(
            name == _cookie(scope) and self._known(value) for name, _, value in (c.partition("=") for c in cookies)
        )


def _local(host: str) -> bool:
    """Whether a Host header, with or without a port, names this machine to itself."""
    name = host[1 : host.index("]")] if host.startswith("[") and "]" in host else host.rsplit(":", 1)[0]
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def _cookie(scope: Scope) -> str:
    """Cookies do not tell ports apart, so the name does."""
    return f"convscope-{scope['server'][1]}"


def _replay(body: bytes, receive: Receive) -> Receive:
    """``body`` once, as if it had come in one piece, then whatever else comes (the end of the connection)."""
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay
