"""``python -m bench.lab_table [--repeats N]``: what a user of the lab waits for, as the table of docs/lab.md.

As bench/lab.py measures it, and on the front page besides: every time from the browser's event to the changed page.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
from typing import Any

from . import lab, page
from .measure import conditions

PAINT, DRAWN = "first paint, empty cache", "the room with its numbers, empty cache"
ROWS = {  # what docs/lab.md calls what is measured
    "front paint": "first paint of the front page, empty cache",
    "front drawn": "the front page with its figure, empty cache",
    PAINT: "first paint of any room, empty cache",
    DRAWN: "any room with its figure and numbers, empty cache",
    "stroke": "a stroke to the whole picture, front page",
    "a stroke's update, room 8": "a stroke to the whole picture, room 8",
    "ribbons": "hover over a map to its ribbons, front page",
    "hover over a cell or a term": "hover over a cell or a term, room 4",
    "ledger": "a click to its ledger, front page",
    "a click's ledger, room 4": "a click to its ledger, room 4",
    "a click's ledger, room 8": "a click to its ledger, room 8",
}
OVER = """
  const map = document.querySelector('[data-testid=glass-{layer}-{map}]'), area = map.getBoundingClientRect();
  const at = {{ bubbles: true, clientX: area.x + {x}, clientY: area.y + 8, pointerId: 1, pointerType: 'mouse' }};
  map.dispatchEvent(new {event}('{name}', at))
"""


def front(chromium: Any, url: str, repeats: int) -> dict[str, list[float]]:
    """Seconds on the front page, with the net that comes with it."""
    found: dict[str, list[float]] = {"front paint": [], "front drawn": [], "ribbons": [], "ledger": []}
    for _ in range(repeats):
        context = chromium.new_context()
        fresh = page.opened(context.new_page(), url, "/")
        while not fresh.evaluate("performance.getEntriesByName('first-contentful-paint').length"):
            fresh.wait_for_timeout(10)
        painted, drawn = fresh.evaluate(page.PAINT)
        found["front paint"].append(painted)
        found["front drawn"].append(drawn)
        context.close()
    tab = page.opened(chromium.new_page(viewport={"width": 1280, "height": 800}), url, "/")
    for n in range(5 * repeats):
        over = OVER.format(layer=f"conv{1 + n % 2}", map=n % 10, x=6, event="PointerEvent", name="pointermove")
        found["ribbons"].append(page.changed(tab, over, ".ribbons"))
    for n in range(2 * repeats):
        click = OVER.format(layer="conv2", map=n % 20, x=4 + 5 * (n % 5), event="MouseEvent", name="click")
        found["ledger"].append(page.changed(tab, click, "[data-testid=ledger]"))
        tab.wait_for_selector('main[data-state="ready"]')
    tab = page.opened(tab, url, "/")
    found["stroke"] = page.strokes(tab, repeats)
    tab.close()
    return found


def row(name: str, seconds: list[float]) -> str:
    """Median, 95th percentile and most, in milliseconds."""
    last = statistics.quantiles(seconds, n=20, method="inclusive")[-1]
    values = " | ".join(f"{1000 * value:.1f}" for value in (statistics.median(seconds), last, max(seconds)))
    return f"| {name} | {values} | {len(seconds)} |"


def main() -> None:
    """Measure, and print the table in Markdown with the machine and its load."""
    parser = argparse.ArgumentParser(prog="python -m bench.lab_table", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    loads = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as folder, lab.server(folder) as (_, visitor):
        run = visitor.train(3)
        visitor.finish()
        with page.browser() as chromium:
            if chromium is None:
                sys.exit("there is no Chromium here")
            found = front(chromium, visitor.url, repeats)
            found |= page.latencies(chromium, visitor.url, run, repeats)
        visitor.train(1_000_000)
        rates = lab.updates(visitor, repeats)
        visitor.stop()
    loads.append(os.getloadavg()[0])
    print(f"{conditions()}; load {loads[0]:.1f} before, {loads[1]:.1f} after\n")
    print("| milliseconds | median | 95 % | most | n |\n|---|---|---|---|---|")
    print("\n".join(row(words, found[name]) for name, words in ROWS.items()))
    shares = [100 * a / b for a, b in zip(rates["a page in Chromium"], rates["no page"], strict=True)]
    share = f"{statistics.median(shares):.0f} % ({min(shares):.0f} to {max(shares):.0f})"
    print(f"\nTraining with room 7 open in Chromium: {share} of the speed without a page, n = {repeats}, interleaved.")


if __name__ == "__main__":
    main()
