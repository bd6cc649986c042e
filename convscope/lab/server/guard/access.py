"""Who may ask: whoever has the key, which is drawn again at every start.

The key is the first part of the address that the terminal prints: http://127.0.0.1:8765/KEY/. Whoever opens it gets a
cookie, with which that browser may read (a second tab, a link to a room); the page takes the key itself out of the
address bar and sends it along with whatever is not a plain read, so that no other page can start anything.

The browser that the lab opens is given a ticket in the key's place, which admits once: every user of the machine can
read the command lines of others.
"""

import hmac
import secrets
from dataclasses import dataclass, field
from html import escape

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...reply import refusal

TOKEN_HEADER = "x-convscope-token"
LOST = "the key of this lab is missing or out of date"
FIND = "open the address that the terminal printed, or reload the page"


def _key() -> str:
    return secrets.token_urlsafe(24)


@dataclass
class Access:
    """Who may ask. ``loopback`` says whether only this machine can reach us; ``token`` is the key."""

    loopback: bool = True
    token: str = field(default_factory=_key)
    ticket: str = field(default_factory=_key)
    used: bool = False

    def knows(self, token: str) -> bool:
        """Whether ``token`` is the key."""
        return hmac.compare_digest(token.encode(), self.token.encode())

    def is_ticket(self, text: str) -> bool:
        """Whether ``text`` is the ticket, used or not."""
        return hmac.compare_digest(text.encode(), self.ticket.encode())

    def use(self) -> bool:
        """Use the ticket up; False where it has been used before."""
        used, self.used = self.used, True
        return not used


class Key:
    """Lets in whoever has the key: in the address or the header for everything, in the cookie for reading."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass the request on, without the key in its path."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        first, _, rest = scope["path"][1:].partition("/")
        by_key, by_ticket = self.access.knows(first), self.access.is_ticket(first)
        if by_key or by_ticket:
            scope = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}
        reading = scope["method"] in ("GET", "HEAD")
        known = by_key or self.access.knows(headers.get(TOKEN_HEADER, ""))
        if not (known or (reading and (self._has_cookie(scope, headers) or (by_ticket and self.access.use())))):
            await _refused(headers)(scope, receive, send)
            return

        async def send_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and reading and (by_key or by_ticket):
                value = f"{_cookie(scope)}={self.access.token}; Path=/; HttpOnly; SameSite=Lax"
                MutableHeaders(scope=message).append("set-cookie", value)
            await send(message)

        await self.app(scope, receive, send_cookie)

    def _has_cookie(self, scope: Scope, headers: Headers) -> bool:
        parts = (part.partition("=") for part in headers.get("cookie", "").split("; "))
        return any(name == _cookie(scope) and self.access.knows(value) for name, _, value in parts)


def _cookie(scope: Scope) -> str:
    """Cookies do not tell ports apart, so the name does."""
    return f"convscope-{scope['server'][1]}"


def _refused(headers: Headers) -> Response:
    """403, as a page where a person reads it."""
    if "text/html" not in headers.get("accept", ""):
        return refusal(403, LOST, FIND)
    chinese = "这个实验室的钥匙缺失或已过期:请打开终端中显示的地址。"
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>convscope lab</title>'
        f'<p>{escape(LOST)}: {escape(FIND)}.</p><p lang="zh-CN">{chinese}</p></html>',
        403,
    )
