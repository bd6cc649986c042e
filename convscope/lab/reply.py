"""The one form of every answer: strict JSON, and for errors the same text as the command line's."""

from typing import Any

from starlette.responses import JSONResponse, Response

from ..errors import ConvscopeError
from ..storage.strict_json import dumps


class Reply(JSONResponse):
    """Dataclasses, tuples and NumPy values as strict JSON: what is not finite becomes null."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return dumps(content).encode()


NOTHING = Response(status_code=204)  # what was asked for has been replaced; the page hears so by another way


def refusal(status: int, message: str, help: str = "", **more: Any) -> Reply:  # noqa: A002 - the word that users read
    """An error: ``error`` says what is wrong, ``help`` what to do; ``more`` holds what only this error knows."""
    return Reply({"error": message, "help": help, **more}, status)


def refuse(error: ConvscopeError) -> Reply:
    """An error of the project as a 400, with the position in the user's text where it is known."""
    position = getattr(error, "position", None)
    return refusal(400, error.message, error.help, **({} if position is None else {"position": position}))
