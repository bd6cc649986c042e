"""``convscope report``: valid HTML with everything in it and nothing of the user's names taken for markup."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from PIL import Image

import convscope
from convscope.errors import TrainingError, UsageError
from convscope.recipe import Recipe
from convscope.report.document import page as pages
from convscope.report.document.card import card, cell
from convscope.report.document.charts import calibration, curves
from convscope.report.document.facts import gather
from convscope.report.document.galleries import sheet_of
from convscope.report.document.repeat import command, shown
from convscope.report.document.thumbs import Room
from convscope.training.loop import Epoch
from tests.helpers import run_cli, run_json
from tests.report.document.runs import CLASSES, trained
from tests.strategies import recipes


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("odd"))


@pytest.fixture(scope="module")
def text(run, tmp_path_factory):
    """The report's text."""
    return run.report(tmp_path_factory.mktemp("out") / "r.html").read_text(encoding="utf-8")


def tree(text):
    """The elements of valid HTML; a ParseError tells what is not."""
    html5lib = pytest.importorskip("html5lib")
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)


def test_it_is_valid_html_without_scripts_and_loads_nothing(text):
    found = tree(text)
    assert not list(found.iter("script"))
    places = [element.get(name) for element in found.iter() for name in ("src", "href") if element.get(name)]
    assert places
    assert all(place.startswith(("data:image/", "#")) for place in places)
    ids = [element.get("id") for element in found.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert {place[1:] for place in places if place.startswith("#")} <= set(ids)
    assert all(image.get("alt") is not None for image in found.iter("img"))


def test_it_says_all_of_the_run(run, text):
    found = " ".join("".join(tree(text).itertext()).split())
    result = run.evaluate()
    low, high = result.interval
    for said in (
        f"{100 * result.accuracy:.2f} %",
        f"{100 * low:.2f} % – {100 * high:.2f} %",
        f"{result.loss:.4f}",
        "conv 4 3",
        "batch_size",
        f"--net '{run.recipe.net}'",
        "Tested on 30 images",
        "30 张图像测试",
        "That is few",
        "Probable label errors",
        "梯度 × 输入",
        "multiply-adds an image",
        torch.__version__,
        "Unreadable images that were passed over:",
        *(" ".join(name.split()) for name in CLASSES),
    ):
        assert said in found, said
    assert str(run.path.parent) not in text  # the folders of the machine are nobody's business


def test_every_sentence_is_there_in_both_languages(text):
    found = tree(text)
    recipe = next(section for section in found.iter("section") if section.get("id") == "recipe")
    left_out = {id(span) for cell in recipe.iter("td") for span in cell.iter("span")}  # from the language's catalogue
    pairs = [
        [
            "".join(span.itertext())
            for span in found.iter("span")
            if span.get("class") == language and id(span) not in left_out
        ]
        for language in ("en", "zh")
    ]
    assert len(pairs[0]) == len(pairs[1]) > 60
    for english, chinese in zip(*pairs, strict=True):
        assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese), english


def test_the_cells_of_the_matrix_open_their_images(run, text):
    found = tree(text)
    matrix = run.evaluate().confusion
    boxes = {element.get("id"): element for element in found.iter("div") if element.get("class") == "cell"}
    assert set(boxes) == {f"cell-{i}-{j}" for i, j in np.argwhere(matrix)}
    for i, j in np.argwhere(matrix):
        images = list(boxes[f"cell-{i}-{j}"].iter("img"))
        assert len(images) == min(12, matrix[i, j])


def test_a_label_that_is_wrong_is_doubted_first(run, text):
    labels = next(s for s in tree(text).iter("section") if s.get("id") == "labels")
    first = next(labels.iter("figcaption"))
    assert "".join(first.itertext()).endswith("5")
    assert f"{gather(run.folder).tested.evaluation.images:,}" == "30"


def test_the_same_run_gives_the_same_bytes(run, text, tmp_path):
    assert run.report(tmp_path / "again.html").read_text(encoding="utf-8") == text


def test_pictures_that_have_no_room_are_left_out_and_counted(run, monkeypatch):
    monkeypatch.setattr(pages, "LARGEST", 100_000)
    monkeypatch.setattr(pages, "ROOMS", (90_000, 2_000, 0))
    small = pages.page(gather(run.folder))
    assert len(small.encode()) <= 100_000
    tree(small)
    assert re.search(r"\d+ pictures were left out to keep this file below 10 MB", small)


@pytest.mark.parametrize(
    "net",
    [
        "linear",
        "[ conv 3 3 padding=1 / avgpool 3 stride=1 padding=1 ]& | batchnorm | globalavg | dropout 0.5 | linear",
    ],
)
def test_other_nets_and_losses_have_a_report_too(tmp_path, net):
    run = trained(tmp_path, net=net, epochs=1, loss="mse" if net == "linear" else "cross-entropy", val_fraction=0.2)
    text = run.report().read_text(encoding="utf-8")
    tree(text)
    assert "The weights were chosen by the validation images" in text
    assert ("scores, no probabilities" in text) == (net == "linear")


def test_a_net_of_ones_own_has_a_report_without_a_table_of_layers(tmp_path):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(3 * 12 * 9, 3)

        def forward(self, x):
            return self.linear(x.flatten(1))

    run = trained(tmp_path, net=Net, epochs=1)
    text = convscope.load(run.path, net=Net()).report().read_text(encoding="utf-8")
    tree(text)
    assert "its layers are not told apart" in text


def test_without_its_images_it_says_what_is_missing(tmp_path, capsys):
    run = trained(tmp_path, epochs=1)
    (tmp_path / "odd.npz").unlink()
    code, out, err = run_cli(capsys, "report", run.path)
    assert code == 0
    assert "are no longer at" in err
    assert "what its images would show is left out" in " ".join(err.split())
    text = Path(out.strip()).read_text(encoding="utf-8")
    tree(text)
    assert "nothing was tested for this report" in text
    assert str(tmp_path) not in text


def test_runs_are_put_side_by_side(run, tmp_path):
    other = trained(run.path.parent.parent, epochs=1, lr=0.001)
    text = run.report(tmp_path / "two.html", compare=[other]).read_text(encoding="utf-8")
    found = tree(text)
    section = next(s for s in found.iter("section") if s.get("id") == "comparison")
    said = " ".join("".join(section.itertext()).split())
    mine, theirs = (gather(one.folder).tested for one in (run, other))
    right = [(one.logits.argmax(1).numpy() == one.images.labels) for one in (mine, theirs)]
    assert (
        f"only the first has {(right[0] & ~right[1]).sum()} right, only the other {(right[1] & ~right[0]).sum()}"
        in said
    )
    assert "0.05 0.001" in said or "0.050.001" in said
    assert run.path.name in said
    assert other.path.name in said


def test_only_the_path_is_on_stdout_and_a_file_that_is_there_stays(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, out, err = run_cli(capsys, "report", run.path, "--output", "a.html")
    assert (code, out, err) == (0, "a.html\n", "")
    Path("a.html").write_text("mine")
    code, out, err = run_cli(capsys, "report", run.path, "--output", "a.html")
    assert (code, out) == (2, "")
    assert (
        "error: a.html already exists\nhelp: name another file, or replace it with --force (force=True in Python)\n"
        in err
    )
    assert Path("a.html").read_text() == "mine"
    told = run_json(capsys, "report", run.path, "--output", "a.html", "--force")
    assert told["path"] == "a.html"
    assert told["bytes"] == Path("a.html").stat().st_size
    assert told["test_accuracy"] == run.evaluate().accuracy
    code, out, err = run_cli(capsys, "report", run.path, "other", "--output", "b.html")
    assert (code, out) == (2, "")
    assert f"error: a report is about one run\nhelp: convscope report {run.path} --compare other" in err
    assert run_cli(capsys, "report", run.path, "--output", "no/b.html")[0] == 2
    assert run_cli(capsys, "report", "nobody")[0] == 3
    assert run_cli(capsys, "report", run.path, "--card", "--compare", run.path)[0] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html"]


def test_nothing_is_left_when_the_disk_is_full(run, tmp_path, monkeypatch, capsys):
    def full(*_):
        raise TrainingError("cannot write it: the disk is full", "free some space")

    monkeypatch.setattr("convscope.storage.leaving.write_atomic", full)
    code, out, err = run_cli(capsys, "report", run.path, "--output", str(tmp_path / "a.html"))
    assert (code, out) == (1, "")
    assert "error: cannot write it: the disk is full\nhelp: name another place, or free some space" in err
    assert list(tmp_path.iterdir()) == []


def test_the_page_opens_in_the_chosen_language(run, tmp_path, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    text = run.report(tmp_path / "zh.html").read_text(encoding="utf-8")
    assert 'id="language-zh" checked' in text
    assert 'id="language-en" checked' not in text


def test_the_card_has_hugging_faces_metadata_and_harmless_names(run, tmp_path):
    path = run.report(tmp_path / "README.md", card=True)
    text = path.read_text(encoding="utf-8")
    _, metadata, body = text.split("---\n", 2)
    values = {key: json.loads(value) for key, _, value in (line.partition(": ") for line in metadata.splitlines())}
    assert values["library_name"] == "convscope"
    assert values["pipeline_tag"] == "image-classification"
    (entry,) = values["model-index"]
    (result,) = entry["results"]
    assert result["task"]["type"] == "image-classification"
    assert result["metrics"][0]["value"] == pytest.approx(run.evaluate().accuracy, abs=1e-6)
    assert "## Limits" in body
    assert "<script>" not in body
    table = [line for line in body.splitlines() if line.startswith("| ")]
    assert len(table) == 1 + 3 + 1 + 5
    assert {line.count("|") - line.count("\\|") for line in table} == {6}
    assert card(gather(run.folder)) == text


def test_the_card_speaks_the_chosen_language(run, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    _, _, body = card(gather(run.folder)).split("---\n", 2)
    told = [
        line for line in body.splitlines() if line.startswith(("## ", "- ", "| 类别", "| 层")) or line.endswith("。")
    ]
    assert len(told) > 12
    assert [line for line in told if not re.search("[\u4e00-\u9fff]", line)] == []
    assert "## 结果" in told


def test_markdown_takes_a_name_as_it_is():
    assert cell("a|b\n*c* <b> `d` & #1") == r"a\|b \*c\* \<b\> \`d\` &amp; \#1"


@given(recipes())
def test_the_command_says_every_choice(recipe):
    import shlex

    from convscope.recipe import CHOICES, flag

    words = shlex.split(command(recipe))
    assert words[:3] == ["convscope", "train", recipe.data]
    said: dict[str, object] = {"data": recipe.data}
    rest = words[3:]
    while rest:
        name = rest.pop(0).removeprefix("--").replace("-", "_")
        said[name] = True if CHOICES[name].kind is bool else rest.pop(0)
    for name, known in CHOICES.items():
        value = getattr(recipe, name)
        if name in said:
            assert said[name] == (value if value is True else str(value))
        elif name != "remark":
            assert value == known.default or value is None
        assert flag(name).startswith("--")


def test_the_command_repeats_the_run_from_where_the_data_are(run, monkeypatch, tmp_path, capsys):
    import shlex

    monkeypatch.chdir(run.path.parent.parent)
    _, *arguments = shlex.split(command(shown(run.recipe)))
    again = run_json(capsys, *arguments, "--out", str(tmp_path))
    assert again["test_loss"] == run.summary["test_loss"]
    assert shown(Recipe(data="/home/somebody/cats", data_dir="/data/x")) == Recipe(data="cats", data_dir="x")
    assert shown(Recipe(data="/home/a/cats:/home/b/dogs:c")) == Recipe(data="cats:dogs:c")
    assert shown(Recipe(data="some/cats")) == Recipe(data="some/cats")


def test_charts_keep_to_their_frame_and_thin_long_lines_out():
    epochs = [Epoch(n, 1 / n, float("inf") if n == 3 else 2 / n, 0.5, 0.1, 1.0, 10.0) for n in range(1, 2001)]
    for what in ("loss", "accuracy"):
        drawn = curves([("<a>", epochs)], what)
        points = [
            tuple(map(float, p.split(","))) for line in re.findall(r'points="([^"]*)"', drawn) for p in line.split()
        ]
        assert 0 < len(points) < 900
        assert all(48 <= x <= 468 and 12 - 0.1 <= y <= 230.1 for x, y in points)
        assert "<a>" not in drawn
    assert "<svg" in curves([], "loss")
    assert "<svg" in calibration([])


@pytest.mark.parametrize("shape", [(7,), (300,), (1, 1, 1), (40, 5, 3), (3, 100, 2), (17, 64, 65)])
def test_a_sheet_holds_the_maps_of_a_layer(shape):
    output = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    sheet = sheet_of(output)
    assert sheet.shape[1] <= (256 if len(shape) == 1 else 16 * 33)
    if len(shape) == 3 and max(shape[1:]) <= 32:
        assert np.array_equal(sheet[: shape[1], : shape[2]], output[0].astype(float))
    assert not np.isnan(sheet).all()


def test_thumbnails_are_the_image_and_end_where_the_room_does():
    import base64
    import io

    image = np.random.default_rng(0).integers(0, 256, (1, 9, 7), dtype=np.uint8)
    room = Room(1000)
    thumb = room.image(image, "a")
    with Image.open(io.BytesIO(base64.b64decode(thumb.source.partition(",")[2]))) as picture:
        assert np.array_equal(np.asarray(picture), image[0])
    assert room.free == 1000 - len(thumb.source)
    assert Room(10).image(image, "a") is None
    large = Room(100_000).image(np.zeros((3, 300, 200), np.uint8), "b")
    assert (large.width, large.height) == (64, 96)


def test_a_report_of_a_model_file_alone_or_of_an_export_is_refused(run, tmp_path, capsys):
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes((run.path / "model.safetensors").read_bytes())
    code, out, err = run_cli(capsys, "report", alone)
    assert (code, out) == (3, "")
    assert "is no run: it has no recipe.json" in err


def test_the_python_door_refuses_what_the_command_line_does(run):
    with pytest.raises(UsageError, match="a model card is about one run"):
        run.report("x.md", card=True, compare=[run])


def test_a_run_that_learnt_nothing_carries_its_warning(tmp_path):
    run = trained(tmp_path, epochs=1, lr=0.0)
    found = gather(run.folder)
    assert found.finding is not None
    text = pages.page(found)
    assert "Warning" in text
    assert found.finding.why.split(":")[0] in text
    assert replace(found, summary=None).summary is None
