"""What comes through the pipes of a run: whole, or refused."""

import io
import json
import os
from contextlib import nullcontext, suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.lab.binary import pack
from convscope.lab.live import messages
from convscope.lab.live.control import Control, Reporter
from convscope.lab.live.live import RunStatus
from convscope.lab.live.messages import BrokenMessage, read


def line(fields, body=b""):
    return json.dumps({**fields, "bytes": len(body)}).encode() + b"\n" + body


WHOLE = line({"kind": "a"}) + line({"kind": "b"}, b"x\ny") + line({"kind": "c"})


def test_whole_messages_come_as_they_were_sent():
    found = list(read(io.BytesIO(WHOLE)))
    assert found == [({"kind": "a"}, b""), ({"kind": "b"}, b"x\ny"), ({"kind": "c"}, b"")]


@given(st.integers(0, len(WHOLE)))
def test_wherever_it_is_torn_what_is_whole_is_read_and_the_rest_is_told(cut):
    ends = np.cumsum([len(line({"kind": "a"})), len(line({"kind": "b"}, b"x\ny")), len(line({"kind": "c"}))])
    found = []
    with nullcontext() if cut in (0, *ends) else pytest.raises(BrokenMessage, match="a message broke off"):
        for message, _ in read(io.BytesIO(WHOLE[:cut])):
            found.append(message["kind"])
    assert found == list("abc")[: int((ends <= cut).sum())]


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused_and_nothing_else_happens(noise):
    with suppress(BrokenMessage):
        for message, body in read(io.BytesIO(noise)):
            RunStatus().take(message, body)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[]\n", "is not a JSON object"),
        (b"[" * 100_000 + b"\n", "is not JSON"),
        (b'{"kind": NaN\n', "is not JSON"),
        (b"\xff\n", "is not JSON"),
        (b'{"bytes": -1}\n', "announces -1 bytes"),
        (b'{"bytes": true}\n', "announces True bytes"),
        (b'{"bytes": "9"}\n', "announces 9 bytes"),
        (b'{"bytes": 1e300}\n', "announces 1e.300 bytes"),
        (b'{"bytes": 999999999999}\n', "announces 999999999999 bytes"),
        (b'{"bytes": 5}\nabcd', "broke off"),
    ],
)
def test_what_is_no_message_is_refused(text, words):
    with pytest.raises(BrokenMessage, match=words):
        list(read(io.BytesIO(text)))


def test_a_line_without_an_end_is_not_read_into_memory(monkeypatch):
    monkeypatch.setattr(messages, "MAX_LINE", 100)

    class Endless(io.RawIOBase):
        given = 0

        def readline(self, size=-1):
            assert 0 < size <= 101
            self.given += size
            return b"x" * size

    endless = Endless()
    with pytest.raises(BrokenMessage, match="longer than 100 bytes"):
        list(read(endless))
    assert endless.given == 101


PLAIN = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5)
JUNK = st.recursive(
    PLAIN, lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=5), one, max_size=3)
)
KINDS = ["started", "ticks", "going", "probe", "epoch", "finished", "stopped", "failed", "other"]
FIELDS = ["resumed_at", "points", "step", "epoch", "steps_per_second", "paused", "summary", "message"]


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), JUNK), st.binary(max_size=30))
def test_a_damaged_message_changes_nothing_it_should_not(kind, fields, body):
    """It is taken, or refused as broken: never another exception, which would leave nobody listening."""
    said = RunStatus()
    with suppress(BrokenMessage):
        said.take({"kind": kind, **fields}, body)
    assert said.status in ("opening", "training", "paused", "finished", "stopped", "failed")


def test_what_comes_late_is_not_heard():
    said = RunStatus()
    said.take({"kind": "stopped", "message": "stopped"}, b"")
    version = said.version
    said.take({"kind": "going", "paused": False}, b"")
    said.take({"kind": "failed", "message": "gone"}, b"")
    assert (said.status, said.message, said.version) == ("stopped", "stopped", version)


def test_a_torn_probe_leaves_the_last_one():
    said = RunStatus()
    whole = pack({"norms": [1.0]}, {"image": np.zeros((1, 2, 2))})
    said.take({"kind": "probe", "step": 1}, whole)
    with pytest.raises(BrokenMessage, match="kind 'probe' is damaged"):
        said.take({"kind": "probe", "step": 2}, whole[:-3])
    assert said.probe == whole
    assert said.probe_version == 1


@pytest.mark.parametrize("orders", [b"", b'{"do": "pause"}\n{"do"', b"no order\n", b"[]\n", b'{"bytes": 9}\nabc'])
def test_a_worker_whose_server_is_torn_off_or_talks_nonsense_stops_and_saves(orders, monkeypatch):
    interrupted = []
    monkeypatch.setattr("_thread.interrupt_main", lambda *_: interrupted.append(True))
    control = Control()
    control.listen(io.BytesIO(orders))
    assert control.stopping
    assert interrupted == [True]


def test_a_reader_that_goes_away_is_no_error_of_the_worker():
    out, into = os.pipe()
    os.close(out)
    Reporter(into)("ticks", points=[])
    os.close(into)
