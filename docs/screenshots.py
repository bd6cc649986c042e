"""The pictures of the lab in the README and in docs: every room in both themes at 1280×800 → docs/images/lab-*.png.

Run it as ``make screenshots``; it needs Playwright and a Chromium. A run to look inside is trained on the spot.
"""

import re
import shutil
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import things
import uvicorn
from PIL import Image
from playwright.sync_api import Page, sync_playwright

import convscope
from convscope.lab.server.app import create_app
from convscope.lab.server.guard import Access
from convscope.lab.server.pages import STATIC
from convscope.lab.server.serve import address, listen
from convscope.lab.shelf import Shelf

IMAGES = Path(__file__).parent / "images"
ROOMS = re.findall(r'id: "(\w+)"', (STATIC / "js" / "rooms.js").read_text())
LESSON, DATA = "lesson", "data"  # pictures that are of no room
# What each room shows; {run} is the run trained here, {own} that on classes of one's own. A room that is not listed
# shows what it starts with.
STATES = {
    "backprop": "step=7",
    "descent": "at=150",
    "pooling": "kernel_size=[3,3]&stride=[1,1]&at=[0,1,2]",
    "shapes": "feed=64,+1,+32,+32",
    "train": 'over=["{run}"]',
    "inside": 'run={run}&test=3&path=[["conv2",7,3,4]]',
    "classes": "run={own}",
}
# Rooms of which a lower part is shown: what is then at the top.
FROM = {"train": ".status", "inside": ".depths"}


def shoot(page: Page, url: str, rooms: list[str], **runs: str) -> None:
    """The rooms in both themes."""
    for room in rooms:
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page.goto("about:blank")
            page.goto(f"{url}#/{room}?{STATES.get(room, '').format(**runs)}")
            page.wait_for_selector('main[data-state="ready"]')
            page.wait_for_timeout(500)
            if room == "classes":
                page.get_by_test_id("own-file").set_input_files(things.shot("flower", 3))
                page.get_by_test_id("best").wait_for()
            if room in FROM:
                page.locator(FROM[room]).first.evaluate("e => scrollTo(0, e.getBoundingClientRect().y + scrollY - 70)")
            keep(page, f"lab-{room}-{theme}.png")


def learn(page: Page, url: str) -> None:
    """A question of a lesson, answered wrongly and explained, in both themes."""
    page.goto("about:blank")
    page.goto(f"{url}#/losses?lesson=1")
    page.get_by_test_id("lesson-number").fill("18")
    page.get_by_test_id("lesson-check").click()
    page.wait_for_selector('[data-testid="lesson-card"][data-phase="told"]')
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.wait_for_timeout(500)
        keep(page, f"lab-lesson-{theme}.png")


def offer(page: Page, url: str) -> None:
    """What room 7 offers to train on before any run is there, in both themes."""
    page.goto(f"{url}#/train")
    page.wait_for_selector('[data-testid="data-told"][data-value="digits"]')
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.wait_for_timeout(500)
        keep(page, f"lab-data-{theme}.png", photographs=True)


def keep(page: Page, name: str, *, photographs: bool = False) -> None:
    """What is on the screen, as a picture of the docs; small photographs in it keep their colours where it is said."""
    file = IMAGES / name
    page.screenshot(path=file)
    picture = Image.open(file).convert("RGB")
    (picture if photographs else reduced(picture)).save(file, optimize=True)
    print(file)


def reduced(picture: Image.Image) -> Image.Image:
    """The picture in its 256 most frequent colours: a third of the size, and flat areas stay what they are.

    One with photographs in it has too many, and is not reduced.
    """
    colours, counts = np.unique(np.asarray(picture).reshape(-1, 3), axis=0, return_counts=True)
    if np.sort(counts)[:-256].sum() > 0.05 * counts.sum():
        return picture
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours[np.argsort(-counts, kind="stable")[:256]].tobytes())
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def hold(page: Page, url: str) -> None:
    """Let a run begin in room 7 and hold it after a few epochs, so that there is something to see."""
    page.goto(f"{url}#/train?epochs=40&lr=0.02&momentum=0.9")
    page.get_by_test_id("start").click()
    while int(page.get_by_test_id("now-epoch").get_attribute("data-value") or 0) < 6:
        page.wait_for_timeout(50)
    page.get_by_test_id("pause").click()
    page.wait_for_selector('.status[data-status="paused"]')


def main() -> None:
    """Start a lab with two runs, take the pictures, end it. Arguments name rooms, the lesson, the data; none: all."""
    rooms = sys.argv[1:] or [*ROOMS, LESSON, DATA]
    IMAGES.mkdir(exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        run = convscope.train("digits", epochs=5, lr=0.05, momentum=0.9, out=runs)
        own = convscope.train(things.collect(Path(folder)), out=runs)
        access, server = Access(), listen("127.0.0.1", 0)
        app = create_app(access, Shelf(runs))
        config = uvicorn.Config(app, log_level="warning", lifespan="off")
        lab = uvicorn.Server(config)
        thread = threading.Thread(target=lab.run, kwargs={"sockets": [server]})
        thread.start()
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 1280, "height": 800}, locale="en-US")
                if DATA in rooms:
                    offer(page, address(server, access.token))
                if "train" in rooms:
                    hold(page, address(server, access.token))
                shown = [room for room in rooms if room not in (LESSON, DATA)]
                shoot(page, address(server, access.token), shown, run=run.path.name, own=own.path.name)
                if LESSON in rooms:
                    learn(page, address(server, access.token))
                browser.close()
        finally:
            lab.should_exit = True
            thread.join()
            if app.state.trainer.live is not None:
                app.state.trainer.live.close()


if __name__ == "__main__":
    main()
