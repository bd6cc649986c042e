"""t-SNE in the background, as the server knows it: one process at a time, and where the images are by now."""

import logging
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import TrainingError
from ...explain.trained.embedding import ROUNDS
from ...storage.strict_json import dumps
from ..binary import pack, unpack
from .live import environment
from .messages import read

log = logging.getLogger("convscope.lab")

Places = NDArray[np.float32]
FAILED = "t-SNE ended before its time; the terminal where the lab runs may say more"


class Placing:
    """One map under way: ``places`` (n, 2) after ``done`` of ``rounds``; ``failed`` says why there will be no more."""

    def __init__(self, features: NDArray[np.float32], start: Places) -> None:
        self.done, self.rounds, self.places, self.failed = 0, ROUNDS, start, ""
        command = [str(Path(sys.executable).absolute()), "-P", "-m", "convscope.lab.live.tsne"]
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), start_new_session=True
            )
        except OSError as error:
            raise TrainingError(
                f"the process for t-SNE cannot be started: {error.strerror}", "close some programs and try again"
            ) from error
        body = pack({}, {"features": features, "start": start})
        threading.Thread(target=self._follow, args=(body,), daemon=True).start()

    def _follow(self, body: bytes) -> None:
        """Hand the task over and take in what comes back, until the process ends."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(dumps({"kind": "features", "bytes": len(body)}).encode() + b"\n" + body)
            self.process.stdin.flush()
            for message, answer in read(self.process.stdout):
                places = unpack(answer)[1]["places"]
                if places.shape != self.places.shape or not np.isfinite(places).all():
                    raise ValueError
                self.places, self.done = places, int(message["done"])
        except Exception:  # whatever it is, the page must know that nothing more comes
            log.exception("the lab failed on a message of the process for t-SNE")
        if self.done < self.rounds:
            self.failed = FAILED
        self.end()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):  # what could not be written any more
                pipe.close()

    def end(self) -> None:
        """Stop it, at once and for good."""
        self.process.kill()
        self.process.wait()


class Placings:
    """The map under way or the last one; another one's begins in its place."""

    def __init__(self) -> None:
        self._key: object = None
        self._placing: Placing | None = None
        self._lock = threading.Lock()

    def of(self, key: object, features: NDArray[np.float32], start: Places) -> Placing:
        """The map for ``key``, begun where there is none or it failed."""
        with self._lock:
            if self._placing is None or self._key is not key or self._placing.failed:
                self._stop()
                self._key, self._placing = key, Placing(features, start)
            return self._placing

    def close(self) -> None:
        """End what is under way."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        if self._placing is not None:
            self._placing.end()
        self._placing, self._key = None, None
