"""Who has died, who has ended and why: read from a store, without waiting for anybody."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from convscope.distributed import pulse
from convscope.distributed.join import Link, placed
from convscope.distributed.pulse import STORE, Loss, Member, Pulse, place_of_processes
from convscope.distributed.team import PeerLost
from convscope.errors import UsageError


class Kept(dict):
    """A store in this process."""

    set = dict.__setitem__

    def multi_get(self, keys):
        return [self[key].encode() for key in keys]


class Broken(Kept):
    def multi_get(self, keys):
        raise RuntimeError("Connection reset by peer")


def beating(store=None):
    store = Kept() if store is None else store
    for other in (1, 2):
        Pulse(store, other, 3)
    return store, Pulse(store, 0, 3)


def test_whoever_beats_is_there_and_whoever_is_silent_is_lost(monkeypatch):
    store, mine = beating()
    now = [0.0]
    monkeypatch.setattr(pulse.time, "monotonic", lambda: now[0])
    for count in range(20):
        now[0] += 1.0
        store["convscope/pulse/1"] = str(count)
        if count < 4:
            store["convscope/pulse/2"] = str(count)
        mine._look()
        assert mine.loss == (None if now[0] <= 4 + pulse.SILENT else Loss(2))


def test_whoever_is_done_may_be_silent(monkeypatch):
    store, mine = beating()
    store["convscope/pulse/1"] = store["convscope/pulse/2"] = pulse.DONE
    monkeypatch.setattr(pulse.time, "monotonic", lambda: 1e9)
    mine._look()
    assert mine.loss is None


def test_the_last_words_of_who_failed_are_kept():
    store, mine = beating()
    Pulse(store, 1, 3).end("there are no data called 'x'")
    mine._look()
    assert mine.loss == Loss(1, "there are no data called 'x'")


def test_a_store_that_is_gone_is_the_end_of_torchrun():
    _, mine = beating(Broken())
    mine._look()
    assert mine.loss == Loss(STORE)


@pytest.mark.skipif(not place_of_processes(), reason="this system does not tell its processes apart")
def test_a_process_of_this_machine_that_has_died_is_known_at_once():
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    place = place_of_processes()
    assert Member("here", child.pid, place).is_dead(place)
    assert not Member("here", os.getpid(), place).is_dead(place)
    assert not Member("here", child.pid, "another machine").is_dead(place)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system does not tell how its processes are")
def test_a_process_that_has_died_is_known_before_its_parent_asks_for_it():
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is in the list
    place = place_of_processes()
    assert Member("here", child.pid, place).is_dead(place)
    child.wait()


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (Loss(1), "rank 1 (process 11 on left) has died or cannot be reached"),
        (Loss(1, "no data"), "rank 1 (process 11 on left) ended: no data"),
        (Loss(STORE), "torchrun, which started this process, has ended or cannot be reached"),
        (None, "the connection to another process broke: reset"),
    ],
)
def test_a_loss_is_told_in_a_sentence(loss, told):
    line = Link(0, 2, Kept())
    line.members = [Member("right", 10, ""), Member("left", 11, "")]
    assert line.lost(loss, RuntimeError("reset")).message == told


def test_nothing_is_exchanged_any_more_where_torchrun_alone_has_died(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    line = Link(0, 2, Broken())
    line.pulse._look()
    with pytest.raises(PeerLost, match="torchrun, which started this process, has ended or cannot be reached"):
        line.gather(torch.zeros(1, dtype=torch.uint8))


def test_without_a_local_rank_processes_of_one_machine_are_counted(monkeypatch):
    members = [Member("a", 7, "boot a"), Member("b", 7, "boot b"), Member("a", 8, "boot a"), Member("a", 1, "a pod")]
    found = []
    for rank in range(4):
        line = Link(rank, 4, Kept())
        line.members = members
        found.append(line.place())
    assert found == [0, 0, 1, 0]  # each pod of Kubernetes has its own GPUs, from cuda:0 on
    for name, value in {"RANK": "3", "WORLD_SIZE": "4", "MASTER_ADDR": "h", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert placed() == (3, 4, None)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert placed() == (3, 4, 1)


def test_without_torchrun_there_is_no_team(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    assert placed() is None
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert placed() is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"RANK": "0"}, "RANK is set, but WORLD_SIZE and MASTER_ADDR and MASTER_PORT is not"),
        (
            {"RANK": "2", "WORLD_SIZE": "2", "MASTER_ADDR": "h", "MASTER_PORT": "1"},
            "torchrun's variables make no sense: RANK=2, WORLD_SIZE=2, MASTER_ADDR=h, MASTER_PORT=1",
        ),
    ],
)
def test_variables_that_make_no_sense_are_told(monkeypatch, given, told):
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as found:
        placed()
    assert found.value.message == told
