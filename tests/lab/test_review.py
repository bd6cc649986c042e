"""What a review of the lab in a browser found (F1 to F16), each as the user met it."""

import re
import signal

import pytest

from convscope.lab.server.pages import files_path

from .conftest import Room, running_lab
from .hands import Mouse
from .test_room_train import ROOM, start, state, status
from .test_serve import key_of, started
from .test_training import until

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("quick_workers")]
OTHER_ROOMS = """(files) =>
  Promise.all(["descent", "inside", "losses"].map((room) => import(`${files}/js/rooms/${room}.js`))).then(() => 0)"""
TYPED = "conv 4 3 | relu | flatten | linear"


@pytest.fixture
def asked(room):
    """Bodies of the requests that start a run; they are answered 400, so that none is started."""
    found = []

    def take(route):
        if route.request.method != "POST":
            return route.fallback()
        found.append(route.request.post_data_json)
        return route.fulfill(status=400, json={"error": "not now", "help": ""})

    room.page.route("**/api/train", take)
    yield found
    room.page.unroute("**/api/train", take)
    room.trouble.clear()  # the browser notes the 400


@pytest.mark.parametrize("way", ["click", "enter", "tab"])
def test_f1_the_net_that_was_just_typed_is_the_one_that_is_trained(room, asked, way):
    room.open("/train?epochs=1")
    room.at("net").fill(TYPED)  # no pause: its timer still runs
    if way == "enter":
        room.press("Enter")
    if way == "tab":
        room.press("Tab")
        room.page.keyboard.type("3")
        assert room.at("net").input_value() == TYPED
    room.at("start").click()
    room.page.wait_for_selector('[data-testid="problem"]:has-text("Not now.")')
    assert [body["net"] for body in asked] == [TYPED]
    assert room.at("net").input_value() == TYPED


@pytest.mark.parametrize(
    ("name", "field", "text"), [("shapes", "net", "relu | linear"), ("backprop", "expression", "w*x")]
)
def test_f1_rooms_2_and_6_keep_what_is_typed_when_the_field_is_left(room, name, field, text):
    room.open(f"/{name}")
    room.at(field).fill(text)
    room.press("Tab")
    assert room.at(field).input_value() == text
    room.settle()
    assert room.at(field).input_value() == text
    room.trouble.clear()  # w*x lacks its values' use: 400


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_f2_a_stopped_run_says_how_far_it_came_and_resume_is_on_the_screen(room, lang):
    room.open(f"{ROOM}&epochs=100000")
    start(room)
    status(room, "training")
    room.page.wait_for_function(
        "() => document.querySelector('[data-testid=now-epoch]')?.dataset.value > 1", timeout=60_000
    )
    room.at("stop").click()
    status(room, "stopped")
    name = state(room)["run"]
    if lang == "zh":
        room.at("lang").click()
        room.page.locator("html[lang=zh-CN]").wait_for(state="attached")
        room.ready()
    button = room.at(f"resume-{name}")
    button.wait_for()
    area = button.bounding_box()
    assert area["x"] + area["width"] < 900
    cell = button.locator("xpath=..").text_content()
    assert re.search(r"\d+ of 100000 epochs" if lang == "en" else r"100000 轮中的 \d+ 轮", cell), cell
    table = room.page.locator(".runs .scroll")
    assert table.evaluate("e => e.scrollWidth <= e.clientWidth")


@pytest.mark.parametrize("name", ["convolution", "pooling"])
def test_f3_a_pressed_button_can_be_read_under_the_mouse(room, name):
    room.open(f"/{name}")
    button = room.at("sort-terms")
    button.click()
    button.hover()
    assert button.get_attribute("aria-pressed") == "true"
    button.evaluate("e => Promise.all(e.getAnimations().map((one) => one.finished)).then(() => 0)")  # colours change
    ink, paper = button.evaluate("e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]")
    levels = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (ink, paper)]
    assert abs(levels[0] - levels[1]) > 250, (ink, paper)


def test_f4_no_number_stands_in_the_table_before_its_step(room):
    room.open("/backprop")
    table = room.page.locator(".ledger-panel table.walk")
    assert "= 6 + 1" not in table.text_content()
    assert "= 3 · 2" not in table.text_content()
    room.open("/backprop?step=2")
    assert "= 6 + 1" in table.text_content()


def test_f6_a_path_that_diverges_is_drawn_and_its_limit_told(room):
    room.open("/descent?lr=2")
    told = room.at("diverged").text_content()
    assert "diverges at update" in told
    assert re.search(r"2/λmax = 0\.\d+", told), told
    assert "--lr" not in told
    assert room.page.locator("svg.surface .line").count() == 3
    assert room.at("regime-0").is_visible()
    room.script()


@pytest.mark.parametrize(
    ("address", "field", "shown"),
    [
        ("/descent?epochs=200", "epochs", "66"),
        ("/descent?samples=1", "samples", "4"),
        ("/losses?at=77", "samples", "4"),
        ("/convolution?stride=[99,0]", "stride-0", "20"),
        ("/shapes?classes=0", "classes", "1"),
    ],
)
def test_f7_numbers_of_a_link_are_brought_into_their_limits(room, address, field, shown):
    room.open(address)
    assert room.at(field).input_value() == shown
    assert room.at("problem").text_content() == ""


def test_f7_a_field_says_its_limits(room):
    room.open("/losses")
    assert not room.at("samples-limits").is_visible()
    room.at("samples").fill("1000")
    assert room.at("samples-limits").text_content() == "1 … 12"
    assert room.at("samples-limits").is_visible()
    room.at("samples").fill("3")
    assert not room.at("samples-limits").is_visible()
    room.settle()


def test_f8_accuracy_reads_0_to_100_from_the_start(room):
    room.open(f"{ROOM}&epochs=100000&batch_size=8")
    start(room)
    status(room, "training")
    room.page.locator("svg.curves").wait_for()
    ticks = room.page.locator("svg.curves .tick").all_text_contents()
    numbers = [float(tick.replace("\u202f", "")) for tick in ticks if re.fullmatch(r"[\d\u202f.]+", tick)]
    assert {0, 20, 40, 60, 80, 100} <= set(numbers)
    assert not {120, 140} & set(numbers)
    room.at("stop").click()
    status(room, "stopped")


def test_f9_a_lab_that_is_gone_is_said_in_every_room_and_found_again(browser, tmp_path):
    with running_lab(tmp_path / "runs") as lab:
        context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
        page = context.new_page()
        room = Room(page, lab).open(f"{ROOM}&epochs=100000")
        start(room)
        status(room, "training")
        page.wait_for_function("() => document.querySelector('[data-testid=now-update]').dataset.value > 0")
        page.evaluate(OTHER_ROOMS, files_path())  # they come when the browser has time: here at once
        context.set_offline(True)
        status(room, "lost")
        banner = room.at("connection")
        assert banner.text_content().startswith("The lab does not answer; this page tries again by itself.")
        box = banner.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 1280
        assert "was last seen at update" in room.at("where").text_content()
        for name in ("start", "pause", "go", "step", "stop"):
            assert room.at(name).is_disabled(), name
        for name in ("descent", "inside", "losses"):
            room.at(f"room-{name}").click()
            page.wait_for_url(f"**#/{name}*")
            banner.wait_for()
        room.at("room-train").click()
        context.set_offline(False)
        status(room, "training")
        banner.wait_for(state="detached")
        assert room.at("stop").is_enabled()
        room.at("stop").click()
        status(room, "stopped")
        context.close()


def test_f9_a_lab_that_was_killed_and_started_again_is_found_by_the_page(browser, tmp_path):
    """With the cookie that the new lab's own page leaves; until then the page says where the key is."""
    with started(tmp_path) as lab:
        url, _ = key_of(lab)
        port = int(re.search(r":(\d+)/", url)[1])
        context = browser.new_context(locale="en-US")
        page = context.new_page()
        page.goto(f"{url}/#{ROOM}&epochs=100000")
        page.wait_for_selector('main[data-state="ready"]')
        page.get_by_test_id("start").click()
        page.wait_for_selector('.status[data-status="training"]', timeout=60_000)
        lab.send_signal(signal.SIGKILL)
        page.wait_for_selector('[data-testid="connection"]:has-text("does not answer")')
    until((tmp_path / "runs" / "custom-digits-1" / "resume.safetensors").exists)
    with started(tmp_path, port=port) as lab:
        url, _ = key_of(lab)
        page.wait_for_selector('[data-testid="connection"]:has-text("open the address that the terminal printed")')
        other = context.new_page()
        other.goto(url)
        other.wait_for_selector('main[data-state="ready"]')
        page.locator('[data-testid="connection"]').wait_for(state="detached")
        page.get_by_test_id("resume-custom-digits-1").wait_for()
        page.get_by_test_id("resume-custom-digits-1").click()
        page.wait_for_selector('.status[data-status="training"]', timeout=60_000)
        context.close()
        lab.send_signal(signal.SIGINT)
        lab.communicate(timeout=60)


def test_f10_stopped_before_it_began_is_said_as_that(room):
    room.open(f"{ROOM}&epochs=100000")
    start(room)
    room.at("stop").click()
    status(room, "stopped")
    if state(room)["run" if "run" in state(room) else "status"] == "stopped":
        assert "It was stopped before training began; nothing was saved." in room.at("where").text_content()
    else:  # this machine was quicker than the click
        assert "its work is saved" in room.at("where").text_content()


@pytest.mark.view(1280, "zh", "light")
def test_f11_what_is_stale_is_grey_and_errors_are_chinese(room, digits_run):
    room.open("/shapes")
    room.at("net").fill("conv 10 5 | pul 2")
    room.page.wait_for_selector("main.stale")
    assert float(room.page.locator("main > .figure").evaluate("e => getComputedStyle(e).opacity")) < 0.6
    told = room.at("problem").text_content()
    assert re.search("[\u4e00-\u9fff]", told)
    assert "你是指 'pool' 吗" in told
    assert "you" not in told
    room.at("net").fill("conv 10 5 | pool 2 | linear")
    room.page.wait_for_selector("main:not(.stale)")
    room.open("/backprop?expression=q(2)")
    assert re.search("[\u4e00-\u9fff]", room.at("problem").text_content())
    room.open("/inside?run=gone")
    for told in (room.at("problem"), room.page.locator(".picker .hint")):
        assert re.search("[\u4e00-\u9fff]", told.text_content())
        assert "there is no run" not in told.text_content()
    room.trouble.clear()  # the browser notes each 400


def test_f12_one_term_is_no_sum_of_1_terms_and_sentences_are_sentences(room):
    one = "/convolution?input=[[[2]]]&kernel_size=[1,1]&weight=[[[[3]]]]&padding=[0,0]&at=[0,0,0]"
    room.open(one)
    assert room.page.locator(".ledger .sum").text_content() == "one term = 6"
    room.open("/losses?column=true")
    warning = room.page.locator(".warned p").first.text_content()
    assert warning[0].isupper()
    assert warning.endswith(".")


@pytest.mark.view(1280, "zh", "light")
def test_f12_no_space_behind_a_chinese_colon(room):
    room.open("/losses")
    assert "：\u0020" not in room.page.locator("main").text_content()


def test_f13_too_large_a_step_is_diagnosed_with_what_to_try(room):
    room.open("/train?lr=10&epochs=5")
    start(room)
    status(room, "finished")
    for said in (  # the last look at the probe images comes in behind the last update
        r"The loss rose to .* \(first in update \d+\): the steps are too large\. Try learning rate 1\.",
        r"relu\d is dead: all of its \d+ channels are 0",
    ):
        found = "said => new RegExp(said).test(document.querySelector('[data-testid=diagnosis]').textContent)"
        room.page.wait_for_function(found, arg=said)


def test_f16_a_room_remembers_its_drawing_and_its_place(room, digits_run):
    room.open(f"/inside?run={digits_run}&test=-1")
    Mouse(room).draw("pad", (0.3, 0.3), (0.7, 0.3), (0.5, 0.8))
    ink = room.page.evaluate("new URLSearchParams(location.hash.split('?')[1]).get('ink')")
    assert ink
    room.at("room-convolution").click()
    room.ready()
    room.at("room-inside").click()
    room.page.wait_for_function("ink => location.hash.includes(ink)", arg=ink)
    room.ready()
    room.page.evaluate("scrollTo(0, 700)")
    room.at("room-losses").click()
    room.page.wait_for_selector("main[data-room=losses][data-state=ready]")
    assert room.page.evaluate("scrollY") == 0
    room.page.go_back()
    room.page.wait_for_selector("main[data-room=inside][data-state=ready]")
    room.page.wait_for_function("() => Math.abs(scrollY - 700) < 60")


ODD = [
    "/inside?path=[null]",
    "/inside?path=[{}]",
    "/inside?path=[[]]",
    '/inside?path=[["conv1",null]]',
    "/descent?axis=x",
    "/descent?regime=9",
    "/descent?at=-5",
    "/losses?prediction=[null]",
    "/losses?prediction=[1,2]&target=[1]&at=5",
    "/losses?klass=9",
    "/convolution?input=[[[1,2],[3]]]",
    "/convolution?input=[]",
    "/convolution?at=[1]",
    "/convolution?bias=[[1]]",
    "/convolution?weight=7",
    "/pooling?kind=sum",
    "/pooling?upstream=[[]]",
    "/pooling?at=[]",
    "/shapes?image=[1,2]",
    "/shapes?image=[null,1,1]",
    "/train?over=[1]&cell=[[]]",
    "/train?probe=null",
    "/train?lr=1e999",
    "/backprop?mode=7",
    "/backprop?step=1e9",
    "/nowhere?x=1",
    "/losses?target=%",
    "/train?cell=[0,0,0]",
]


@pytest.mark.parametrize("address", ODD)
def test_links_with_odd_states_are_answered(room, digits_run, address):
    room.open(address)
    assert room.page.locator("main > .figure").evaluate("e => e.childElementCount") > 0


def test_whatever_a_room_cannot_show_is_said(room):
    """A mistake of ours, too, must never leave a room busy without a word."""
    room.open("/losses")
    room.page.route("**/api/losses", lambda route: route.fulfill(json={"regression": None}))
    room.at("samples").fill("2")
    room.page.wait_for_selector('[data-testid="problem"]:has-text("cannot show this state")')
    room.ready()
    room.page.unroute_all()
    room.page.get_by_text("Open the room as it is at first").click()
    room.ready()
    room.page.wait_for_selector('[data-testid="problem"]:empty', state="attached")
    assert room.at("samples").input_value() == "4"
    room.trouble.clear()  # it is told to the console as well
