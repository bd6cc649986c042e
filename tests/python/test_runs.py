"""Runs from Python: events, callbacks, progress, and how runs show themselves."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope import job
from convscope.data.sources import open_source
from convscope.errors import DataError, UsageError
from convscope.explain.trained.pictures import map_png
from convscope.python import progress
from convscope.training.loop import Epoch, Tick

SMALL = {"net": "conv 4 5 | pool 4 | relu | flatten | linear", "threads": 1, "engine": "eager"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return convscope.train("digits", epochs=2, out=tmp_path_factory.mktemp("runs"), progress=False, **SMALL)


def test_a_run_says_what_it_came_to(run):
    text = repr(run)
    assert f"run     {run.path}" in text
    assert f"result  test accuracy {100 * run.accuracy:.2f} %" in text
    assert run._repr_html_().startswith("<pre ")
    assert run._repr_html_().count("data:image/png;base64,") == 1  # its curves
    assert run.plot()._repr_png_().startswith(b"\x89PNG")


def test_history_is_a_list_and_a_table(run):
    assert isinstance(run.history, list)
    assert [epoch.epoch for epoch in run.history] == [1, 2]
    assert repr(run.history).splitlines()[0].split() == [
        *["epoch", "train_loss", "test_loss", "test_accuracy", "lr", "seconds", "images_per_second"]
    ]
    assert len(repr(run.history).splitlines()) == 3


def test_score_evaluate_and_predict_say_the_same(run):
    evaluation = convscope.evaluate(run)
    assert run.score() == evaluation.accuracy == run.accuracy
    assert "accuracy" in repr(evaluation)
    assert evaluation._repr_html_().count("<table>") == 2
    test = open_source("digits").test
    classes = convscope.predict(run.path, test.images).argmax(1)
    assert (classes == test.labels).mean() == pytest.approx(run.accuracy)
    assert run.score((test.images, test.labels)) == pytest.approx(run.accuracy)


def test_compare_shows_runs_side_by_side(run):
    table = convscope.compare(run, run.path)
    assert [entry["run"] for entry in table.entries] == [str(run.path)] * 2
    assert repr(table).count(str(run.path)) == 2
    assert "data:image/png;base64," in table._repr_html_()


def test_a_report_is_written_once(run, tmp_path):
    page = convscope.report(run.path, tmp_path / "page.html", compare=[run])
    assert "digits" in page.read_text(encoding="utf-8")
    with pytest.raises(UsageError, match="exists"):
        convscope.report(run, page)
    assert convscope.report(run, tmp_path / "card.md", card=True).read_text(encoding="utf-8").startswith(("---", "#"))
    with pytest.raises(DataError, match="there is no run"):
        convscope.report(tmp_path / "none")


def test_a_run_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match="there is no run"):
        convscope.evaluate(tmp_path / "none")


def test_steps_is_the_open_loop(tmp_path):
    recipe = replace(convscope.Recipe("digits", **SMALL), epochs=1)
    events = list(convscope.steps(recipe, out=tmp_path))
    assert isinstance(events[0], job.Started)
    assert isinstance(events[-1], job.Finished)
    assert sum(isinstance(event, Epoch) for event in events) == 1
    assert events[0].model.net is not None


def test_who_stops_asking_stops_the_training_and_can_resume(tmp_path):
    recipe = replace(convscope.Recipe("digits", **SMALL), epochs=2)
    for event in convscope.steps(recipe, out=tmp_path):
        if isinstance(event, job.Started):
            folder = event.folder
        if isinstance(event, Tick) and event.epoch == 2:
            break
    assert "unfinished" in repr(convscope.load(folder.path))
    done = convscope.resume(folder.path, progress=False)
    assert len(done.history) == 2


def test_callbacks_hear_every_event_in_order(tmp_path):
    heard = []
    convscope.train("digits", epochs=1, out=tmp_path, on=[heard.append], progress=False, **SMALL)
    assert isinstance(heard[0], job.Started)
    assert isinstance(heard[-1], job.Finished)
    assert any(isinstance(event, Epoch) for event in heard)
    assert all(len(repr(event)) < 2000 for event in heard)  # on=[print] can be read


def test_an_explanation_shows_its_layers_and_their_maps(run):
    found = convscope.explain(run, open_source("digits").test.images[0])
    lines = repr(found).splitlines()
    assert lines[0] == "output  (10,)"
    assert lines[1].startswith(f"class   {found.predicted} (")
    assert found.to_pandas()["layer"].tolist() == ["conv1", "pool1", "relu1", "flatten1", "linear1"]
    html = found._repr_html_()
    assert html.count("data:image/png;base64,") == 5  # the image, and every layer but Flatten
    assert "conv1  4×24×24" in html
    why = found.saliency()
    assert repr(why).startswith(f"why output {found.predicted} is {why.score:.4g}")
    assert why._repr_html_().count("<img") == 3
    seen = found.receptive_field("conv1", (0, 0, 0))
    assert repr(seen) == "conv1[0,0,0] sees 25 pixels: rows 0 to 4, columns 0 to 4"


def test_maps_are_white_at_zero_red_above_and_blue_below():
    png = Image.open(io.BytesIO(map_png(np.array([[-2.0, 0.0, 2.0, np.nan]]))))
    colours = np.asarray(png)[0, ::8].tolist()
    assert colours == [[33, 102, 172], [247, 247, 247], [178, 24, 43], [255, 255, 255]]


def test_what_a_callback_raises_reaches_the_caller(tmp_path):
    def stop(event):
        if isinstance(event, Epoch):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        convscope.train("digits", epochs=2, out=tmp_path, on=[stop], progress=False, **SMALL)
    (folder,) = tmp_path.iterdir()
    assert len(convscope.resume(folder, progress=False).history) == 2


def test_prepare_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prepared = convscope.prepare(convscope.Recipe("digits", **SMALL))
    assert "engine  eager on cpu, threads 1" in repr(prepared)
    data = open_source("digits")
    assert prepared.model.image == data.train.shape
    assert list(tmp_path.iterdir()) == []
    given = convscope.prepare(convscope.Recipe(**SMALL), (data.train.images, data.train.labels))
    assert given.model.classes == tuple(map(str, range(10)))


class Terminal(io.StringIO):
    """A stream that a person watches."""

    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "wanted", "shown"), [(Terminal, True, True), (Terminal, False, False), (io.StringIO, True, False)]
)
def test_a_bar_is_drawn_where_somebody_watches(tmp_path, monkeypatch, stream, wanted, shown):
    watched = stream()
    monkeypatch.setattr("sys.stderr", watched)
    convscope.train("digits", epochs=2, out=tmp_path, progress=wanted, **SMALL)
    text = watched.getvalue()
    assert ("epoch 2  loss" in text) == shown
    assert ("epoch 2/2" in text) == shown


def test_a_bar_speaks_chinese(tmp_path, monkeypatch):
    watched = Terminal()
    monkeypatch.setattr("sys.stderr", watched)
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    convscope.train("digits", epochs=1, out=tmp_path, **SMALL)
    text = watched.getvalue()
    assert "轮 1/1" in text
    assert "更新次数/s" in text
    assert "epoch" not in text
    assert "updates" not in text


def test_a_bar_that_was_never_begun_is_closed_in_silence():
    with progress.bar() as bar:
        assert bar.disable is None


def test_check_shows_its_report():
    report = convscope.check("digits")
    assert report.problem == ""
    assert "sizes       1,797 of 28×28" in repr(report)
    assert np.isfinite(report.imbalance)


def test_check_looks_at_arrays_too():
    digits = open_source("digits").train
    images, labels = digits.images[:200].copy(), digits.labels[:200]
    images[1] = images[0]
    report = convscope.check((images, labels))
    assert [[place.name for place in group] for group in (*report.duplicates, *report.leaks)] == [["0", "1"]]
    assert report.problem == ""
    with pytest.raises(DataError):
        convscope.check((images, labels[:3]))
