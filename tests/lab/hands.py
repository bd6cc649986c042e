"""What a reader can do in the page, in three ways that are called alike: with a mouse, with a finger, with keys alone.

Places are shares of an element, (0, 0) its upper left corner. Keys go their own way to such a place, from where the
room puts their cursor; a test therefore reads from the page what was chosen, and compares that with PyTorch.
"""

from itertools import pairwise

# What is chosen stands in the address 120 ms later, and without the wait after typing that Room.settle() counts in.
WRITTEN = "() => new Promise(resume => setTimeout(resume, 130))"
# A tap becomes a click when the browser has made up its mind, which takes a while where the machine is busy. One that
# follows a quick drag it drops: who taps again is heard.
LISTEN = (
    "event => { window.tapped = new Promise(resume =>"
    " addEventListener(event, () => resume(true), { once: true, capture: true })) }"
)
TAPPED = "() => Promise.race([window.tapped, new Promise(resume => setTimeout(() => resume(false), 3000))])"
HEARD = "e => e.type === 'range' ? 'touchend' : 'click'"  # a slider makes no click of a tap


def until_tapped(page, target, touch):
    """Touch until the page has heard it. What slides in is waited for."""
    target.element_handle().wait_for_element_state("stable")
    for _ in range(5):
        page.evaluate(LISTEN, target.evaluate(HEARD))
        touch()
        if page.evaluate(TAPPED):
            return
    raise AssertionError("five taps were not heard")


# At the edge of the window the page's own bar lies over it.
CENTRED = "e => e.scrollIntoView({ block: 'center', inline: 'nearest', behavior: 'instant' })"


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

    def place(self, testid, u, v):
        self.at(testid).evaluate(CENTRED)
        self.at(testid).element_handle().wait_for_element_state("stable")
        area = self.at(testid).bounding_box()
        return area["x"] + u * area["width"], area["y"] + v * area["height"]

    def choose(self, testid, value):
        """One of a list: the list itself is drawn by the browser, and not a part of the page."""
        self.at(testid).select_option(value)
        self.done()

    def slide(self, testid, share):
        self.put(testid, share, 0.5)
        self.room.settle()

    def pull(self, testid, by):
        """Drag a thing by its middle, by so many pixels."""
        x, y = self.place(testid, 0.5, 0.5)
        self.go([(x, y), (x + by[0], y + by[1])])

    def draw(self, testid, *ends):
        self.go([self.place(testid, *end) for end in ends])


class Mouse(Hand):
    def put(self, testid, u=0.5, v=0.5):
        self.room.page.mouse.click(*self.place(testid, u, v))
        self.done()

    press = put

    def go(self, places):
        self.room.page.mouse.move(*places[0])
        self.room.page.mouse.down()
        for place in places[1:]:
            self.room.page.mouse.move(*place, steps=6)
        self.room.page.mouse.up()
        self.done()


class Touch(Hand):
    """While it is there, the page is that of a device with a coarse pointer: what is touched is larger then."""

    def __enter__(self):
        self.browser = self.room.page.context.new_cdp_session(self.room.page)
        self._emulate(True)
        return self

    def __exit__(self, *_):
        self._emulate(False)
        self.browser.detach()

    def _emulate(self, on):
        self.browser.send("Emulation.setTouchEmulationEnabled", {"enabled": on})

    def put(self, testid, u=0.5, v=0.5):
        until_tapped(self.room.page, self.at(testid), lambda: self.go([self.place(testid, u, v)]))
        self.done()

    press = put

    def go(self, places):
        between = [
            [a + (b - a) * n / 6 for a, b in zip(*pair, strict=True)] for pair in pairwise(places) for n in range(1, 7)
        ]
        places = [places[0], *between]
        for kind, (x, y) in zip(["touchStart", *["touchMove"] * (len(places) - 1)], places, strict=True):
            self.browser.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        self.browser.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        self.done()


class Keys(Hand):
    def focus(self, testid):
        """There, or at the cell of a grid at which the Tab key stops."""
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
        self.focus(testid)
        self._keys("ArrowDown")

    def _keys(self, *keys):
        self.room.press(*keys)
        self.done()


HANDS = (Mouse, Touch, Keys)
