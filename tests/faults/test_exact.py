"""Interrupted after any updates, a run ends with the very bits, logs and counters of one that was not."""

import signal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convscope import job
from convscope.data import batches
from convscope.errors import Interrupted
from convscope.runs import folder as runs
from convscope.training import loop, pace
from convscope.training.loop import Evaluating, Tick

from .attempt import dataset, hopeless, outcome, recipe
from .conftest import COUNTS, ENGINES, FULL

UPDATES = 9  # of an epoch: 60 images, 7 a batch
EXAMPLES = 100 if FULL else 6


@st.composite
def choices(draw, engine):
    optimizer = draw(st.sampled_from(["sgd", "sgdw", "adam", "adamw", "muon"]))
    extras = [[], ["batchnorm"]], [[], ["dropout 0.3"]]
    norm, dropout = [[], []] if engine == "jit" else map(draw, map(st.sampled_from, extras))
    layers = ["conv 4 3", *norm, "relu", "pool 2", *dropout, "linear"]
    momentum = draw(st.sampled_from([0.0, 0.5, 0.9]))
    return {
        "engine": engine,
        "net": " | ".join(layers),
        "optimizer": optimizer,
        "momentum": momentum,
        "nesterov": momentum > 0 and draw(st.booleans()),
        "weight_decay": draw(st.sampled_from([0.0, 0.01])),
        "schedule": draw(st.sampled_from(["constant", "cosine", "one-cycle"])),
        "loss": draw(st.sampled_from(["cross-entropy", "mse", "mae"])),
        "lr": draw(st.sampled_from([0.002, 0.05])),
        "patience": draw(st.sampled_from([None, 1, 2])),
        "target_loss": draw(st.sampled_from([None, None, 0.5])),
        "epochs": draw(st.integers(1, 4)),
        "log_interval": draw(st.sampled_from([1, 4, 300])),
        "seed": draw(st.integers(0, 3)),
        "threads": draw(st.sampled_from([1, 2])),
    }


@pytest.fixture(autouse=True)
def no_picture(monkeypatch):
    monkeypatch.setattr(job, "save_figure", lambda *_: None)


def complete(out, the_choices, data=None):
    return list(job.start(recipe(the_choices), data or dataset(), out))[-1].folder


def interrupt(events, after):
    """Ctrl-C after so many updates and parts of tests; whether it came in time."""
    places = 0
    try:
        for event in events:
            places += isinstance(event, Tick | Evaluating)
            if places == after:
                signal.raise_signal(signal.SIGINT)
    except Interrupted:
        return True
    return False


@pytest.mark.parametrize("engine", ENGINES)
def test_interrupted_after_any_updates(engine, monkeypatch):
    @settings(max_examples=EXAMPLES)
    @given(choices(engine), st.lists(st.integers(1, 2 * UPDATES), min_size=1, max_size=4))
    def check(the_choices, stops):
        with TemporaryDirectory() as folder, monkeypatch.context() as patch:
            for module in (loop, batches):
                patch.setattr(module, "EVALUATION_BATCH", 12)  # the 30 test images: three parts
            whole = complete(Path(folder) / "whole", the_choices)
            patch.setattr(pace, "CALL_SECONDS", 0.0)  # one update a call: other calls must not mean other bits
            out = Path(folder) / "cut"
            events = job.start(recipe(the_choices), dataset(), out)
            for stop in stops:
                if not interrupt(events, stop):
                    break
                COUNTS[f"exact resumptions ({engine})"] += 1
                events = job.resume(next(runs.every(out)), dataset())
            else:
                list(events)
            assert outcome(next(runs.every(out))) == outcome(whole)

    check()


@pytest.mark.parametrize("engine", ENGINES)
def test_extended_by_any_epochs(engine):
    @settings(max_examples=EXAMPLES // 3)
    @given(choices(engine), st.integers(1, 3))
    def check(the_choices, more):
        the_choices = the_choices | {"schedule": "constant", "patience": None, "target_loss": None}
        with TemporaryDirectory() as folder:
            long = complete(Path(folder) / "long", the_choices | {"epochs": the_choices["epochs"] + more})
            short = complete(Path(folder) / "short", the_choices)
            list(job.resume(short, dataset(), the_choices["epochs"] + more))
            assert outcome(short) == outcome(long)
            COUNTS[f"exact extensions ({engine})"] += 1

    check()


@pytest.mark.parametrize("stop", [{"target_loss": 0.9}, {"patience": 1}, {"max_seconds": 0.02}])
def test_extending_a_run_that_stopped_within_an_epoch_forgets_that_it_stopped(tmp_path, stop):
    base = {"epochs": 30, "engine": "eager", "log_interval": 2, "lr": 0.05}
    whole = complete(tmp_path / "whole", base, hopeless())
    short = complete(tmp_path / "short", base | stop, hopeless())
    assert short.summary().stopped_by == next(iter(stop))
    list(job.resume(short, hopeless(), 30))
    assert outcome(short) == outcome(whole)
    assert short.recipe() == whole.recipe()
