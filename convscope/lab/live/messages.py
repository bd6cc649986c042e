"""Messages over a pipe: one JSON object a line, of which ``bytes`` announces so many raw bytes behind the line.

The other end may die in the middle of one, and may be killed, damaged or something else altogether. Whatever comes is
read whole and bounded, or refused.
"""

from collections.abc import Iterator
from typing import IO, Any

from ...errors import ConvscopeError
from ...storage.strict_json import loads

MAX_LINE = 16 * 2**20  # bytes; the longest honest line introduces a run, with the names of all of its classes
MAX_BYTES = 256 * 2**20  # of raw bytes; the most are those of a probe, some hundred kilobytes

Message = dict[str, Any]


class BrokenMessage(ConvscopeError):
    """What came through the pipe is not a whole message."""


def read(pipe: IO[bytes]) -> Iterator[tuple[Message, bytes]]:
    """Every message with its bytes, until the pipe ends between two of them. Raises BrokenMessage."""
    while line := pipe.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise BrokenMessage(f"a message is longer than {MAX_LINE:,} bytes")
        if not line.endswith(b"\n"):
            raise BrokenMessage("a message broke off")
        message = _object(line)
        size = message.pop("bytes", 0)
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MAX_BYTES:
            raise BrokenMessage(f"a message announces {str(size)[:20]} bytes")
        body = pipe.read(size) if size else b""
        if len(body) < size:
            raise BrokenMessage("a message broke off")
        yield message, body


def _object(line: bytes) -> Message:
    try:
        message = loads(line.decode())
    except (ValueError, RecursionError):
        raise BrokenMessage("a message is not JSON") from None
    if not isinstance(message, dict):
        raise BrokenMessage("a message is not a JSON object")
    return message
