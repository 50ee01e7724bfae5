"""Rows gathered block by block make the stretches that the whole clock makes at once."""

import itertools

import numpy as np
import pytest

from stillmotion.signals.clocks import split_at_gaps
from stillmotion.signals.tables.gather import Gatherer


def clock(random, count=400):
    """A clock at 50 Hz with repeats, stragglers, gaps and jumps back, here and there."""
    steps = np.full(count, 0.02) + random.uniform(-0.004, 0.004, count)
    for odd in (0.0, -0.3, 0.5, -50.0):
        steps[random.choice(count, 4, replace=False)] = odd
    return np.cumsum(steps) + 100


def gathered(blocks, folder):
    """Gather blocks of (subjects, first row, seconds, values); the pieces and what was counted."""
    counted = {}
    with Gatherer(1, timed=True, rate=50.0, folder=folder, counted=counted) as gatherer:
        gatherer.begin_file(0)
        for subjects, row, seconds, values in blocks:
            who = np.stack([subjects, np.zeros_like(subjects)], axis=1)
            gatherer.add(who, row, seconds, values, np.zeros(len(values), np.int16))
        return gatherer.finish([slice(0, 1)]), counted


@pytest.mark.parametrize("seed", range(8))
def test_one_clock_in_blocks_of_any_size(tmp_path, seed):
    random = np.random.default_rng(seed)
    seconds = clock(random)
    values = np.arange(len(seconds), dtype=np.float32)[:, None]
    expected_counts = {}
    expected = split_at_gaps(np.zeros(len(seconds), np.int64), seconds, values, rate=50.0, counted=expected_counts)
    cuts = [0, *np.sort(random.choice(np.arange(1, len(seconds)), random.integers(0, 40), replace=False)), len(seconds)]
    blocks = [(np.zeros(b - a, np.int64), a, seconds[a:b], values[a:b]) for a, b in itertools.pairwise(cuts)]
    found, counted = gathered(blocks, tmp_path)
    assert counted == expected_counts
    assert len(found.pieces) == len(expected)
    for piece, stretch in zip(found.pieces, expected, strict=True):
        assert (piece.row, piece.jump + 1) == (stretch.row, stretch.session)
        assert found.values[piece.start : piece.stop].tolist() == stretch.values.tolist()
        assert found.times[piece.start : piece.stop].tolist() == stretch.seconds.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_clocks_of_subjects_who_take_turns(tmp_path, seed):
    random = np.random.default_rng(100 + seed)
    clocks = [clock(random) for _ in range(3)]
    subjects = random.permutation(np.repeat(np.arange(3), 400))
    seconds, values = np.empty(1200), np.arange(1200, dtype=np.float32)[:, None]
    for subject, own in enumerate(clocks):
        seconds[subjects == subject] = own
    found, _ = gathered(
        [(subjects[a : a + 250], a, seconds[a : a + 250], values[a : a + 250]) for a in range(0, 1200, 250)], tmp_path
    )
    for subject in range(3):
        rows = np.flatnonzero(subjects == subject)
        expected = split_at_gaps(np.zeros(400, np.int64), seconds[rows], values[rows], rate=50.0)
        mine = [piece for piece in found.pieces if piece.key[0] == subject]
        assert [found.values[p.start : p.stop, 0].tolist() for p in mine] == [s.values[:, 0].tolist() for s in expected]
        assert [piece.row for piece in mine] == [rows[stretch.row] for stretch in expected]


def test_rows_can_be_taken_back(tmp_path):
    counted = {"before": 1}
    rows = np.zeros((50, 2), np.int64), 0, np.arange(50) / 50, np.ones((50, 1), np.float32), np.zeros(50, np.int16)
    with Gatherer(1, timed=True, rate=0.0, folder=tmp_path, counted=counted) as gatherer:
        gatherer.begin_file(0)
        gatherer.add(*rows)
        mark = gatherer.begin_file(1)
        gatherer.add(rows[0], 0, np.zeros(50), *rows[3:])
        assert counted["repeated timestamps dropped"] == 49
        gatherer.roll_back(mark)
        found = gatherer.finish([slice(0, 1)])
    assert [(piece.start, piece.stop) for piece in found.pieces] == [(0, 50)]
    assert len(found.values) == 50
    assert counted["repeated timestamps dropped"] == 0
    assert found.rate == 50
