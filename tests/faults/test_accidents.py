"""What a user does, or what happens to a run, and what convscope says to it."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from convscope import job
from convscope.engine import eager
from convscope.errors import DataError, Interrupted, NotFinite, TrainingError, UsageError
from convscope.runs import folder as runs
from convscope.runs.environment import BITS
from convscope.storage.files import append, write_atomic
from convscope.storage.lock import locked
from convscope.training import pace
from convscope.training.loop import Epoch, Tick

from ..helpers import run_cli, write_npz
from .attempt import dataset, hopeless, outcome, recipe

PLAIN = "conv 4 3 | relu | pool 2 | linear"


def train(out, data=None, **choices):
    return list(job.start(recipe(choices), data or dataset(), out))[-1].folder


def started(events):
    return next(events)


def interrupt(events, due, number=signal.SIGINT):
    """Send a signal at the first record that is ``due``; the error that ends the run."""
    try:
        for event in events:
            if due(event):
                signal.raise_signal(number)
    except Interrupted as error:
        return error
    pytest.fail("it was not interrupted")


def after(step):
    return lambda event: isinstance(event, Tick) and event.step >= step


# -- one process at a time


def test_a_second_process_is_told_who_holds_the_run(tmp_path):
    folder = train(tmp_path, epochs=1)
    owner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path; from convscope.storage.lock import locked\n"
            "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)",
            str(folder.path),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert owner.stdout.readline() == "held\n"
        with pytest.raises(TrainingError) as caught:
            list(job.resume(folder, dataset(), epochs=2))
        assert f"is in use by process {owner.pid} on " in caught.value.message
        assert " since 20" in caught.value.message
        assert folder.summary() is not None  # nothing was touched
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        list(job.resume(folder, dataset(), epochs=2))  # a dead owner holds nothing
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()


def test_the_lock_is_let_go_when_a_run_ends_fails_or_is_left(tmp_path):
    events = job.start(recipe({"epochs": 1}), dataset(), tmp_path)
    folder = started(events).folder
    with pytest.raises(TrainingError, match="is in use by process"), locked(folder.path):
        pass
    events.close()
    with locked(folder.path):
        pass
    with pytest.raises(NotFinite):
        train(tmp_path, net=PLAIN, lr=1e6)
    with locked(tmp_path / "custom-stripes-2"):
        pass


# -- where a run was stopped


def test_a_run_killed_before_its_first_save_begins_again(tmp_path):
    events = job.start(recipe({"epochs": 1}), dataset(), tmp_path / "cut")
    folder = started(events).folder
    events.close()
    assert folder.resume_point() is None
    with pytest.raises(DataError, match="has no weights yet") as caught:
        folder.model()
    assert "convscope resume" in caught.value.help
    first, *_ = job.resume(folder, dataset())
    assert first.notes[-1] == "it was stopped before its first save, so it begins again"
    assert outcome(folder) == outcome(train(tmp_path / "whole", epochs=1))


@pytest.mark.parametrize("lost", [["summary.json"], ["summary.json", "model.safetensors", "curves.png"]])
def test_a_run_killed_when_all_was_done_is_finished(tmp_path, lost):
    folder = train(tmp_path, epochs=2, target_loss=0.9, log_interval=2)
    expected, table = outcome(folder), folder.epochs()
    assert folder.resume_point().state.epoch_step > 0  # it stopped within an epoch
    for name in lost:
        (folder.path / name).unlink()
    list(job.resume(folder, dataset()))
    assert outcome(folder) == expected
    exact = [replace(row, seconds=0, images_per_second=0) for row in (*folder.epochs(), *table)]
    assert exact[: len(table)] == exact[len(table) :]


def test_ctrl_c_while_the_epoch_is_tested_counts(tmp_path):
    events = job.start(recipe({"epochs": 3}), dataset(), tmp_path)
    error = interrupt(events, lambda event: isinstance(event, Epoch) and event.epoch == 2, signal.SIGTERM)
    assert error.message == "stopped after 18 updates in epoch 2; the work is saved"
    folder = next(runs.every(tmp_path))
    assert folder.resume_point().state.epoch == 2
    whole = train(tmp_path / "whole", epochs=3)
    list(job.resume(folder, dataset()))
    assert outcome(folder) == outcome(whole)


def test_leftovers_and_torn_rows_go_at_resumption(tmp_path, monkeypatch):
    monkeypatch.setattr(pace, "CALL_SECONDS", 0.0)  # one update a call
    interrupt(job.start(recipe({"epochs": 2}), dataset(), tmp_path / "cut"), after(5))
    folder = next(runs.every(tmp_path / "cut"))
    (folder.path / ".resume.safetensors.x1.tmp").write_bytes(b"half")
    with (folder.path / "log.csv").open("ab") as file:
        file.write(b"1,8,0.123\n1,8,0.5\xff\0\0")
    assert [(row.epoch, row.step) for row in folder.losses()] == [(1, 4), (1, 8)]  # as many as are whole
    list(job.resume(folder, dataset()))
    assert outcome(folder) == outcome(train(tmp_path / "whole", epochs=2))


def test_lost_rows_are_not_papered_over(tmp_path):
    folder = train(tmp_path, epochs=2)
    (folder.path / "log.csv").write_text("epoch,step,loss\n")
    with pytest.raises(DataError, match=r"log\.csv has lost rows: it holds 0, but 4 belong to the saved state"):
        list(job.resume(folder, dataset(), 3))
    (folder.path / "log.csv").unlink()
    with pytest.raises(DataError, match=r"it has no log\.csv"):
        list(job.resume(folder, dataset(), 3))
    assert folder.summary() is not None


# -- extension


def test_extension_says_what_the_schedule_does(tmp_path):
    constant = train(tmp_path, epochs=1)
    notes = started(job.resume(constant, dataset(), 3)).notes
    assert notes[-1] == "extended from 1 to 3 epochs; the learning rate stays 0.01 (constant schedule)"
    cosine = train(tmp_path, epochs=1, schedule="cosine")
    notes = started(job.resume(cosine, dataset(), 3)).notes
    assert notes[-1] == (
        "extended from 1 to 3 epochs; the cosine schedule is computed again for 3: "
        "the last update had learning rate 0.000302, the next has 0.0075"
    )


def test_extension_lifts_what_stopped_the_run_also_when_killed_right_after(tmp_path):
    folder = train(tmp_path, hopeless(), epochs=99, patience=1, lr=0.05)
    assert folder.summary().stopped_by == "patience"
    with pytest.raises(UsageError, match="has ended: the validation loss has not fallen") as caught:
        list(job.resume(folder, hopeless()))
    assert "--epochs 198" in caught.value.help
    done = folder.resume_point().state.epoch
    with pytest.raises(UsageError, match=f"has already done {done}") as caught:
        list(job.resume(folder, hopeless(), done))
    assert caught.value.help == f"--epochs counts from the run's beginning: {done + 1} or more"
    events = job.resume(folder, hopeless(), done + 2)
    assert "--patience, which had stopped it, no longer holds" in started(events).notes
    events.close()  # killed before it saved anything
    list(job.resume(folder, hopeless()))
    assert folder.summary().epochs == done + 2


# -- what cannot be promised


def test_another_machine_is_said_and_threads_are_kept(tmp_path):
    folder = train(tmp_path, epochs=1, threads=0)
    environment = folder.environment()
    before = environment | {"threads": environment["threads"] + 1, "cpu": "Z80", "device": "cuda:7", "torch": "1.0"}
    write_atomic(folder.path / "environment.json", json.dumps(before))
    event = started(job.resume(folder, dataset(), 2))
    assert event.threads == before["threads"]  # kept, so it is no difference
    assert event.device == "cpu"
    line = event.notes[-1]
    assert line.startswith("bits may differ from those of an uninterrupted run, for it began elsewhere: torch 1.0 → ")
    assert "cpu Z80 → " in line
    assert "device cuda:7 → cpu" in line
    assert "threads" not in line
    (entry,) = folder.environment()["resumed"]  # the run's files say it too
    assert entry["update"] == 9
    assert entry["changes"][0].startswith("torch 1.0 → ")
    assert folder.environment()["torch"] == "1.0"
    torch.set_num_threads(1)


def test_environments_name_all_that_bits_depend_on(tmp_path):
    environment = train(tmp_path, epochs=1).environment()
    assert set(BITS) - {"slices"} <= environment.keys()  # they stand where several processes shared a batch
    assert environment["cpu"]


# -- numbers and data


def test_a_loss_that_explodes_is_located_and_the_run_can_be_resumed(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_npz(tmp_path / "stripes.npz")
    code, _, err = run_cli(
        capsys, "train", "stripes.npz", "--net", PLAIN, "--lr", "1e6", "--epochs", "50", "--threads", "1"
    )
    assert code == 1
    assert "not finite at update" in err
    assert re.search(
        r"learning rate 1e\+06\); (the first bad value is in .*(conv1|linear1)|.*the loss itself overflows)", err
    )
    assert "Traceback" not in err
    folder = next(runs.every(tmp_path / "runs"))
    point = folder.resume_point()
    assert all(bool(torch.isfinite(value).all()) for value in (*point.net.values(), *point.engine.values()))
    again, _, repeated = run_cli(capsys, "resume", str(folder.path))
    assert (again, repeated) == (code, err)  # it is exact in this too


def test_weights_that_are_not_finite_count_though_the_loss_is(tmp_path):
    with pytest.raises(NotFinite) as caught:
        train(tmp_path, net="linear", loss="mse", lr=1e5, epochs=50)
    point = next(runs.every(tmp_path)).resume_point()
    assert all(bool(torch.isfinite(value).all()) for value in point.net.values())
    assert f"the weights of update {point.state.step} are kept" in caught.value.help


@pytest.mark.parametrize("calls", [0.0, 10.0])  # one update a call; as many as can be
def test_the_update_that_is_named_is_the_first_bad_one_however_many_share_a_call(tmp_path, monkeypatch, calls):
    """A running variance that is infinite does not show in the losses of the updates that follow."""
    monkeypatch.setattr(pace, "CALL_SECONDS", calls)

    class Spoiling(eager.EagerEngine):
        def _step(self, batch, images):
            loss = super()._step(batch, images)
            if self.optimizer.param_groups[0]["lr"] < 0.009:  # the cosine's fifth update is the first
                self.net[1].running_var[0] = float("inf")
            return loss

    monkeypatch.setattr("convscope.engine.choose.EagerEngine", Spoiling)
    spec = "conv 4 3 | batchnorm | relu | linear"
    with pytest.raises(NotFinite) as caught:
        train(tmp_path, net=spec, engine="eager", schedule="cosine", epochs=2)
    assert caught.value.message.startswith("the weights are not finite at update 5 (epoch 1, learning rate 0.0088")
    assert caught.value.message.endswith("the first bad value is in batchnorm1.running_var")


@pytest.mark.parametrize(("first_check", "epochs"), [(0.0, 1), (1e9, 3)])  # at the first save; at the end alone
@pytest.mark.parametrize("what", ["labels", "images"])
def test_data_changed_under_a_running_run_are_found(tmp_path, monkeypatch, what, first_check, epochs):
    monkeypatch.setattr("convscope.runs.environment.FIRST_CHECK", first_check)
    data = dataset()
    events = job.start(recipe({"epochs": 3}), data, tmp_path / "cut")
    started(events)
    array = getattr(data.train, what)
    array[0] = (array[0] + 1) % 3
    with pytest.raises(DataError) as caught:
        list(events)
    assert len(next(runs.every(tmp_path / "cut")).epochs()) == epochs
    assert caught.value.message == "the train images or labels were changed while the run was training on them"
    folder = next(runs.every(tmp_path / "cut"))
    assert folder.summary() is None
    with pytest.raises(DataError, match="the data are not those that custom-stripes-1 began with: 1 "):
        list(job.resume(folder, replace(data, train=replace(data.train))))
    list(job.resume(folder, dataset()))  # put back: nothing of the mixture is left
    assert outcome(folder) == outcome(train(tmp_path / "whole", epochs=3))


def test_other_labels_are_refused_on_resumption(tmp_path):
    folder = train(tmp_path, epochs=1)
    data = dataset()
    swapped = replace(data, val=replace(data.val, labels=np.roll(data.val.labels, 1)))
    with pytest.raises(DataError, match="6 images went from class 'low' to 'top'"):
        list(job.resume(folder, swapped, 2))


# -- disks, for real


def test_a_folder_that_vanishes_ends_with_a_clear_message(tmp_path):
    events = job.start(recipe({"epochs": 3}), dataset(), tmp_path)
    folder = started(events).folder
    while not isinstance(next(events), Epoch):
        pass
    folder.path.rename(tmp_path / "elsewhere")
    with pytest.raises(TrainingError, match=r"cannot write .*: the file or its folder is gone"):
        list(events)
    list(job.resume(runs.RunFolder(tmp_path / "elsewhere"), dataset()))
    assert outcome(runs.RunFolder(tmp_path / "elsewhere")) == outcome(train(tmp_path / "whole"))


def test_a_limit_on_file_sizes_keeps_the_last_good_state(tmp_path):
    """RLIMIT_FSIZE is the kernel's own refusal to write on, in the middle of a file."""
    resource = pytest.importorskip("resource")
    old = tmp_path / "file"
    write_atomic(old, "old\n")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(TrainingError, match="it would be larger than files may be here"):
            write_atomic(old, "x" * 5000)
        with pytest.raises(TrainingError, match="it would be larger than files may be here"):
            append(old, "y" * 5000 + "\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert old.read_text() == "old\n"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(TrainingError, match="permission is denied"):
        runs.create(tmp_path / "runs", "x")
    tmp_path.chmod(0o700)
