"""Loggers and metrics are callbacks: what they keep is what the run says of itself."""

import csv
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import convscope
from convscope.data.sources import open_source
from convscope.errors import DataError, Interrupted, UsageError
from convscope.training.loop import Epoch

FAST = {"net": "flatten | linear", "threads": 1, "engine": "eager", "progress": False, "log_interval": 3}


@pytest.fixture(scope="module")
def digits():
    data = open_source("digits")
    return (data.train.images[:300], data.train.labels[:300]), (data.test.images[:100], data.test.labels[:100])


def accuracy(labels, p):
    return (p.argmax(1) == labels).mean()


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_csv_holds_intervals_epochs_and_metrics(digits, tmp_path):
    log = convscope.CSV(tmp_path / "log.csv", metrics=[convscope.Metric("own", accuracy)])
    run = convscope.train(digits, epochs=2, out=tmp_path, on=[log], **FAST)
    rows = rows_of(tmp_path / "log.csv")
    epochs = [row for row in rows if row["test_accuracy"]]
    assert [float(row["train_loss"]) for row in epochs] == [epoch.train_loss for epoch in run.history]
    assert [float(row["own"]) for row in epochs] == [epoch.test_accuracy for epoch in run.history]
    assert [int(row["step"]) for row in epochs] == [5, 10]
    intervals = [row for row in rows if row["loss"]]
    assert [float(row["loss"]) for row in intervals] == [interval.loss for interval in run.losses]
    assert [(row["step"], row["epoch"]) for row in intervals] == [("3", "1"), ("8", "2")]


def test_a_resumed_run_takes_its_rows_up_and_others_stay(digits, tmp_path):
    path = tmp_path / "log.csv"

    def stop(event):
        if isinstance(event, Epoch) and event.epoch == 2:
            raise Interrupted("stopped")

    convscope.train(digits, epochs=1, out=tmp_path, on=[convscope.CSV(path)], **FAST)
    before = rows_of(path)
    with pytest.raises(Interrupted):
        convscope.train(digits, epochs=3, out=tmp_path, on=[convscope.CSV(path), stop], **FAST)
    folder = max(tmp_path.glob("*-*"), key=lambda each: each.name)
    run = convscope.resume(folder, data=digits, on=[convscope.CSV(path)], progress=False)
    rows = rows_of(path)
    assert rows[: len(before)] == before
    mine = [row for row in rows if row["run"] == str(run.path) and row["test_accuracy"]]
    assert [int(row["epoch"]) for row in mine] == [1, 2, 3]
    assert [float(row["test_loss"]) for row in mine] == [epoch.test_loss for epoch in run.history]


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"\xff\xfe\x00", b"run,step\nx,none\n"])
def test_another_file_is_not_overwritten(tmp_path, content):
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises((UsageError, DataError), match=r"is no log with the columns|cannot be read") as refused:
        convscope.CSV(path)
    assert refused.value.help == "name another file"
    assert path.read_bytes() == content


def test_tensorboard_reads_what_was_written(digits, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = convscope.TensorBoard(tmp_path / "board", metrics=[convscope.Metric("own", accuracy)])
    run = convscope.train(digits, epochs=2, out=tmp_path / "runs", on=[log], **FAST)
    events = EventAccumulator(str(tmp_path / "board" / run.path.name)).Reload()
    assert {"loss", "loss/train", "loss/test", "accuracy/test", "own", "lr", "epoch"} <= set(events.Tags()["scalars"])
    found = events.Scalars("accuracy/test")
    assert [one.step for one in found] == [5, 10]
    np.testing.assert_allclose([one.value for one in found], [epoch.test_accuracy for epoch in run.history])
    assert b'"net": "flatten | linear"' in events.Tensors("recipe/text_summary")[0].tensor_proto.string_val[0]


class Package:
    """What a tracker's package is asked for, kept in order."""

    def __init__(self):
        self.calls = []
        self.__spec__ = SimpleNamespace()  # importlib asks for it

    def __getattr__(self, name):
        def call(*args, **kwargs):
            self.calls.append((name, args, kwargs))
            return self

        return call

    def of(self, name):
        return [(args, kwargs) for called, args, kwargs in self.calls if called == name]


@pytest.fixture
def package(request, monkeypatch):
    found = Package()
    monkeypatch.setitem(sys.modules, request.param, found)
    return found


@pytest.mark.parametrize("package", ["mlflow"], indirect=True)
def test_mlflow_gets_the_recipe_and_the_losses(digits, tmp_path, package):
    log = convscope.MLflow("mine", "file:here")
    run = convscope.train(digits, epochs=1, out=tmp_path, on=[log], **FAST)
    assert package.of("set_tracking_uri") == [(("file:here",), {})]
    assert package.of("set_experiment") == [(("mine",), {})]
    assert package.of("start_run") == [((), {"run_name": run.path.name})]
    (((parameters,), _),) = package.of("log_params")
    assert parameters["net"] == "flatten | linear"
    assert package.of("log_metrics")[0] == (({"loss": run.losses[0].loss, "epoch": 1},), {"step": 3})
    assert package.of("log_metrics")[-1][0][0]["test_accuracy"] == run.accuracy
    assert len(package.of("end_run")) == 1


@pytest.mark.parametrize(("package", "log"), [("wandb", "WandB"), ("trackio", "Trackio")], indirect=["package"])
def test_wandb_and_trackio_get_the_same(digits, tmp_path, package, log):
    run = convscope.train(digits, epochs=1, out=tmp_path, on=[getattr(convscope, log)("mine", {"mode": "x"})], **FAST)
    ((_, begun),) = package.of("init")
    assert begun["project"] == "mine"
    assert begun["mode"] == "x"
    assert begun["name"] == run.path.name
    assert begun["config"]["net"] == "flatten | linear"
    assert package.of("log")[0] == (({"loss": run.losses[0].loss, "epoch": 1},), {"step": 3})
    assert package.of("log")[-1][0][0]["test_accuracy"] == run.accuracy
    assert len(package.of("finish")) == 1


@pytest.mark.parametrize("package", ["mlflow"], indirect=True)
def test_a_logger_is_closed_where_training_fails(digits, tmp_path, package):
    def fail(event):
        if isinstance(event, Epoch):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        convscope.train(digits, epochs=1, out=tmp_path, on=[convscope.MLflow(), fail], **FAST)
    assert len(package.of("end_run")) == 1


@pytest.mark.parametrize(
    ("log", "package", "title"),
    [
        ("TensorBoard", "tensorboard", "TensorBoard"),
        ("MLflow", "mlflow", "MLflow"),
        ("WandB", "wandb", "Weights & Biases"),
        ("Trackio", "trackio", "Trackio"),
    ],
)
def test_a_package_that_is_missing_is_named_before_anything_begins(monkeypatch, log, package, title):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=f"{title} is not installed") as refused:
        getattr(convscope, log)()
    assert refused.value.help == f"pip install {package}"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: convscope.CSV("none/log.csv"), "there is no folder none"),
        (lambda: convscope.CSV("."), ". cannot be read"),
        (lambda: convscope.TensorBoard("file"), "file is a file, not a folder"),
        (lambda: convscope.train("digits", on=print), "on is a builtin_function_or_method"),
        (lambda: convscope.train("digits", on=[5]), "on holds 5, which is no function of an event"),
        (lambda: convscope.resume("run", on=[convscope.CSV]), "on holds the class CSV"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_made(tmp_path, monkeypatch, make, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises((UsageError, DataError)) as refused:
        make()
    assert text in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_metric_is_a_table_of_its_own_and_is_asked_once(digits, tmp_path):
    asked = []

    def loss(labels, p):
        asked.append(len(labels))
        return -np.log(p[np.arange(len(labels)), labels]).mean()

    own = convscope.Metric("nll", loss, "val")
    logs = [convscope.CSV(tmp_path / f"{name}.csv", metrics=[own]) for name in "ab"]
    run = convscope.train(digits, epochs=2, val_fraction=0.2, out=tmp_path, on=[own, *logs], **FAST)
    assert asked == [60, 60]
    assert [value for _, value in own.values] == pytest.approx([epoch.val_loss for epoch in run.history], rel=1e-6)
    assert repr(own).splitlines()[0].split() == ["epoch", "nll"]
    assert own.to_pandas()["nll"].iloc[-1] == own.value


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        (lambda: convscope.Metric("own", "f1"), "the metric 'own' is a str"),
        (lambda: convscope.Metric("own", accuracy, "train"), "a metric of the 'train' images"),
        (lambda: convscope.Metric("own", accuracy, "val"), "own wants validation images"),
        (lambda: convscope.Metric("own", lambda labels, p: p), "own gave a ndarray, which is not a number"),
    ],
)
def test_a_metric_that_cannot_be_is_told(digits, tmp_path, metric, text):
    with pytest.raises(UsageError) as refused:
        convscope.train(digits, epochs=1, out=tmp_path, on=[metric()], **FAST)
    assert text in str(refused.value)
