"""What stands in the pictures: read from the figure's own texts and lines, and drawn for once with hostile names."""

import numpy as np
import pytest

from convscope.report.curves import draw_curves
from convscope.report.evaluation import Picture, draw_confusion, draw_sheet
from convscope.report.style import plain, save_figure
from convscope.runs.folder import RunFolder
from convscope.training.loop import Epoch

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
    assert texts(right) == ["80.00 %"]


def test_of_several_runs_each_has_a_colour_and_each_kind_of_line_one_name(tmp_path):
    runs = [run(tmp_path / name, [0.5, 0.2, 0.4]) for name in ("one", "two")]
    figure = draw_curves(runs)
    (legend,) = figure.legends
    names = [plain(folder.name) for folder in runs]
    assert [text.get_text() for text in legend.get_texts()] == [*names, "training", "validation", "test"]
    left, right = figure.axes
    assert left.get_legend() is right.get_legend() is None, "it would lie on the lines"
    assert [line.get_color() for line in legend.get_lines()[:2]] == [
        left.lines[0].get_color(),
        left.lines[3].get_color(),
    ]


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
    assert texts(right) == [kept]


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
