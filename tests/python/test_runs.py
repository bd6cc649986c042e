"""Runs from Python: events, callbacks, progress, and how runs show themselves."""

import io
from dataclasses import replace

import numpy as np
import pytest

import convscope
from convscope import job
from convscope.data.sources import open_source
from convscope.errors import DataError
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
    assert run._repr_html_().startswith("<pre>run ")


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
    table.plot()


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
    assert ("epoch   2  loss" in text) == shown
    assert ("epoch 2/2" in text) == shown


def test_a_bar_that_was_never_begun_is_closed_in_silence():
    with progress.bar() as bar:
        assert bar.disable is None


def test_check_shows_its_report():
    report = convscope.check("digits")
    assert report.problem == ""
    assert "sizes       1,797 of 28×28" in repr(report)
    assert np.isfinite(report.imbalance)
