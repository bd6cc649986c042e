"""Room 1: losses."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from convscope.lab.rooms.losses import LossesRequest, answer

NUMBERS = st.lists(st.integers(-80, 80).map(lambda n: n / 8), min_size=1, max_size=6)
QUESTION = {"prediction": [1, 2, 3], "target": [1, 2, 5], "logits": [8, 0, 0], "klass": 0}


@given(NUMBERS, NUMBERS, st.booleans(), st.integers(0, 5))
def test_values_and_derivatives_are_autograds(prediction, logits, column, seed):
    target = [p + (i * seed) % 5 - 2 for i, p in enumerate(prediction)]
    klass = seed % len(logits)
    shown = answer(LossesRequest(prediction=prediction, target=target, column=column, logits=logits, klass=klass))
    exec(shown.script, {"print": lambda *a: None})
    z = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    wrong = functional.cross_entropy(z.softmax(0), torch.tensor(klass))
    wrong.backward()
    assert shown.twice.loss.value == pytest.approx(wrong.item())
    assert torch.allclose(z.grad, torch.tensor(shown.twice.gradient, dtype=torch.float64))
    near = min(range(len(shown.along)), key=lambda i: abs(shown.along[i] - prediction[0]))
    assert shown.along[0] < prediction[0] < shown.along[-1]
    moved = torch.tensor([shown.along[near], *prediction[1:]], dtype=torch.float64)
    if not column:
        assert shown.curves["mse"][near] == pytest.approx(functional.mse_loss(moved, torch.tensor(target)).item())


def test_the_famous_bug(lab):
    shown = lab.ask("/api/losses", QUESTION)
    assert round(shown["cross_entropy"]["value"], 4) == 0.0007
    assert round(shown["twice"]["loss"]["value"], 3) == 0.552
    trapped = lab.ask("/api/losses", {**QUESTION, "column": True})
    assert trapped["regression"]["mse"]["warnings"][0].startswith("predictions (3, 1) and targets (3,) have different")


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"target": [1, 2]}, 400, "cannot be compared"),
        ({"klass": 3}, 400, "target 3 is no class index"),
        ({"at": 3}, 400, "there is no prediction 3"),
        ({"logits": []}, 422, "logits"),
        ({"prediction": [1e99, 2, 3]}, 422, "prediction"),
    ],
)
def test_bad_input(lab, change, status, words):
    refused = lab.post("/api/losses", {**QUESTION, **change})
    assert refused.status_code == status
    assert words in refused.json()["error"]


@pytest.mark.browser
@pytest.mark.view(390, "en", "dark")
def test_by_mouse(room):
    room.open("/losses")
    prediction, target = torch.tensor([1, 2, 3, 7.0]), torch.tensor([1.5, 2, 5, 4])
    assert room.value("mse") == pytest.approx(functional.mse_loss(prediction, target).item())
    slider = room.at("prediction-0-range").bounding_box()
    room.page.mouse.click(slider["x"] + slider["width"] - 2, slider["y"] + slider["height"] / 2)
    room.settle()
    prediction[0] = float(room.at("prediction-0").input_value())
    assert prediction[0] > 9
    assert room.value("mse") == pytest.approx(functional.mse_loss(prediction, target).item())
    assert room.value("l2") == pytest.approx(torch.linalg.vector_norm(prediction - target).item())
    assert room.value("mae") == pytest.approx(functional.l1_loss(prediction, target).item())
    room.at("class-2").check()
    room.settle()
    logits = torch.tensor([2, -1, 0.5], requires_grad=True)
    right = functional.cross_entropy(logits, torch.tensor(2))
    right.backward()
    assert room.value("cross-entropy") == pytest.approx(right.item())
    assert [room.value(f"gradient-{k}") for k in range(3)] == pytest.approx(logits.grad.tolist())
    room.at("twice").check()
    room.settle()
    wrong = functional.cross_entropy(logits.softmax(0), torch.tensor(2))
    assert room.value("cross-entropy") == pytest.approx(wrong.item())
    room.script()
    state = room.page.url.split("#")[1]
    room.open(state)
    assert room.value("cross-entropy") == pytest.approx(wrong.item())
    assert float(room.at("prediction-0").input_value()) == pytest.approx(prediction[0].item())


@pytest.mark.browser
@pytest.mark.view(1280, "zh", "light")
def test_by_keyboard(room):
    room.open("/losses")
    room.tab_to("column")
    room.press("Space")
    room.settle()
    prediction, target = torch.tensor([[1], [2], [3], [7.0]]), torch.tensor([1.5, 2, 5, 4])
    with pytest.warns(UserWarning, match="Using a target size"):
        assert room.value("mse") == pytest.approx(functional.mse_loss(prediction, target).item())
    terms = [[room.value(f"term-{i}-{j}") for j in range(4)] for i in range(4)]
    assert torch.equal(torch.tensor(terms), (prediction - target) ** 2)  # all that the trap makes of four
    assert room.page.locator(".matrix .meant").count() == 4
    room.tab_to("target-1")
    room.press("Control+A", *"-4.5")
    room.settle()
    target[1] = -4.5
    assert room.value("mae") == pytest.approx((prediction - target).abs().mean().item())
    room.tab_to("logit-1")
    room.press("Control+A", "3")
    room.settle()
    assert room.value("cross-entropy") == pytest.approx(
        functional.cross_entropy(torch.tensor([2, 3, 0.5]), torch.tensor(0)).item()
    )
    room.tab_to("samples")
    room.press("Control+A", "6")
    room.settle()
    assert room.at("prediction-5").count() == 1


@pytest.mark.browser
def test_a_squared_error_is_a_square_and_the_curves_are_met_at_the_prediction(room):
    """Its area is the term; a dot stands on each curve where the prediction is, at that loss."""
    room.open("/losses")
    sides = [float(room.at(f"square-{i}").locator("rect").get_attribute("width")) for i in range(4)]
    terms = torch.tensor([room.value(f"square-{i}") for i in range(4)])
    assert torch.allclose(torch.tensor(sides) ** 2 / sides[3] ** 2, terms / terms[3])
    dots = room.at("curves").locator("circle")
    heights = [float(dot.get_attribute("cy")) for dot in dots.all()]
    losses = torch.tensor([room.value(name) for name in ("mse", "l2", "mae")])
    down = (heights[2] - torch.tensor(heights)) / (heights[2] - heights[1])
    assert torch.allclose(down, (losses - losses[2]) / (losses[1] - losses[2]), atol=0.02)


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_covers_the_shadow_of_a_table_has_the_colour_behind_it(room, theme):
    room.page.emulate_media(color_scheme=theme)
    room.open("/losses?column=true")
    shown = room.page.locator(".warned .scroll")
    behind = shown.evaluate("e => getComputedStyle(e.closest('.warned')).backgroundColor")
    assert shown.evaluate("e => getComputedStyle(e).backgroundImage").startswith(f"linear-gradient(90deg, {behind} 40%")
