"""Decode anyone's predictions of windows with times: each fold by what the other folds' subjects did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..evaluation import Predictions, are_probabilities
from ..evaluation.events import sort_by_time, usual_hop
from .choose import choose_numbers
from .decoder import Decoded
from .fit import fit_decoder
from .grammar import Grammar
from .sequences import Floats, Gaps, Integers, order_windows

#: Lowest probability whose logarithm is taken.
LOWEST = 1e-12


def decode_predictions(
    predictions: Predictions,
    kind: str,
    *,
    delays: Sequence[int | None] = (0, None),
    grammar: Grammar | None = None,
    hop: float | None = None,
) -> tuple[Predictions, ...]:
    """Decode predictions of continuous recordings, with several delays.

    Usual durations, class priors and what follows what come from the true classes of the subjects of the *other* folds,
    and so do the decoder's numbers (``choose_numbers``): nothing is fitted to the subjects that are decoded.

    Args:
        predictions: with scores, recordings and times, of two or more folds; windows without a class (-1) are part of
            their sequences.
        kind: as in ``fit_decoder``.
        delays: lags in windows, None for offline.
        grammar: needed by ``grammar`` only.
        hop: seconds from one window to the next; by default the most frequent distance.

    Returns:
        Predictions for each delay, named ``NAME@0`` … or ``NAME@offline``, with the decoder's probabilities as scores.

    Raises:
        UserError: scores, recordings or times are missing, or there is only one fold.

    Example:
        >>> import numpy as np
        >>> from stillmotion.decoding import decode_predictions
        >>> from stillmotion.evaluation import Predictions
        >>> y, subject = np.tile(np.repeat([0, 1], 10), 4), np.repeat(np.arange(4), 20)
        >>> scores = 3 * np.eye(2)[y] + np.random.default_rng(0).normal(0, 2, (80, 2))
        >>> where = {"recording": subject, "time": np.tile(np.arange(20.0), 4)}
        >>> alone = Predictions.of("lm", subject=subject, fold=subject % 2, seed=0, y=y, scores=scores, **where)
        >>> (offline,) = decode_predictions(alone, "duration", delays=[None])
        >>> offline.variant, float((alone.prediction == y).mean()), float((offline.prediction == y).mean())
        ('lm@offline', 0.8375, 0.975)
    """
    name = predictions.variant
    if predictions.scores is None or predictions.recording is None or predictions.time is None:
        raise UserError(f"{name}: decoding needs scores and the columns recording and time.")
    folds = np.unique(predictions.fold)
    if len(folds) < 2:
        raise UserError(
            f"{name} has one fold; a decoder is fitted to the subjects of other folds, so two or more are needed."
        )
    order, source = sort_by_time(predictions)
    step = usual_hop(name, predictions.time[order], source) if hop is None else hop
    # Rows in order of their sequences; each run has its own.
    ordered = predictions.take(order)
    gaps = order_windows(source, predictions.time[order], step)[1]
    logits = _logits(predictions.scores[order])
    results = [Decoded(np.zeros(len(order), np.int64), np.zeros(logits.shape)) for _ in delays]
    for seed in np.unique(ordered.seed):
        of_seed = ordered.seed == seed
        for fold in folds:
            here, others = np.flatnonzero(of_seed & (ordered.fold == fold)), of_seed & (ordered.fold != fold)
            if not len(here):
                continue
            decoded = _decode_fold(ordered, logits, gaps, here, np.flatnonzero(others), kind, delays, grammar, step)
            for result, each in zip(results, decoded, strict=True):
                result.labels[here], result.probabilities[here] = each.labels, each.probabilities
    back = np.argsort(order)
    return tuple(
        replace(
            predictions,
            variant=f"{name}@{'offline' if delay is None else delay}",
            prediction=result.labels[back],
            scores=result.probabilities[back].astype(np.float32),
        )
        for delay, result in zip(delays, results, strict=True)
    )


def _decode_fold(
    ordered: Predictions,
    logits: Floats,
    gaps: Gaps,
    here: Integers,
    others: Integers,
    kind: str,
    delays: Sequence[int | None],
    grammar: Grammar | None,
    hop: float,
) -> list[Decoded]:
    """Decode the windows of a fold with a decoder of the windows of the other folds."""
    if not len(others):
        raise UserError(f"{ordered.variant}: a seed has one fold only; each seed needs two or more to decode.")
    truth = ordered.y[others]
    before = gaps[others]
    numbers = choose_numbers(
        kind,
        ordered.classes,
        truth,
        logits=logits[others],
        truth=truth,
        delays=delays,
        gaps=before,
        validation_gaps=before,
        grammar=grammar,
    )
    decoder = fit_decoder(kind, ordered.classes, truth, hop=hop, gaps=before, grammar=grammar, **asdict(numbers))
    return [decoder.with_lag(delay).decode(logits[here], gaps[here]) for delay in delays]


def _logits(scores: NDArray[np.float32]) -> Floats:
    values = np.asarray(scores, np.float64)
    return np.asarray(np.log(np.maximum(values, LOWEST))) if are_probabilities(values) else values
