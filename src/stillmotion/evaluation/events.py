"""Event scores of continuous recordings: activities with an onset and an end.

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
    """Event scores over all stretches of all runs.

    Args:
        segment_f1: 2 · matched / (true + predicted events), over all classes.
        f1_per_class: the same for each class, NaN if it has neither a true nor a predicted event.
        delays: seconds from the onset of each true event to its first window with the right prediction, 0 for the
            first window; only of events whose onset lies within a stretch, and only of those detected.
        missed: share of those events without any right prediction.
        false_transitions: changes of the predicted class that no change of the true class explains, per hour.
        hours: total time.
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
        """Return plain values, ready for JSON; None instead of NaN."""
        values = {
            "segment_f1": self.segment_f1,
            "onset_delay_s": self.onset_delay,
            "missed": self.missed,
            "false_transitions_per_hour": self.false_transitions,
            "hours": self.hours,
        }
        return {name: None if np.isnan(value) else value for name, value in values.items()}


@dataclass(frozen=True, eq=False)
class Events:
    """Runs of one class: class, first window and end (exclusive)."""

    label: Integers
    begin: Integers
    end: Integers


def score_events(
    predictions: Predictions, *, overlap: float = 0.5, hop: float | None = None, tolerance: float | None = None
) -> EventScores:
    """Score one variant by events; its rows need ``recording`` and ``time``.

    A predicted event matches a true one of its class when intersection over union of their times reaches
    ``overlap``; each matches once, best overlap first (Lea et al. 2017, F1@k). A predicted transition to a class is
    correct if it falls between ``tolerance`` before the onset of a true event of that class and its end, once per
    event; every other transition is false.

    Args:
        predictions: of continuous recordings; runs, subjects and recordings are scored separately.
        overlap: above 0, at most 1.
        hop: seconds between two windows; by default the most frequent distance.
        tolerance: seconds that a transition may come early; one hop by default.

    Returns:
        F1 of events, delays of onsets, false transitions per hour.

    Raises:
        UserError: a recording or a time is missing, or an argument is out of range.

    Example:
        >>> from stillmotion.evaluation import Predictions, score_events
        >>> columns = {"y": [0, 0, 1, 1], "prediction": [0, 0, 0, 1], "recording": "a", "time": [0, 1, 2, 3]}
        >>> predictions = Predictions.of("lm", subject="ann", fold=0, seed=0, **columns)
        >>> score_events(predictions).onset_delay
        1.0
    """
    predictions = continuous(predictions)
    if not 0 < overlap <= 1:
        raise UserError(f"An overlap must be above 0 and at most 1, not {overlap}.")
    order, source = sort_by_time(predictions)
    assert predictions.time is not None
    time = predictions.time[order]
    step = usual_hop(predictions.variant, time, source) if hop is None else hop
    if not step > 0:
        raise UserError(f"A hop must be longer than 0 s, not {step} s.")
    early = round((step if tolerance is None else tolerance) / step)
    classes = len(predictions.classes)
    matched, true_events, predicted_events = np.zeros((3, classes), np.int64)
    delays: list[float] = []
    onsets = false = 0
    for part in find_stretches(time, source, step):
        truth = find_events(predictions.y[order[part]])
        predicted = find_events(predictions.prediction[order[part]])
        matched += np.bincount(truth.label[_matched(truth, predicted, overlap)], minlength=classes)
        true_events += np.bincount(truth.label, minlength=classes)
        predicted_events += np.bincount(predicted.label, minlength=classes)
        windows = _delays(truth, predictions.prediction[order[part]])
        onsets += len(windows)
        delays.extend(step * windows[windows >= 0])
        false += _false_transitions(truth, predicted, early)
    hours = len(order) * step / 3600
    both = true_events + predicted_events
    return EventScores(
        float(2 * matched.sum() / both.sum()),
        np.divide(2 * matched, both, out=np.full(classes, np.nan), where=both > 0),
        np.asarray(delays, np.float64),
        1 - len(delays) / onsets if onsets else float("nan"),
        false / hours,
        hours,
    )


def continuous(predictions: Predictions) -> Predictions:
    """Return the windows with a class; raise ``UserError`` if there is none, or if they have no recording or time."""
    if predictions.recording is None or predictions.time is None:
        raise UserError(f"{predictions.variant}: event scores need the columns recording and time.")
    predictions = predictions.labelled()
    if len(predictions) == 0:
        raise UserError(f"{predictions.variant}: there are no windows to score.")
    return predictions


def sort_by_time(predictions: Predictions) -> tuple[Integers, Integers]:
    """Sort rows by run, recording and time; also return the source of each row after sorting."""
    source = np.zeros(len(predictions), np.int64)
    for column in (predictions.seed, predictions.fold, predictions.subject, predictions.recording):
        assert column is not None
        codes = np.unique(column, return_inverse=True)[1]
        source = np.unique(source * (codes.max() + 1) + codes, return_inverse=True)[1]
    assert predictions.time is not None
    order = np.lexsort((predictions.time, source))
    return order.astype(np.int64), source[order].astype(np.int64)


def usual_hop(variant: str, time: Floats, source: Integers) -> float:
    """Return the most frequent distance of neighbouring windows in seconds."""
    steps = np.diff(time)[np.diff(source) == 0]
    if len(steps) == 0:
        raise UserError(f"{variant}: every recording has one window only; give the hop, or leave out the time.")
    lengths, counts = np.unique(np.round(steps, 6), return_counts=True)
    if lengths[0] <= 0:
        raise UserError(f"{variant}: two windows of one recording and run begin at the same time.")
    return float(lengths[counts.argmax()])


def find_stretches(time: Floats, source: Integers, hop: float) -> Iterator[slice]:
    """Yield the stretches of sorted windows: runs of one source without a gap."""
    cuts = np.flatnonzero((np.diff(source) != 0) | (np.diff(time) > GAP * hop)) + 1
    edges = [0, *cuts.tolist(), len(time)]
    yield from (slice(begin, end) for begin, end in pairwise(edges))


def find_events(labels: Integers) -> Events:
    """Find the events of a stretch: runs of one class."""
    cuts = np.flatnonzero(np.diff(labels)) + 1
    begin = np.concatenate([[0], cuts]).astype(np.int64)
    return Events(labels[begin], begin, np.concatenate([cuts, [len(labels)]]).astype(np.int64))


def _matched(truth: Events, predicted: Events, overlap: float) -> Integers:
    """Find the true events that a predicted one matches; pairs with the best overlap are matched first."""
    # The windows of two events in common are consecutive, so their number is the intersection.
    pair = number_events(truth) * len(predicted.label) + number_events(predicted)
    pairs, common = np.unique(pair, return_counts=True)
    of_truth, of_predicted = np.divmod(pairs, len(predicted.label))
    whole = (truth.end - truth.begin)[of_truth] + (predicted.end - predicted.begin)[of_predicted] - common
    share = np.where(truth.label[of_truth] == predicted.label[of_predicted], common / whole, 0.0)
    matched: set[int] = set()
    used: set[int] = set()
    for at in np.argsort(-share, kind="stable")[: np.count_nonzero(share >= overlap - 1e-12)]:
        true, guess = int(of_truth[at]), int(of_predicted[at])
        if true not in matched and guess not in used:
            matched.add(true)
            used.add(guess)
    return np.array(sorted(matched), np.int64)


def number_events(events: Events) -> Integers:
    """Return the number of the event that each window belongs to."""
    return np.repeat(np.arange(len(events.label)), events.end - events.begin)


def _delays(truth: Events, predicted: NDArray[np.int64]) -> Integers:
    """Count windows until each event after the first is detected, -1 for never; the first has no onset."""
    delays = np.full(len(truth.label) - 1, -1, np.int64)
    for at in range(1, len(truth.label)):
        correct = np.flatnonzero(predicted[truth.begin[at] : truth.end[at]] == truth.label[at])
        if len(correct):
            delays[at - 1] = correct[0]
    return delays


def _false_transitions(truth: Events, predicted: Events, early: int) -> int:
    """Count the predicted transitions that no true event explains."""
    explained = np.zeros(len(truth.label), np.bool_)
    false = 0
    for at in range(len(predicted.label)):
        fits = (
            (truth.label == predicted.label[at])
            & (truth.begin - early <= predicted.begin[at])
            & (predicted.begin[at] < truth.end)
        )
        fits &= ~explained
        if fits.any():
            explained[np.flatnonzero(fits)[0]] = True
        elif at > 0:  # the first event of a stretch is no transition
            false += 1
    return false
