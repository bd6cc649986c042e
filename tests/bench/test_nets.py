"""bench/nets.py: what trains each net, and the line of it for convscope/net/measured.py."""

import sys

import pytest

from bench import nets
from convscope.net.zoo import ZOO

from ..distributed.test_jobs import choices_of


def test_every_net_has_a_command_that_convscope_can_read():
    for name in ZOO:
        words = nets.command(name, "photos")
        assert words[words.index("--net") + 1] == name
        assert ("mnist-992" in words) == (ZOO[name].image[0] == 1)
        assert choices_of(["train", *words, "--seed", "0", "--threads", "1"])["net"] == name


def test_a_line_is_made_of_accuracies_and_seconds(monkeypatch, capsys):
    runs = iter([(0.5, 12.0), (0.7, 16.0)])
    monkeypatch.setattr(nets, "trained", lambda words, seed: next(runs))
    monkeypatch.setattr(nets, "processor_seconds", lambda: 10.0)
    monkeypatch.setattr(sys, "argv", ["nets", "photos", "--net", "cnn-s"])
    nets.main()
    line = capsys.readouterr().out.strip().removesuffix(",")
    assert line == '"cnn-s": Measured("photos", 0.6000, 0.1414, 2, 3.0)'


def test_a_training_that_fails_is_no_result(tmp_path, monkeypatch):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o700)
    monkeypatch.setattr(nets.sys, "executable", str(program))
    with pytest.raises(SystemExit) as ended:
        nets.trained(["photos"], 0)
    assert ended.value.code == 3
