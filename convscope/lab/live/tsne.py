"""The process that computes t-SNE for the page: ``python -m convscope.lab.live.tsne``.

In, as :mod:`.messages`, one message {"kind": "features"} whose bytes hold ``features`` (n, F) and ``start`` (n, 2).
Out, {"kind": "places", "done": round} with ``places`` (n, 2) after every round. It ends when its standard input does:
then the server is gone, or nobody wants its map any more.
"""

import os
import threading

from ...explain.trained.embedding import neighbourly
from ..binary import pack, unpack
from .control import Reporter
from .messages import read


def main() -> None:
    """Compute what the first message says and report every round."""
    report = Reporter(os.dup(1))
    os.dup2(2, 1)  # whatever prints must not come between the messages
    with open(0, "rb", closefd=False) as orders:
        _, body = next(read(orders), ({}, b""))
    if not body:
        return
    threading.Thread(target=_end_with_server, daemon=True).start()
    given = unpack(body)[1]
    for n, places in enumerate(neighbourly(given["features"], given["start"]), 1):
        report("places", pack({}, {"places": places}), done=n)


def _end_with_server() -> None:
    """End the process when its standard input ends."""
    while os.read(0, 1):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
