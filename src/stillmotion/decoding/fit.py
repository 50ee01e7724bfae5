"""Fit a decoder to labelled windows in a row of training subjects."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataWarning, UnknownName, UserError
from .decoder import KINDS, WIDEST, Decoder
from .grammar import Grammar
from .sequences import Floats
from .transitions import count_transitions, leave_evenly, make_transitions, usual_durations

#: Probability that an activity is followed by one that the grammar does not allow.
SLIP = 1e-3
#: Nats that one window can speak against a class: a window that is sure and wrong does not outweigh all others.
SPAN = 14.0
#: Share of the log-prior of the classes that is divided out. Students are trained with square-root class weights by
#: default, so they learn about half of how often a class occurs.
PRIOR = 0.5
#: Longest gap that is stepped over, in windows.
LONGEST_GAP = 8


def fit_decoder(
    kind: str,
    classes: Sequence[str],
    labels: ArrayLike,
    *,
    hop: float,
    gaps: ArrayLike | None = None,
    grammar: Grammar | None = None,
    stay: float = 1.0,
    temperature: float = 1.0,
    prior: float = PRIOR,
    span: float = SPAN,
    lag: int | None = 0,
    longest_gap: int = LONGEST_GAP,
    thresholds: Mapping[str, float] | None = None,
) -> Decoder:
    """Fit a decoder to the labelled windows of training subjects.

    ``none`` answers each window alone. The others stay in an activity with the probability that its usual duration
    gives; when it ends, ``duration`` lets every other one follow with equal probability, ``grammar`` those that can
    follow by physics, and ``learned`` those that did follow in the training subjects.

    Args:
        kind: ``none``, ``duration``, ``grammar`` or ``learned``.
        classes: their names.
        labels: (n,) class of each window of the training subjects, -1 for none, sequences one after another.
        hop: seconds from one window to the next.
        gaps: (n,) hops since the window before, 0 at the start of a sequence (``order_windows``); one sequence without
            gaps by default.
        grammar: what can follow what; needed by ``grammar`` only.
        stay: factor of the usual durations.
        temperature: divisor of the logits (``fit_temperature``, and more where neighbouring windows agree in their
            errors).
        prior: share of the log-prior of the classes that is divided out, 0 to 1.
        span: most nats that one window can speak against a class.
        lag: windows of future that an answer waits for; None for the whole recording.
        longest_gap: longest gap, in windows, over which the chain goes on.
        thresholds: by delay, the lowest probability with which a window is answered (``choose_numbers``).

    Returns:
        The decoder.

    Warns:
        DataWarning: ``learned`` transitions are the order in which the training subjects were asked to do things.

    Raises:
        UserError: an argument is out of range, or ``grammar`` lacks a grammar or names another class.

    Example:
        >>> import numpy as np
        >>> from stillmotion.decoding import fit_decoder
        >>> decoder = fit_decoder("duration", ("rest", "walk"), [0] * 8 + [1] * 8, hop=1.0)
        >>> np.exp(decoder.log_transition).round(3)
        array([[0.875, 0.125],
               [0.125, 0.875]])
    """
    truth = np.asarray(labels, np.int64)
    if kind not in KINDS:
        raise UnknownName("kind of decoder", kind, list(KINDS))
    if not len(truth) or truth.max() < 0 or truth.max() >= len(classes) or truth.min() < -1:
        raise UserError(f"A decoder is fitted to labels from 0 to {len(classes) - 1} (-1 for no class), at least one.")
    if not stay > 0:
        raise UserError(f"The factor of usual durations must be above 0, not {stay}.")
    even = np.full(len(classes), -np.log(len(classes)))
    if kind == "none":
        transition, log_prior, span = np.tile(even, (len(classes), 1)), np.zeros(len(classes)), WIDEST
    else:
        leave = leaving(kind, classes, truth, gaps, grammar)
        transition = make_transitions(stay * usual_durations(truth, len(classes), gaps), leave)
        log_prior = prior * log_class_prior(truth, len(classes))
    return Decoder(
        kind=kind,
        classes=tuple(classes),
        hop=hop,
        log_transition=transition,
        log_start=even,
        log_prior=log_prior,
        temperature=temperature,
        span=span,
        lag=lag,
        longest_gap=longest_gap,
        thresholds=thresholds or {},
    )


def leaving(
    kind: str, classes: Sequence[str], labels: ArrayLike, gaps: ArrayLike | None, grammar: Grammar | None
) -> Floats:
    """Return the probability (C, C) of each class after another, 0 on the diagonal."""
    every = np.ones((len(classes), len(classes)))
    if kind == "grammar":
        if grammar is None:
            raise UserError("A decoder of kind 'grammar' needs a grammar; give a built-in name or a .toml file.")
        return leave_evenly(grammar.allowed(classes), SLIP)
    if kind == "learned":
        warnings.warn(
            "Learned transitions are the order in which the training subjects were asked to do things: where a data "
            "set is scripted, or has one activity a recording, scores with them say nothing about daily life.",
            DataWarning,
            stacklevel=3,
        )
        # One more of each: what never happened in training may happen.
        counts = (count_transitions(labels, len(classes), gaps) + 1) * (1 - np.eye(len(classes)))
        return np.asarray(counts / counts.sum(1, keepdims=True))
    return leave_evenly(every)


def log_class_prior(labels: ArrayLike, classes: int) -> Floats:
    """Return the logarithm (C,) of how often each class occurs; one window more each, so that none is impossible."""
    truth = np.asarray(labels, np.int64)
    counts = np.bincount(truth[truth >= 0], minlength=classes) + 1.0
    return np.asarray(np.log(counts / counts.sum()))


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Fit the temperature that makes the likelihood of labels highest (Guo et al. 2017).

    Args:
        logits: (n, C) of windows of validation subjects; log-probabilities serve as well.
        labels: (n,) their classes.

    Returns:
        The divisor of the logits, from 0.05 to 20.

    Raises:
        UserError: there are no windows, or a label has no logit.

    Example:
        >>> import numpy as np
        >>> from stillmotion.decoding import fit_temperature
        >>> logits = np.log([[0.99, 0.01]] * 4)  # certain, and wrong one time in four
        >>> round(fit_temperature(logits, [0, 0, 0, 1]), 2)
        4.18
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    scores, truth = np.asarray(logits, np.float64), np.asarray(labels, np.int64)
    fits = scores.ndim == 2 and truth.shape == scores.shape[:1] and len(truth) > 0
    if not fits or truth.min() < 0 or truth.max() >= scores.shape[1]:
        raise UserError(
            f"A temperature needs logits (windows, classes) and the class of each window, not {scores.shape} and "
            f"{truth.shape}."
        )
    right = scores[np.arange(len(truth)), truth]

    def loss(log_temperature: float) -> float:
        factor = np.exp(-log_temperature)
        return float(np.mean(logsumexp(factor * scores, axis=1) - factor * right))

    best = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(best.x))
