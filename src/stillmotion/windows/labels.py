"""Labels of windows from labels of samples."""

from __future__ import annotations

import math

import numpy as np

from ..signals.recording import NULL, Labels
from ..signals.spec import SignalSpec
from .stretches import Rows, expand

PAIRS_AT_ONCE = 1 << 17  # bounds memory where labels change at every sample


def label_windows(labels: Labels, starts: Rows, spec: SignalSpec) -> Labels:
    """Label each window by the policy of ``spec``; null (-1) where the policy finds no class.

    ``majority``: the class with the most samples; among equals, the one that comes first in the window. Null is
    not a class: a window is null if null has more samples than any class, or if the majority class has less
    than ``label_share`` of the window. ``first``: the label of the first sample. ``all-equal``: the label that
    all samples share.

    Args:
        labels: (N,) label of every sample.
        starts: (n,) first row of every window.
        spec: window length, policy, share and number of classes.

    Returns:
        (n,) class of each window, -1 for null.
    """
    result = labels[starts]
    if spec.label_policy == "first" or len(starts) == 0:
        return result
    # Labels change rarely: almost every window lies inside one run of equal labels and needs no counting.
    runs = np.concatenate([[0], np.flatnonzero(labels[1:] != labels[:-1]) + 1, [len(labels)]])
    first = np.searchsorted(runs, starts, side="right") - 1
    mixed = np.flatnonzero(runs[first + 1] < starts + spec.window)
    if spec.label_policy == "all-equal":
        result[mixed] = NULL
        return result
    starts, first = starts[mixed], first[mixed]
    last = np.searchsorted(runs, starts + (spec.window - 1), side="right") - 1
    pairs = np.cumsum(last - first + 1)
    total = int(pairs[-1]) if len(pairs) else 0
    cuts = np.searchsorted(pairs, np.arange(PAIRS_AT_ONCE, total, PAIRS_AT_ONCE))
    for some in np.split(np.arange(len(mixed)), cuts):
        if len(some):
            result[mixed[some]] = _majority(labels, runs, starts[some], first[some], last[some], spec)
    return result


def _majority(labels: Labels, runs: Rows, starts: Rows, first: Rows, last: Rows, spec: SignalSpec) -> Labels:
    window, run = expand(first, last - first + 1)  # one pair per run that a window overlaps
    begin = np.maximum(runs[run], starts[window])
    length = np.minimum(runs[run + 1], starts[window] + spec.window) - begin
    width = len(spec.classes) + 1  # null is column 0
    cell = window * width + (labels[runs[run]].astype(np.int64) + 1)
    shape = (len(starts), width)
    count = np.bincount(cell, length, shape[0] * width).astype(np.int64).reshape(shape)
    onset = np.full(shape[0] * width, spec.window)
    onset[cell[::-1]] = (begin - starts[window])[::-1]  # assigned backwards: the earliest run of a class stays
    rank = count * (spec.window + 1) - onset.reshape(shape)
    best = np.argmax(rank[:, 1:], axis=1) + 1
    most = count[np.arange(len(starts)), best]
    needed = math.ceil(spec.label_share * spec.window - 1e-9)  # 0.55 * 100 is 55.00000000000001
    return np.where((most >= needed) & (most >= count[:, 0]), best - 1, NULL).astype(np.int16)
