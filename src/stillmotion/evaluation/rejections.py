"""Scores of windows that are answered "unknown", and of answers where there is no class."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserError
from .events import find_stretches, sort_by_time, usual_hop
from .metrics import confusion_matrix, macro_f1
from .predictions import Predictions


@dataclass(frozen=True)
class RejectionScores:
    """What rejecting windows costs and what it saves, over all recordings of all runs; NaN where there is nothing.

    Args:
        rejected: share of the windows with a class that are rejected.
        macro_f1: of the windows with a class that are accepted; classes without such a window are left out.
        activations: false activations an hour, in stretches without a class: bouts of one class that is accepted. A
            bout that goes on from before the stretch counts too.
        answered: share of the windows without a class that are accepted.
        hours: time without a class.
    """

    rejected: float
    macro_f1: float
    activations: float
    answered: float
    hours: float

    def to_dict(self) -> dict[str, float | None]:
        """Return plain values, ready for JSON; None instead of NaN."""
        return {name: None if np.isnan(value) else value for name, value in asdict(self).items()}


def score_rejections(
    predictions: Predictions, rejected: ArrayLike | None = None, *, hop: float | None = None
) -> RejectionScores:
    """Score predictions of continuous recordings of which some windows are rejected.

    Args:
        predictions: with recordings and times; windows without a class (-1) are those in which every answer is false.
        rejected: (n,) windows that are answered "unknown"; none by default.
        hop: seconds between two windows; by default the most frequent distance.

    Returns:
        Share rejected, macro-F1 of the accepted, false activations an hour.

    Raises:
        UserError: a recording or a time is missing, or there is not one value of ``rejected`` a window.

    Example:
        >>> from stillmotion.evaluation import Predictions, score_rejections
        >>> columns = {"y": [0, 0, -1, -1, 1], "prediction": [0, 1, 1, 0, 1], "recording": "a", "time": range(5)}
        >>> predictions = Predictions.of("lm", subject="ann", fold=0, seed=0, **columns)
        >>> scores = score_rejections(predictions, [False, True, True, False, False])
        >>> scores.activations, scores.macro_f1, round(scores.rejected, 2)  # one bout in two seconds
        (1800.0, 1.0, 0.33)
    """
    if predictions.recording is None or predictions.time is None:
        raise UserError(f"{predictions.variant}: false activations need the columns recording and time.")
    unsure = np.zeros(len(predictions), np.bool_) if rejected is None else np.asarray(rejected, np.bool_)
    if unsure.shape != predictions.y.shape:
        raise UserError(
            f"rejected has the shape {unsure.shape}; expected one value for each of {len(predictions)} rows."
        )
    order, source = sort_by_time(predictions)
    time, known = predictions.time[order], predictions.y[order] >= 0
    accepted, labels = ~unsure[order], predictions.prediction[order]
    step = usual_hop(predictions.variant, time, source) if hop is None else hop
    active = accepted & ~known
    # A bout goes on where the window before, in the same stretch, is active with the same class.
    goes_on = np.zeros(len(order), np.bool_)
    for part in find_stretches(time, source, step):
        here = slice(part.start + 1, part.stop)
        before = slice(part.start, part.stop - 1)
        goes_on[here] = active[before] & (labels[before] == labels[here])
    hours = float((~known).sum() * step / 3600)
    cells = confusion_matrix(predictions.y[order][known & accepted], labels[known & accepted], len(predictions.classes))
    return RejectionScores(
        rejected=_share(known & ~accepted, known),
        macro_f1=float(macro_f1(cells, absent="skip")) if cells.any() else float("nan"),
        activations=float((active & ~goes_on).sum() / hours) if hours else float("nan"),
        answered=_share(active, ~known),
        hours=hours,
    )


def _share(part: ArrayLike, whole: ArrayLike) -> float:
    total = int(np.count_nonzero(np.asarray(whole)))
    return int(np.count_nonzero(np.asarray(part))) / total if total else float("nan")
