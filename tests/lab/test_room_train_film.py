"""Room 7's film in the browser: the timeline, one update line by line, histograms, the gap, and the rate finder."""

import math
import re

import numpy as np
import pytest
import torch

import convscope
from convscope.lab.binary import unpack
from convscope.lab.live.film import read_film
from convscope.lab.server.pages import files_path

from .hands import BY_EVERY_HAND, Keys, Touch
from .test_late import Held
from .test_room_train import ROOM, alone, one_step, state, status, stop, wait_value  # noqa: F401 - alone is a fixture
from .test_training import until

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("quick_workers")]

CHOICES = {"data": "digits", "net": "conv 4 5 stride=3 | relu | linear", "batch_size": 100}
NET = "net=conv+4+5+stride%3D3+%7C+relu+%7C+linear"


@pytest.fixture(scope="module")
def filmed(lab):
    """The name of a finished run that the lab has trained, with its film."""
    stop(lab)
    lab.ask("/api/train", {**CHOICES, "lr": 0.1, "epochs": 3})
    until(lambda: lab.client.get("/api/train").json()["state"]["status"] == "finished")
    return lab.client.get("/api/train").json()["state"]["run"]


def frame_shown(room, step):
    room.page.wait_for_selector(f'[data-testid="probe-step"][data-value="{step}"]')


def same_as_the_film(room, run, step):
    """Maps, kernels and guesses on the screen are those of the frame."""
    frame = read_film(room.lab.runs / run).at(step)
    arrays = frame.arrays()
    assert frame.step == step
    assert room.value("map.conv1") == pytest.approx(float(np.abs(arrays["map.conv1"]).max()))
    assert room.value("weight.conv1") == pytest.approx(float(np.abs(arrays["state.conv1.weight"]).max()))
    truth = frame.head["labels"][3]
    assert room.value("probe-3") == pytest.approx(float(arrays["confidences"][3][truth]))
    counted = next(row["counts"] for row in frame.head["weights"] if row["name"] == "linear1")
    room.at("spread").scroll_into_view_if_needed()
    wait_value(room, "weights-linear1", sum(counted))


@pytest.mark.view(1280, "en", "light")
def test_a_finished_run_is_scrubbed_by_mouse_and_by_keys(room, filmed):
    room.open(f"/train?run={filmed}")
    steps = [frame.step for frame in read_film(room.lab.runs / filmed).frames]
    room.at("film-slider").wait_for()
    frame_shown(room, steps[-1])
    room.at("film-first").click()
    frame_shown(room, 0)
    same_as_the_film(room, filmed, 0)
    room.settle()
    assert "frame=0" in room.page.url
    room.at("film-slider").focus()
    room.press("ArrowRight", "ArrowRight")
    frame_shown(room, steps[2])
    same_as_the_film(room, filmed, steps[2])
    width = room.at("film-slider").bounding_box()["width"]
    room.at("film-slider").click(position={"x": width - 4, "y": 8})
    frame_shown(room, steps[-1])
    room.open(f"/train?run={filmed}&frame={steps[1]}")  # a link holds the frame
    frame_shown(room, steps[1])


@pytest.mark.view(390, "zh", "dark")
def test_the_film_is_played_by_touch_in_chinese(room, filmed):
    room.open(f"/train?run={filmed}&frame=0")
    frame_shown(room, 0)
    steps = [frame.step for frame in read_film(room.lab.runs / filmed).frames]
    with Touch(room) as finger:
        finger.press("film-play")
    frame_shown(room, steps[-1])
    assert f"第 {steps[-1]} 次更新" in room.at("film-text").text_content()
    assert "共" in room.page.locator(".timeline .hint").text_content()


@BY_EVERY_HAND
def test_any_image_is_looked_at_in_the_past_by_every_hand(hand, room, filmed):
    """Its maps are what PyTorch makes of it with the weights of that frame."""
    film = read_film(room.lab.runs / filmed)
    room.open(f"/train?run={filmed}")
    frame_shown(room, film.frames[-1].step)
    hand.press("film-first")
    frame_shown(room, 0)
    hand.press("film-next")
    frame_shown(room, film.frames[1].step)
    hand.press("probe-4")
    room.page.wait_for_selector('[data-testid="probe-4"][aria-pressed="true"]')
    state_then = film.frames[1].arrays()
    mean, std = (torch.tensor(film.head[key]).view(-1, 1, 1) for key in ("mean", "std"))
    image = (torch.from_numpy(film.thumbnails[4].copy()).float() / 255 - mean) / std
    weight, bias = (torch.from_numpy(state_then[f"state.conv1.{key}"]) for key in ("weight", "bias"))
    maps = torch.nn.functional.conv2d(image[None], weight, bias, stride=3)
    assert room.value("map.conv1") == pytest.approx(float(maps.abs().max()), rel=1e-5)
    assert "probe=4" in room.settle().page.url
    words = "第 {} 次更新" if room.page.evaluate("document.documentElement.lang") == "zh-CN" else "update {}"
    assert words.format(film.frames[1].step) in room.at("film-text").text_content()


def test_a_frame_that_comes_late_is_not_shown_in_place_of_one_that_was_there(room, filmed):
    first, second, *_ = (frame.step for frame in read_film(room.lab.runs / filmed).frames)
    room.open(f"/train?run={filmed}&frame={first}")
    frame_shown(room, first)
    held = Held(room, f"**/film/{second}?*")
    room.at("film-next").click()
    late = held.first()
    room.at("film-first").click()
    frame_shown(room, first)
    with room.page.expect_response(f"**/film/{second}?*"):
        late.continue_()
    held.end()
    room.settle()
    room.page.wait_for_timeout(300)
    assert room.value("probe-step") == first
    assert room.at("playhead").get_attribute("aria-valuenow") == str(first)


def test_a_film_that_is_played_waits_for_the_frame_before(room, filmed):
    first, second, third, *_ = (frame.step for frame in read_film(room.lab.runs / filmed).frames)
    room.open(f"/train?run={filmed}&frame={first}")
    frame_shown(room, first)
    held = Held(room, "**/film/*?*")
    room.at("film-play").click()
    late = held.first()
    room.page.wait_for_timeout(1000)  # four frames' time
    assert not held.routes
    late.continue_()
    frame_shown(room, second)
    late = held.first()
    assert f"/film/{third}?" in late.request.url
    room.at("film-play").click()
    late.continue_()
    held.end()


@BY_EVERY_HAND
def test_the_line_in_the_chart_is_dragged_by_every_hand(hand, room, filmed):
    """From the newest frame to one of the past, and back to where the pointer is let go."""
    steps = [frame.step for frame in read_film(room.lab.runs / filmed).frames]
    room.open(f"/train?run={filmed}&over=[%22{filmed}%22]")
    frame_shown(room, steps[-1])
    place = room.at("playhead").bounding_box()
    hand.pull("playhead", (-place["x"], 0))  # keys go one back and one on
    if isinstance(hand, Keys):
        room.press("Home")
    frame_shown(room, steps[0])
    same_as_the_film(room, filmed, 0)
    assert room.at("playhead").get_attribute("aria-valuenow") == "0"
    assert room.at("playhead").bounding_box()["x"] < place["x"]
    words = "第 0 次更新" if room.page.evaluate("document.documentElement.lang") == "zh-CN" else "update 0"
    assert room.at("playhead").get_attribute("aria-valuetext") == words
    assert room.at("film-text").text_content() == words  # the slider below goes along
    drawn = room.page.locator("svg.curves").bounding_box()
    hand.pull("playhead", (0.5 * drawn["width"], 0))
    if isinstance(hand, Keys):
        room.press("ArrowRight")
    room.settle()
    shown = int(room.at("playhead").get_attribute("aria-valuenow"))
    assert shown in steps[1:-1]
    frame_shown(room, shown)
    assert f"frame={shown}" in room.page.url


@BY_EVERY_HAND
def test_one_step_and_its_lines_by_every_hand(hand, room):
    room.open(f"{ROOM}&epochs=1000000")
    hand.press("start")
    status(room, "training")
    hand.press("pause")
    status(room, "paused")
    hand.press("step")
    room.at("four-lines").wait_for()
    hand.press("line-2")
    room.page.wait_for_function("() => document.querySelector('.four .lit .code')?.textContent.startsWith('loss')")
    assert room.page.locator(".four .lit").count() == 1
    assert int(room.at("four-lines").get_attribute("data-step")) == state(room)["step"]
    assert room.at("weights-linear1").count() == 1  # the histograms of that update
    hand.press("stop")
    status(room, "stopped")


@pytest.fixture(scope="module")
def rates(lab):
    """What the range test finds: it takes seconds, so it is run once."""
    stop(lab)
    return lab.ask("/api/train/rates", CHOICES)


@BY_EVERY_HAND
def test_a_learning_rate_is_found_and_taken_by_every_hand(hand, room, rates):
    room.page.route("**/api/train/rates", lambda route: route.fulfill(json=rates))
    room.open(f"/train?{NET}&batch_size=100")
    narrow = room.page.viewport_size["width"] < 400
    if narrow:
        room.sheet()
    hand.press("find-lr")
    if narrow:
        room.sheet()
    room.at("suggested").wait_for()
    suggested = room.value("suggested")
    assert suggested == rates["suggested"]
    assert room.page.locator("[data-testid=rates-chart] svg.chart path.line").count() == 2
    hand.press("take-lr")
    assert f"lr={suggested:g}" in room.settle().page.url
    assert float(room.at("lr").input_value()) == suggested
    assert room.at("rates").is_hidden()
    room.page.unroute("**/api/train/rates")


def test_the_rate_of_the_page_is_that_of_the_range_test(room, rates):
    room.open(f"/train?{NET}&batch_size=100")
    room.at("find-lr").click()
    room.at("suggested").wait_for()
    assert room.value("suggested") == rates["suggested"]


def test_the_past_of_a_run_under_way_is_scrubbed_while_a_second_tab_follows(room, filmed):
    room.open(f"{ROOM}&epochs=1000000")
    room.at("start").click()
    status(room, "training")
    room.page.wait_for_function("() => document.querySelector('[data-testid=film-slider]').max > 4")
    room.at("film-first").click()
    frame_shown(room, 0)
    other = room.page.context.new_page()
    other.goto(f"{room.lab.url}/#/train")
    other.wait_for_function(
        "() => document.querySelector('[data-testid=probe-step]')?.dataset.value > 0", timeout=60_000
    )
    assert other.locator(".timeline").get_attribute("data-step") == "live"
    other.close()
    assert room.at("probe-step").get_attribute("data-value") == "0"
    room.at("film-last").click()
    room.page.wait_for_function("() => document.querySelector('[data-testid=probe-step]').dataset.value > 100")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_one_step_is_four_lit_lines_with_their_numbers(room, lang):
    room.open(f"{ROOM.replace('momentum=0.9', 'momentum=0')}&epochs=1000000")
    if lang == "zh":
        room.at("lang").click()
        room.page.wait_for_selector('html[lang="zh-CN"]')
        room.ready()
    room.at("start").click()
    status(room, "training")
    room.at("pause").click()
    status(room, "paused")
    room.tab_to("step")
    room.press("Enter")
    room.at("four-lines").wait_for()
    head, arrays = unpack(room.lab.client.get("/api/train/lines").content)
    assert room.at("four-lines").get_attribute("data-step") == str(head["step"])
    assert room.value("lines-loss") == pytest.approx(head["loss"])
    told = room.at("four-lines").text_content()
    assert ("Update" if lang == "en" else "次更新，逐行来看") in told
    p = head["confidences"][0][head["labels"][0]]
    assert head["loss"] > 0
    assert (f"−log (1 − {1 - p:.4g}"[:-1] if p > 0.5 else f"−log {p:.4g}"[:-1]) in told or min(p, 1 - p) < 1e-4
    assert math.isfinite(p)
    for i, row in enumerate(head["largest"]):
        assert room.value(f"gradient-{i}") == pytest.approx(row["gradient"])
    for key in ("before", "gradient", "after"):
        assert room.value(f"kernel-{key}") == pytest.approx(float(arrays[key].flat[0]))
    np.testing.assert_allclose(arrays["after"], arrays["before"] - 0.1 * arrays["gradient"], rtol=1e-3, atol=1e-6)
    room.at("line-3").click()
    lit = room.page.locator(".four .lit .code")
    assert lit.all_text_contents() == ["optimizer.zero_grad(); loss.backward()"]
    faint = "all => all.filter(e => getComputedStyle(e).opacity !== '1').length"
    assert room.page.locator(".four li").evaluate_all(faint) == 0  # type as pale as that cannot be read
    room.tab_to("line-4")
    room.press("Enter")
    assert lit.all_text_contents() == ["optimizer.step()"]
    room.at("go").click()
    room.page.wait_for_selector('[data-testid="four-lines"]', state="hidden")


# What the lines say of an update with these numbers.
LINES = """async ([files, lang, probabilities, before, after]) => {
  const [{ fourLines }, { load, translator }] = await Promise.all(
    ["rooms/train/film/lines", "core/i18n"].map((name) => import(`${files}/js/${name}.js`)),
  );
  await load(lang, "film");
  const first = { name: "linear1.weight", at: [3, 215], gradient: 1e-6, before, after };
  const confidences = probabilities.map((p) => [p]);
  const head = { step: 1, images: 4, labels: [0, 0, 0, 0], loss: 1, lr: 0.1, confidences, largest: [first] };
  const images = { shape: [4, 1, 1, 1], values: new Uint8Array(4) };
  const lines = fourLines(translator(lang));
  lines.draw({ head, arrays: { images } }, { classes: ["0"], loss: "cross-entropy", class_weight: "none" });
  const said = [...lines.element.querySelectorAll(".terms li, .says > p")].map((one) => one.textContent);
  lines.leave();
  return said.filter((text) => /log .*=|215/.test(text));
}"""
SHOWN = r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_is_rounded_in_the_lines_is_still_true(room, lang):
    room.open("/losses")
    given = [1 - 5.37e-14, 0.9504, 0.6104, 0.01234]
    weights = [float(np.float32(w)) for w in (0.34118, 0.34118 - 1e-6)]
    told = room.page.evaluate(LINES, [files_path(), lang, given, *weights])
    *terms, moved = [text.replace("−", "-").replace("- ", "-").replace("-log", "") for text in told]
    assert len(terms) == 4
    for term, p in zip(terms, given, strict=True):
        *left, right = [float(number) for number in re.findall(SHOWN, term)]
        assert -math.log1p(left[1] if len(left) == 2 else left[0] - 1) == pytest.approx(right, rel=5e-3)
        assert right == pytest.approx(-math.log(p), rel=5e-3)
    before, after, change = [float(number) for number in re.findall(SHOWN, moved.replace("[3,215]", ""))[-4:-1]]
    if lang == "zh":  # the learning rate comes first
        before, after, change = [float(number) for number in re.findall(SHOWN, moved.replace("[3,215]", ""))[-3:]]
    assert after - before == pytest.approx(change, rel=0.02)
    assert change == pytest.approx(weights[1] - weights[0], rel=1e-2)


def test_who_wants_less_motion_sees_all_four_lines_lit_at_once(room):
    room.page.emulate_media(reduced_motion="reduce")
    one_step(room)
    assert room.page.locator(".four ol > .lit").count() == 4
    room.page.emulate_media(reduced_motion="no-preference")


def test_the_gap_between_training_and_test_loss_is_shaded(room, filmed):
    room.open(f"/train?over=[%22{filmed}%22]")
    run = convscope.load(room.lab.runs / filmed)
    drawn = room.page.locator(f"path.gap.k{room.page.locator('path.gap').count() - 1}")  # the run laid over is the last
    area = drawn.get_attribute("d")
    assert area.count("L") == 2 * len(run.history) - 1
    assert area.endswith("Z")
    line = room.page.locator("path.tested").last.get_attribute("d")
    heights = np.array([float(pair.split()[1]) for pair in re.split("[ML]", line)[1:]])
    losses = np.log([epoch.test_loss for epoch in run.history])
    np.testing.assert_allclose(np.diff(heights) / np.diff(heights)[0], np.diff(losses) / np.diff(losses)[0], atol=0.02)


def test_looking_for_a_rate_is_stopped_and_its_errors_are_told_in_both_languages(room):
    room.open("/train?data=nowhere")
    room.at("find-lr").click()
    room.page.wait_for_selector('[data-testid="problem"]:has-text("There are no data called")')
    room.at("lang").click()
    room.page.wait_for_selector('html[lang="zh-CN"]')
    room.ready()
    room.at("find-lr").click()
    room.page.wait_for_selector('[data-testid="problem"]:has-text("没有")')
    room.trouble.clear()  # the browser notes the two answers of 400
    room.open(f"/train?{NET}&batch_size=1&net=note")
    room.at("find-lr").click()
    room.page.wait_for_selector('[data-testid="find-lr"][aria-pressed="true"]')
    room.at("find-lr").click()
    room.page.wait_for_selector('[data-testid="find-lr"][aria-pressed="false"]')


def test_what_a_run_is_busy_with_before_it_trains_is_named(room):
    room.open(f"{ROOM}&epochs=1")
    room.page.evaluate("""() => {
      window.heard = [];
      const place = document.querySelector('[data-testid=where]');
      new MutationObserver(() => heard.push(place.textContent.trim())).observe(place, {childList: true});
    }""")
    room.at("start").click()
    status(room, "finished")
    known = {"starts Python and PyTorch …", "is given its recipe …", "opens the data …"}
    assert {*room.page.evaluate("heard")} & {*known, "builds the net and compiles its program …"}
    assert state(room)["stage"] == "net"


def test_a_tab_to_which_one_returns_follows_the_run_that_was_started_elsewhere(room, filmed):
    room.open(f"/train?run={filmed}")
    job = room.lab.ask("/api/train", {**CHOICES, "epochs": 1_000_000})["job"]
    room.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    status(room, "training")
    assert state(room)["job"] == job
    room.page.wait_for_function("() => document.querySelector('[data-testid=probe-step]').dataset.value > 100")
