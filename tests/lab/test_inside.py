"""Room 8's answers against PyTorch, and what is refused."""

import io
import json
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

import convscope
from convscope.errors import DataError
from convscope.lab.binary import pack, unpack
from convscope.lab.shelf import Shelf
from convscope.net.graph import parts

SEVEN = [[[30, 30], [80, 30], [50, 90]]]


def look(lab, **given):
    answer = lab.post("/api/inside/look", given)
    assert answer.status_code == 200, answer.text
    return unpack(answer.content)


def reference(lab, run, pixels):
    """Every layer's output by PyTorch itself, for float pixels (C, H, W) in 0..255."""
    model = convscope.load(lab.runs / run).model
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (model.mean, model.std))
    x = ((torch.from_numpy(pixels.copy()) / 255 - mean) / std)[None]
    outputs = {"image": x}
    with torch.no_grad():
        for part in parts(model.net.eval()):
            outputs[part.name] = part.module(*(outputs[name] for name in part.inputs))
    del outputs["image"]
    return {name: output[0] for name, output in outputs.items()}


def test_binary_there_and_back():
    arrays = {"a": np.arange(6, dtype=np.float64).reshape(2, 3), "b": np.array(7, np.uint8), "c": np.zeros((0, 4))}
    head, back = unpack(pack({"ü": [1, float("nan")]}, arrays))
    assert head == {"ü": [1, None]}
    for name, array in arrays.items():
        assert back[name].dtype == np.float32
        assert np.array_equal(back[name], array)


@pytest.mark.parametrize("given", [{"strokes": SEVEN}, {"test": 11}, {"strokes": SEVEN, "invert": True}, {}])
def test_maps_and_probabilities_are_pytorchs(lab, digits_run, given):
    head, arrays = look(lab, run=digits_run, **given)
    expected = reference(lab, digits_run, arrays["image"])
    for row in head["layers"]:
        want = expected[row["name"]]
        assert row["shape"] == list(want.shape)
        torch.testing.assert_close(torch.from_numpy(arrays[f"map.{row['name']}"].copy()), want, rtol=1e-4, atol=1e-5)
        assert row["low"] == pytest.approx(float(want.min()), abs=1e-4)
    logits = list(expected.values())[-1]
    assert head["confidences"] == pytest.approx(torch.softmax(logits.double(), 0).tolist(), abs=1e-6)


def test_a_test_image_is_the_one_of_the_data(lab, digits_run):
    from convscope.data.readers.digits import read_digits

    images = read_digits()[1]
    head, arrays = look(lab, run=digits_run, test=5)
    assert np.array_equal(arrays["image"], images.images[5])
    assert head["label"] == images.labels[5]
    file = lab.client.get(f"/api/runs/{digits_run}/images/5.png")
    assert file.headers["content-type"] == "image/png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(file.content))), images.images[5, 0])
    known = lab.client.get(f"/api/runs/{digits_run}/images").json()
    assert known["labels"] == images.labels.tolist()


def test_colour_and_own_classes(lab, colour_run):
    head, arrays = look(lab, run=colour_run, test=2)
    assert head["classes"] == ["red", "leaf", "sky"]
    assert arrays["image"].shape == (3, 12, 12)
    expected = reference(lab, colour_run, arrays["image"])
    for name, want in expected.items():
        torch.testing.assert_close(torch.from_numpy(arrays[f"map.{name}"].copy()), want, rtol=1e-4, atol=1e-5)
    drawn = look(lab, run=colour_run, strokes=SEVEN)[1]["image"]
    assert drawn.shape == (3, 12, 12)
    assert np.array_equal(drawn[0], drawn[2])


@pytest.mark.parametrize("which", ["digits_run", "colour_run"])
def test_the_way_from_the_score_down_to_the_ink(lab, which, request):
    run = request.getfixturevalue(which)
    head, arrays = look(lab, run=run, test=4)
    layer, index = head["layers"][-1]["name"], [int(np.argmax(head["scores"]))]
    seen = []
    while layer != "pixel":
        told = lab.ask("/api/inside/pixel", {"run": run, "test": 4, "layer": layer, "index": index})
        ledger = told["ledger"]
        values = arrays["given"] if layer == "image" else arrays[f"map.{layer}"]
        assert ledger["reported"] == pytest.approx(float(values[tuple(index)]), rel=1e-6, abs=1e-7)
        assert abs(ledger["difference"]) <= 1e-6 * ledger["magnitude"] + 1e-30
        assert told["omitted"] == 0
        seen.append(layer)
        inside = [term for term in ledger["terms"] if not term["x"]["padding"]]
        best = max(inside, key=lambda term: abs(term["product"]))
        layer, index = best["x"]["tensor"], best["x"]["index"]
    assert seen[-1] == "image"
    assert len(seen) == len(head["layers"]) + 1
    assert best["x"]["value"] == arrays["image"][tuple(index)]


def test_receptive_field_is_what_a_change_of_the_pixels_can_reach(lab, colour_run):
    told = lab.ask("/api/inside/pixel", {"run": colour_run, "test": 0, "layer": "conv2", "index": [1, 0, 1]})
    sight = told["sight"]
    # conv 3×3 (padding 1), average of 2×2, conv 3×3 with dilation 2: rows −1..10 are cut to the image at 0
    assert (sight["top"], sight["bottom"], sight["left"], sight["right"]) == (0, 10, 1, 11)
    assert (sight["height"], sight["width"]) == (12, 12)


def test_saliency_is_gradient_times_input(lab, digits_run):
    answer = lab.post("/api/inside/saliency", {"run": digits_run, "test": 3, "target": 4})
    head, arrays = unpack(answer.content)
    model = convscope.load(lab.runs / digits_run).model
    pixels = look(lab, run=digits_run, test=3)[1]["given"]
    x = torch.from_numpy(pixels.copy())[None].requires_grad_()
    score = model.net.eval()(x)[0, 4]
    score.backward()
    torch.testing.assert_close(
        torch.from_numpy(arrays["gradient_input"].copy()), (x.grad * x)[0, 0].detach(), rtol=1e-3, atol=1e-4
    )
    assert head["score"] == pytest.approx(float(score.detach()), rel=1e-5)
    assert head["target"] == 4
    likeliest = unpack(lab.post("/api/inside/saliency", {"run": digits_run, "test": 3}).content)[0]["target"]
    assert likeliest == int(model.net(x).argmax())


def test_branches_are_marked_and_every_branch_has_its_numbers(lab, branched_run):
    head, arrays = look(lab, run=branched_run, test=2)
    for name, output in reference(lab, branched_run, arrays["image"]).items():
        assert np.allclose(arrays[f"map.{name}"], output.numpy(), atol=1e-5)
    told = {layer["name"]: (layer["inputs"], layer["marks"]) for layer in head["layers"]}
    assert told["conv1"] == (["image"], " ╭")
    assert told["add1"] == (["relu1", "projection1"], "╰╭")
    assert told["concat1"] == (["conv3", "avgpool1"], "╰ ")
    added = lab.ask("/api/inside/pixel", {"run": branched_run, "test": 2, "layer": "add1", "index": [5, 1, 2]})
    assert [term["x"]["tensor"] for term in added["ledger"]["terms"]] == ["relu1", "projection1"]
    joined = lab.ask("/api/inside/pixel", {"run": branched_run, "test": 2, "layer": "concat1", "index": [7, 1, 2]})
    assert [term["x"]["tensor"] for term in joined["ledger"]["terms"]] == ["avgpool1"]


@pytest.mark.parametrize("which", ["digits_run", "colour_run", "branched_run"])
def test_the_program_asserts_what_is_shown(lab, which, request):
    for given in ({"test": 1}, {"strokes": SEVEN}):
        script = lab.ask("/api/inside/script", {"run": request.getfixturevalue(which), **given})["script"]
        exec(compile(script, "copied", "exec"), {"print": lambda *a: None})


def test_verdict_and_cells(lab, digits_run):
    found = lab.client.get(f"/api/runs/{digits_run}/verdict").json()
    run = convscope.load(lab.runs / digits_run)
    assert found["evaluation"]["accuracy"] == pytest.approx(run.accuracy)
    confusion = np.array(found["evaluation"]["confusion"])
    assert confusion.sum() == found["evaluation"]["images"] == 355
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    assert len(found["worst"]) == min(24, wrong.sum())
    for mistake in found["worst"][:3]:
        head, _ = look(lab, run=digits_run, test=mistake["index"])
        assert int(np.argmax(head["confidences"])) == mistake["predicted"] != mistake["label"] == head["label"]
        assert max(head["confidences"]) == pytest.approx(mistake["confidence"], abs=1e-6)
    label, predicted = np.unravel_index(confusion.argmax(), confusion.shape)
    cell = lab.client.get(f"/api/runs/{digits_run}/cell", params={"label": int(label), "predicted": int(predicted)})
    assert cell.json()["images"] == confusion.max() == len(cell.json()["shown"])


def test_many_clients_at_once_get_their_own_answers(lab, digits_run):
    """Tracing hangs hooks on the net, so requests on one net must not meet there."""
    questions = [{"run": digits_run, "test": i} for i in range(40)]
    one_by_one = [lab.post("/api/inside/look", q).content for q in questions]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda q: lab.post("/api/inside/look", q).content, questions))
    assert together == one_by_one


@pytest.mark.parametrize(
    ("path", "change", "status", "words"),
    [
        ("look", {"run": "nope"}, 400, "there is no run 'nope'"),
        ("look", {"run": "../../../etc"}, 400, "there is no run '../../../etc'"),
        ("look", {"test": 355}, 400, "there is no test image 355"),
        ("look", {"test": -1}, 422, "test"),
        ("look", {"strokes": [[[112, 0]]]}, 422, "strokes"),
        ("look", {"strokes": [[[1, 1]] * 4000, [[1, 1]] * 4000]}, 400, "more than 5,000 points"),
        ("look", {"pen": 0}, 422, "pen"),
        ("pixel", {"layer": "conv9", "index": [0]}, 400, "the net has no layer 'conv9'"),
        ("pixel", {"layer": "conv1", "index": [0, 24, 0]}, 400, "lies outside its shape"),
        ("pixel", {"layer": "image", "index": [0, 28, 0]}, 400, "image[0,28,0] lies outside"),
        ("pixel", {"layer": "image", "index": [0]}, 400, "image[0] lies outside"),
        ("saliency", {"target": 10}, 400, "there is no class 10"),
    ],
)
def test_refused(lab, digits_run, path, change, status, words):
    answer = lab.post(f"/api/inside/{path}", {"run": digits_run, **change})
    assert answer.status_code == status
    assert words in json.loads(answer.text)["error"]


def test_without_the_token_nothing_is_answered(lab, digits_run):
    assert lab.client.post("/api/inside/look", json={"run": digits_run}).status_code == 403


def test_a_finished_run_whose_weights_are_gone_says_so(lab, digits_run):
    folder = lab.runs / "weightless-1"
    shutil.copytree(lab.runs / digits_run, folder)
    try:
        (folder / "model.safetensors").unlink()
        answer = lab.post("/api/inside/look", {"run": "weightless-1"})
        assert answer.status_code == 400
        assert "weightless-1 is finished, but its weights are gone" in answer.json()["error"]
    finally:
        shutil.rmtree(folder)


def test_damaged_runs_are_left_out_and_say_why(lab, digits_run):
    folder = lab.runs / "broken-1"
    folder.mkdir()
    try:
        (folder / "recipe.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(b"no weights")
        assert "broken-1" in [
            row["name"] for row in lab.client.get("/api/runs").json()
        ]  # an empty recipe is all defaults
        answer = lab.post("/api/inside/look", {"run": "broken-1"})
        assert answer.status_code == 400
        assert "cannot be read" in answer.json()["error"]
        (folder / "recipe.json").write_text('{"epochs": "many"}')
        assert "broken-1" not in [row["name"] for row in lab.client.get("/api/runs").json()]
    finally:
        for path in (*folder.iterdir(), folder):
            path.rmdir() if path.is_dir() else path.unlink()


def test_new_weights_of_a_run_do_not_make_its_images_be_read_again(lab, digits_run, tmp_path):
    """A run under way saves its weights after every epoch; only what changed is read again."""
    shutil.copytree(lab.runs / digits_run, tmp_path / "copy")
    shelf = Shelf(tmp_path)
    first = shelf.open("copy")
    weights = tmp_path / "copy" / "model.safetensors"
    assert shelf.open("copy") is first
    images = first.images
    os.utime(weights, ns=(1, 1))
    second = shelf.open("copy")
    assert second is not first
    assert second.images is images
    environment = tmp_path / "copy" / "environment.json"  # another run took its place: its images are read and checked
    environment.write_text(environment.read_text().replace(images.fingerprint, "another"))
    (tmp_path / "copy" / "images.safetensors").unlink()
    os.utime(weights, ns=(2, 2))
    with pytest.raises(DataError, match="the test images or labels are not those that copy began with"):
        _ = shelf.open("copy").images


def test_a_linked_run_is_listed_and_opened_under_its_own_name(lab, digits_run, colour_run, tmp_path):
    """Its target may have the name of another run; each must show its own data, net and accuracy."""
    shutil.copytree(lab.runs / digits_run, tmp_path / "runs" / digits_run)
    shutil.copytree(lab.runs / colour_run, tmp_path / "else" / digits_run)
    (tmp_path / "runs" / "other").symlink_to(tmp_path / "else" / digits_run)
    shelf = Shelf(tmp_path / "runs")
    listed = {row.name: row for row in shelf.listing()}
    assert set(listed) == {digits_run, "other"}
    assert listed[digits_run].data == "digits"
    assert listed["other"].data.endswith("fruit.npz")
    assert shelf.open(digits_run).classes == tuple("0123456789")
    assert shelf.open("other").classes == ("red", "leaf", "sky")
    assert shelf.open("other").folder.name == "other"


def test_a_net_computes_for_one_request_at_a_time(lab, digits_run):
    opened = Shelf(lab.runs).open(digits_run)
    found = []
    waiting = threading.Thread(target=lambda: found.append(opened.answers.logits))
    with opened.alone() as model:
        waiting.start()
        with model.net.register_forward_pre_hook(lambda *_: pytest.fail("the net of another request was used")):
            waiting.join(0.3)
            assert not found
    waiting.join()
    assert torch.equal(found[0], opened.answers.logits)


def test_the_verdict_beside_looks_and_ledgers_changes_none_of_them(lab, digits_run):
    """Looks hang hooks on the net, the verdict sends all test images through it: they must not meet."""
    look = {"run": digits_run, "test": 3}
    questions = {
        "look": lambda: lab.post("/api/inside/look", look),
        "pixel": lambda: lab.post("/api/inside/pixel", {**look, "layer": "conv1", "index": [0, 3, 3]}),
        "saliency": lambda: lab.post("/api/inside/saliency", look),
        "verdict": lambda: lab.client.get(f"/api/runs/{digits_run}/verdict"),
        "cell": lambda: lab.client.get(f"/api/runs/{digits_run}/cell?label=3&predicted=3"),
    }
    alone = {name: ask().content for name, ask in questions.items()}
    names = ["look", "look", "pixel", "saliency", "verdict", "cell"]
    for _ in range(6):
        os.utime(lab.runs / digits_run / "model.safetensors")  # as a run under way does: nothing is computed yet
        together = threading.Barrier(len(names), timeout=60)

        def one(name, together=together):
            together.wait()
            answer = questions[name]()
            return name, answer.status_code, answer.content == alone[name]

        with ThreadPoolExecutor(len(names)) as pool:
            assert sorted(pool.map(one, names)) == sorted((name, 200, True) for name in names)


def test_a_net_without_cross_entropy_shows_scores(lab):
    run = convscope.train("digits", net="linear", loss="mse", epochs=1, out=lab.runs, threads=1)
    try:
        head, _ = look(lab, run=run.path.name, test=0)
        assert head["confidence"] == "score"
        assert head["confidences"] == head["scores"]
        found = lab.client.get(f"/api/runs/{run.path.name}/verdict").json()
        assert (found["confidence"], found["evaluation"]["calibration_error"]) == ("score", None)
        assert all(mistake["confidence"] <= found["worst"][0]["confidence"] for mistake in found["worst"])
    finally:
        shutil.rmtree(run.path)  # the other tests' lab has one run
