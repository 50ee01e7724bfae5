"""Bouts: which true events are seen, split, merged or lost, which predicted ones are invented, and minutes by class.

The categories are those of Ward, Lukowicz & Gellersen (2011), counted by class, so that short transitions are not
drowned by long activities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .events import Events, continuous, find_events, find_stretches, number_events, sort_by_time, usual_hop
from .metrics import Floats
from .predictions import Integers, Predictions

#: Windows before and after a true event in which it still counts as seen.
NEAR = 1


@dataclass(frozen=True, eq=False)
class BoutScores:
    """Bouts of each class (C,), over all stretches of all runs.

    Args:
        true: true events.
        seen: of them, those with their class predicted in them or within one window of them.
        fragmented: of them, those that two or more predicted events of their class overlap.
        merged: of them, those that share a predicted event of their class with another one.
        deleted: of them, those without a window of their class.
        predicted: predicted events.
        inserted: of them, those that overlap no true event of their class.
        minutes: true minutes.
        minutes_predicted: predicted minutes.
    """

    true: Integers
    seen: Integers
    fragmented: Integers
    merged: Integers
    deleted: Integers
    predicted: Integers
    inserted: Integers
    minutes: Floats
    minutes_predicted: Floats

    def shares(self, classes: ArrayLike | None = None) -> dict[str, float | None]:
        """Return shares over some classes, ready for JSON; None without an event.

        Args:
            classes: numbers or a mask; all of them by default.

        Returns:
            ``seen``, ``fragmented``, ``merged`` and ``deleted`` of the true events, ``inserted`` of the predicted ones,
            and ``duration_error``: minutes given to a wrong class, summed over classes, as a share of all minutes.
        """
        chosen = slice(None) if classes is None else np.asarray(classes)
        true, predicted = int(self.true[chosen].sum()), int(self.predicted[chosen].sum())
        shares: dict[str, float | None] = {
            name: int(getattr(self, name)[chosen].sum()) / true if true else None
            for name in ("seen", "fragmented", "merged", "deleted")
        }
        minutes = float(self.minutes[chosen].sum())
        apart = float(np.abs(self.minutes_predicted - self.minutes)[chosen].sum())
        return shares | {
            "inserted": int(self.inserted[chosen].sum()) / predicted if predicted else None,
            "duration_error": apart / minutes if minutes else None,
        }

    def rows(self, classes: Sequence[str]) -> list[dict[str, str | int | float]]:
        """Return the counts and minutes of each class, as rows of a table."""
        return [
            {"class": name} | {key: getattr(self, key)[at].item() for key in self.__dataclass_fields__}
            for at, name in enumerate(classes)
        ]


def score_bouts(predictions: Predictions, *, hop: float | None = None) -> BoutScores:
    """Score bouts: events seen, fragmented, merged, deleted and inserted, and minutes, by class.

    Args:
        predictions: of continuous recordings; runs, subjects and recordings are scored separately.
        hop: seconds between two windows; by default the most frequent distance.

    Returns:
        Counts and minutes by class.

    Raises:
        UserError: a recording or a time is missing, or there is no window.

    Example:
        >>> from stillmotion.evaluation import Predictions, score_bouts
        >>> columns = {"y": [0, 0, 0, 1, 0, 0], "prediction": [0, 1, 0, 0, 0, 0], "recording": "a", "time": range(6)}
        >>> predictions = Predictions.of("lm", subject="ann", fold=0, seed=0, **columns)
        >>> bouts = score_bouts(predictions)
        >>> bouts.fragmented, bouts.merged, bouts.deleted, bouts.inserted
        (array([1, 0]), array([2, 0]), array([0, 1]), array([0, 1]))
    """
    predictions = continuous(predictions)
    order, source = sort_by_time(predictions)
    assert predictions.time is not None
    time = predictions.time[order]
    step = usual_hop(predictions.variant, time, source) if hop is None else hop
    truth, predicted = predictions.y[order], predictions.prediction[order]
    classes = len(predictions.classes)
    counts = np.zeros((7, classes), np.int64)
    for part in find_stretches(time, source, step):
        counts += _count(truth[part], predicted[part], classes)
    minutes = [np.bincount(labels, minlength=classes) * step / 60 for labels in (truth, predicted)]
    return BoutScores(*counts, *minutes)


def _count(truth: Integers, predicted: Integers, classes: int) -> Integers:
    """Count the seven kinds of events (7, C) of one stretch."""
    real, given = find_events(truth), find_events(predicted)
    right = truth == predicted
    # Pairs of a true and a predicted event that share windows of one class.
    pairs = np.unique(number_events(real)[right] * len(given.label) + number_events(given)[right])
    of_real, of_given = np.divmod(pairs, len(given.label))
    parts = np.bincount(of_real, minlength=len(real.label))
    wholes = np.bincount(of_given, minlength=len(given.label))
    merged = np.zeros(len(real.label), np.bool_)
    merged[of_real[wholes[of_given] > 1]] = True
    by_class = [
        (real, np.ones(len(real.label), np.bool_)),
        (real, _near(real, predicted)),
        (real, parts > 1),
        (real, merged),
        (real, parts == 0),
        (given, np.ones(len(given.label), np.bool_)),
        (given, wholes == 0),
    ]
    return np.stack([np.bincount(events.label[chosen], minlength=classes) for events, chosen in by_class])


def _near(events: Events, predicted: Integers) -> NDArray[np.bool_]:
    """Tell whether the class of each event is predicted in it or next to it."""
    edges = zip(events.label, events.begin, events.end, strict=True)
    return np.array([(predicted[max(0, begin - NEAR) : end + NEAR] == label).any() for label, begin, end in edges])
