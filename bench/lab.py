"""``python -m bench.lab [--only PART] [--seconds N]``: the lab in use: how fast the page is, what it costs, its memory.

The server runs as a user starts it, as a process of its own in a temporary folder, and trains on digits. Meanwhile a
page is open (its stream of events, and its looks at the probe images) and somebody draws, at most five strokes a
second, in turn into a finished run and into the one under way. Memory is the resident set as Linux tells it in /proc.
"""

import argparse
import itertools
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from . import page as pages
from .measure import conditions
from .visitor import Page, Visitor

HOME = Path(__file__).parent.parent
EVERY = 10.0  # seconds between two samples of memory
PAUSE = 0.2  # seconds between two strokes
WINDOW = 4.0  # seconds of training that are timed with and without a page
SETTLED = 3.0  # seconds from a page's first paint to the window: drawing it once is no part of leaving it open
PARTS = ("page", "answers", "speed", "memory")
WARM = 60.0  # seconds after which the slope of memory counts: caches fill first


@contextmanager
def server(folder: str) -> Iterator[tuple[int, Visitor]]:
    """``convscope lab`` on a free port, its runs in ``folder``: process id and a visitor. All ends with the block."""
    command = [sys.executable, "-m", "convscope", "lab", "--no-browser", "--port", "0"]
    path = os.pathsep.join([str(HOME), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        url = re.search(r"http://\S+", process.stdout.readline())
        assert url is not None, "the lab did not start"
        with Visitor(url[0].rstrip("/")) as visitor:
            yield process.pid, visitor
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(90)  # it saves the run under way
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def children(pid: int) -> list[int]:
    """The processes that ``pid`` has started and that still live."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def resident(pid: int) -> float:
    """The resident set in MiB."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def memory(pid: int, seconds: float, draw: Callable[[int], object]) -> dict[str, list[tuple[float, float]]]:
    """Draw for ``seconds``; (second, MiB) of server and training process, every ten seconds."""
    [worker] = children(pid)
    found: dict[str, list[tuple[float, float]]] = {"server": [], "training": []}
    began = time.monotonic()
    strokes = itertools.count()
    while (now := time.monotonic() - began) < seconds + EVERY / 2:
        if now >= EVERY * len(found["server"]):
            found["server"].append((now, resident(pid)))
            found["training"].append((now, resident(worker)))
            if len(found["server"]) % 6 == 1:
                sizes = ", ".join(f"{name} {rows[-1][1]:.1f} MiB" for name, rows in found.items())
                print(f"  {now:4.0f} s: {sizes}", flush=True)
        draw(next(strokes))
        time.sleep(PAUSE)
    return found


def told(name: str, samples: list[tuple[float, float]]) -> str:
    """First, last, most and slope of a list of (second, MiB)."""
    values = [value for _, value in samples]
    late = [sample for sample in samples if sample[0] >= WARM]
    slope = ""
    if len(late) > 2:
        times, sizes = zip(*late, strict=True)
        slope = f", {60 * statistics.linear_regression(times, sizes).slope:+.2f} MiB a minute after the first"
    return f"{name}: first {values[0]:.1f}, last {values[-1]:.1f}, most {max(values):.1f} MiB{slope}"


def updates(visitor: Visitor, repeats: int) -> dict[str, list[float]]:
    """Updates a second without a page, with what a page asks, and with a page in Chromium, where there is one."""
    with ExitStack() as stack:
        ways: dict[str, Callable[[], AbstractContextManager[object]]] = {
            "no page": nullcontext,
            "a page's requests": lambda: Page(visitor),
        }
        if (chromium := stack.enter_context(pages.browser())) is not None:
            ways["a page in Chromium"] = lambda: _shown(chromium, visitor.url)
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(repeats):
            for name, way in ways.items():
                with way():
                    time.sleep(SETTLED)
                    began, first = visitor.mark()
                    time.sleep(WINDOW)
                    ended, last = visitor.mark()
                    rates[name].append((last - first) / (ended - began))
    return rates


def speed(visitor: Visitor, repeats: int) -> None:
    """Print them, and what share of the speed is left with a page."""
    rates = updates(visitor, repeats)
    print(f"\nUpdates a second; windows of {WINDOW:.0f} s, n = {repeats}, interleaved")
    for name, values in rates.items():
        shares = [100 * value / alone for value, alone in zip(values, rates["no page"], strict=True)]
        share = f"{statistics.median(shares):.0f} % ({min(shares):.0f}–{max(shares):.0f}) of the speed without"
        print(f"{name:<20}{statistics.median(values):>8.1f}  {share}")


@contextmanager
def _shown(browser: Any, url: str) -> Iterator[None]:
    page = browser.new_page()
    page.goto(f"{url}/#/train")
    page.wait_for_selector('main[data-state="ready"]')
    yield
    page.close()


def spread(name: str, seconds: list[float]) -> str:
    """Median, 95th percentile and most of what was timed."""
    last, median = statistics.quantiles(seconds, n=20, method="inclusive")[-1], statistics.median(seconds)
    most = max(seconds)
    return f"{name}: median {1000 * median:.1f}, p95 {1000 * last:.1f}, most {1000 * most:.1f} ms, n = {len(seconds)}"


def page(visitor: Visitor, run: str, repeats: int) -> None:
    """What a user waits for, in Chromium, while nothing is being trained."""
    print(f"\nThe page in Chromium, nothing else under way; {repeats} repeats")
    with pages.browser() as chromium:
        if chromium is None:
            print("there is no Chromium here")
            return
        for name, seconds in pages.latencies(chromium, visitor.url, run, repeats).items():
            print(spread(name, seconds))


def answers(visitor: Visitor, run: str) -> None:
    """The same without a browser: the server's answers alone."""
    print("\nOne question after the other, nothing else under way")
    for n in range(100):
        visitor.draw(run, n)
        visitor.click(run, n)
    _times(visitor)


def steadiness(pid: int, visitor: Visitor, runs: tuple[str, str], seconds: float) -> None:
    """Memory and answers during ``seconds`` of training with a page open."""
    print(f"\n{seconds:.0f} s of training with a page open, at most five strokes a second", flush=True)
    with Page(visitor) as watching:
        found = memory(pid, seconds, lambda n: _use(visitor, runs[n % 2], n))
    for name, samples in found.items():
        print(told(name, samples))
    _times(visitor)
    state = visitor.state()
    size = watching.bytes / watching.events / 1024
    print(f"{state['step']:,} updates, {state['epoch']:,} epochs; {watching.events:,} events of {size:.1f} KiB")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.lab", description=__doc__)
    parser.add_argument("--only", action="append", choices=PARTS, help="may be given more than once")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument(
        "--repeats", type=int, default=5, help="of the page's times, and of the windows with and without"
    )
    arguments = parser.parse_args()
    parts = arguments.only or PARTS
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # then the server is ended too
    print(conditions())
    with tempfile.TemporaryDirectory() as folder, server(folder) as (pid, visitor):
        finished = visitor.train(3)
        visitor.finish()
        if "page" in parts:
            page(visitor, finished, arguments.repeats)
        if "answers" in parts:
            answers(visitor, finished)
        if "speed" in parts or "memory" in parts:
            under_way = visitor.train(1_000_000)
            if "speed" in parts:
                speed(visitor, arguments.repeats)
            if "memory" in parts:
                steadiness(pid, visitor, (finished, under_way), arguments.seconds)
            visitor.stop()
        print(f"{visitor.requests:,} requests, {len(visitor.errors)} errors")
        print("\n".join(visitor.errors[:5]))
    sys.exit(bool(visitor.errors))


def _use(visitor: Visitor, run: str, n: int) -> None:
    visitor.draw(run, n)
    if n % 10 < 2:  # in both runs
        visitor.click(run, n)


def _times(visitor: Visitor) -> None:
    for name, seconds in visitor.times().items():
        print(spread(name, seconds))


if __name__ == "__main__":
    main()
