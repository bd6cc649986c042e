"""Room 6: shapes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from convscope.errors import UsageError
from convscope.lab.rooms.feeding import feed, parse_shape
from convscope.lab.rooms.shapes import ShapesRequest, chain
from convscope.net.build import build
from convscope.net.fixes import fixes
from convscope.net.shapes import ShapeError, table
from convscope.net.spec import parse
from convscope.net.zoo import ZOO, resolve

LAYERS = ["conv 4 3", "conv 6 5x3 stride=2 padding=1", "conv 8 3 groups=2 dilation=2 bias=no", "conv 3 3 padding=same",
          "pool 2", "pool 3 stride=2 padding=1", "avgpool 2", "relu", "tanh", "sigmoid", "batchnorm", "dropout 0.25",
          "globalavg", "flatten", "linear 7 bias=no", "linear", "leakyrelu 0.1", "gelu approximate=tanh",
          "dropout2d 0.1",
          "depthwise 3 multiplier=2", "adaptiveavgpool 2x3", "pool 2 ceil_mode=yes", "[ relu ]+", "[ tanh / relu6 ]&x2",
          "conv 4 3 padding=1 padding_mode=reflect", "[ conv 4 3 stride=2 padding=1 ]+",
          "[ conv 2 3 / silu ]&"]  # fmt: skip


@pytest.mark.parametrize("name", ZOO)
def test_scripts_of_the_zoo_run(name):
    exec(chain(ShapesRequest(net=name, image=ZOO[name].image, classes=10)).script, {})


SIDE = st.integers(3, 40)


@given(st.lists(st.sampled_from(LAYERS), min_size=1, max_size=7), st.integers(1, 4), SIDE, SIDE)
def test_any_chain_is_answered_and_its_script_asserts_what_is_shown(layers, c, h, w):
    question = ShapesRequest(net=" | ".join(layers), image=(c, h, w), classes=5)
    try:
        answer = chain(question)
    except UsageError:
        with pytest.raises(UsageError, match=r"the image is flattened before it|flattens the image inside a bracket"):
            chain(question)
        return
    exec(answer.script, {"print": lambda *a: None})
    if answer.failure is None:
        net = build(parse(answer.net), (c, h, w), 5).eval()
        made = {}
        for name, layer in net.named_children():
            layer.register_forward_hook(lambda layer, inputs, output, name=name: made.__setitem__(name, output))
        assert net(torch.zeros(1, c, h, w)).shape == (1, 5)
        assert [line.name for line in answer.lines] == list(made)
        for line in answer.lines:
            assert tuple(made[line.name].shape[1:]) == line.output
            assert sum(p.numel() for p in net.get_submodule(line.name).parameters()) == line.parameters
    else:
        block = answer.layers[answer.failure.index]
        assert block == answer.failure.text or (block[0] == "]" and answer.failure.name[:-1] in ("add", "concat"))
        for fix in answer.failure.fixes:
            reached = _reach(fix)
            assert reached is None if fix.whole else reached > len(answer.lines)


def _reach(fix):
    try:
        table(parse(fix.net), fix.image, 5)
    except ShapeError as error:
        return len(error.rows)
    return None


def test_what_fits_needs_no_fix():
    assert fixes(resolve("note"), (1, 28, 28), 10) == []


def test_pytorchs_own_words():
    failure = chain(ShapesRequest(net="note", image=(1, 8, 8), classes=10)).failure
    with pytest.raises(RuntimeError) as caught:
        nn.Conv2d(10, 20, 5)(torch.zeros(1, 10, 2, 2))
    assert failure.pytorch == str(caught.value)
    failure = chain(ShapesRequest(net="conv 4 3 groups=3 | linear", image=(4, 8, 8), classes=10)).failure
    assert failure.pytorch == "in_channels must be divisible by groups"
    assert chain(ShapesRequest(net="conv 4 3", image=(4, 8, 8), classes=10)).failure.pytorch == ""


@pytest.mark.parametrize(
    ("image", "words", "failed", "changes"),
    [
        ((1, 28, 28), "64, 1, 28, 28", None, []),
        ((1, 28, 28), "64, 28, 28, 1", "conv1", ["x.permute(0, 3, 1, 2)"]),
        ((1, 28, 28), "64 1 32 32", "linear1", ["nn.Linear(in_features=…)", "nn.AdaptiveAvgPool2d(1)"]),
        ((5, 28, 28), "1×6×28×28", "conv1", ["nn.Conv2d(6, …)"]),
        ((3, 28, 28), "(3, 28, 28)", "linear1", ["x.unsqueeze(0)"]),
        ((1, 28, 28), "28, 28", "conv1", ["x[None, None]"]),
    ],
)
def test_feeding(image, words, failed, changes):
    fed = feed(resolve("note"), image, 10, words)
    assert fed.failed == failed
    assert [change.what for change in fed.changes] == changes
    net = build(resolve("note"), image, 10)
    if failed is None:
        assert fed.outputs["linear1"] == tuple(net(torch.zeros(fed.shape)).shape)
    else:
        with pytest.raises(RuntimeError) as caught:
            net(torch.zeros(fed.shape))
        assert fed.diagnosis.message == str(caught.value)
    for change in fed.changes:
        size = parse_shape(change.feed)
        assert build(parse(change.net), change.image, 10)(torch.zeros(size)).shape[1] == 10


@pytest.mark.parametrize("words", ["", "0", "1,2,3,4,5,6", "-1, 2", "a", "1e9", "9999999,9999999", "1.5"])
def test_no_shape(words):
    with pytest.raises(UsageError, match="is no shape of a tensor"):
        parse_shape(words)


def test_bad_nets_are_400_with_the_words_of_the_command_line(lab):
    answer = lab.post("/api/shapes", {"net": "conv 10 5 | poool 2", "image": [1, 28, 28], "classes": 10})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("no layer is called 'poool'")
    assert "did you mean 'pool'" in answer.json()["help"]
    assert answer.json()["position"] == 12


@pytest.mark.browser
@pytest.mark.view(1280, "zh", "light")
def test_by_mouse(room):
    room.open("/shapes")
    assert room.value("parameters") == sum(p.numel() for p in build(resolve("note"), (1, 28, 28), 10).parameters())
    room.at("example-0").click()
    room.settle()
    with pytest.raises(RuntimeError) as caught:
        build(resolve("note"), (1, 28, 28), 10)(torch.zeros(64, 28, 28, 1))
    assert room.at("pytorch-words").text_content() == "PyTorch" + str(caught.value)
    room.at("fix-0").click()
    room.settle()
    assert room.at("fed-good").text_content() == "✓ (64, 1, 28, 28) → (64, 10)"
    room.at("add-batchnorm").click()
    room.settle()
    assert room.at("block-6").input_value() == "batchnorm"
    room.at("net").fill("conv 3 3 | flatten")
    room.settle()
    assert "网络末尾给出 2,028 个值" in room.at("refusal").text_content()  # in the page's language
    room.at("fix-0").click()
    room.settle()
    room.script()
    address = room.page.url
    room.open(address.split("#")[1])
    assert room.at("net").input_value() == "conv 3 3 | flatten | linear"


@pytest.mark.browser
@pytest.mark.view(390, "zh", "dark")
def test_by_keyboard(room):
    room.open("/shapes")
    room.tab_to("sheet")
    room.press("Enter")
    room.tab_to("image-1")
    room.press("Control+A", "8")
    room.settle()
    assert room.at("refusal").is_visible()
    room.tab_to("fix-0")
    room.press("Enter")
    room.settle()
    assert room.at("refusal").count() == 0
    room.tab_to("block-1")
    room.press("Alt+ArrowDown")
    room.settle()
    assert room.at("block-2").input_value() == "pool 2"
    room.tab_to("show-script")
    room.press("Enter")
    room.script()


@pytest.mark.browser
def test_a_net_that_cannot_be_read(room):
    room.open("/shapes")
    room.at("net").fill("conv 10 5 | poool 2")
    room.page.wait_for_selector(".problem pre")
    assert "Did you mean 'pool'" in room.at("problem").text_content()
    room.at("net").fill("conv 10 5 | linear")
    room.settle()
    assert room.at("problem").text_content() == ""
    assert all("400" in trouble for trouble in room.trouble)  # Chromium reports every refused request
    room.trouble.clear()


RESIDUAL = "conv 4 3 padding=1 | [ conv 8 3 stride=2 padding=1 | relu ]+x2 | linear"


def test_branches_are_lines_with_marks_and_blocks(lab):
    answer = lab.ask("/api/shapes", {"net": RESIDUAL, "image": [1, 8, 8], "classes": 3})
    assert answer["layers"] == [
        "conv 4 3 padding=1",
        "[",
        "conv 8 3 stride=2 padding=1",
        "relu",
        "]+x2",
        "flatten",
        "linear",
    ]
    told = [(line["name"], line["inputs"], line["block"], line["marks"]) for line in answer["lines"]]
    assert told == [
        ("conv1", ["image"], 0, " ╭"),
        ("conv2", ["conv1"], 2, " │"),
        ("relu1", ["conv2"], 3, "╭│"),
        ("projection1", ["conv1"], None, "│╰"),
        ("add1", ["relu1", "projection1"], 4, "╰╭"),
        ("conv3", ["add1"], 2, " │"),
        ("relu2", ["conv3"], 3, "╭│"),
        ("projection2", ["add1"], None, "│╰"),
        ("add2", ["relu2", "projection2"], 4, "╰ "),
        ("flatten1", ["add2"], 5, "  "),
        ("linear1", ["flatten1"], 6, "  "),
    ]
    assert answer["lines"][3]["note"] == "put in, since conv1 is 4×8×8 and what it is added to 8×4×4"
    exec(answer["script"], {"print": lambda *a: None})


def test_a_failure_in_a_bracket_points_at_its_block(lab):
    answer = lab.ask("/api/shapes", {"net": "relu | [ conv 4 9 ]+ | linear", "image": [1, 8, 8], "classes": 3})
    assert (answer["failure"]["index"], answer["layers"][2]) == (2, "conv 4 9")
    answer = lab.ask("/api/shapes", {"net": "relu | [ conv 1 3 ]+ | linear", "image": [1, 8, 8], "classes": 3})
    assert (answer["failure"]["name"], answer["layers"][answer["failure"]["index"]]) == ("add1", "]+")
    assert answer["failure"]["fixes"][0]["net"] == "relu | [ conv 1 3 padding=same ]+ | flatten | linear"


@pytest.mark.browser
def test_a_residual_net_is_drawn_and_its_brackets_are_edited(room):
    room.open("/shapes")
    room.at("example-4").click()
    room.settle()
    assert room.page.locator(".volumes .skip").count() == 5
    assert room.page.locator(".lanes .start").count() == room.page.locator(".lanes .end").count() == 5
    room.at("net").fill("conv 4 3 padding=1 | [ relu ]+x2 | linear")
    room.settle()
    assert room.at("block-3").input_value() == "]+x2"
    assert room.at("block-1").count() == 1  # what is repeated is edited where it stands first
    room.at("block-3").fill("]&")
    room.at("block-3").press("Enter")
    room.settle()
    assert room.at("net").input_value() == "conv 4 3 padding=1 | [ relu ]& | flatten | linear"
    room.at("block-1").press("Alt+Delete")
    room.settle()
    assert room.at("net").input_value() == "conv 4 3 padding=1 | relu | flatten | linear"
    assert room.page.locator(".lanes").count() == 0


@pytest.mark.browser
@pytest.mark.parametrize(("lang", "words"), [("en", "20 kernels of 5×5"), ("zh", "20 个 5×5 的卷积核")])
def test_a_block_says_what_it_means_and_is_lit_with_its_picture(room, lang, words):
    room.page.evaluate("lang => localStorage.setItem('convscope.lang', lang)", lang)
    room.open("/shapes")
    assert words in room.at("row-3").text_content()
    body = room.page.locator('.volumes [data-layers="conv2"]')
    room.at("row-3").hover()
    assert "lit" in body.get_attribute("class")
    room.page.locator('.volumes [data-layers="pool1 relu1"]').hover()
    assert "lit" not in body.get_attribute("class")
    assert [room.at(f"row-{i}").get_attribute("class") for i in (1, 2)] == ["lit", "lit"]
    room.tab_to("block-3")
    assert "lit" in body.get_attribute("class")


@pytest.mark.browser
@pytest.mark.parametrize(
    ("lang", "words"),
    [("en", "59.1\u202f% of all parameters"), ("zh", "占全部参数的 59.1\u202f%")],
)
def test_what_a_layer_costs_is_a_bar_as_long_as_its_share(room, lang, words):
    room.page.evaluate("lang => localStorage.setItem('convscope.lang', lang)", lang)
    room.open("/shapes")
    net = build(resolve("note"), (1, 28, 28), 10)
    share = sum(p.numel() for p in net.conv2.parameters()) / sum(p.numel() for p in net.parameters())
    bars = room.at("row-3").locator(".cost")
    assert bars.count() == 2
    assert float(bars.first.evaluate("e => getComputedStyle(e).getPropertyValue('--share')")) == pytest.approx(share)
    assert bars.first.get_attribute("aria-label") == words
    assert bars.first.bounding_box()["height"] >= 4
    assert room.at("row-1").locator(".cost").count() == 0  # a pooling costs neither


@pytest.mark.browser
@pytest.mark.parametrize("net", ["note", "lenet5", "tiny-vgg"])
def test_the_bodies_of_a_small_net_fit_the_screen(room, net):
    room.open("/shapes")
    room.at("preset").select_option(net)
    room.settle()
    assert room.page.locator(".scroll.wide").evaluate("e => e.scrollWidth <= e.clientWidth")


@pytest.mark.browser
def test_a_size_of_three_digits_is_seen_whole(room):
    room.open("/shapes")
    room.at("example-2").click()
    room.settle()
    for axis in (1, 2):
        field = room.at(f"image-{axis}")
        assert field.input_value() == "100"
        assert field.evaluate("e => e.scrollWidth <= e.clientWidth")
