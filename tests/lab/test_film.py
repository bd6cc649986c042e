"""The films of rooms 4 and 5: by mouse, touch and keys; what adds up in them is what PyTorch computed."""

import pytest
import torch
from torch import nn

from .test_room_pooling import IMAGE

pytestmark = pytest.mark.browser
RGB = (
    "/convolution?film=true&picture=flower&in_channels=3&padding=[0,0]&stride=[4,4]"
    "&weight=[[[[1,0,-1],[2,0,-2],[1,0,-1]],[[0,1,0],[1,1,1],[0,1,0]],[[1,2,3],[4,5,6],[7,8,9]]]]&bias=[0.5]"
)


def told(room):
    return dict(room.at("film").evaluate("e => ({ ...e.dataset })"))


def scrub(room, time):
    room.at("film-slider").evaluate("(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }", time)
    return told(room)


def outputs(room, channel=0):
    """What the server's PyTorch computed for the state of the page."""
    with room.page.expect_response("**/api/convolution") as answer:
        room.page.reload()
    room.ready()
    return torch.tensor(answer.value.json()["output"][channel])


@pytest.mark.parametrize("address", ["/convolution?film=true", RGB])
def test_the_terms_of_every_window_come_to_pytorchs_number(room, address):
    room.open(address)
    want = outputs(room)
    bias = 0.5 if "bias=[" in address else 0
    for window in range(0, want.numel(), max(1, want.numel() // 12)):
        shown = scrub(room, window + 0.8)
        assert int(shown["window"]) == window
        assert float(shown["total"]) + bias == pytest.approx(want.flatten()[window].item(), abs=1e-4)
        assert shown["landed"] == "false"
    assert scrub(room, window + 0.05)["terms"] < shown["terms"]  # they come one by one
    assert scrub(room, want.numel())["landed"] == "true"


def test_a_maximum_grows_to_pytorchs(room):
    room.open("/pooling?film=true")
    want = nn.MaxPool2d(2)(torch.tensor(IMAGE, dtype=torch.float32))[0].flatten()
    for window in range(9):
        assert float(scrub(room, window + 0.8)["total"]) == want[window]
    room.at("kind").select_option("avg")
    room.settle()
    want = nn.AvgPool2d(2)(torch.tensor(IMAGE, dtype=torch.float32))[0].flatten()
    for window in range(9):
        assert float(scrub(room, window + 0.8)["total"]) == pytest.approx(4 * want[window].item())


def test_it_plays_when_asked_to_and_stands_still_when_asked_again(room):
    room.open("/convolution")
    room.at("film-mode").click()
    room.settle()
    assert "film=true" in room.page.url
    assert told(room)["window"] == "0"
    room.at("film-speed").select_option("15")
    room.at("film-play").click()
    room.page.wait_for_function("() => document.querySelector('[data-testid=film]').dataset.window >= 5")
    room.at("film-play").click()
    stood = told(room)
    assert room.at("film-play").get_attribute("aria-pressed") == "false"
    room.page.evaluate("() => new Promise((on) => requestAnimationFrame(() => requestAnimationFrame(on)))")
    assert told(room) == stood
    room.at("film-speed").select_option("60")
    room.at("film-play").click()
    room.page.wait_for_selector('[data-testid="film"][data-landed="true"][data-window="24"]')
    room.at("film-mode").click()
    room.settle()
    assert room.at("output-0").is_visible()


@pytest.mark.view(390, "en", "dark")
@pytest.mark.parametrize("address", ["/convolution?film=true", RGB, "/pooling?film=true"])
def test_on_a_phone_a_film_fits_the_width_and_has_room_for_all_of_it(room, address):
    room.open(address)
    wide, within = room.at("film").evaluate("e => [e.getBoundingClientRect().width, e.parentElement.clientWidth]")
    assert wide <= within
    last = int(room.at("film-slider").get_attribute("max"))
    before = room.at("film").evaluate("e => e.toDataURL()")
    scrub(room, last)
    assert room.at("film").evaluate("e => e.toDataURL()") != before


def test_who_wants_less_motion_sees_numbers_appear(room):
    room.page.emulate_media(reduced_motion="reduce")
    room.open("/convolution?film=true")
    assert scrub(room, 3.8)["landed"] == "true"
    room.page.emulate_media(reduced_motion="no-preference")


# Every picture claims to come a second after the one before, as on a page that hardly gets to run.
LATE = """(() => {
  const [real, start] = [requestAnimationFrame.bind(window), performance.now()];
  let count = 0;
  window.requestAnimationFrame = (draw) => real(() => draw(start + 1000 * ++count));
})()"""


@pytest.mark.parametrize("late", [False, True])
def test_the_film_is_taken_along_as_webm(room, late):
    room.open("/pooling?film=true")
    if late:
        room.page.evaluate(LATE)
    room.at("film-speed").select_option("60")
    with room.page.expect_download() as download:
        room.at("film-webm").click()
    assert download.value.suggested_filename == "convscope-pooling.webm"
    film = download.value.path().read_bytes()
    assert film[:4] == bytes.fromhex("1a45dfa3")  # EBML
    assert b"webm" in film[:64]
    assert len(film) > 3000
