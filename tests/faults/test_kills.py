"""A run killed at any moment, and at every single operation on the disk, ends with the bits of one that never was."""

import errno
import random
import shutil

import pytest

from convscope.runs import folder as runs

from .attempt import outcome
from .conftest import COUNTS, ENGINES, FULL

ERRORS = [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES]
TEXTS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EIO: "reports an error",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "permission is denied",
}


@pytest.fixture(params=ENGINES, scope="module")
def undisturbed(request, server, tmp_path_factory):
    """(choices, what such a run ends with, its operations)."""
    choices = {"engine": request.param, "epochs": 2}
    server.attempt(tmp_path_factory.mktemp("first"), choices)  # compiled programs are in the cache from now on
    out = tmp_path_factory.mktemp("undisturbed")
    answer = server.attempt(out, choices)
    return choices, end_of(out), answer["seen"]


def end_of(out):
    """What the run below ``out`` came to."""
    (folder,) = runs.every(out)
    return outcome(folder)


def finish(server, out, choices):
    assert server.attempt(out, choices)["end"] == "finished"
    return end_of(out)


def faults(seen, effects, engine):
    """Every operation, at each moment that it has, with the effects in turn; a sample of them in the quick suite.

    The engines share them, for what the disk does is no affair of theirs.
    """
    torn = ("before", "half", "after")
    moments = [(at, m) for at, kind in enumerate(seen, 1) for m in (torn if kind in ("write", "append") else torn[::2])]
    every = [(at, moment, effects[i % len(effects)]) for i, (at, moment) in enumerate(moments)]
    every = every[ENGINES.index(engine) :: len(ENGINES)]
    return every if FULL else random.Random(5).sample(every, 3)


@pytest.mark.parametrize("effect", ["kill", "power"])
def test_a_run_killed_at_any_operation_goes_on_to_the_same_bits(server, undisturbed, tmp_path, effect):
    choices, expected, seen = undisturbed
    for fault in faults(seen, [effect], choices["engine"]):
        out = tmp_path / f"{fault[0]}-{fault[1]}"
        assert server.attempt(out, choices, fault)["end"] == "killed", fault
        assert finish(server, out, choices) == expected, fault
        COUNTS[f"{'kills' if effect == 'kill' else 'power cuts'} at an operation survived ({choices['engine']})"] += 1
        COUNTS[f"fault at {seen[fault[0] - 1]}"] += 1


@pytest.mark.parametrize("effect", ["kill", "power"])
def test_an_extension_killed_at_any_operation_before_it_trains(server, tmp_path, effect):
    """The recipe is exchanged, the summary removed, the logs are written again: what no other run does."""
    one, longer = {"engine": "eager", "epochs": 1}, {"engine": "eager", "epochs": 1, "extend": 2}
    expected = finish(server, tmp_path / "whole", {"engine": "eager", "epochs": 2})
    finish(server, tmp_path / "one", one)
    shutil.copytree(tmp_path / "one", tmp_path / "undisturbed")
    seen = server.attempt(tmp_path / "undisturbed", longer)["seen"]
    assert end_of(tmp_path / "undisturbed") == expected
    before_training = seen[: seen.index("append")]
    for at, kind in enumerate(before_training, 1):
        for moment in ("before", "half", "after") if kind == "write" else ("before", "after"):
            if not FULL and (kind, moment) != ("unlink", "after"):
                continue
            out = tmp_path / f"{at}-{moment}"
            shutil.copytree(tmp_path / "one", out)
            assert server.attempt(out, longer, (at, moment, effect))["end"] == "killed", (at, moment)
            assert finish(server, out, longer) == expected, (at, moment)
            COUNTS[f"{'kills' if effect == 'kill' else 'power cuts'} at an operation of an extension survived"] += 1
            COUNTS[f"fault at {kind}"] += 1


def test_a_failing_disk_is_told_and_costs_nothing(server, undisturbed, tmp_path):
    choices, expected, seen = undisturbed
    for fault in faults(seen, ERRORS, choices["engine"]):
        at, moment, code = fault
        out = tmp_path / f"{at}-{moment}"
        answer = server.attempt(out, choices, fault)
        if answer["end"] == "error":
            assert answer["code"] == 1, fault
            assert answer["message"].startswith("cannot write "), fault
            assert TEXTS[code] in answer["message"], fault
            assert "what was written before is intact" in answer["message"], fault
        else:  # only the last sync of a folder is optional: not every system can do it
            assert seen[at - 1] == "fsync", fault
        assert finish(server, out, choices) == expected, fault
        COUNTS[f"disk errors survived ({choices['engine']})"] += 1
        COUNTS[f"fault at {seen[at - 1]}"] += 1


def test_a_run_killed_again_and_again_at_random_moments(server, undisturbed, tmp_path):
    choices, expected, _ = undisturbed
    choices = choices | {"save_seconds": 0.0}  # the state is saved after every record
    dice = random.Random(7)
    for number in range(8 if FULL else 1):
        out, kills = tmp_path / str(number), 0
        while True:
            fault = dice.choice([None, (dice.randrange(1, 40), dice.choice(["before", "half", "after"]), "kill")])
            seconds = dice.uniform(0.02, 0.5) if fault is None else None
            ended = server.attempt(out, choices, fault if kills < 8 else None, seconds if kills < 8 else None)["end"]
            if ended == "finished":
                break
            assert ended == "killed"
            kills += 1
            COUNTS[f"kills at a random moment survived ({choices['engine']})"] += 1
        assert end_of(out) == expected
