"""Answers that come late, when the reader is elsewhere: they are not shown, and end nothing that was begun since."""

import pytest

pytestmark = pytest.mark.browser


class Held:
    """Requests to an address, from now on: each waits until ``first()`` is told to continue."""

    def __init__(self, room, address):
        self.page, self.address, self.routes = room.page, address, []
        self.page.route(address, lambda route: self.routes.append(route))

    def first(self):
        """The one that has waited longest, once there is one."""
        for _ in range(3000):
            if self.routes:
                return self.routes.pop(0)
            self.page.wait_for_timeout(10)
        raise AssertionError(f"nothing was asked of {self.address}")

    def end(self):
        self.page.unroute(self.address)


def test_what_was_asked_before_the_reader_came_back_is_not_shown(room):
    """Max, average, max again: the latter is there already, so nothing is asked that would overtake the average."""
    room.open("/pooling")
    words = room.at("script").text_content()
    assert "nn.MaxPool2d" in words
    held = Held(room, "**/api/pooling")
    room.at("kind").select_option("avg")
    late = held.first()
    room.at("kind").select_option("max")
    room.settle()
    late.continue_()
    held.end()
    room.settle()
    room.page.wait_for_timeout(300)
    assert room.at("script").text_content() == words


def test_what_happens_in_a_room_does_not_keep_another_language_from_coming(room):
    room.open("/pooling")
    held = Held(room, "**/text/zh/pooling.json")
    room.at("lang").click()
    late = held.first()
    with room.page.expect_response("**/api/pooling"):
        room.at("kind").select_option("avg")
    late.continue_()
    held.end()
    room.page.wait_for_function("() => document.title.startsWith('池化')")
    room.ready()
    assert "nn.AvgPool2d" in room.at("script").text_content()
