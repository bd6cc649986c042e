"""What stands in the pictures: read from the figure's own texts and lines, and drawn for once with hostile names."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from convscope.data.check import Place, Report, SuspectLabel
from convscope.data.images import ImageSet
from convscope.explain.concepts.asked import Asked
from convscope.explain.trained.explanation import explain
from convscope.net.model import Model
from convscope.net.shapes import table
from convscope.net.spec import parse
from convscope.report.curves import draw_curves
from convscope.report.descent import draw_descent
from convscope.report.evaluation import Picture, draw_confusion, draw_sheet, save_pictures
from convscope.report.explained import draw_activation, draw_maps, draw_saliency
from convscope.report.shapes import draw_shapes
from convscope.report.style import plain, save_figure
from convscope.report.suspects import draw_suspects
from convscope.runs import evaluation
from convscope.runs.folder import RunFolder
from convscope.runs.listing import told_apart
from convscope.training.loop import Epoch
from convscope.training.scores import evaluate

from ..helpers import stripes

NAMES = ("T-shirt/top", "Größe 猫", "$a^b_$", "\U0001d518 in no font", "a class with a name that has no end")


def run(tmp_path, val_losses=None):
    """A folder with an epochs.csv of three epochs: test accuracies 0.5, 0.9 and 0.8."""
    rows = [Epoch(n, 1 / n, 2 / n, accuracy, 0.1, 1.0, 1.0) for n, accuracy in enumerate((0.5, 0.9, 0.8), 1)]
    columns = ["epoch", "train_loss", "test_loss", "test_accuracy", "lr", "seconds", "images_per_second"]
    lines = [[getattr(row, column) for column in columns] for row in rows]
    if val_losses is not None:
        columns += ["val_loss", "val_accuracy"]
        lines = [[*line, loss, 0.7] for line, loss in zip(lines, val_losses, strict=True)]
    folder = tmp_path / "cost$s_$1"
    folder.mkdir(parents=True)
    (folder / "epochs.csv").write_text("".join(",".join(map(str, line)) + "\n" for line in [columns, *lines]))
    return RunFolder(folder)


def texts(axes):
    return [text.get_text() for text in axes.texts]


def lines(axes):
    return {line.get_label(): list(line.get_ydata()) for line in axes.lines if not line.get_label().startswith("_")}


def test_curves_show_every_loss_and_the_last_accuracy(tmp_path):
    left, right = draw_curves([run(tmp_path)]).axes
    assert lines(left) == {"training": [1, 1 / 2, 1 / 3], "test": [2, 1, 2 / 3]}
    assert lines(right) == {"test": [50, 90, 80]}
    assert right.get_title("right") == "80.00 %"
    assert texts(right) == [], "a line could cross it"


def test_of_several_runs_each_has_a_colour_and_each_kind_of_line_one_name(tmp_path):
    runs = [run(tmp_path / name, [0.5, 0.2, 0.4]) for name in ("one", "two")]
    figure = draw_curves(runs)
    (legend,) = figure.legends
    names = [plain(f"{name}/cost$s_$1") for name in ("one", "two")]
    assert [text.get_text() for text in legend.get_texts()] == [*names, "training", "validation", "test"]
    left, right = figure.axes
    assert left.get_legend() is right.get_legend() is None, "it would lie on the lines"
    assert [line.get_color() for line in legend.get_lines()[:2]] == [
        left.lines[0].get_color(),
        left.lines[3].get_color(),
    ]


def test_runs_of_one_name_are_told_apart_by_their_paths(tmp_path):
    runs = [run(tmp_path / place) for place in ("one", "two")]
    (legend,) = draw_curves(runs).legends
    assert [text.get_text() for text in legend.get_texts()[:2]] == [plain(f"{n}/cost$s_$1") for n in ("one", "two")]
    paths = ["a/x/run", "b/x/run", "b/x/other", "b/x/run"]
    assert told_apart([tmp_path / path for path in paths]) == ["a/x/run", "b/x/run", "other", "b/x/run"]


def test_losses_of_a_single_epoch_are_told_apart_by_their_markers(tmp_path):
    folders = [run(tmp_path / name, [0.5, 0.2, 0.4]) for name in ("one", "two")]
    for folder in folders:
        table = folder.path / "epochs.csv"
        table.write_text("".join(table.read_text().splitlines(keepends=True)[:2]))
    looks = {(line.get_marker(), line.get_markerfacecolor()) for line in draw_curves(folders[:1]).axes[0].lines}
    assert len(looks) == 3
    (legend,) = draw_curves(folders).legends
    assert len({(line.get_marker(), line.get_markerfacecolor()) for line in legend.get_lines()[2:]}) == 3


@pytest.mark.parametrize(
    ("val_losses", "kept"),
    [
        ([0.5, 0.2, 0.4], "90.00 % (kept: epoch 2)"),
        ([0.5, 0.5, 0.6], "50.00 % (kept: epoch 1)"),  # the first of equals, as in training
        (["nan", "inf", 0.9], "80.00 % (kept: epoch 3)"),
    ],
)
def test_curves_with_validation_name_the_epoch_whose_weights_are_kept(tmp_path, val_losses, kept):
    left, right = draw_curves([run(tmp_path, val_losses)]).axes
    np.testing.assert_array_equal(lines(left)["validation"], np.array(val_losses, dtype=float))
    assert lines(right)["validation"] == [70, 70, 70]
    assert right.get_title("right") == kept


def test_names_of_any_script_are_drawn_and_a_dollar_begins_no_formula(tmp_path):
    """Whatever the fonts here, no warning reaches the user (in these tests it would be an error)."""
    confusion = np.diag([7, 8, 9, 4, 5]) + np.eye(5, k=1, dtype=int)
    image = np.zeros((3, 4, 8), dtype=np.uint8)
    for number, figure in enumerate(
        [
            draw_confusion(confusion, NAMES),
            draw_sheet([Picture(image, NAMES)], NAMES[2]),
            draw_curves([run(tmp_path)]),
        ]
    ):
        path = tmp_path / f"{number}.png"
        save_figure(figure, path)
        assert path.read_bytes().startswith(b"\x89PNG")


def test_a_confusion_matrix_names_classes_and_counts():
    (axes,) = draw_confusion(np.array([[1000, 3], [0, 7]]), ("a", "b")).axes
    assert axes.get_title("left") == "1,007 of 1,010 right; mistakes in orange"
    assert texts(axes) == ["1000", "3", "7"]  # row by row: true class a, then b


def test_long_names_end_in_an_ellipsis():
    assert plain("short", 5) == "short"
    assert plain("longer", 5) == "long…"
    assert plain("$5") == r"\$5"


def explained(classes):
    """What a net with a layer named ``$a$`` makes of an image."""
    net = torch.nn.Sequential()
    net.add_module("$a$", torch.nn.Conv2d(1, 2, 3))
    net.add_module("flat", torch.nn.Flatten())
    net.add_module("last", torch.nn.Linear(72, len(classes)))
    model = Model(net.eval(), "", (1, 8, 8), (0.5,), (0.3,), tuple(classes))
    return explain(model, stripes(1).images[0], prepared=True)


def test_explanations_of_classes_and_layers_with_dollars_are_drawn(tmp_path):
    found = explained(("$a^b_$", "cat", "dog"))
    place = (list(found.trace.calls)[-1], (0,))
    for figure in (
        draw_maps(found, "$x^y_$: test:0"),
        draw_activation(found, found.ledger(*place), found.receptive_field(*place)),
        draw_saliency(found, found.saliency(0)),
    ):
        save_figure(figure, tmp_path / "a.png")


def test_concepts_are_drawn_of_nets_and_data_with_dollars(tmp_path):
    asked = Asked(surface="valley", epochs=1)
    result = replace(asked.descend(asked.objective(), None), objective="$a^b_$")
    rows = table(parse("relu | linear"), (1, 8, 8), 3)
    for figure in (draw_descent(result), draw_shapes("$a^b_$", (1, 8, 8), [replace(rows[0], name="$a^b_$"), *rows])):
        save_figure(figure, tmp_path / "a.png")


@pytest.mark.parametrize("count", [3, 10, 30])
def test_bars_of_classes_have_whole_names_that_do_not_overlap(tmp_path, count):
    names = [f"class_number_{k}" for k in range(count - 1)] + ["a class with a name " * 5 + "at its end"]
    figure = draw_maps(explained(names), "run")
    save_figure(figure, tmp_path / "a.png")
    labels = figure.axes[1].get_yticklabels()
    boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: box.y0)
    assert all(low.y1 <= high.y0 for low, high in itertools.pairwise(boxes))
    texts = [label.get_text() for label in labels]
    assert len(set(texts)) == min(count, 10)
    assert all(text in names or text.endswith("e at its end") for text in texts)


def test_what_is_cut_off_a_name_is_told_by_an_ellipsis(tmp_path, monkeypatch):
    classes = ("one_of_many_classes_that_ends_in_12", "one_of_many_classes_that_ends_in_13", "العربية")
    names = tuple(f"folder/{'x' * 30}{i}.png" for i in range(3))
    images, labels = ImageSet(stripes(3).images, np.array([0, 1, 2]), classes, names), torch.tensor([0, 1, 2])
    logits = torch.eye(3)[[1, 2, 0]]  # of the next class
    drawn = []
    monkeypatch.setattr("convscope.report.evaluation.save_figure", lambda figure, path: drawn.append(figure))
    result = evaluate(logits, labels, classes, "cross-entropy")
    save_pictures(evaluation.Tested(classes, "cross-entropy", images, logits, result), tmp_path, "run", 3)
    matrix, sheet = drawn
    assert [label.get_text() for label in matrix.axes[0].get_yticklabels()] == [
        "one_of_many…t_ends_in_12",
        "one_of_many…t_ends_in_13",
        "العربية",
    ]
    first, second, *_ = (axes.texts[0].get_text().split("\n") for axes in sheet.axes[:3])
    assert first == ["…xxxxxxxxxxxxxxxxxx0.png", "label: one_of_m…ds_in_12", "predicted: one_of…_in_13", "57.6 %"]
    assert second[2:] == ["predicted: العربية", "57.6 %"], "nothing stands beside letters that run to the left"


def test_the_sheet_of_doubtful_labels_shows_the_ends_of_paths_and_both_of_classes():
    place = Place("train", "a/long/path/to/the/very/last/image.png", "one_of_many_classes_12")
    suspects = (SuspectLabel(place, 0, "one_of_many_classes_13", 0.1, 0.8),)
    report = Report("data", {}, {}, {}, (), (), (), (), (), {}, None, (), "", "", suspects=suspects)
    axes = draw_suspects(report, {"train": stripes(1)}).axes[0]
    assert axes.get_title() == "one_of_m…lasses_12\none_of_m…lasses_13? 80 %"
    assert texts(axes) == ["…/to/the/very/last/image.png"]
