"""One lab, one browser for all of these tests. The server runs in a thread of the test process, on a free port."""

import asyncio
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
import uvicorn

import convscope
from convscope.lab.rooms.feeding import warm
from convscope.lab.server.app import create_app
from convscope.lab.server.guard.access import TOKEN_HEADER, Access
from convscope.lab.server.pages import files_path
from convscope.lab.server.serve import address, listen
from convscope.lab.shelf import Shelf

from ..helpers import real_mnist
from .workers import quick_workers  # noqa: F401 - a fixture

STATIC = Path(__file__).parents[2] / "convscope" / "lab" / "static"
ROOMS = re.findall(r'id: "(\w+)"', (STATIC / "js" / "rooms.js").read_text())
# A browser that has been nowhere, but in which "more settings" has been opened in every room.
FRESH = """([lang, rooms]) => {
  localStorage.clear();
  localStorage.setItem('convscope.lang', lang);
  for (const room of rooms) localStorage.setItem(`convscope.more.${room}`, '1');
}"""
IDLE = httpx.Limits(keepalive_expiry=2)  # the server hangs up after 5 s, when a test may just ask over that connection


@dataclass
class Lab:
    """A running lab and a client that may read, as a browser that was let in may. ``url`` holds the key."""

    url: str
    origin: str
    token: str
    client: httpx.Client
    runs: Path

    def post(self, path, body, **more):
        return self.client.post(path, json=body, headers={TOKEN_HEADER: self.token}, **more)

    def ask(self, path, body):
        answer = self.post(path, body)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.text, parse_constant=lambda word: pytest.fail(f"{word} is no strict JSON"))


def run(coroutine):
    """What a coroutine returns. In a thread of its own: the browser leaves an event loop running in this one."""
    with ThreadPoolExecutor(1) as other:
        return other.submit(asyncio.run, coroutine).result()


@contextmanager
def running_lab(runs):
    """A lab whose runs lie in ``runs``, until the block ends; a run under way is stopped then."""
    access, server = Access(), listen("127.0.0.1", 0)
    warm()
    app = create_app(access, Shelf(runs))
    running = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [server]})
    thread.start()
    origin = f"http://127.0.0.1:{server.getsockname()[1]}"
    cookies = {f"convscope-{server.getsockname()[1]}": access.token}
    with httpx.Client(base_url=origin, timeout=30, cookies=cookies, limits=IDLE) as client:
        yield Lab(address(server, access.token).rstrip("/"), origin, access.token, client, runs)
    running.should_exit = True
    thread.join()
    app.state.trainer.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab") / "runs") as running:
        yield running


@pytest.fixture(scope="session")
def digits_run(lab):
    """The name of a run on digits that knows most of them."""
    run = convscope.train("digits", epochs=3, lr=0.05, momentum=0.9, threads=1, engine="eager", out=lab.runs)
    return run.path.name


@pytest.fixture(scope="session")
def colour_run(lab):
    """The name of a run on small colour images of three classes of the user's own, with every kind of layer."""
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = rng.integers(0, 120, (120, 3, 12, 12), dtype=np.uint8)
    x[np.arange(120), y] += 120
    path = lab.runs.parent / "fruit.npz"
    np.savez(path, x_train=x[:90], y_train=y[:90], x_test=x[90:], y_test=y[90:], classes=("red", "leaf", "sky"))
    net = "conv 6 3 padding=1 groups=3 | batchnorm | tanh | avgpool 2 | conv 4 3 dilation=2 | globalavg | linear"
    run = convscope.train(path, net=net, epochs=2, lr=0.1, threads=1, engine="eager", out=lab.runs)
    return run.path.name


@pytest.fixture(scope="session")
def branched_run(lab):
    """The name of a run on digits whose net adds and joins."""
    branches = "[ conv 6 3 stride=2 padding=1 | relu ]+ | [ conv 2 1 / avgpool 3 stride=1 padding=1 ]&"
    net = f"conv 4 5 stride=3 | {branches} | linear"
    run = convscope.train("digits", net=net, epochs=1, lr=0.05, threads=1, engine="eager", out=lab.runs)
    return run.path.name


class Room:
    """A page of the lab. ``trouble`` collects console errors, failed requests and requests to anywhere else.

    The latter fail, all of them, at the page's own policy or at the browser, which knows no other machine: to hear of
    each of the hundred requests of a page would cost as much as the server's answers.
    """

    def __init__(self, page, lab):
        self.page, self.lab, self.trouble = page, lab, []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.trouble.append(str(error)))
        page.on("requestfailed", self._failed)

    def _said(self, message):
        place = message.location.get("url", "")
        if message.type in ("error", "warning") and place != f"{self.lab.origin}/favicon.ico":  # see away()
            self.trouble.append(f"{message.text} {place}")

    def _failed(self, request):
        if request.failure != "net::ERR_ABORTED":  # a later question overtook this one: as intended
            self.trouble.append(f"{request.url}: {request.failure}")

    def open(self, state):
        """Show a room: state is what follows the # in the address. The page is loaded, not only told another state."""
        if state.startswith("/inside") and "run=" not in state:  # the bundled run's images are those of MNIST
            real_mnist()
        self.away()
        self.page.goto(f"{self.lab.url}/#{state}")
        return self.ready()

    def away(self):
        """Leave the lab's page for a plain file of the same origin: to a blank page the browser would start another
        process, and a page of the lab would be laid out for nothing. A file names no icon, so the browser looks for
        one where it is used to find it."""
        nowhere = f"{self.lab.url}{files_path()}/icon.svg"
        if self.page.url != nowhere:
            self.page.goto(nowhere)

    def ready(self):
        self.page.wait_for_selector('main[data-state="ready"]')
        return self

    def settle(self):
        """Wait until what was just done has been answered and stands in the address.

        The page waits 150 ms after typing and then 120 ms before it writes the address. These timers here are set
        after those and are due later, so they also fire later, on however slow a machine.
        """
        self.page.evaluate("() => new Promise(resume => setTimeout(() => setTimeout(resume, 130), 160))")
        return self.ready()

    def at(self, testid):
        return self.page.get_by_test_id(testid)

    def value(self, testid):
        """The full-precision number of an element."""
        return float(self.at(testid).get_attribute("data-value"))

    def values(self, testid):
        """All numbers of a grid, row by row."""
        rows = "[...g.querySelectorAll('[role=row]')].map(r => [...r.children].map(c => c.dataset.value))"
        found = self.at(testid).evaluate(f"g => {rows}")
        return torch.tensor([[float(v) for v in row] for row in found], dtype=torch.float64)

    def sheet(self):
        """On a phone: pull the settings up, or put them away."""
        self.at("sheet").click()

    def script(self):
        """Run the room's program: it asserts what the room shows."""
        exec(compile(self.at("script").text_content(), "copied", "exec"), {"print": lambda *a: None})

    def fits(self):
        """No horizontal scrolling of the page."""
        wide, window = self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        return wide <= window

    def tab_to(self, testid, most=300):  # the table of runs grows
        """Reach an element with the Tab key alone."""
        for _ in range(most):
            if self.page.evaluate("document.activeElement?.dataset.testid") == testid:
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"the Tab key does not reach {testid}")

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)


@pytest.fixture(scope="session")
def shared_room(browser, lab):
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield Room(page, lab)
    context.close()


@pytest.fixture
def room(shared_room, request):
    """A room, and the test fails if anything went wrong in the page: English, light and 1280 pixels wide, unless the
    test has a mark ``view(width, lang, theme)``; the page must then also fit the width when the test is over.

    Each room's main path is taken by mouse and by keys, one of them at 390 pixels and one at 1280. Between them these
    tests see every combination of width, language and theme.
    """
    view = shared_room
    mark = request.node.get_closest_marker("view")
    width, lang, theme = mark.args if mark else (1280, "en", "light")
    view.trouble.clear()
    view.away()  # first: the page before need not be laid out again
    view.page.set_viewport_size({"width": width, "height": 800 if width > 400 else 844})
    view.page.emulate_media(color_scheme=theme)
    view.page.evaluate(FRESH, [lang, ROOMS])
    yield view
    assert not view.trouble, view.trouble
    assert mark is None or view.fits()


@pytest.fixture
def hand(room, request):
    """A mouse, a finger or keys in the room: see hands.py."""
    with request.param(room) as it:
        yield it
