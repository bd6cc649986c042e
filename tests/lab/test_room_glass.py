"""The front page in the browser: drawn on by mouse, finger and keys; its numbers are PyTorch's."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from convscope.explain.trained.trace import trace
from convscope.lab.binary import unpack
from convscope.lab.server.pages import files_path
from convscope.lab.shelf import BUNDLED, Shelf

from .conftest import STATIC
from .hands import Touch

pytestmark = pytest.mark.browser

LOOK = """async ([path, run, text]) => {
  const { open } = await import(`${path}/js/rooms/glass/nets.js`);
  const net = await open(run);
  const { made, confidences } = await net.look(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
  const plain = Object.entries(made).map(([name, values]) => [name, [...values]]);
  return { local: net.local, made: Object.fromEntries(plain), confidences: [...confidences] };
}"""


def model_of(lab, run):
    with Shelf(lab.runs).open(run).alone() as model:
        return model


def picture_of(model, seed=3):
    return np.random.default_rng(seed).integers(0, 256, model.image, dtype=np.uint8)


def normalised(model, pixels):
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (model.mean, model.std))
    return (torch.from_numpy(pixels).float() / 255 - mean) / std


def text(pixels):
    return base64.b64encode(pixels.tobytes()).decode()


def given(room):
    """The pixels that the page gives to the net now: those that it sends with its questions."""
    with room.page.expect_request("**/api/glass/shares") as asked:
        room.at("lang").click()
        room.at("lang").click()
    room.ready()
    return np.frombuffer(base64.b64decode(asked.value.post_data_json["pixels"]), np.uint8).reshape(1, 28, 28).copy()


@pytest.mark.parametrize("which", ["bundled", "digits_run", "colour_run", "branched_run"])
def test_every_map_that_the_page_computes_is_pytorchs(room, request, which):
    run = BUNDLED.name if which == "bundled" else request.getfixturevalue(which)
    model = model_of(room.lab, run)
    pixels = picture_of(model)
    room.open("/losses")
    seen = room.page.evaluate(LOOK, [files_path(), run, text(pixels)])
    assert seen["local"]
    traced = trace(model.net, normalised(model, pixels))
    for name, call in traced.calls.items():
        got = np.array(seen["made"][name]).reshape(call.output.shape)
        assert np.abs(got - call.output).max() <= 1e-5 * max(1, np.abs(call.output).max()), name
    probabilities = torch.softmax(torch.from_numpy(traced.output).double(), 0).numpy()
    assert np.abs(np.array(seen["confidences"]) - probabilities).max() < 1e-5


def test_the_lab_opens_on_the_glass_net_with_nothing_trained(room):
    """In 1280×800: the sheet, the picture, every layer, the answer; without a run, without a click."""
    room.page.goto("about:blank")
    room.page.goto(room.lab.url)
    room.ready()
    assert room.page.locator("main").get_attribute("data-room") == "glass"
    assert room.at("best").text_content() == "7"
    names = ["given", "conv1", "pool1", "relu1", "conv2", "pool2", "relu2"]
    assert room.page.locator(".glass .column h3").all_text_contents() == names
    for place in (*[f"column-{name}" for name in ["image", *names[1:]]], "pad", "bars"):
        box = room.at(place).bounding_box()
        assert 0 <= box["x"] <= 1280 - box["width"], place
        assert 0 <= box["y"] <= 800 - box["height"], place
    assert room.page.locator(".glass .map").count() == 1 + 3 * 10 + 3 * 20


def test_every_layer_answers_while_the_stroke_still_grows(room):
    """Mouse down and moved, not up: the maps and the bars are of the new drawing; the example has given way to it."""
    room.open("/glass")
    before = room.value("p-7")
    area = room.at("pad").bounding_box()
    mouse = room.page.mouse
    mouse.move(area["x"] + area["width"] * 0.5, area["y"] + area["height"] * 0.2)
    mouse.down()
    mouse.move(area["x"] + area["width"] * 0.5, area["y"] + area["height"] * 0.8, steps=8)
    room.page.wait_for_selector('[data-testid="best"]:text-is("1")')
    assert room.value("p-7") != before
    mouse.up()
    room.settle()
    assert room.value("p-1") > 0.5
    assert "ink=" in room.page.url


@pytest.mark.view(390, "zh", "dark")
def test_drawing_with_a_finger_and_the_link_to_it(room):
    room.open("/glass")
    with Touch(room) as finger:
        finger.draw("pad", (0.5, 0.15), (0.5, 0.85))
    assert room.at("best").text_content() == "1"
    kept = room.value("p-1")
    room.open(room.page.url.partition("#")[2])
    assert room.value("p-1") == kept
    room.script()


def test_a_map_under_the_mouse_tells_its_share_its_window_and_its_kernels(room):
    room.open("/glass")
    tile = room.at("glass-conv2-7")
    area = tile.bounding_box()
    tile.hover(position={"x": area["width"] * 0.3, "y": area["height"] * 0.55})  # row 4, column 2
    room.page.wait_for_selector('[data-testid="share"]:has-text("Map 7 brings")')
    pixels = given(room)
    tile.hover(position={"x": area["width"] * 0.3, "y": area["height"] * 0.55})
    room.page.wait_for_selector('[data-testid="share"]:not([data-value=""])')
    model = model_of(room.lab, BUNDLED.name)
    traced = trace(model.net, normalised(model, pixels), 7, of="score")
    gradient, output = traced.gradients["conv2"], traced.calls["conv2"].output
    assert room.value("share") == pytest.approx(float((gradient[7] * output[7]).sum()), rel=1e-4)
    assert "conv2[7,4,2]" in room.at("lens").text_content()
    # What each map that it reads brings: that map's part of the sum, times what the sum counts.
    x, weight = torch.from_numpy(traced.calls["relu1"].output), model.net.conv2.weight.detach()
    parts = [
        float((torch.from_numpy(gradient[7]) * torch.conv2d(x[None, c : c + 1], weight[None, None, 7, c])[0, 0]).sum())
        for c in range(10)
    ]
    shown = room.page.locator('[data-testid="kernels"] .caption').evaluate_all("all => all.map(e => +e.dataset.value)")
    assert shown == pytest.approx(parts, rel=1e-3, abs=1e-4)
    ribbons = room.page.locator(".ribbons path").evaluate_all(
        "all => all.map(e => [e.dataset.name, +e.dataset.value, +e.getAttribute('stroke-width')])"
    )
    carried = {name: (amount, wide) for name, amount, wide in ribbons}
    assert carried["relu1-3"][0] == pytest.approx(parts[3], rel=1e-3)
    assert carried["answer"][0] == pytest.approx(room.value("share"))
    thick = sorted(carried.values(), key=lambda pair: abs(pair[0]))
    assert [wide for _, wide in thick] == sorted(wide for _, wide in thick)  # the more, the thicker
    window = room.at("glass-relu1-0").locator(".window")
    assert window.is_visible()
    assert float(window.evaluate("e => e.style.height").rstrip("%")) == pytest.approx(100 * 5 / 12, abs=0.01)


def test_a_class_under_the_mouse_tells_what_brings_its_score_together(room):
    room.open("/glass")
    room.at("p-3").hover()
    room.page.wait_for_selector('[data-testid="lens"]:has-text("The score of 3")')
    amounts = room.page.locator(".ribbons path").evaluate_all("all => all.map(e => +e.dataset.value)")
    pixels = given(room)
    model = model_of(room.lab, BUNDLED.name)
    features = torch.from_numpy(trace(model.net, normalised(model, pixels)).calls["flatten1"].output)
    want = (model.net.linear1.weight.detach()[3] * features).view(20, 16).sum(1).tolist()
    assert sorted(amounts) == pytest.approx(sorted(w for w in want if w), rel=1e-3, abs=1e-4)


@pytest.mark.view(1280, "zh", "light")
def test_down_to_the_ink_by_click_and_back_by_escape(room):
    room.open("/glass")
    assert not room.at("slide").is_visible()
    room.at("glass-conv2-3").click(position={"x": 20, "y": 20})
    room.settle()
    room.at("slide").wait_for()
    assert room.at("crumb-0").text_content() == "conv2[3,4,4]"
    for step, layer in enumerate(["relu1", "pool1", "conv1", "image"], 1):
        room.at("slide").locator("tr.term").first.click()
        room.settle()
        assert room.at(f"crumb-{step}").text_content().startswith(f"{layer}[")
    assert abs(room.value("total") - room.value("reported")) < 1e-5
    room.press("Escape")
    room.settle()
    room.at("slide").wait_for(state="hidden")
    assert "path=" not in room.page.url


@pytest.mark.parametrize("way", ["click", "enter", "bar", "link"])
def test_escape_closes_the_ledger_however_it_was_opened(room, way):
    room.open('/glass?path=[["conv1",1,4,4]]' if way == "link" else "/glass")
    opener = room.at("p-3").get_by_role("button") if way == "bar" else room.at("glass-conv1-1")
    if way == "enter":
        opener.press("Enter")
    elif way != "link":
        opener.click()
    room.settle()
    room.at("slide").wait_for()
    assert room.page.evaluate("document.querySelector('.slide').contains(document.activeElement)")
    room.press("Escape")
    room.settle()
    room.at("slide").wait_for(state="hidden")
    assert way == "link" or opener.evaluate("e => e === document.activeElement")


def test_escape_closes_the_ledger_after_a_click_outside_of_it_and_tab_leaves_it(room):
    room.open("/glass")
    room.at("glass-conv1-1").click()
    room.settle()
    room.at("glass-conv1-2").click()  # the focus goes there, the ledger stays
    room.settle()
    room.press("Escape")
    room.settle()
    room.at("slide").wait_for(state="hidden")
    room.at("glass-conv1-2").click()
    room.settle()
    room.press("Shift+Tab")  # to what the ledger covers
    room.settle()
    room.at("slide").wait_for(state="hidden")


@pytest.mark.view(390, "en", "light")
def test_the_ledgers_last_line_and_its_end_are_in_reach_on_a_phone(room):
    room.open('/glass?path=[["conv2",5,3,3]]')
    slide = room.at("slide")
    slide.evaluate("e => Promise.all(e.getAnimations().map(one => one.finished)).then(() => e.scrollTo(0, 1e6))")
    settings = room.at("sheet").bounding_box()["y"]
    last = slide.get_by_test_id("all-terms").bounding_box()
    assert last["y"] + last["height"] <= settings
    room.at("close-ledger").click(trial=True)  # in sight, with nothing over it
    assert room.at("close-ledger").bounding_box()["y"] >= slide.bounding_box()["y"]


@pytest.mark.view(1280, "en", "dark")
def test_drawing_and_the_ledger_with_keys_alone(room):
    room.open("/glass")
    room.tab_to("pad")
    room.press(*["ArrowUp"] * 9, " ", *["ArrowDown"] * 18, " ")
    room.settle()
    assert room.at("best").text_content() == "1"
    room.tab_to("glass-conv1-0")
    room.press("ArrowDown", "ArrowRight", "Shift+ArrowRight", "ArrowDown", "Enter")
    room.settle()
    assert room.at("crumb-0").text_content() == "conv1[1,1,0]"
    room.at("slide").wait_for()
    room.tab_to("close-ledger")
    room.press("Enter")
    room.settle()
    room.at("slide").wait_for(state="hidden")


def test_the_net_turns_into_depth(room):
    room.open("/glass")
    flat = room.at("glass-conv1-3").bounding_box()
    room.at("depth").click()
    room.page.wait_for_function(
        "() => document.querySelector('.deep [data-testid=glass-conv1-3]')?.getAnimations().length === 0"
    )
    deep = room.at("glass-conv1-3").bounding_box()
    assert deep["width"] < 0.9 * flat["width"]
    assert "depth=true" in room.page.url


def test_a_run_of_ones_own_in_colour_with_its_class_names(room, colour_run):
    room.open(f"/glass?run={colour_run}")
    assert room.page.locator(".bars .name").all_text_contents() == ["red", "leaf", "sky"]
    assert room.page.locator('[data-testid="column-image"] .map').count() == 4  # the picture, and R, G and B
    assert not room.at("pad").is_visible()
    room.at("thumb-1").click()
    room.settle()
    head, _ = unpack(room.lab.post("/api/inside/look", {"run": colour_run, "test": 1}).content)
    assert [room.value(f"p-{c}") for c in range(3)] == pytest.approx(head["confidences"], abs=1e-6)
    room.script()
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (250, 10, 10)).save(file, "PNG")
    room.page.set_input_files(
        '[data-testid="own-file"]', {"name": "a.png", "mimeType": "image/png", "buffer": file.getvalue()}
    )
    room.page.wait_for_function("() => location.hash.includes('pixels=')")
    room.ready()
    picture = base64.b64encode(file.getvalue()).decode()
    head, _ = unpack(room.lab.post("/api/inside/look", {"run": colour_run, "picture": picture}).content)
    assert [room.value(f"p-{c}") for c in range(3)] == pytest.approx(head["confidences"], abs=1e-6)


def test_a_net_that_is_large_is_computed_by_the_server(room, digits_run, monkeypatch):
    monkeypatch.setattr("convscope.lab.rooms.glass.MOST_PRODUCTS", 1)
    room.open(f"/glass?run={digits_run}&test=3")
    head, _ = unpack(room.lab.post("/api/inside/look", {"run": digits_run, "test": 3}).content)
    assert [room.value(f"p-{c}") for c in range(10)] == pytest.approx(head["confidences"], abs=1e-6)
    room.at("glass-conv1-2").hover()
    room.page.wait_for_selector('[data-testid="share"]:not([data-value=""])')
    room.at("glass-conv1-2").click()
    room.settle()
    room.at("slide").wait_for()


def test_the_page_names_the_net_that_is_bundled():
    found = re.search(r'BUNDLED = "([\w-]+)"', (STATIC / "js" / "rooms" / "glass" / "state.js").read_text())
    assert found[1] == BUNDLED.name
    files = {path.name: path.stat().st_size for path in Path(BUNDLED.path).iterdir()}
    assert set(files) == {"model.safetensors", "recipe.json", "environment.json"}
    assert files["model.safetensors"] < 40_000
    assert json.loads((BUNDLED.path / "recipe.json").read_text())["net"] == "note"


def test_what_is_no_prepared_picture_is_refused_in_words(lab):
    for pixels, words in (("AAAA", "the picture has 3 numbers"), ("ä", "the picture is no base64")):
        answer = lab.post("/api/inside/look", {"run": BUNDLED.name, "pixels": pixels})
        assert answer.status_code == 400
        assert answer.json()["error"] == words
    answer = lab.post("/api/glass/shares", {"run": BUNDLED.name, "pixels": text(np.zeros(784, np.uint8)), "target": 10})
    assert answer.json() == {"error": "there is no class 10", "help": "they are counted from 0 to 9"}


@pytest.mark.parametrize(("lang", "words"), [("en", "one pixel"), ("zh", "一个像素")])
def test_a_pixel_of_the_image_sees_itself(room, lang, words):
    room.page.evaluate("lang => localStorage.setItem('convscope.lang', lang)", lang)
    room.open('/glass?path=[["image",0,13,13]]')
    assert words in room.at("sight").text_content()
