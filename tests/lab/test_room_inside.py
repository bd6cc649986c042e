"""Room 8 in the browser: by mouse and by keys alone."""

import re

import numpy as np
import pytest
import torch

from convscope.lab.binary import unpack
from convscope.net.model import load_tensors

from .hands import Mouse, Pen, Touch

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def with_a_run(digits_run):
    return digits_run


def probabilities(room):
    return [room.value(f"p-{c}") for c in range(10)]


def asked(room, digits_run, **given):
    """What the server says to the same question, read as Python."""
    return unpack(room.lab.post("/api/inside/look", {"run": digits_run, **given}).content)


def test_a_test_image_and_its_numbers(room, digits_run):
    room.open(f"/inside?run={digits_run}&test=3")
    head, _ = asked(room, digits_run, test=3)
    assert probabilities(room) == pytest.approx(head["confidences"], abs=1e-12)
    best = int(np.argmax(head["confidences"]))
    assert room.at("best").text_content() == str(best)
    assert room.value("total") == pytest.approx(head["scores"][best], abs=1e-4)
    room.script()


@pytest.mark.view(390, "en", "light")
def test_drawing_with_the_mouse(room, digits_run):
    room.open(f"/inside?run={digits_run}")
    before = probabilities(room)
    Mouse(room).draw("pad", (0.25, 0.2), (0.75, 0.2), (0.45, 0.85))
    assert "ink=" in room.page.url
    drawn = probabilities(room)
    assert drawn != before
    assert sum(drawn) == pytest.approx(1)
    assert room.at("stage-cropped").is_visible()
    room.at("step-centre").click()  # now the other way
    room.settle()
    assert probabilities(room) != drawn
    url = room.page.url
    kept = probabilities(room)
    room.open(url.partition("#")[2])
    assert probabilities(room) == kept  # the address holds the drawing and the steps
    room.script()
    room.at("undo").click()
    room.settle()
    assert "ink=" not in room.page.url


@pytest.mark.parametrize("kind", [Touch, Pen])
def test_drawing_with_finger_and_pen(room, digits_run, kind):
    room.open(f"/inside?run={digits_run}")
    with kind(room) as hand:
        hand.draw("pad", (0.5, 0.15), (0.5, 0.85))
    strokes = read_ink(room)
    assert len(strokes) == 1
    assert {x for x, _ in strokes[0]} <= {55, 56}
    assert [y for _, y in strokes[0]] == sorted(y for _, y in strokes[0])
    head, _ = asked(room, digits_run, strokes=strokes)
    assert probabilities(room) == pytest.approx(head["confidences"], abs=1e-12)
    assert int(np.argmax(head["confidences"])) == 1


def read_ink(room):
    """The strokes in the address: see ink.js."""
    ink = re.search(r"ink=([0-9a-z.]+)", room.page.url).group(1)
    return [[(int(p[:2], 36), int(p[2:], 36)) for p in re.findall("....", part)] for part in ink.split(".")]


@pytest.mark.view(390, "zh", "light")
def test_down_to_the_ink_with_the_mouse(room, digits_run):
    room.open(f"/inside?run={digits_run}&test=7")
    tile = room.at("map-conv2-3")
    area = tile.bounding_box()
    tile.click(position={"x": area["width"] * 0.55, "y": area["height"] * 0.55})
    room.settle()
    _, arrays = asked(room, digits_run, test=7)
    assert room.at("crumb-0").text_content() == "conv2[3,4,4]"
    assert room.value("reported") == float(arrays["map.conv2"][3, 4, 4])
    assert "14×14" in room.at("sight").text_content()
    for step, layer in enumerate(["relu1", "pool1", "conv1", "image"], 1):
        room.page.locator("tr.term").first.click()
        room.settle()
        assert room.at(f"crumb-{step}").text_content().startswith(f"{layer}[")
    c, r, k = map(int, room.at("crumb-4").text_content().removeprefix("image[").removesuffix("]").split(","))
    assert room.value("reported") == float(arrays["given"][c, r, k])
    room.at("crumb-1").click()
    room.settle()
    assert room.page.get_by_test_id("crumb-2").count() == 0
    assert "path=" in room.page.url


@pytest.mark.view(1280, "zh", "dark")
def test_drawing_and_descending_with_keys_alone(room, digits_run):
    room.open(f"/inside?run={digits_run}")
    room.tab_to("pad")
    room.press(*["ArrowUp"] * 8, " ", *["ArrowDown"] * 16, " ")
    room.settle()
    one = probabilities(room)
    assert int(np.argmax(one)) == 1
    room.tab_to("map-conv1-0")
    room.press("ArrowDown", "ArrowRight", "Shift+ArrowRight", "ArrowDown", "Enter")
    room.settle()
    assert room.at("crumb-0").text_content() == "conv1[1,1,0]"
    room.tab_to("term-0")
    room.press("ArrowDown", "Enter")
    room.settle()
    assert room.at("crumb-1").text_content() == "image[0,1,1]"
    room.tab_to("pad")
    room.press("Backspace")
    room.settle()
    assert probabilities(room) != one


@pytest.mark.parametrize("kind", ["gradient_input", "occlusion", "grad_cam"])
def test_overlays(room, digits_run, kind):
    room.open(f"/inside?run={digits_run}&test=2")
    assert not room.at("overlay").is_visible()
    room.at("over").select_option(kind)
    room.settle()
    assert room.at("overlay").is_visible()
    answer = room.lab.post("/api/inside/saliency", {"run": digits_run, "test": 2})
    largest = float(np.abs(unpack(answer.content)[1][kind]).max())
    assert float(room.at("overlay").get_attribute("data-limit")) == pytest.approx(largest, rel=1e-6)


def test_own_classes_in_colour(room, colour_run):
    room.open(f"/inside?run={colour_run}&test=4")
    assert sum(room.value(f"p-{c}") for c in range(3)) == pytest.approx(1)
    assert room.at("best").text_content() in ("red", "leaf", "sky")
    room.page.locator("tr.term").first.click()
    room.settle()
    assert room.at("crumb-1").text_content().startswith("flatten1[")


def test_a_wrong_state_is_told_in_words(room, digits_run):
    room.page.on("console", lambda message: None)
    room.open("/inside?run=nothing-1")
    assert "There is no run 'nothing-1'." in room.at("problem").text_content()
    room.trouble.clear()  # the browser notes the 400 that this asked for


READ = """canvas => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  return [...copy.getImageData(0, 0, canvas.width, canvas.height).data];
}"""  # reading the canvas itself twice makes Chromium complain


def test_maps_out_of_sight_are_drawn_when_they_come_into_sight(room, digits_run):
    room.page.set_viewport_size({"width": 1280, "height": 300})

    def pixels():
        room.at("map-conv2-0").scroll_into_view_if_needed()
        room.settle()
        canvas = room.at("map-conv2-0").locator("canvas")
        return canvas.evaluate(READ)

    room.open(f"/inside?run={digits_run}&test=2")
    want = pixels()
    room.open(f"/inside?run={digits_run}&test=1")
    assert pixels() != want
    room.page.evaluate("scrollTo(0, 0)")
    room.settle()
    room.at("following").evaluate("button => button.click()")  # far from the map: Playwright would scroll to it
    room.settle()
    assert pixels() == want


def test_colours_follow_the_values(room, digits_run):
    """A map's pixels on the screen: zero is paper, the largest is the full colour of its sign."""
    room.page.emulate_media(color_scheme="light")
    room.open(f"/inside?run={digits_run}&test=1")
    _, arrays = asked(room, digits_run, test=1)
    flat = arrays["map.conv1"].reshape(10, -1)
    c = int(np.abs(flat).max(1).argmax())
    at = int(np.abs(flat[c]).argmax())
    pixels = (
        room.at(f"map-conv1-{c}")
        .locator("canvas")
        .evaluate("canvas => [...canvas.getContext('2d').getImageData(0, 0, 24, 24).data]")
    )
    shown = torch.tensor(pixels).view(-1, 4)[at, :3].tolist()
    assert shown == ([202, 90, 10] if flat[c, at] > 0 else [33, 102, 172])


def test_the_scores_have_the_names_of_their_classes(room, colour_run):
    room.open(f"/inside?run={colour_run}&test=1")
    names = room.at("layer-linear1").locator(".class-names span")
    assert names.all_text_contents() == ["red", "leaf", "sky"]
    cells = room.at("map-linear1-0").bounding_box()
    for k, name in enumerate(names.all()):
        middle = name.bounding_box()["x"] + name.bounding_box()["width"] / 2
        assert middle == pytest.approx(cells["x"] + (k + 0.5) * cells["width"] / 3, abs=2)


def test_each_kernel_stands_below_its_map(room, digits_run):
    """Its weights are those of the run; on the screen one plane is 5×5, ten are a 4×3 of them with paper between."""
    room.page.emulate_media(color_scheme="light")
    _, arrays = unpack(room.lab.post("/api/inside/kernels", {"run": digits_run}).content)
    stored, _ = load_tensors(room.lab.runs / digits_run / "model.safetensors")
    for name in ("conv1", "conv2"):
        assert np.array_equal(arrays[f"kernel.{name}"], stored[f"{name}.weight"].numpy())
    room.open(f"/inside?run={digits_run}&test=1")
    room.at("kernel-conv2-19").scroll_into_view_if_needed()
    sizes = [
        room.at(f"kernel-{name}").locator("canvas").evaluate("c => [c.width, c.height]")
        for name in ("conv1-0", "conv2-0")
    ]
    assert sizes == [[5, 5], [23, 17]]
    above, below = room.at("map-conv1-3").bounding_box(), room.at("kernel-conv1-3").bounding_box()
    assert below["y"] >= above["y"] + above["height"]
    assert below["x"] + below["width"] / 2 == pytest.approx(above["x"] + above["width"] / 2, abs=2)
    weight = stored["conv1.weight"]
    c, place = divmod(int(weight.abs().argmax()), 25)
    pixels = (
        room.at(f"kernel-conv1-{c}")
        .locator("canvas")
        .evaluate("canvas => [...canvas.getContext('2d').getImageData(0, 0, 5, 5).data]")
    )
    full = [202, 90, 10] if weight.flatten()[25 * c + place] > 0 else [33, 102, 172]
    assert torch.tensor(pixels).view(-1, 4)[place, :3].tolist() == full


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_first_sight_of_a_score_are_the_terms_that_decide_it(room, digits_run, lang):
    """Largest products first, by PyTorch's own weights and features; the button puts them into their order again."""
    room.page.evaluate("lang => localStorage.setItem('convscope.lang', lang)", lang)
    head, arrays = asked(room, digits_run, test=3)
    stored, _ = load_tensors(room.lab.runs / digits_run / "model.safetensors")
    best = int(np.argmax(head["scores"]))
    products = stored["linear1.weight"][best].numpy() * arrays["map.flatten1"].reshape(-1)
    order = np.argsort(-np.abs(products))[:5]
    room.open(f"/inside?run={digits_run}&test=3")
    told = room.at("decisive").text_content()
    places = [told.index(f"flatten1[{i}] ") for i in order]
    assert places == sorted(places)
    rows = room.at("ledger").locator("tr.term")
    ids = rows.evaluate_all("all => all.slice(0, 5).map((e) => e.dataset.testid)")
    assert ids == [f"term-{i}" for i in order]
    room.at("sort-terms").click()
    assert rows.first.get_attribute("data-testid") == "term-0"


@pytest.mark.view(390, "zh", "dark")
def test_no_number_of_a_ledger_is_cut_on_a_phone(room, digits_run):
    room.open(f'/inside?run={digits_run}&test=3&path=[["linear1",5]]')
    shown = room.page.locator('[data-testid="ledger"] > .scroll')
    assert shown.evaluate("e => e.scrollWidth <= e.clientWidth")
