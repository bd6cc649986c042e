"""What a user of the lab waits for, measured inside the page (Chromium): first paint, hover, a click's ledger, strokes.

Every time is from the browser's own event to the browser's own change of the page, so the way through the server and
back, the drawing of the answer and the wait for a frame are in it.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOMS = re.findall(
    r'id: "(\w+)"', (Path(__file__).parents[1] / "convscope/lab/static/js/rooms.js").read_text(encoding="utf-8")
)

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

# Seconds from the first byte of the server's answer to the first paint with content, and to the room with its numbers.
PAINT = """() => {
  const [{ responseStart }] = performance.getEntriesByType("navigation");
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  const [ready] = performance.getEntriesByName("ready");
  return [paint, ready].map((entry) => (entry.startTime - responseStart) / 1000);
}"""

# Seconds that the page needs for a pointer that comes over a cell: handlers, style and layout.
HOVER = """(cell) => {
  const began = performance.now();
  cell.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
  cell.dispatchEvent(new PointerEvent("pointerenter"));
  document.body.getBoundingClientRect();
  return (performance.now() - began) / 1000;
}"""

# Seconds from what ACT does until something below `watched` changes. (The page's own policy forbids eval.)
CHANGE = """(watched) => new Promise((resolve, reject) => {
  const late = setTimeout(() => reject(new Error("nothing changed")), 20000);
  let began = 0;
  const observer = new MutationObserver(() => {
    clearTimeout(late);
    observer.disconnect();
    resolve((performance.now() - began) / 1000);
  });
  const element = document.querySelector(watched);
  observer.observe(element, { subtree: true, childList: true, characterData: true, attributes: true });
  began = performance.now();
  ACT;
})"""


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium, or None where there is none."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        yield None
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        running = play.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield running
        running.close()


def latencies(chromium: Any, url: str, run: str, repeats: int) -> dict[str, list[float]]:
    """Seconds of everything that a user waits for, ``repeats`` times each; ``run`` is what room 8 shows."""
    found: dict[str, list[float]] = {}
    for _ in range(repeats):
        for room in ROOMS:
            context = chromium.new_context()  # with an empty cache
            page = opened(context.new_page(), url, f"/{room}")
            while not page.evaluate("performance.getEntriesByName('first-contentful-paint').length"):
                page.wait_for_timeout(10)  # the browser notes it a little later
            painted, drawn = page.evaluate(PAINT)
            found.setdefault("first paint, empty cache", []).append(painted)
            found.setdefault("the room with its numbers, empty cache", []).append(drawn)
            context.close()
    page = chromium.new_page()
    opened(page, url, "/convolution")
    cells = page.get_by_test_id("output-0").locator("[role=gridcell]")
    terms = page.locator("tr.term")
    for n in range(repeats):
        for place in range(9):
            hovered = [cells.nth(place).evaluate(HOVER), terms.nth(place).evaluate(HOVER)]
            found.setdefault("hover over a cell or a term", []).extend(hovered)
        for place in (3, 11, 17):
            cell = f"document.querySelectorAll('[data-testid=output-0] [role=gridcell]')[{place + n % 3}].click()"
            seconds = changed(page, cell, "[data-testid=ledger]")
            found.setdefault("a click's ledger, room 4", []).append(seconds)
            page.wait_for_selector('main[data-state="ready"]')
    opened(page, url, f"/inside?run={run}&test=0")
    for n in range(repeats):
        for k in range(3):
            click = (
                f"const map = document.querySelector('[data-testid=map-conv2-{(n + k) % 10}]');"
                "const area = map.getBoundingClientRect();"
                f"const at = {{ clientX: area.x + {10 + 12 * k}, clientY: area.y + 20 }};"
                "map.dispatchEvent(new MouseEvent('click', at))"
            )
            seconds = changed(page, click, "[data-testid=ledger]")
            found.setdefault("a click's ledger, room 8", []).append(seconds)
            page.wait_for_selector('main[data-state="ready"]')
    opened(page, url, f"/inside?run={run}&test=-1")
    found["a stroke's update, room 8"] = strokes(page, repeats)
    page.close()
    return found


def opened(page: Any, url: str, state: str) -> Any:
    """The page, in a room, ready."""
    page.goto("about:blank")
    page.goto(f"{url}/#{state}")
    page.wait_for_selector('main[data-state="ready"]')
    return page


def changed(page: Any, act: str, watched: str) -> float:
    """Seconds from what the JavaScript ``act`` does until something below the selector ``watched`` changes."""
    seconds: float = page.evaluate(CHANGE.replace("ACT", act), watched)
    return seconds


def strokes(page: Any, repeats: int) -> list[float]:
    """Draw: seconds from each movement of the pen until the probabilities are drawn again."""
    area = page.get_by_test_id("pad").bounding_box()
    assert area is not None
    page.mouse.move(area["x"] + 60, area["y"] + 60)
    page.mouse.down()
    page.wait_for_timeout(500)
    found = []
    for n in range(5 * repeats):
        x, y = 60 + (37 * n) % 150, 60 + (53 * n) % 150
        move = (
            "const pad = document.querySelector('[data-testid=pad]'), area = pad.getBoundingClientRect();"
            "pad.dispatchEvent(new PointerEvent('pointermove', { pointerId: 1, bubbles: true,"
            f" clientX: area.x + {x}, clientY: area.y + {y} }}))"
        )
        found.append(changed(page, move, "[data-testid=bars]"))
        page.wait_for_timeout(60)  # the answer is drawn to its end
    page.mouse.up()
    return found
