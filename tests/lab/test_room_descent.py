"""Room 3: descent."""

import json
import shutil
import subprocess

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convscope.explain.concepts.descent import Way, descend, timed
from convscope.explain.concepts.objectives import regression
from convscope.explain.concepts.optimizers import rule
from convscope.lab.rooms.descent import DescentRequest, answer

from .conftest import STATIC
from .hands import Mouse, Touch


@given(
    st.integers(4, 40),
    st.integers(1, 3),
    st.integers(0, 99),
    st.floats(0.001, 0.1),
    st.integers(0, 5),
    st.sampled_from(["line", "valley", "saddle", "two-minima"]),
)
def test_paths_are_those_of_torch(samples, epochs, seed, lr, regime, surface):
    q = DescentRequest(
        surface=surface,
        samples=samples,
        batch_size=max(2, samples // 3),
        epochs=epochs,
        seed=seed,
        lr=lr,
        regime=regime,
        optimizers=["momentum", "nesterov", "adam"],
    )
    shown = answer(q)
    assert shown.paths[shown.chosen].kind == (regime if surface == "line" or regime > 1 else 2)
    exec(shown.script, {"print": lambda *a: None})
    for path in shown.paths:
        points = path.regime.points
        assert [point.updates for point in points] == list(range(path.regime.updates + 1))
        assert len(path.batch_gradients) == len(path.full_gradients) == path.per_epoch * epochs == path.regime.updates
        last = len(points) // 2
        w, b = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in points[last].parameters)
        sum(c * w**i * b**j for i, j, c in shown.map.terms).backward()
        if last < len(path.full_gradients):
            gradient = [0 if leaf.grad is None else leaf.grad.item() for leaf in (w, b)]
            assert path.full_gradients[last] == pytest.approx(gradient, abs=1e-8)
            step = np.subtract(points[last].parameters, points[last + 1].parameters)
            assert step == pytest.approx(np.multiply(path.regime.lr, direction(path, last)), abs=1e-12)
    assert all(sorted(order) == list(range(shown.samples)) for order in shown.orders)


def direction(path, update):
    """What lr is multiplied with, from the numbers that the page shows."""
    if path.kind < 3:
        return path.batch_gradients[update]
    if path.kind == 3:
        return path.first[update]
    if path.kind == 4:
        return np.add(path.batch_gradients[update], np.multiply(0.9, path.first[update]))
    return np.divide(path.first[update], path.second[update])


@pytest.mark.parametrize(("change", "status", "words"), [
    ({"samples": 400, "epochs": 100}, 400, "100 epochs of 400 samples are 40,000 updates"),
    ({"samples": 8, "batch_size": 9}, 400, "--batch-size is 9"),
    ({"lr": 0}, 422, "lr"),
    ({"lr": -1}, 422, "lr"),
    ({"samples": 3}, 422, "samples"),
    ({"surface": "hill"}, 422, "surface"),
    ({"start": [1e9, 0]}, 422, "start"),
    ({"optimizers": ["sgd"]}, 422, "optimizers"),
])  # fmt: skip
def test_bad_input(lab, change, status, words):
    refused = lab.post("/api/descent", change)
    assert refused.status_code == status
    assert words in refused.json()["error"]


@given(st.integers(4, 40), st.integers(0, 99), st.integers(0, 2))
def test_paths_that_diverge_are_shown_as_far_as_they_go(samples, seed, regime):
    shown = answer(DescentRequest(samples=samples, batch_size=3, epochs=90, seed=seed, lr=8, regime=regime))
    exec(shown.script, {"print": lambda *a: None})
    full = shown.paths[2].regime
    assert full.diverged
    for path in shown.paths:
        points = path.regime.points
        assert len(path.batch_gradients) == path.regime.updates == len(points) - 1
        assert np.isfinite([(*point.parameters, point.loss, point.seconds) for point in points]).all()
        assert path.regime.diverged or path.regime.samples == 90 * samples
    calm = answer(DescentRequest(samples=samples, batch_size=3, seed=seed))
    assert shown.map == calm.map  # where the paths lead does not change what is shown


@given(st.integers(4, 40), st.integers(0, 99))
def test_two_over_the_curvature_parts_steps_that_arrive_from_those_that_leave(samples, seed):
    """λmax by autograd's second derivatives; the full batch's loss falls below 2/λmax and grows above it."""
    objective = regression(samples, seed)
    x, y = torch.from_numpy(objective.x), torch.from_numpy(objective.y)
    at = torch.tensor(objective.start())
    hessian = torch.autograd.functional.hessian(lambda p: ((p[0] * x + p[1] - y) ** 2).mean(), at)
    limit = 2 / torch.linalg.eigvalsh(hessian)[-1].item()
    assert 2 / objective.curvature() == pytest.approx(limit, rel=1e-9)
    for factor, grows in ((0.9, False), (1.1, True)):
        points = descend(objective, Way("full batch", samples, rule("sgd", factor * limit)), 80, 0).points
        assert (points[-1].loss > points[0].loss) == grows


def test_seconds_are_the_median_of_several_runs(monkeypatch):
    times = iter([9.0, 5.0, 1.0, 2.0, 3.0, 4.0])
    monkeypatch.setattr("convscope.explain.concepts.descent._clock", lambda *_: [0.0, next(times)])
    found = timed(regression(8, 0), Way("full batch", 8, rule("sgd", 0.1)), 1, 0)
    assert found.seconds == found.points[-1].seconds == 3.0  # of five; the first of all is not counted
    assert [point.seconds for point in found.points] == [0.0, 3.0]


def test_what_interrupts_single_updates_is_not_counted(monkeypatch):
    """Updates of a second each; every run is held up once, no update in most of them."""
    held = iter([0, 1, 2, 3, 4, 4])

    def clock(*_):
        steps = np.ones(4)
        steps[next(held) % 4] += 100
        return [0.0, *np.cumsum(steps)]

    monkeypatch.setattr("convscope.explain.concepts.descent._clock", clock)
    found = timed(regression(8, 0), Way("mini-batch", 2, rule("sgd", 0.1)), 1, 0)
    assert [point.seconds for point in found.points] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_the_notes_question(lab):
    assert lab.ask("/api/descent", {})["batches"]["updates"] == 1250
    found = lab.ask("/api/descent", {"count_samples": 250, "count_batch_size": 30, "drop_last": True})["batches"]
    assert (found["updates"], found["last"], found["left_out"]) == (8, 30, 10)


@given(st.floats(-1000, 1000), st.floats(-1000, 1000), st.sampled_from(["line", "valley"]))
def test_the_map_holds_the_start_wherever_it_is(w, b, surface):
    shown = answer(DescentRequest(surface=surface, start=(w, b), epochs=1))
    assert shown.map.ws[0] <= w <= shown.map.ws[-1]
    assert shown.map.bs[0] <= b <= shown.map.bs[-1]
    assert {path.regime.points[0].parameters for path in shown.paths} == {(w, b)}


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_what_the_page_reads_out_is_the_loss_and_its_gradient():
    terms, places = regression(30, 4).terms, [(0.0, 0.0), (1.5, -2.25), (-1.0, 3.0)]
    code = f"""import {{ value, slope }} from "{(STATIC / "js/rooms/descent/polynomial.js").as_uri()}";
        const terms = {json.dumps(terms)};
        const told = {json.dumps(places)}.map(([w, b]) => [value(terms, w, b), ...slope(terms, w, b)]);
        console.log(JSON.stringify(told))"""
    found = subprocess.run(["node", "--input-type=module", "-e", code], capture_output=True, text=True, timeout=60)
    for place, (loss, *gradient) in zip(places, json.loads(found.stdout), strict=True):
        want, slopes = regression(30, 4).loss(np.array(place), np.arange(30))
        assert loss == pytest.approx(want, abs=1e-12)
        assert gradient == pytest.approx(slopes, abs=1e-12)


@pytest.mark.browser
@pytest.mark.view(1280, "en", "dark")
def test_by_mouse(room):
    room.open("/descent?at=0")
    objective = regression(60, 0)
    loss, gradient = objective.loss(objective.start(), np.arange(60))
    assert room.value("loss") == pytest.approx(loss)
    room.at("regime").select_option("2")
    room.settle()
    assert room.value("next-w") == pytest.approx(objective.start()[0] - 0.05 * gradient[0])
    assert room.page.locator(".strip .now").count() == 60
    room.at("stepper-last").click()
    room.settle()
    assert room.page.get_by_test_id("strip-text").text_content() == "All 4 epochs are done"
    room.script()
    state = room.page.url.split("#")[1]
    room.open(state)
    assert room.page.get_by_test_id("strip-text").text_content() == "All 4 epochs are done"
    room.at("axis").select_option("updates")
    room.settle()
    assert room.at("stepper-text").text_content() == "240 / 240"  # a room opens finished
    room.at("losses").locator("summary").click()
    room.settle()
    assert room.at("losses").locator("tbody tr").count() > 100


@pytest.mark.browser
@pytest.mark.view(390, "zh", "light")
def test_by_keyboard(room):
    room.open("/descent")
    room.tab_to("count_batch_size")
    room.press("Control+A", *"64")
    room.settle()
    assert room.value("updates") == 625
    room.page.keyboard.press("Control+Home")
    room.sheet()
    room.at("samples").focus()
    room.tab_to("epochs")
    room.press("Control+A", "2")
    room.settle()
    while room.page.evaluate("document.activeElement.dataset.testid") != "stepper-slider":
        room.press("Shift+Tab")
    room.press("Home", "ArrowRight", "ArrowRight")
    room.settle()
    assert room.at("stepper-text").text_content() == "2 / 120"
    room.press("End")
    room.settle()
    shown = answer(DescentRequest(epochs=2))
    assert room.value("loss") == pytest.approx(shown.paths[1].regime.loss)
    room.script()


def start(room):
    return [float(part) for part in room.at("start").get_attribute("data-value").split(",")]


@pytest.mark.browser
@pytest.mark.view(1280, "zh", "light")
def test_the_start_is_dragged_by_mouse_and_the_map_holds_still(room):
    room.open("/descent")
    ticks = room.at("map").locator(".tick").all_text_contents()
    Mouse(room).pull("start", (150, 90))
    w, b = start(room)
    assert w > 0 > b - 2
    assert room.at("map").locator(".tick").all_text_contents() == ticks
    shown = answer(DescentRequest(start=(w, b)))
    assert room.value("loss") == pytest.approx(shown.paths[1].regime.loss)
    room.script()
    room.open(room.page.url.split("#")[1])
    assert start(room) == [w, b]
    room.at("start-again").click()
    room.settle()
    assert start(room) == [-1, 2]
    room.at("map").hover(position={"x": 200, "y": 200})
    place = [float(part) for part in room.at("map-read").get_attribute("data-place").split(",")]
    loss, _ = regression(60, 0).loss(np.array(place), np.arange(60))
    assert f"损失 {loss:.4g}，" in room.at("map-read").text_content()


@pytest.mark.browser
@pytest.mark.view(390, "en", "dark")
def test_the_start_is_dragged_by_finger_and_moved_by_keys(room):
    room.open("/descent")
    with Touch(room) as finger:
        finger.pull("start", (60, 40))
    w, b = start(room)
    assert w > -1
    assert b < 2
    room.tab_to("start")
    room.press("ArrowLeft", "ArrowUp", "Shift+ArrowUp")
    room.settle()
    moved = start(room)
    assert moved[0] < w
    assert moved[1] > b
    assert room.page.evaluate("document.activeElement.dataset.testid") == "start"
    assert room.value("loss") == pytest.approx(answer(DescentRequest(start=moved)).paths[1].regime.loss)
    room.at("map").focus()
    room.press("ArrowRight", "ArrowUp")
    assert room.at("map-read").text_content().startswith("w ")


@pytest.mark.browser
@pytest.mark.view(1280, "en", "light")
def test_other_rules_and_surfaces(room):
    room.open("/descent")
    room.at("add-momentum").check()
    room.at("add-adam").check()
    room.at("regime").select_option("5")
    room.settle()
    want = answer(DescentRequest(optimizers=["momentum", "adam"], regime=5))
    assert room.value("loss") == pytest.approx(want.paths[4].regime.loss)
    assert room.at("path-3").count() == room.at("path-5").count() == 1
    room.script()
    room.at("surface").select_option("two-minima")
    room.settle()
    rest = {"surface": "two-minima", "optimizers": ["momentum", "nesterov", "adam"], "epochs": 100, "regime": 3}
    want = answer(DescentRequest(**rest))
    assert room.value("loss") == pytest.approx(want.paths[1].regime.loss)
    assert room.page.locator(".strip").count() == 0
    room.at("stepper-first").click()
    room.settle()
    room.at("stepper-next").click()
    room.settle()
    assert "v = 0.9 × " in room.at("update").text_content()
    assert room.value("next-w") == pytest.approx(want.paths[1].regime.points[2].parameters[0])
    room.script()


@pytest.mark.browser
@pytest.mark.view(1280, "zh", "dark")
def test_too_long_a_step_is_drawn_and_explained(room):
    room.open("/descent")
    room.at("example-5").click()
    room.settle()
    said = room.at("diverged").text_content()
    assert "`" not in said
    assert "lr = 0.104 > 2/λmax = 0.1" in said
    assert "离开了这张图" in said
    assert room.at("path-2").locator(".line").get_attribute("d").count("L") == 10  # then it has left the map for good
    room.script()


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_no_word_of_the_map_lies_over_a_number(room, width, lang):
    room.page.set_viewport_size({"width": width, "height": 800})
    room.page.evaluate("lang => localStorage.setItem('convscope.lang', lang)", lang)
    room.open("/descent?surface=two-minima&epochs=100&regime=2&axis=updates")
    over = """() => {
      const shown = (kind) => [...document.querySelectorAll(`[data-testid=map] .${kind}:not([visibility=hidden])`)];
      const [words, numbers] = ["place", "height"].map((kind) => shown(kind).map((e) => e.getBoundingClientRect()));
      const apart = (a, b) => a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
      return [words.length, numbers.length, words.some((a) => numbers.some((b) => !apart(a, b)))];
    }"""
    words, numbers, covered = room.page.evaluate(over)
    assert (words, covered) == (2, False)
    assert numbers >= 2
