"""Networks are built once for all tests of this room; no test changes one that it got from here."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from stillmotion.networks import build

#: A small shape that every network takes, and its number of classes.
WINDOW, CHANNELS, CLASSES = SHAPE = (32, 3, 5)


@cache
def _built(name, shape, **options):
    return build(name, shape, seed=3, **options)


@pytest.fixture(scope="session")
def built():
    """``built(name)`` or ``built(name, shape)``: the network under seed 3, the same object each time."""
    return lambda name, shape=SHAPE, **options: _built(name, shape, **options)


@pytest.fixture(scope="session")
def signal():
    """Eight windows of noise."""
    return np.random.default_rng(0).normal(size=(8, WINDOW, CHANNELS)).astype(np.float32)
