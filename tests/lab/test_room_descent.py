"""Room 3: descent."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convscope.explain.concepts.descent import Way, descend, timed
from convscope.explain.concepts.objectives import regression
from convscope.explain.concepts.optimizers import rule
from convscope.lab.rooms.descent import DescentRequest, answer


@given(st.integers(4, 40), st.integers(1, 3), st.integers(0, 99), st.floats(0.001, 0.1), st.integers(0, 2))
def test_paths_are_those_of_torch(samples, epochs, seed, lr, regime):
    q = DescentRequest(samples=samples, batch_size=max(2, samples // 3), epochs=epochs, seed=seed, lr=lr, regime=regime)
    shown = answer(q)
    exec(shown.script, {"print": lambda *a: None})
    x, y = (torch.from_numpy(part) for part in (regression(samples, seed).x, regression(samples, seed).y))
    for path in shown.paths:
        points = path.regime.points
        assert [point.updates for point in points] == list(range(path.regime.updates + 1))
        assert len(path.batch_gradients) == len(path.full_gradients) == path.per_epoch * epochs == path.regime.updates
        last = len(points) // 2
        w, b = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in points[last].parameters)
        ((w * x + b - y) ** 2).mean().backward()
        if last < len(path.full_gradients):
            assert path.full_gradients[last] == pytest.approx((w.grad.item(), b.grad.item()))
            step = np.subtract(points[last].parameters, points[last + 1].parameters)
            assert step == pytest.approx(np.multiply(lr, path.batch_gradients[last]), abs=1e-12)
    assert all(sorted(order) == list(range(samples)) for order in shown.orders)


@pytest.mark.parametrize(("change", "status", "words"), [
    ({"samples": 400, "epochs": 100}, 400, "100 epochs of 400 samples are 40,000 updates"),
    ({"samples": 8, "batch_size": 9}, 400, "--batch-size is 9"),
    ({"lr": 0}, 422, "lr"),
    ({"lr": -1}, 422, "lr"),
    ({"samples": 3}, 422, "samples"),
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
    objective = regression(samples, seed)
    widest = 1.3 * 2 * 4 * np.abs(np.subtract(objective.start(), objective.best())).max() + 1
    assert shown.map.ws[-1] - shown.map.ws[0] < widest
    assert shown.map.bs[-1] - shown.map.bs[0] < widest


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


def test_the_notes_question(lab):
    assert lab.ask("/api/descent", {})["batches"]["updates"] == 1250
    found = lab.ask("/api/descent", {"count_samples": 250, "count_batch_size": 30, "drop_last": True})["batches"]
    assert (found["updates"], found["last"], found["left_out"]) == (8, 30, 10)


@pytest.mark.browser
@pytest.mark.view(1280, "en", "dark")
def test_by_mouse(room):
    room.open("/descent")
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
    assert room.at("stepper-text").text_content() == "0 / 240"
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
