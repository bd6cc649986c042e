"""Who uses the lab in bench/lab.py: somebody who draws and clicks, and a page that watches a run."""

import json
import re
import threading
import time
from collections import defaultdict
from typing import Any, Self

import httpx

CHOICES = {"data": "digits", "net": "note", "batch_size": 64, "lr": 0.01}
FRESH = httpx.Limits(keepalive_expiry=2)  # the server closes idle connections after five seconds


class Visitor:
    """One user at ``url``. What is not answered with 200 is kept in ``errors``."""

    def __init__(self, url: str) -> None:
        self.url, self.requests, self.errors = url, 0, list[str]()
        self._client = httpx.Client(base_url=url, timeout=60, limits=FRESH)
        self._seconds: dict[str, list[float]] = defaultdict(list)

    def __enter__(self) -> Self:
        """With the token, which the page carries."""
        found = re.search(r'convscope-token" content="([^"]+)"', self._client.get("/").text)
        assert found is not None
        self._client.headers["x-convscope-token"] = found[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, path: str, body: object = None) -> httpx.Response:
        """GET, or POST where there is a ``body``."""
        self.requests += 1
        answer = self._client.get(path) if body is None else self._client.post(path, json=body)
        if answer.status_code != 200:
            self.errors.append(f"{path}: {answer.status_code} {answer.text[:200]}")
        return answer

    def state(self) -> dict[str, Any]:
        """Where the run under way stands."""
        found: dict[str, Any] = self.ask("/api/train").json()["state"]
        return found

    def train(self, epochs: int) -> str:
        """Start a run; its name, as soon as it has weights."""
        self.ask("/api/train", {**CHOICES, "epochs": epochs})
        while not (state := self.state())["epochs_done"]:
            assert state["status"] in ("opening", "training"), state
            time.sleep(0.05)
        return str(state["run"])

    def finish(self) -> None:
        """Wait until nothing is being trained."""
        while self.state()["status"] in ("opening", "training"):
            time.sleep(0.05)

    def stop(self) -> None:
        """End the run under way; it is saved."""
        self.ask("/api/train/control", {"do": "stop"})
        self.finish()

    def mark(self) -> tuple[float, int]:
        """The second at which the update number that the server knows next changes, and that number."""
        step = self.state()["step"]
        while (now := (state := self.state())["step"]) == step:
            assert state["status"] == "training", state
            time.sleep(0.002)
        return time.monotonic(), now

    def draw(self, run: str, n: int) -> None:
        """The n-th stroke: the picture goes to the net, and everything that is seen of it comes back."""
        ink = [[(7 * k + n) % 112, (13 * k + 5 * n) % 112] for k in range(2 + n % 20)]
        self._timed("a stroke's answer", "/api/inside/look", {"run": run, "strokes": [ink]})

    def click(self, run: str, n: int) -> None:
        """A click on a number of the second convolution: its ledger."""
        question = {"run": run, "test": n % 300, "layer": "conv2", "index": [n % 10, n % 4, n % 3]}
        self._timed("a click's ledger", "/api/inside/pixel", question)

    def times(self) -> dict[str, list[float]]:
        """Seconds of each kind of question since this was asked last."""
        found, self._seconds = dict(self._seconds), defaultdict(list)
        return found

    def _timed(self, name: str, path: str, body: object) -> None:
        began = time.perf_counter()
        self.ask(path, body)
        self._seconds[name].append(time.perf_counter() - began)


class Page:
    """A page in room 7 as the server sees it: a stream of events, and after some of them a look at the probe images."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor, self.events, self.bytes = visitor, 0, 0
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()

    def _watch(self) -> None:
        job, looked = self.visitor.ask("/api/train").json()["job"], 0
        with httpx.Client(base_url=self.visitor.url, timeout=60, limits=FRESH) as client:
            try:
                with client.stream("GET", f"/api/train/events?job={job}") as answer:
                    for line in answer.iter_lines():
                        if self._closed.is_set():
                            return
                        if not line.startswith("data: "):
                            continue
                        self.events, self.bytes = self.events + 1, self.bytes + len(line)
                        version = json.loads(line[6:])["probe_version"]
                        if version != looked:
                            looked = version
                            self.visitor.requests += 1
                            client.get("/api/train/probe").raise_for_status()
            except httpx.HTTPError as error:
                self.visitor.errors.append(f"the page: {error!r}")
                return
        self.visitor.errors.append("the page: the stream ended while the run continued")
