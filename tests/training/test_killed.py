"""A fleet that is killed at any moment resumes and gives the same results."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="module")
def victim(tmp_path_factory):
    environment = {
        **os.environ,
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("programs")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.training.victim"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env=environment,
    )
    with process:
        yield process
        process.stdin.close()


def start(victim, epochs, folder):
    victim.stdin.write(f"{epochs} {folder}\n")
    victim.stdin.flush()
    word, number = victim.stdout.readline().split()
    assert word == "run"
    return int(number)


def end(victim):
    """Return the number of reported epochs and the exit code."""
    epochs = 0
    while (line := victim.stdout.readline().split())[0] == "epoch":
        epochs += 1
    return epochs, int(line[1])


@pytest.mark.parametrize(("kills", "epochs"), [(5, 40), pytest.param(20, 100, marks=pytest.mark.slow)])
def test_a_fleet_killed_time_and_again_ends_with_the_weights_of_one_left_alone(victim, tmp_path, kills, epochs):
    left_alone, killed = tmp_path / "alone", tmp_path / "killed"
    start(victim, epochs, left_alone)
    whole, code = end(victim)
    assert (whole, code) == (2 * epochs, 0)  # Two replicas at a time, then the third.
    moments = random.Random(4)
    done, began, spent = 0, 0.0, 0.0  # How long the last start took, and an epoch: moments follow the machine's pace.
    for number in range(kills):
        run, started = start(victim, epochs, killed), time.monotonic()
        if number % 3 == 0:
            time.sleep(moments.uniform(0, began))  # While it starts, reads what it finds, or compiles.
        else:
            wanted = moments.randint(1, 12)
            for count in range(wanted):
                assert victim.stdout.readline() == "epoch\n"
                began = time.monotonic() - started if count == 0 else began
                done += 1
            spent = (time.monotonic() - started - began) / wanted
            time.sleep(moments.uniform(0, spent))  # In the middle of an epoch or of a checkpoint.
        os.kill(run, signal.SIGKILL)
        reported, code = end(victim)
        done += reported
        assert code == -signal.SIGKILL, "it must not have ended before it was killed"
    assert done > 2 * kills
    start(victim, epochs, killed)
    last, code = end(victim)
    assert code == 0
    assert 0 < last < whole
    # Little is done twice: of each kill, at most the epoch that was not saved yet.
    assert whole <= done + last + kills
    assert done + last <= whole + kills
    one, other = np.load(left_alone / "end.npz"), np.load(killed / "end.npz")
    assert sorted(one) == sorted(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    assert sorted(file.name for file in killed.iterdir()) == ["end.npz", "fleet.ckpt", "fleet.ckpt.before"]
    # What is finished is not trained again.
    start(victim, epochs, killed)
    assert end(victim) == (0, 0)
