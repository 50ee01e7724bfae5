"""Percentiles of latency are those of NumPy by hand, without the window that warms up."""

from __future__ import annotations

import os

import numpy as np
import pytest

from stillmotion.deploy import Latency, describe_machine, summarise_latency


def by_hand(values, share):
    """The percentile with lines between neighbours of the sorted values."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


@pytest.mark.parametrize("count", [2, 3, 51, 1000])
def test_percentiles_leave_the_first_window_out(count):
    seconds = np.random.default_rng(count).gamma(2, 1e-5, count)
    seconds[0] = 1.0
    latency = summarise_latency(seconds)
    assert latency.windows == count - 1
    assert latency.p50_microseconds == pytest.approx(1e6 * by_hand(seconds[1:], 0.5), abs=1e-3)
    assert latency.p99_microseconds == pytest.approx(1e6 * by_hand(seconds[1:], 0.99), abs=1e-3)
    assert latency.p99_microseconds == pytest.approx(1e6 * np.percentile(seconds[1:], 99), abs=1e-3)


def test_without_a_second_window_there_is_no_latency():
    assert summarise_latency([]) is summarise_latency([0.1]) is None
    assert summarise_latency([9.0, 2e-6]) == Latency(1, 2.0, 2.0)


def test_the_machine_is_named_with_its_threads():
    assert f", {os.cpu_count()} threads, " in describe_machine()
    assert not describe_machine().startswith(",")
