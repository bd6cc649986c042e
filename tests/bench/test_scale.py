"""bench/scale.py: its formula on figures made up, and the measurement by two threads that take themselves for ranks."""

import sys

import pytest
import torch

from bench import scale
from convscope.distributed.agree import manned
from convscope.engine.devices import survey

from ..distributed.table import each

needs_jit = pytest.mark.skipif("jit" not in survey().engines, reason="needs the jit engine")
ROUND = scale.Round(one=0.016, part=0.008, beside=0.012, woken=0.0005, message=0.0003, together=0.0128)


def test_latency_and_bandwidth_are_found_from_gathers_of_several_sizes():
    for ranks in (2, 5):
        sizes = (8, 34_000, 340_000, 1_000_000)
        line = scale.fitted({size: (ranks - 1) * (0.0003 + 1.1e-9 * size) for size in sizes}, ranks)
        assert line.alpha == pytest.approx(0.0003)
        assert line.beta == pytest.approx(1.1e-9)
        assert line.seconds(ranks, 34_000) == pytest.approx((ranks - 1) * 0.0003374)


def test_an_update_is_the_share_beside_the_others_the_waking_and_the_messages():
    assert ROUND.modelled == pytest.approx(0.0128)
    assert ROUND.error == pytest.approx(0.0)
    without = scale.Round(one=0.016, part=0.008, beside=0.008, woken=0.0, message=0.0001, together=0.0128)
    assert without.error == pytest.approx(-0.367, abs=0.001)


def test_modelled_and_measured_stand_beside_each_other_with_their_error():
    late = scale.Round(one=0.02, part=0.01, beside=0.01, woken=0.0, message=0.0, together=0.02)
    title, _, header, row = scale.table(2, {1024: [ROUND, ROUND, late]}).splitlines()
    assert title == "Milliseconds of an update by 2 processes, net note, one thread each; medians of n = 3, in turn"
    assert header.split()[-5:] == ["ω", "messages", "modelled", "measured", "error"]
    cells = ["1,024", "16.00", "8.00", "1.50", "0.50", "0.30", "12.80", "12.80", "(12.80–20.00)", "+0%"]
    assert row.split() == [*cells, "(-50%", "to", "+0%)"]


@needs_jit
def test_two_ranks_measure_every_term():
    found = each(2, lambda team: scale.measured(manned(team, 1), [16], 32, 1))
    ((batch, (one,)),) = found[0].items()
    assert batch == 16
    assert min(one.one, one.part, one.beside, one.together) > 0
    assert one.modelled == pytest.approx(one.beside + one.woken + one.message)


@needs_jit
def test_processes_that_do_not_give_the_bits_of_one_are_not_timed(monkeypatch):
    def meet_nobody(self, place, size):
        """Each keeps to its own gradients."""

    monkeypatch.setattr("convscope.engine.jit.machine.meeting.Meeting._exchange", meet_nobody)
    found = each(2, lambda team: scale.measured(manned(team, 1), [16], 32, 1))
    assert [str(error) for error in found] == ["the processes together do not give the bits of one"] * 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "this is one process; start it as: torchrun --nproc-per-node 2 -m bench.scale"),
        (["--batches", "some"], "argument --batches: invalid int value: 'some'"),
    ],
)
def test_one_process_alone_is_told_how_to_start_it(monkeypatch, capsys, words, told):
    monkeypatch.setattr(sys, "argv", ["scale", *words])
    monkeypatch.delenv("RANK", raising=False)
    threads = torch.get_num_threads()
    try:
        with pytest.raises(SystemExit) as ended:
            scale.main()
    finally:
        torch.set_num_threads(threads)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
