"""Interactions as a table: each is written once, and done by mouse, finger and keys in both languages on one page."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from .hands import HANDS

GO = """address => new Promise((resume) => {
  const to = new URL(address, location);
  if (location.hash === to.hash) return resume();
  addEventListener("hashchange", resume, { once: true });
  location.hash = to.hash;
})"""


@dataclass
class Ways:
    """Name of an interaction → (the place where it is done, what is done there)."""

    table: dict[str, tuple[str, Callable]] = field(default_factory=dict)

    def at(self, address):
        """The place where an interaction is done, with {run} and {other} for the names of runs.

        It is called with the hand that does it and both runs, and gives the element that then tells something in words.
        """

        def keep(do):
            self.table[do.__name__] = (address, do)
            return do

        return keep

    def go(self, name, room, run, other):
        """Do it in every way; the room must then speak the reader's language."""
        address, do = self.table[name]
        address = address.format(run=run, other=other)
        room.open(address)
        for lang in ("en", "zh"):
            if lang == "zh":
                room.at("lang").click()
                room.page.locator("html[lang=zh-CN]").wait_for(state="attached")
            for hand in HANDS:
                room.page.evaluate(GO, f"#{address}")
                room.ready()
                with hand(room) as it:
                    words = room.at(do(it, run, other)).text_content()
                assert bool(re.search("[\u4e00-\u9fff]", words)) == (lang == "zh"), words
