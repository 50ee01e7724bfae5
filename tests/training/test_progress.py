"""The progress that a fleet shows while it trains."""

from __future__ import annotations

import sys

import pytest

from stillmotion.training import Recipe, Replica
from stillmotion.training.progress import Progress

from .small import TRAIN, VALIDATION, dense, fleet

RUNS = [Replica(seed, TRAIN, VALIDATION, {"learning_rate": 1e30} if seed == 1 else {}) for seed in range(4)]


def test_plain_lines_where_there_is_no_terminal(capsys):
    fleet(dense(), RUNS, recipe=Recipe(batch=8, epochs=3), size=3).train(Progress(every=0.0))
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert "\r" not in err
    assert len(lines) == 4  # Number 1 fails in the first epoch; number 3 then has its slot for three.
    assert lines[0].startswith("epoch 1: 3 training, 0 waiting, 1 done, 1 failed | cross_entropy ")
    assert lines[-1].startswith("epoch 3: 0 training, 0 waiting, 4 done, 1 failed | cross_entropy ")
    assert "best validation 0." in lines[-1]
    assert "left" not in lines[0]
    assert "left" in lines[1]


def test_a_terminal_gets_one_line_that_is_written_over(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fleet(dense(), RUNS[2:], recipe=Recipe(batch=8, epochs=3)).train(Progress(every=0.0))
    err = capsys.readouterr().err
    assert err.count("\r") == 3
    assert err.count("\n") == 1
    assert err.endswith("\n")


@pytest.mark.parametrize("every", [3600.0])
def test_lines_keep_their_distance_and_the_last_is_always_shown(capsys, every):
    fleet(dense(), RUNS[2:], recipe=Recipe(batch=8, epochs=3)).train(Progress(every=every))
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("epoch 3: 0 training")
    assert len(lines) <= 2


def test_nothing_is_said_when_nothing_is_wanted(capsys):
    fleet(dense(), RUNS[2:], recipe=Recipe(batch=8, epochs=3)).train(Progress(enabled=False))
    assert capsys.readouterr().err == ""
