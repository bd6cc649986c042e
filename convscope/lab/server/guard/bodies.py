"""How much a request may bring."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...reply import refusal

MAX_BODY = 4 * 2**20  # bytes; the largest honest request is an image or a few thousand numbers


class Bodies:
    """Reads the body before the application does, and refuses it as soon as it is too large, whatever it claims."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body in one piece."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > MAX_BODY:
                refused = refusal(413, f"the request is larger than {MAX_BODY:,} bytes", "send less at a time")
                await refused(scope, receive, send)
                return
        await self.app(scope, _replay(body, receive), send)


def _replay(body: bytes, receive: Receive) -> Receive:
    """``body`` once, as if it had come in one piece, then whatever else comes (the end of the connection)."""
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay
