"""bench/network.py: its line between two machines, and what it makes of a run; two sockets stand for the machines."""

import os
import socket
import time

import pytest

from bench import network

TEXT = "test accuracy 91.50 % after 46 updates in 2.1 s of training\n 95 % of the time was spent waiting for others\n"


@pytest.fixture
def ends():
    """(what carries, what the machines see): datagrams, as a TUN device has them."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)]
    yield tuple(pair[0].fileno() for pair in pairs), [pair[1] for pair in pairs]
    for pair in pairs:
        for end in pair:
            end.close()


def test_packets_reach_the_other_machine_late_and_in_order(ends):
    inner, machines = ends
    for machine in machines:
        machine.settimeout(60)
    with network.line(inner, 0.05, 0.0):
        began = time.monotonic()
        for number in range(3):
            machines[0].send(bytes([number]))
        assert [machines[1].recv(9) for _ in range(3)] == [b"\0", b"\1", b"\2"]
        assert time.monotonic() - began >= 0.05
        machines[1].send(b"back")
        assert machines[0].recv(9) == b"back"


def test_a_share_of_the_packets_is_lost(ends):
    inner, machines = ends
    with network.line(inner, 0.0, 0.5):
        for number in range(100):
            machines[0].send(bytes([number]))
            time.sleep(0)
        machines[1].settimeout(60)
        found = [machines[1].recv(9)[0]]
        while found[-1] < 99 - 20:  # 21 in a row are not lost
            found.append(machines[1].recv(9)[0])
    assert found == sorted(found)
    assert 20 < len(found) < 75


def test_a_run_is_told_with_its_waiting():
    assert network.row(0.01, 0.01, TEXT) == "  10 ms, 1 % lost: 2.1 s, 95 % waiting, 91.50 %"


@pytest.mark.parametrize("text", ["", TEXT.replace("waiting", "asleep"), TEXT.replace("accuracy", "error")])
def test_a_run_that_has_not_told_how_it_went_is_no_result(text):
    with pytest.raises(RuntimeError, match="the run has not told how it went"):
        network.row(0.0, 0.0, text)


@pytest.mark.parametrize(("script", "told"), [("echo $2 $3", "exec convscope-a\n"), ("exit 1", None)])
def test_both_machines_must_end_well(tmp_path, monkeypatch, script, told):
    program = tmp_path / "ip"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    if told:
        assert network.trained(str(tmp_path)) == told
    else:
        with pytest.raises(RuntimeError, match=r"exit codes \[1, 1\]"):
            network.trained(str(tmp_path))
