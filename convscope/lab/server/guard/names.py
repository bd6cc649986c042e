"""By which name the lab is asked, and from which page (Host and Origin)."""

import re
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ...reply import refusal

# RFC 3986, but for what no browser sends: no user, no zone, no name but localhost; the port in at most five digits.
HOST = re.compile(r"(?P<name>localhost|[0-9.]{7,15}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?", re.ASCII)


class Names:
    """Serves, where only this machine can reach us, loopback's own names; and no page of another origin anywhere."""

    def __init__(self, app: ASGIApp, loopback: bool) -> None:
        self.app, self.loopback = app, loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass the request on. There are no web sockets here."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        refused = self._refusal(scope) if scope["type"] == "http" else None
        await (refused or self.app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        host = hosts[0] if len(hosts) == 1 else ""
        if self.loopback and not is_local(host):
            return refusal(403, f"this lab does not answer to the name {host[:80]!r}", "open it as http://127.0.0.1")
        if origins and origins != [f"{scope['scheme']}://{host}"]:
            return refusal(403, f"a page from {origins[0][:80]!r} may not use this lab")
        return None


def is_local(host: str) -> bool:
    """Whether a Host header, with or without a port, names this machine to itself."""
    found = HOST.fullmatch(host)
    if found is None or int(found["port"] or 0) > 65535:
        return False
    try:
        return found["name"] == "localhost" or ip_address(found["name"].strip("[]")).is_loopback
    except ValueError:
        return False
