"""Room 7's server: a process of its own, what it tells, and what becomes of it."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import threading
import time
from array import array
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

import convscope
from convscope.lab.binary import unpack
from convscope.lab.live import live as live_module
from convscope.lab.live import messages
from convscope.lab.live.live import Trainer, command, environment
from convscope.lab.places import allowed
from convscope.net.model import load_tensors
from convscope.recipe import Recipe

CHOICES = {"data": "digits", "net": "conv 4 5 stride=3 | relu | linear", "batch_size": 200, "lr": 0.1, "momentum": 0.9}


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


@pytest.fixture
def trainer():
    trainer = Trainer()
    yield trainer
    if trainer.live is not None:
        trainer.live.close()


def task(folder, **more):
    recipe = Recipe(data="digits", net=CHOICES["net"], batch_size=200, lr=0.1, threads=1, engine="eager", **more)
    return {"recipe": asdict(recipe), "out": str(folder), "offline": True}


def weights(folder):
    return load_tensors(folder / "model.safetensors")[0]


def test_a_run_held_stepped_stopped_and_resumed_is_the_run_left_alone(trainer, tmp_path):
    """Pause, single steps, a stop and a resume in another process leave no trace in the weights."""
    live = trainer.start(task(tmp_path, epochs=6))
    live.tell({"do": "pause"})
    until(lambda: live.said.status == "paused")
    said = live.said
    for _ in range(3):
        step = said.step
        live.tell({"do": "step"})
        until(lambda before=step: said.step == before + 1 and said.status == "paused")
    until(lambda: unpack(said.probe)[0]["step"] == said.step)
    live.tell({"probe": 4})
    until(lambda: unpack(said.probe)[0]["chosen"] == 4)
    assert said.step == step + 1
    live.tell({"do": "stop"})
    until(lambda: not live.running)
    assert said.status == "stopped"
    assert "the work is saved" in said.message
    again = trainer.start({"resume": str(tmp_path / said.intro["run"]), "epochs": None, "offline": True})
    until(lambda: not again.running)
    assert again.said.status == "finished", again.said.message
    assert again.said.intro["resumed_at"] == said.step
    alone = convscope.train(
        "digits",
        net=CHOICES["net"],
        epochs=6,
        batch_size=200,
        lr=0.1,
        threads=1,
        engine="eager",
        out=tmp_path / "alone",
    )
    mine, theirs = weights(tmp_path / said.intro["run"]), weights(alone.path)
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert again.said.summary["test_accuracy"] == alone.accuracy
    steps = [point[0] for point in again.said.losses]
    assert steps == sorted(set(steps))
    assert steps[-1] == again.said.summary["steps"]


def test_only_one_run_at_a_time(trainer, tmp_path):
    live = trainer.start(task(tmp_path, epochs=1000))
    with pytest.raises(convscope.ConvscopeError, match="is still training"):
        trainer.start(task(tmp_path, epochs=1))
    live.tell({"do": "stop"})
    until(lambda: not live.running)


def test_when_the_server_is_killed_the_run_is_saved(tmp_path):
    """The worker notices that its input ends; its run can continue, and nobody trains unseen."""
    code = (
        "import json, sys, time\nfrom convscope.lab.live.live import Trainer\n"
        "live = Trainer().start(json.loads(sys.argv[1]))\n"
        "while live.said.step < 20: time.sleep(0.02)\n"
        "print(live.process.pid, flush=True)\ntime.sleep(60)\n"
    )
    home = str(Path(convscope.__file__).parents[1])
    server = subprocess.Popen(
        [sys.executable, "-c", code, json.dumps(task(tmp_path, epochs=100_000))],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": home},
    )
    with server:
        worker = int(server.stdout.readline())
        server.send_signal(signal.SIGKILL)
    folder = tmp_path / "custom-digits-1"
    until(lambda: (folder / "resume.safetensors").exists() and not Path(f"/proc/{worker}/cmdline").exists())
    resumed = convscope.load(folder).folder.resume_point()
    assert resumed.state.step >= 20
    assert not (folder / "summary.json").exists()


@pytest.mark.parametrize(
    ("change", "words", "advice"),
    [
        ({"data": "no/such"}, "there are no data called", "known: digits"),
        ({"net": "conv 4 40 | linear"}, "conv1", "28"),
        ({"patience": 3}, "--patience needs a validation split", "--val-fraction"),
    ],
)
def test_what_cannot_be_trained_is_told_in_the_words_of_the_command_line(trainer, tmp_path, change, words, advice):
    wrong = task(tmp_path)
    wrong["recipe"] |= change
    live = trainer.start(wrong)
    until(lambda: not live.running)
    assert live.said.status == "failed"
    assert words in live.said.message
    assert advice in live.said.help + live.said.message


def test_a_worker_that_dies_is_noticed(trainer, tmp_path):
    live = trainer.start(task(tmp_path, epochs=100_000))
    until(lambda: live.said.step > 0)
    live.process.kill()
    until(lambda: not live.running)
    assert live.said.status == "failed"
    assert "ended without a word" in live.said.message


def test_a_worker_killed_in_the_middle_of_a_message_is_noticed_and_the_next_run_starts(trainer, tmp_path, monkeypatch):
    """The lab is suspended, the pipe fills up, the worker is killed while it writes: the last message is torn."""
    held = threading.Event()
    honest = messages.read

    def slow(pipe):
        held.wait(60)
        yield from honest(pipe)

    monkeypatch.setattr(live_module, "read", slow)
    wide = task(tmp_path, epochs=100_000)
    wide["recipe"]["net"] = "conv 64 3 | relu | linear"  # a probe of it is larger than a pipe
    live = trainer.start(wide)
    until(lambda: unread(live) >= 40_000)  # its introduction has 32 kB, the probe behind it 170
    live.process.kill()
    live.process.wait()
    held.set()
    until(lambda: not live.running)
    assert live.said.status == "failed"
    assert live.said.message.startswith("the training process was cut off in the middle of a message")
    assert "can be resumed" in live.said.help
    monkeypatch.undo()
    again = trainer.start(task(tmp_path, epochs=1))
    until(lambda: not again.running)
    assert again.said.status == "finished"


def unread(live):
    """Bytes that wait in the pipe from the worker."""
    count = array("i", [0])
    fcntl.ioctl(live.process.stdout, termios.FIONREAD, count)
    return count[0]


@pytest.mark.parametrize("module", ["queue", "random", "json", "PIL", "torch", "numpy", "convscope", "sitecustomize"])
@pytest.mark.parametrize("how", ["", ".", "relative", os.pathsep])
def test_no_file_of_the_working_folder_is_run(tmp_path, monkeypatch, module, how):
    """Images are downloaded together with whatever lies beside them."""
    for folder in (tmp_path, tmp_path / "relative"):
        folder.mkdir(exist_ok=True)
        (folder / f"{module}.py").write_text("raise SystemExit('planted')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", how)
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / f"{module}.py"))
    # pip's editable installation, as `make` does it, adds an entry that is no folder.
    code = (
        "import sys, convscope, queue, json; own = ('/', '__editable__'); "
        "print(sys.flags.safe_path, [p for p in sys.path if not p.startswith(own)])"
    )
    done = subprocess.run([*command()[:-2], "-c", code], env=environment(), capture_output=True, text=True)
    assert done.stdout == "True []\n", done.stderr
    assert command()[0].startswith("/")


def test_the_lab_trains_beside_planted_modules(trainer, tmp_path, monkeypatch):
    for module in ("queue", "random", "torch", "PIL"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('planted')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "")
    live = trainer.start(task(tmp_path / "runs", epochs=1))
    until(lambda: not live.running)
    assert live.said.status == "finished", live.said.message


def test_that_no_process_can_be_started_is_said(trainer, tmp_path, monkeypatch):
    monkeypatch.setattr(live_module, "command", lambda: [str(tmp_path / "no-python")])
    with pytest.raises(convscope.ConvscopeError, match="the training process cannot be started: No such file"):
        trainer.start(task(tmp_path))


def events(lab, job, last="", most=1000):
    """The events of a job as (id, data), until it is over."""
    with lab.client.stream("GET", f"/api/train/events?job={job}", headers={"last-event-id": last}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        number = None
        for line in answer.iter_lines():
            if line.startswith("id: "):
                number = int(line[4:])
            elif line.startswith("data: "):
                data = json.loads(line[6:], parse_constant=lambda word: pytest.fail(word))
                yield number, data
                most -= 1
                if most == 0:
                    return


def test_events_tell_everything_once_and_resume_where_they_broke_off(lab):
    job = lab.ask("/api/train", {**CHOICES, "epochs": 30})["job"]
    first = list(events(lab, job, most=8))
    losses = [tuple(point) for _, data in first for point in data["losses"]]
    last = first[-1][0]
    rest = list(events(lab, job, last=str(last)))
    losses += [tuple(point) for _, data in rest for point in data["losses"]]
    steps = [step for step, _ in losses]
    assert steps == sorted(set(steps))
    end = rest[-1][1]
    assert end["status"] == "finished"
    assert steps[-1] == end["summary"]["steps"] == end["total"] == 30 * 8
    told = [row for _, data in first + rest for row in data["epochs_done"]]
    assert {row["epoch"] for row in told} == set(range(1, 31))
    assert len(told) <= 31  # at most the one at the break comes twice
    run = convscope.load(lab.runs / end["run"])
    assert told[-1]["test_accuracy"] == run.accuracy == end["summary"]["test_accuracy"]
    whole = [data for _, data in events(lab, job)]  # whoever comes late gets all of it at once
    assert [tuple(point) for point in whole[-1]["losses"]] == losses
    assert [row["epoch"] for row in whole[-1]["epochs_done"]] == list(range(1, 31))
    curves = lab.client.get(f"/api/runs/{end['run']}/curves").json()
    assert curves["epochs"][-1][0] == 240
    assert curves["losses"][-1] == [240, pytest.approx(run.losses[-1].loss)]
    head, _ = unpack(lab.client.get("/api/train/probe").content)
    assert head["step"] == 240
    pictures = [lab.client.get(f"/api/train/probe/{i}.png").content for i in range(10)]
    for content, index in zip(pictures, head["index"], strict=True):
        assert content == lab.client.get(f"/api/runs/{end['run']}/images/{index}.png").content
    assert lab.client.get("/api/train/probe/10.png").json()["error"] == "there is no probe image 10"


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"net": "conv 4 3 | pol 2"}, 400, "pol"),
        ({"net": "nte"}, 400, "no net is called 'nte'"),
        ({"lr": -1}, 422, "lr"),
        ({"momentum": 1}, 422, "momentum"),
        ({"epochs": 0}, 422, "epochs"),
        ({"data": "/etc"}, 400, "'/etc' lies outside the folder where the lab was started"),
        ({"data": "../.."}, 400, "lies outside"),
        ({"optimizer": "adagrad"}, 422, "optimizer"),
    ],
)
def test_wrong_choices_are_refused_at_once(lab, change, status, words):
    answer = lab.post("/api/train", {**CHOICES, **change})
    assert answer.status_code == status
    assert words in answer.json()["error"]


def test_data_named_at_the_start_are_allowed():
    assert allowed("/some/where", ["/some/where"]) == "/some/where"
    assert allowed("mnist", []) == "mnist"


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A working folder, a home and a data folder, and something secret that each has a link to."""
    here, home, data, secret = (tmp_path / name for name in ("here", "home", "data", "secret"))
    for folder in (here, home, data, secret):
        (folder / "photos").mkdir(parents=True)
        (folder / "digits").mkdir()
    for folder in (here, home, data):
        (folder / "link").symlink_to(secret / "photos")
        (folder / "own").symlink_to(folder / "photos")
        (folder / "loop").symlink_to(folder / "loop")
    (data / "only").mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("CONVSCOPE_DATA", str(data))
    return tmp_path


OUTSIDE = ["/etc", "..", "../secret/photos", "~", "~/photos", "~root/..", "~nobody-at-all/../..", "link", "loop",
           "link/../photos", "TMP/secret/photos", "TMP/data/link", "photos/../../secret", "TMP/here/../secret/photos",
           "~/../data/link"]  # fmt: skip


@pytest.mark.parametrize("data", OUTSIDE)
def test_no_way_of_writing_leads_out_of_the_folder(places, data):
    """Whatever is compared is also what would be opened: home signs, links and dots are followed first."""
    with pytest.raises(convscope.ConvscopeError, match="lies outside the folder where the lab was started"):
        allowed(data.replace("TMP", str(places)), [])


@pytest.mark.parametrize(
    ("data", "opened"),
    [
        ("photos", "photos"),
        ("./photos/../photos", "photos"),
        ("own", "photos"),
        ("TMP/here/photos", "photos"),
        ("~/../here/photos", "photos"),
        ("./digits", "TMP/here/digits"),  # "digits" alone are the built-in ones
        ("only", "TMP/data/only"),
        ("TMP/data/own", "TMP/data/photos"),
        ("~/../data/photos", "TMP/data/photos"),
        ("nowhere", "nowhere"),
    ],
)
def test_what_lies_inside_is_opened_by_its_own_path(places, data, opened):
    found = allowed(data.replace("TMP", str(places)), [])
    assert found == opened.replace("TMP", str(places))


def test_a_link_in_the_working_folder_is_not_excused_by_the_data_folder(places):
    """It is looked for here first, so it is what would be opened."""
    (places / "here" / "only").symlink_to(places / "secret" / "photos")
    with pytest.raises(convscope.ConvscopeError, match="lies outside"):
        allowed("only", [])


def test_a_page_that_asks_about_the_run_before_gets_nothing_and_no_error(lab):
    """Two pages, or a start between an event and the look that it announces."""
    first = lab.ask("/api/train", CHOICES)["job"]
    until(lambda: lab.client.get("/api/train").json()["state"]["status"] == "finished")
    second = lab.ask("/api/train", CHOICES)["job"]
    for path in ("events", "probe", "probe/0.png", "lines"):
        answer = lab.client.get(f"/api/train/{path}?job={first}")
        assert (answer.status_code, answer.content) == (204, b""), path
    until(lambda: lab.client.get("/api/train").json()["state"]["status"] == "finished")
    assert unpack(lab.client.get(f"/api/train/probe?job={second}").content)[0]["step"] > 0


def test_control_and_events_need_a_job(lab):
    assert lab.post("/api/train/control", {"do": "explode"}).status_code == 422
    answer = lab.client.get("/api/train/events?job=99999")
    assert answer.status_code == 400
    assert answer.json()["error"] in ("there is no job 99999", "nothing is being trained")
    assert lab.client.post("/api/train", json=CHOICES).status_code == 403  # without the token
    assert lab.post("/api/train/resume", {"run": "../x"}).json()["error"].startswith("there is no run '../x'")


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"loss": "mse", "optimizer": "adam"},
        {"loss": "mae", "weight_decay": 0.01, "nesterov": True},
        {"optimizer": "sgdw", "weight_decay": 0.01},
        {"optimizer": "muon", "weight_decay": 0.01, "nesterov": True},
        {"label_smoothing": 0.1, "clip_norm": 1},
        {"net": "conv 4 3 | [ conv 8 3 stride=2 padding=1 | relu ]+ | globalavg | linear"},
    ],
)
def test_the_program_trains(lab, change):
    script = lab.ask("/api/train/script", {**CHOICES, "epochs": 1, **change})["script"]
    printed = []
    exec(compile(script, "copied", "exec"), {"print": lambda *a: printed.append(a)})
    assert len(printed) == 1
    assert lab.ask("/api/train/script", {**CHOICES, "net": "conv 4 40 | linear"})["script"] == ""
