"""Weights keep their values and places, whether they lie in one vector or in several arrays."""

from __future__ import annotations

import numpy as np
import pytest

from stillmotion.training import layout
from stillmotion.training.layout import Layout, unite

SHAPES = [(3, 4), (4,), (5, 4), (20,), (), (2, 2)]


@pytest.fixture
def twelve(monkeypatch):
    monkeypatch.setattr(layout, "LARGE", 12)
    return Layout.of(SHAPES)


def test_large_weights_are_alone_and_runs_of_small_ones_together(twelve):
    assert twelve.parts == (((3, 4),), ((4,),), ((5, 4),), ((20,),), ((), (2, 2)))
    assert twelve.shapes == tuple(SHAPES)
    assert (twelve.size, twelve.bounds) == (61, [0, 12, 16, 36, 56, 57, 61])
    assert Layout.of([]).size == 0


def test_arrays_and_vector_hold_the_same_weights_in_the_same_order(twelve):
    vector = np.random.default_rng(0).normal(size=61).astype(np.float32)
    arrays = twelve.divide(vector)
    assert [array.shape for array in arrays] == [(12,), (4,), (20,), (20,), (5,)]
    np.testing.assert_array_equal(unite(arrays), vector)
    for given in (arrays, [vector]):
        start = 0
        for shape, weight in zip(SHAPES, twelve.tensors(given), strict=True):
            stop = start + int(np.prod(shape))
            np.testing.assert_array_equal(weight, vector[start:stop].reshape(shape))
            start = stop
        assert start == 61


def test_kernels_decay_and_vectors_do_not(twelve):
    arrays = twelve.divide(np.zeros(61))
    whole = np.concatenate([np.broadcast_to(m, a.shape) for m, a in zip(twelve.decays, arrays, strict=True)])
    expected = np.concatenate([np.full(int(np.prod(shape)), len(shape) > 1) for shape in SHAPES])
    np.testing.assert_array_equal(whole, expected)


def test_layouts_of_two_networks_follow_each_other(twelve):
    both = twelve + Layout.of([(30,), (2,)])
    assert (both.size, len(both.parts)) == (93, 7)
    np.testing.assert_array_equal(both.tensors([np.arange(93)])[-1], [91, 92])
