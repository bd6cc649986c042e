"""What a reader can do in the page, in three ways that are called alike: with a mouse, with a finger, with keys alone.

Places are shares of an element, (0, 0) its upper left corner. Keys go their own way to such a place, from where the
room puts their cursor; a test therefore reads from the page what was chosen, and compares that with PyTorch.
"""

import time
from contextlib import contextmanager
from itertools import pairwise

import pytest

# What is chosen stands in the address 120 ms later, and without the wait after typing that Room.settle() counts in.
WRITTEN = "() => new Promise(resume => setTimeout(resume, 130))"
# At the edge of the window the page's own bar lies over it.
CENTRED = "e => e.scrollIntoView({ block: 'center', inline: 'nearest', behavior: 'instant' })"
# A tap becomes a click a while later, where the machine is busy. A slider makes no click of it.
LISTEN = """e => {
  const name = e.type === 'range' ? 'touchend' : 'click';
  window.tapped = new Promise(resume => addEventListener(name, () => resume(true), { once: true, capture: true }));
}"""
TAPPED = "() => Promise.race([window.tapped, new Promise(resume => setTimeout(() => resume(false), 20000))])"
PACE = 0.008  # seconds between two places of a stroke: a quick one
LIFTED = 0.4  # seconds between two touches, so that two taps are not a double one


class Hand:
    """What does not depend on the way. ``room`` is the fixture of that name."""

    def __init__(self, room):
        self.room, self.at = room, room.at

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def done(self):
        self.room.page.evaluate(WRITTEN)
        self.room.ready()

    def able(self, testid):
        """Wait until it can be used: whoever uses it looks at it, too."""
        self.at(testid).element_handle().wait_for_element_state("enabled")

    def place(self, testid, u=0.5, v=0.5):
        self.able(testid)
        self.at(testid).evaluate(CENTRED)
        self.at(testid).element_handle().wait_for_element_state("stable")
        area = self.at(testid).bounding_box()
        return area["x"] + u * area["width"], area["y"] + v * area["height"]

    def choose(self, testid, value):
        """One of a list: the list itself is drawn by the browser, and not a part of the page."""
        self.at(testid).select_option(value)
        self.done()

    def write(self, testid, text):
        """Put a text in the place of what stands there."""
        self.focus(testid)
        self.room.press("Control+a")
        self.room.page.keyboard.type(text)
        self.room.press("Enter")

    def slide(self, testid, share):
        self.put(testid, share, 0.5)
        self.room.settle()

    def pull(self, testid, by):
        """Drag a thing by its middle, by so many pixels."""
        x, y = self.place(testid)
        self.go([(x, y), (x + by[0], y + by[1])])

    def draw(self, testid, *ends):
        self.go([self.place(testid, *end) for end in ends])


class Mouse(Hand):
    def put(self, testid, u=0.5, v=0.5):
        self.room.page.mouse.click(*self.place(testid, u, v))
        self.done()

    press = focus = put

    def go(self, places):
        self.room.page.mouse.move(*places[0])
        self.room.page.mouse.down()
        for place in places[1:]:
            self.room.page.mouse.move(*place, steps=6)
        self.room.page.mouse.up()
        self.done()

    @contextmanager
    def hold(self, testid):
        """While the block runs, a button is held down."""
        self.room.page.mouse.move(*self.place(testid))
        self.room.page.mouse.down()
        yield
        self.room.page.mouse.up()


def strewn(places):
    """The places between the ends of a stroke, too."""
    between = [
        [a + (b - a) * n / 6 for a, b in zip(*pair, strict=True)] for pair in pairwise(places) for n in range(1, 7)
    ]
    return [places[0], *between]


class Pen(Mouse):
    def go(self, places):
        browser = self.room.page.context.new_cdp_session(self.room.page)
        more = {"button": "left", "buttons": 1, "clickCount": 1, "pointerType": "pen"}
        places = strewn(places)
        kinds = ["mousePressed", *["mouseMoved"] * (len(places) - 1), "mouseReleased"]
        for kind, (x, y) in zip(kinds, [*places, places[-1]], strict=True):
            browser.send("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, **more})
        browser.detach()
        self.done()


class Touch(Hand):
    """While it is there, the page is that of a device with a coarse pointer: what is touched is larger then.

    Touches bear times of their own, so that a stroke is as quick on a busy machine as on any.
    """

    def __enter__(self):
        self.browser = self.room.page.context.new_cdp_session(self.room.page)
        self._emulate(True)
        self.time = time.time()
        return self

    def __exit__(self, *_):
        self._emulate(False)
        self.browser.detach()

    def _emulate(self, on):
        self.browser.send("Emulation.setTouchEmulationEnabled", {"enabled": on})

    def _send(self, kind, *places):
        self.time += PACE
        points = [{"x": x, "y": y} for x, y in places]
        self.browser.send("Input.dispatchTouchEvent", {"type": kind, "timestamp": self.time, "touchPoints": points})

    def put(self, testid, u=0.5, v=0.5):
        """Once: whoever taps is heard, whatever was done before."""
        place = self.place(testid, u, v)
        self.at(testid).evaluate(LISTEN)
        with self._down(place):
            pass
        assert self.room.page.evaluate(TAPPED), f"a tap on {testid} was not heard"
        self.done()

    press = focus = put

    def go(self, places):
        first, *others = strewn(places)
        with self._down(first):
            for place in others:
                self._send("touchMove", place)
        self.done()

    @contextmanager
    def _down(self, place):
        self.time = max(time.time(), self.time + LIFTED)
        self._send("touchStart", place)
        yield
        self._send("touchEnd")

    def hold(self, testid):
        """While the block runs, a button is held down."""
        return self._down(self.place(testid))


class Keys(Hand):
    def focus(self, testid):
        """There, or at the cell of a grid at which the Tab key stops."""
        self.able(testid)
        stops = self.at(testid).evaluate(
            "e => (e.tabIndex ? e.querySelector('[tabindex=\"0\"]') : e)?.focus() ?? e.contains(document.activeElement)"
        )
        assert stops, f"the Tab key does not stop at {testid}"

    def press(self, testid):
        self.focus(testid)
        kind = self.at(testid).get_attribute("type")
        self._keys("Space" if kind in ("checkbox", "radio") else "Enter")

    def put(self, testid, *_):
        self.focus(testid)
        self._keys("ArrowDown", "ArrowRight", "Enter")

    def slide(self, testid, _):
        self.focus(testid)
        self._keys("ArrowUp", "ArrowUp")
        self.room.settle()

    def pull(self, testid, _):
        self.focus(testid)
        self._keys("ArrowDown", "ArrowRight")

    def draw(self, testid, *_):
        """A line from the top to the bottom, where the pen lies in the middle."""
        self.focus(testid)
        self._keys(*["ArrowUp"] * 9, " ", *["ArrowDown"] * 18, " ")

    def choose(self, testid, _):
        """The next one of the list, or the one before the last."""
        self.focus(testid)
        before = self.at(testid).input_value()
        self._keys("ArrowDown")
        if self.at(testid).input_value() == before:
            self._keys("ArrowUp")

    @contextmanager
    def hold(self, testid):
        """While the block runs, Enter is held down at a button."""
        self.focus(testid)
        self.room.page.keyboard.down("Enter")
        yield
        self.room.page.keyboard.up("Enter")

    def _keys(self, *keys):
        self.room.press(*keys)
        self.done()


HANDS = (Mouse, Touch, Keys)
# Each hand in both languages; both widths and themes come in turn. The fixture ``hand`` is made of one.
BY_EVERY_HAND = pytest.mark.parametrize(
    "hand",
    [
        pytest.param(hand, marks=pytest.mark.view(width, lang, theme), id=f"{hand.__name__.lower()}-{width}-{lang}")
        for hand, width, lang, theme in (
            (Mouse, 1280, "en", "light"),
            (Touch, 390, "zh", "dark"),
            (Keys, 1280, "zh", "light"),
            (Mouse, 390, "zh", "light"),
            (Touch, 390, "en", "light"),
            (Keys, 1280, "en", "dark"),
        )
    ],
    indirect=True,
)
