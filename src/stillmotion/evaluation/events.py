"""Scores of a continuous recording: activities as events with a beginning and an end.

A *stretch* is a run of windows of one recording without a gap; an *event* is a run of one class within a stretch. A
window stands for the time from its start to the next one's, so events of one stretch touch and do not overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .metrics import Floats
from .predictions import Integers, Predictions

#: Windows further apart than this many hops have a gap between them.
GAP = 1.5


@dataclass(frozen=True, eq=False)
class EventScores:
    """How well activities are found as events, over all stretches of all runs.

    Args:
        segment_f1: 2 · matched / (true + predicted events), over all classes.
        f1_per_class: the same of each class, NaN where it has neither a true nor a predicted event.
        delays: seconds from the onset of each true event to the first window in it that says so, 0 for the first
            window; only of events whose onset lies within a stretch, and only of those noticed.
        missed: share of those events in which no window says so.
        false_transitions: changes of the predicted class that no change of the true class explains, per hour.
        hours: that were looked at.
    """

    segment_f1: float
    f1_per_class: Floats
    delays: Floats
    missed: float
    false_transitions: float
    hours: float

    @property
    def onset_delay(self) -> float:
        """Median of the delays in seconds, NaN without any."""
        return float(np.median(self.delays)) if len(self.delays) else float("nan")

    def to_dict(self) -> dict[str, float | None]:
        """For JSON: one number each, None for what does not exist."""
        values = {
            "segment_f1": self.segment_f1,
            "onset_delay_s": self.onset_delay,
            "missed": self.missed,
            "false_transitions_per_hour": self.false_transitions,
            "hours": self.hours,
        }
        return {name: None if np.isnan(value) else value for name, value in values.items()}


@dataclass(frozen=True, eq=False)
class _Events:
    """Runs of one class: class, first and past-the-last window."""

    label: Integers
    begin: Integers
    end: Integers


def score_events(
    predictions: Predictions, *, overlap: float = 0.5, hop: float | None = None, tolerance: float | None = None
) -> EventScores:
    """Score one variant by events; its rows need a recording and a time.

    A predicted event matches a true one of its class when intersection over union of their times reaches
    ``overlap``; each matches once, best overlap first (Lea et al. 2017, F1@k). A predicted change into a class is
    explained by a true event of that class when it falls between ``tolerance`` before that event's onset and its
    end, once per event; every other change is false.

    Args:
        predictions: of continuous recordings; runs, subjects and recordings are kept apart.
        overlap: above 0, at most 1.
        hop: seconds between two windows; by default the most frequent distance.
        tolerance: seconds that a change may come early; a hop by default.

    Returns:
        F1 of events, delays of onsets, false transitions per hour.

    Raises:
        UserError: a recording or a time is missing, or a setting lies outside.

    Example:
        >>> from stillmotion.evaluation import Predictions, score_events
        >>> columns = {"y": [0, 0, 1, 1], "prediction": [0, 0, 0, 1], "recording": "a", "time": [0, 1, 2, 3]}
        >>> predictions = Predictions.of("lm", subject="ann", fold=0, seed=0, **columns)
        >>> score_events(predictions).onset_delay
        1.0
    """
    if predictions.recording is None or predictions.time is None:
        raise UserError(f"{predictions.variant}: event scores need the columns recording and time.")
    if not 0 < overlap <= 1:
        raise UserError(f"An overlap lies above 0 and at most at 1, not {overlap}.")
    if len(predictions) == 0:
        raise UserError(f"{predictions.variant}: event scores of no windows do not exist.")
    order, source = _in_time(predictions)
    time = predictions.time[order]
    step = _hop(predictions.variant, time, source) if hop is None else hop
    if not step > 0:
        raise UserError(f"A hop is longer than 0 s, not {step}.")
    early = round((step if tolerance is None else tolerance) / step)
    classes = len(predictions.classes)
    matched, true_events, said_events = np.zeros((3, classes), np.int64)
    delays: list[float] = []
    onsets = false = 0
    for part in _stretches(time, source, step):
        truth = _events(predictions.y[order[part]])
        said = _events(predictions.prediction[order[part]])
        matched += np.bincount(truth.label[_matched(truth, said, overlap)], minlength=classes)
        true_events += np.bincount(truth.label, minlength=classes)
        said_events += np.bincount(said.label, minlength=classes)
        found = _delays(truth, predictions.prediction[order[part]])
        onsets += len(found)
        delays.extend(step * found[found >= 0])
        false += _unexplained(truth, said, early)
    hours = len(order) * step / 3600
    both = true_events + said_events
    return EventScores(
        float(2 * matched.sum() / both.sum()),
        np.divide(2 * matched, both, out=np.full(classes, np.nan), where=both > 0),
        np.asarray(delays, np.float64),
        1 - len(delays) / onsets if onsets else float("nan"),
        false / hours,
        hours,
    )


def _in_time(predictions: Predictions) -> tuple[Integers, Integers]:
    """Rows sorted by run, recording and time, and the number of each one's source after sorting."""
    source = np.zeros(len(predictions), np.int64)
    for column in (predictions.seed, predictions.fold, predictions.subject, predictions.recording):
        assert column is not None
        codes = np.unique(column, return_inverse=True)[1]
        source = np.unique(source * (codes.max() + 1) + codes, return_inverse=True)[1]
    assert predictions.time is not None
    order = np.lexsort((predictions.time, source))
    return order.astype(np.int64), source[order].astype(np.int64)


def _hop(variant: str, time: Floats, source: Integers) -> float:
    steps = np.diff(time)[np.diff(source) == 0]
    if len(steps) == 0:
        raise UserError(f"{variant}: every recording has one window only; name the hop, or leave the time out.")
    lengths, counts = np.unique(np.round(steps, 6), return_counts=True)
    if lengths[0] <= 0:
        raise UserError(f"{variant}: two windows of one recording and run begin at the same time.")
    return float(lengths[counts.argmax()])


def _stretches(time: Floats, source: Integers, hop: float) -> Iterator[slice]:
    cuts = np.flatnonzero((np.diff(source) != 0) | (np.diff(time) > GAP * hop)) + 1
    edges = [0, *cuts.tolist(), len(time)]
    yield from (slice(begin, end) for begin, end in pairwise(edges))


def _events(labels: Integers) -> _Events:
    cuts = np.flatnonzero(np.diff(labels)) + 1
    begin = np.concatenate([[0], cuts]).astype(np.int64)
    return _Events(labels[begin], begin, np.concatenate([cuts, [len(labels)]]).astype(np.int64))


def _matched(truth: _Events, said: _Events, overlap: float) -> Integers:
    """Numbers of the true events that a predicted one matches; pairs are taken best first."""
    # Windows of a pair of events lie side by side, so counting windows by pair is the whole of the intersection.
    pair = _owner(truth) * len(said.label) + _owner(said)
    pairs, common = np.unique(pair, return_counts=True)
    of_truth, of_said = np.divmod(pairs, len(said.label))
    whole = (truth.end - truth.begin)[of_truth] + (said.end - said.begin)[of_said] - common
    share = np.where(truth.label[of_truth] == said.label[of_said], common / whole, 0.0)
    found: set[int] = set()
    taken: set[int] = set()
    for at in np.argsort(-share, kind="stable")[: np.count_nonzero(share >= overlap - 1e-12)]:
        true, guess = int(of_truth[at]), int(of_said[at])
        if true not in found and guess not in taken:
            found.add(true)
            taken.add(guess)
    return np.array(sorted(found), np.int64)


def _owner(events: _Events) -> Integers:
    """Number of the event that each window belongs to."""
    return np.repeat(np.arange(len(events.label)), events.end - events.begin)


def _delays(truth: _Events, said: NDArray[np.int64]) -> Integers:
    """Windows until each event after the first is noticed, -1 for never; the first began before the stretch did."""
    found = np.full(len(truth.label) - 1, -1, np.int64)
    for at in range(1, len(truth.label)):
        right = np.flatnonzero(said[truth.begin[at] : truth.end[at]] == truth.label[at])
        if len(right):
            found[at - 1] = right[0]
    return found


def _unexplained(truth: _Events, said: _Events, early: int) -> int:
    """How many predicted changes no true event explains."""
    explained = np.zeros(len(truth.label), np.bool_)
    false = 0
    for at in range(len(said.label)):
        fits = (truth.label == said.label[at]) & (truth.begin - early <= said.begin[at]) & (said.begin[at] < truth.end)
        fits &= ~explained
        if fits.any():
            explained[np.flatnonzero(fits)[0]] = True
        elif at > 0:  # what a stretch begins with is no change
            false += 1
    return false
