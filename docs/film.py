"""The stranger's path as a film: from ``convscope lab`` in an empty folder to a digit explained down to its ink, and on
to a net that tells two things of one's own apart → docs/images/lab-path.gif.

``make film``; it needs Playwright and Chromium. The camera is Chromium's own for tests, and shows two things in turn.
The clock in the picture runs from the start of the command; nothing is cut out, and nothing is made faster.
"""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import things
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Page, sync_playwright

FILM = Path(__file__).parent / "images" / "lab-path.gif"
MOST_BYTES = 5_000_000
SIZE, BAND = (720, 450), 34  # pixels of the page in the film, and of the line below it
HELD = 5.0  # seconds that the camera sees one thing
SHOTS = 4.1  # of them, seconds in which its button is held
CAMERA = (240, 320, 10)  # height, width, frames a second
POINTER = """() => {
  const dot = document.createElement('div');
  const look = { position: 'fixed', width: '16px', height: '16px', borderRadius: '50%', background: '#d9480fcc',
    pointerEvents: 'none', zIndex: 99, left: '-40px', top: '-40px' };
  Object.assign(dot.style, look);
  document.body.append(dot);
  addEventListener('pointermove', (e) => {
    dot.style.left = `${e.clientX - 8}px`;
    dot.style.top = `${e.clientY - 8}px`;
  }, true);
}"""
# Which of the things the camera sees: the flower is dark at its edges, the temple stands before the sky.
SEEN = """() => {
  const video = document.querySelector('[data-testid=eye]');
  if (!video.videoWidth) return '';
  const ink = new OffscreenCanvas(8, 8).getContext('2d');
  ink.drawImage(video, 0, 0, 8, 8);
  const top = ink.getImageData(0, 0, 8, 2).data.filter((_, i) => i % 4 < 3);
  return top.reduce((a, b) => a + b) / top.length > 128 ? 'temple' : 'flower';
}"""


class Recorder:
    """What a page shows, from moment to moment, with the words below it."""

    def __init__(self, page: Page, began: float) -> None:
        self.page, self.began, self.words = page, began, ""
        self.frames: list[tuple[float, str, bytes]] = []
        self._browser = page.context.new_cdp_session(page)
        self._browser.on("Page.screencastFrame", self._take)
        limits = {"maxWidth": SIZE[0], "maxHeight": SIZE[1]}
        self._browser.send("Page.startScreencast", {"format": "jpeg", "quality": 90, **limits})

    def _take(self, frame: dict[str, str]) -> None:
        self.frames.append((time.monotonic() - self.began, self.words, b64decode(frame["data"])))
        self._browser.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

    def now(self) -> float:
        """Seconds since the start of the command."""
        return time.monotonic() - self.began


@contextmanager
def lab(folder: Path) -> Iterator[str]:
    """``convscope lab`` in ``folder``; its address."""
    command = [sys.executable, "-m", "convscope", "lab", "--no-browser", "--port", "0"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        assert process.stdout is not None
        found = next(filter(None, (re.search(r"http://\S+", line) for line in process.stdout)))
        yield found[0].rstrip("/")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(90)


def camera(path: Path) -> Path:
    """A film of both things in turn, as Chromium's test camera plays it, again and again."""
    height, width, rate = CAMERA
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{rate}:1 Ip A1:1 C420jpeg\n".encode())
        for number in range(int(2 * HELD * rate)):
            second = number / rate
            thing = things.THINGS[int(second / HELD)]
            planes = Image.fromarray(things.view(thing, height, width, second)).convert("YCbCr").split()
            luma, *chroma = (np.asarray(plane) for plane in planes)
            file.write(b"FRAME\n" + luma.tobytes())
            for plane in chroma:
                file.write(plane.reshape(height // 2, 2, width // 2, 2).mean((1, 3)).astype(np.uint8).tobytes())
    return path


def explain_a_digit(page: Page, film: Recorder) -> float:
    """Draw a four on the front page and follow it down to the ink; the second at which that is done."""
    film.words = "Draw a digit: every layer answers while the line grows"
    page.get_by_test_id("clear").click()
    pad = page.get_by_test_id("pad").bounding_box()
    assert pad is not None
    for line in ([(0.6, 0.15), (0.25, 0.6), (0.8, 0.6)], [(0.62, 0.4), (0.62, 0.9)]):
        ends = [(pad["x"] + u * pad["width"], pad["y"] + v * pad["height"]) for u, v in line]
        page.mouse.move(*ends[0])
        page.mouse.down()
        for end in ends[1:]:
            page.mouse.move(*end, steps=12)
        page.mouse.up()
    page.wait_for_selector('[data-testid="best"]:text-is("4")')
    film.words = "Point at a map: its kernels, and what it counts in the answer"
    page.get_by_test_id("glass-conv1-3").hover()
    page.wait_for_timeout(900)
    film.words = "Click: its arithmetic, down to the ink"
    page.get_by_test_id("glass-conv2-7").click()
    slide = page.get_by_test_id("slide")
    slide.locator("tr.term").first.wait_for()
    while "image" not in page.url.partition("path=")[2]:
        before = page.url
        page.wait_for_timeout(700)
        slide.locator("tr.term").first.click()
        page.wait_for_url(lambda url, before=before: url != before)
    slide.get_by_text("pixel").first.wait_for()
    done = film.now()
    page.wait_for_timeout(1500)
    page.get_by_test_id("close-ledger").click()
    return done


def teach(page: Page, film: Recorder) -> float:
    """Two classes by the camera, trained and tried; the second at which the net answers."""
    film.words = "My classes: name two things"
    page.get_by_test_id("teach").click()
    page.wait_for_selector('main[data-room="classes"][data-state="ready"]')
    for index, thing in enumerate(things.THINGS):
        page.get_by_test_id(f"name-{index}").fill(thing)
        page.keyboard.press("Enter")
    page.get_by_test_id("camera").click()
    page.wait_for_function("() => document.querySelector('[data-testid=eye]').videoWidth > 0")
    film.words = "Hold the button while the camera sees the thing: 30 shots in four seconds"
    for index, thing in _by_turns(page):
        page.get_by_test_id(f"shoot-{index}").hover()
        page.mouse.down()
        page.wait_for_timeout(1000 * SHOTS)
        page.mouse.up()
        film.words = (
            f"Now the other thing: {len(things.THINGS) - index - 1} to go" if thing != things.THINGS[-1] else ""
        )
    film.words = "Train: pretrained features, a last layer of one's own"
    page.get_by_test_id("learn").click()
    page.wait_for_selector('.learning[data-status="finished"]', timeout=120_000)
    film.words = "The camera is answered live"
    for thing in (*things.THINGS, things.THINGS[0]):
        page.wait_for_selector(f'[data-testid="best"]:text-is("{thing}")', timeout=120_000)
    done = film.now()
    page.wait_for_timeout(2500)
    return done


def _by_turns(page: Page) -> Iterator[tuple[int, str]]:
    """Each thing when it has just come before the camera."""
    for index, thing in enumerate(things.THINGS):
        while page.evaluate(SEEN) == thing:
            page.wait_for_timeout(40)
        while page.evaluate(SEEN) != thing:
            page.wait_for_timeout(40)
        yield index, thing


def record() -> tuple[list[tuple[float, str, bytes]], float, float]:
    """Go the whole path; frames, and the seconds at which the ink and the net of one's own were reached."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as name:
        fresh = Path(name) / "fresh"
        fresh.mkdir()
        eye = camera(Path(name) / "camera.y4m")
        flags = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        with sync_playwright() as play:
            browser = play.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", *flags, f"--use-file-for-fake-video-capture={eye}"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 800}, locale="en-US", color_scheme="light")
            page.set_default_timeout(60_000)
            began = time.monotonic()
            with lab(fresh) as url:
                film = Recorder(page, began)
                film.words = "convscope lab, in an empty folder"
                page.goto(url)
                page.wait_for_selector('main[data-state="ready"]')
                page.evaluate(POINTER)
                page.wait_for_timeout(700)
                ink = explain_a_digit(page, film)
                own = teach(page, film)
                browser.close()
    return film.frames, ink, own


def develop(frames: list[tuple[float, str, bytes]], rate: float, colours: int) -> bytes:
    """An animated GIF with ``rate`` frames a second at most, in so many colours, every frame as long as it stood."""
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 15)
    kept = [frames[0]]
    for frame in frames[1:]:
        if frame[0] - kept[-1][0] >= 1 / rate:
            kept.append(frame)
    ends = [*(at for at, _, _ in kept[1:]), frames[-1][0] + 2]
    drawn = [_drawn(at, words, content, font) for at, words, content in kept]
    some = Image.new("RGB", (SIZE[0], (SIZE[1] + BAND) * 6))
    for i in range(6):
        some.paste(drawn[i * (len(drawn) - 1) // 5], (0, i * (SIZE[1] + BAND)))
    palette = some.quantize(colours, method=Image.Quantize.MEDIANCUT)
    pictures = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in drawn]
    times = [int(100 * (end - at)) * 10 for end, (at, _, _) in zip(ends, kept, strict=True)]
    file = io.BytesIO()
    pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:], duration=times, loop=0, disposal=1)
    return file.getvalue()


def _drawn(at: float, words: str, content: bytes, font: ImageFont.FreeTypeFont) -> Image.Image:
    picture = Image.new("RGB", (SIZE[0], SIZE[1] + BAND), (28, 31, 38))
    picture.paste(Image.open(io.BytesIO(content)).convert("RGB").resize(SIZE), (0, 0))
    ink = ImageDraw.Draw(picture)
    ink.text((10, SIZE[1] + 8), f"{at:.0f} s", font=font, fill=(255, 184, 107))
    ink.text((70, SIZE[1] + 8), words, font=font, fill=(233, 231, 226))
    return picture


def main() -> None:
    """Record, and write the film with as many frames as fit into its size."""
    frames, ink, own = record()
    print(f"the ink after {ink:.1f} s, a net of one's own after {own:.1f} s; load {os.getloadavg()[0]:.1f}")
    for rate, colours in ((5, 96), (4, 64), (3, 48), (2, 48)):
        film = develop(frames, rate, colours)
        print(f"{rate} frames a second in {colours} colours: {len(film):,} bytes")
        if len(film) < MOST_BYTES:
            FILM.write_bytes(film)
            return
    sys.exit("the film is too large")


if __name__ == "__main__":
    main()
