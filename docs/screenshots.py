"""The pictures of the lab in the README and in docs: every room in both themes at 1280×800 → docs/images/lab-*.png.

Run it as ``make screenshots``; it needs Playwright and a Chromium. A run to look inside is trained on the spot.
"""

import re
import shutil
import tempfile
import threading
from pathlib import Path

import uvicorn
from PIL import Image
from playwright.sync_api import Page, sync_playwright

import convscope
from convscope.lab.app import create_app
from convscope.lab.guard import Access
from convscope.lab.pages import STATIC
from convscope.lab.serve import address, listen
from convscope.lab.shelf import Shelf

IMAGES = Path(__file__).parent / "images"
ROOMS = re.findall(r'id: "(\w+)"', (STATIC / "js" / "rooms.js").read_text())
# What each room shows; {run} is the run trained here. A room that is not listed shows what it starts with.
STATES = {
    "backprop": "step=7",
    "descent": "at=150",
    "pooling": "kernel_size=[3,3]&stride=[1,1]&at=[0,1,2]",
    "shapes": "feed=64,+1,+32,+32",
    "train": 'over=["{run}"]&run={run}',
    "inside": "run={run}&test=3",
}


def shoot(page: Page, url: str, run: str) -> None:
    """Every room in the page's theme."""
    for room in ROOMS:
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page.goto("about:blank")
            page.goto(f"{url}#/{room}?{STATES.get(room, '').format(run=run)}")
            page.wait_for_selector('main[data-state="ready"]')
            page.wait_for_timeout(500)
            file = IMAGES / f"lab-{room}-{theme}.png"
            page.screenshot(path=file)
            Image.open(file).convert("RGB").quantize(200).save(file, optimize=True)  # a third of the size
            print(file)


def main() -> None:
    """Start a lab with one run, take the pictures, end it."""
    IMAGES.mkdir(exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder:
        run = convscope.train("digits", epochs=5, lr=0.05, momentum=0.9, out=folder)
        access, server = Access(), listen("127.0.0.1", 0)
        config = uvicorn.Config(create_app(access, Shelf(Path(folder))), log_level="warning", lifespan="off")
        lab = uvicorn.Server(config)
        thread = threading.Thread(target=lab.run, kwargs={"sockets": [server]})
        thread.start()
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 1280, "height": 800}, locale="en-US")
                shoot(page, address(server, access), run.path.name)
                browser.close()
        finally:
            lab.should_exit = True
            thread.join()


if __name__ == "__main__":
    main()
