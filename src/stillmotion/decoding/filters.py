"""Decode sequences of windows: forward filter, fixed lag, smoothing, best path.

All take the *evidence* of windows, log-likelihoods up to a constant a window, with sequences one after another and
``gaps`` (n,) between neighbours: 0 starts a sequence, 1 follows at once, g means that g − 1 windows without evidence
lie between. Several settings are decoded at once along a leading axis. A window costs C² products. Transition
probabilities of 0 are allowed, as long as a path with a probability above 0 exists.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserError
from .sequences import Floats, Gaps, Integers, check_gaps, steps

_Product = Callable[[Floats, Floats], Floats]


def filter_forward(
    evidence: ArrayLike, log_transition: ArrayLike, log_start: ArrayLike, gaps: ArrayLike | None = None
) -> Floats:
    """Filter forward: the probability of each class given this window and those before it.

    Args:
        evidence: (…, n, C) log-likelihoods, up to a constant a window.
        log_transition: (…, C, C) log-probability of the class of a column after the class of a row.
        log_start: (…, C) log-probability of the first class.
        gaps: (n,) hops since the window before, 0 at a start; one sequence without gaps by default.

    Returns:
        (…, n, C) probabilities.

    Raises:
        UserError: the shapes do not match.

    Example:
        >>> import numpy as np
        >>> from stillmotion.decoding import filter_forward
        >>> stay = np.log([[0.9, 0.1], [0.1, 0.9]])
        >>> filter_forward(np.log([[0.8, 0.2], [0.4, 0.6]]), stay, np.log([0.5, 0.5])).round(2)
        array([[0.8 , 0.2 ],
               [0.65, 0.35]])
    """
    scores, matrix, start, hops = _checked(evidence, log_transition, log_start, gaps)
    powers = _Powers(np.exp(matrix), hops)
    probabilities = np.empty_like(scores)
    for number, rows in enumerate(steps(hops)):
        if number == 0:
            joint = start[..., None, :] + scores[..., rows, :]
        else:
            joint = _log(powers.after(probabilities[..., rows - 1, :], rows)) + scores[..., rows, :]
        probabilities[..., rows, :] = _normalise(joint)
    return probabilities


def smooth_lag(
    evidence: ArrayLike, log_transition: ArrayLike, log_start: ArrayLike, lag: int, gaps: ArrayLike | None = None
) -> Floats:
    """Smooth with a fixed lag: the probability of each class given the windows up to ``lag`` after it.

    Args:
        evidence: (…, n, C) log-likelihoods, up to a constant a window.
        log_transition: (…, C, C) log-probability of the class of a column after the class of a row.
        log_start: (…, C) log-probability of the first class.
        lag: windows of future; 0 is the forward filter. Near the end of a sequence there are fewer.
        gaps: (n,) hops since the window before, 0 at a start.

    Returns:
        (…, n, C) probabilities.

    Raises:
        UserError: the shapes do not match, or the lag is below 0.

    Example:
        >>> import numpy as np
        >>> from stillmotion.decoding import smooth_lag
        >>> stay = np.log([[0.9, 0.1], [0.1, 0.9]])
        >>> smooth_lag(np.log([[0.8, 0.2], [0.4, 0.6]]), stay, np.log([0.5, 0.5]), 1).round(2)
        array([[0.74, 0.26],
               [0.65, 0.35]])
    """
    if lag < 0:
        raise UserError(f"A lag must be 0 windows or more, not {lag}.")
    scores, matrix, start, hops = _checked(evidence, log_transition, log_start, gaps)
    forward = filter_forward(scores, matrix, start, hops)
    powers = _Powers(np.exp(matrix), hops)
    follows = np.flatnonzero(hops[1:] != 0)  # windows with a window after them in their sequence
    future = np.zeros_like(scores)  # log-probability of the windows after each, up to a constant
    for _ in range(min(lag, len(hops))):
        later = future[..., follows + 1, :] + scores[..., follows + 1, :]
        future[..., follows, :] = powers.before(later, follows + 1)
    return _normalise(_log(forward) + future)


def smooth(
    evidence: ArrayLike, log_transition: ArrayLike, log_start: ArrayLike, gaps: ArrayLike | None = None
) -> Floats:
    """Smooth a whole sequence (forward-backward): the probability of each class given all windows.

    Args:
        evidence: (…, n, C) log-likelihoods, up to a constant a window.
        log_transition: (…, C, C) log-probability of the class of a column after the class of a row.
        log_start: (…, C) log-probability of the first class.
        gaps: (n,) hops since the window before, 0 at a start.

    Returns:
        (…, n, C) probabilities.

    Raises:
        UserError: the shapes do not match.

    Example:
        >>> import numpy as np
        >>> from stillmotion.decoding import smooth
        >>> stay = np.log([[0.9, 0.1], [0.1, 0.9]])
        >>> smooth(np.log([[0.8, 0.2], [0.4, 0.6]]), stay, np.log([0.5, 0.5])).round(2)
        array([[0.74, 0.26],
               [0.65, 0.35]])
    """
    scores, matrix, start, hops = _checked(evidence, log_transition, log_start, gaps)
    forward = filter_forward(scores, matrix, start, hops)
    powers = _Powers(np.exp(matrix), hops)
    future = np.zeros_like(scores)
    for rows in reversed(list(steps(hops))):
        rows = rows[hops[rows] != 0]
        future[..., rows - 1, :] = powers.before(future[..., rows, :] + scores[..., rows, :], rows)
    return _normalise(_log(forward) + future)


def find_path(
    evidence: ArrayLike, log_transition: ArrayLike, log_start: ArrayLike, gaps: ArrayLike | None = None
) -> Integers:
    """Find the most probable path of each sequence (Viterbi 1967); of equals, the lower class.

    Args:
        evidence: (…, n, C) log-likelihoods, up to a constant a window.
        log_transition: (…, C, C) log-probability of the class of a column after the class of a row.
        log_start: (…, C) log-probability of the first class.
        gaps: (n,) hops since the window before, 0 at a start. Over a gap the path may change class with the
            probability that it does so in any number of steps.

    Returns:
        (…, n) classes.

    Raises:
        UserError: the shapes do not match.

    Example:
        >>> import numpy as np
        >>> from stillmotion.decoding import find_path
        >>> stay = np.log([[0.9, 0.1], [0.1, 0.9]])
        >>> find_path(np.log([[0.8, 0.2], [0.4, 0.6], [0.7, 0.3]]), stay, np.log([0.5, 0.5]))
        array([0, 0, 0])
    """
    scores, matrix, start, hops = _checked(evidence, log_transition, log_start, gaps)
    powers = _Powers(np.exp(matrix), hops)
    best = np.empty_like(scores)
    came = np.zeros(scores.shape, np.int64)
    in_order = list(steps(hops))
    for number, rows in enumerate(in_order):
        if number == 0:
            best[..., rows, :] = start[..., None, :] + scores[..., rows, :]
        else:
            through = best[..., rows - 1, :, None] + powers.logs(rows)
            came[..., rows, :] = through.argmax(-2)
            best[..., rows, :] = through.max(-2) + scores[..., rows, :]
        best[..., rows, :] -= best[..., rows, :].max(-1, keepdims=True)
    path = best.argmax(-1)
    for rows in reversed(in_order):
        rows = rows[hops[rows] != 0]
        path[..., rows - 1] = np.take_along_axis(came[..., rows, :], path[..., rows, None], -1)[..., 0]
    return np.asarray(path, np.int64)


class _Powers:
    """Transitions over each gap: the matrix to the power of the hops."""

    def __init__(self, matrix: Floats, gaps: Gaps) -> None:
        self._gaps = gaps
        self._of = {int(g): np.linalg.matrix_power(matrix, int(g)) for g in np.unique(gaps) if g > 0}
        self._logs = {g: _log(power) for g, power in self._of.items()}

    def after(self, probabilities: Floats, rows: Integers) -> Floats:
        """Predict (…, r, C) for windows from the probabilities of those before them."""
        return self._by_gap(rows, probabilities, lambda values, power: values @ power)

    def before(self, later: Floats, rows: Integers) -> Floats:
        """Return log-probabilities (…, r, C) of what comes later, by the class of the window before ``rows``."""
        most = later.max(-1, keepdims=True)
        return _log(self._by_gap(rows, np.exp(later - most), lambda values, power: values @ power.swapaxes(-1, -2)))

    def logs(self, rows: Integers) -> Floats:
        """Return log-transitions (…, r, C, C) into windows."""
        gaps = self._gaps[rows]
        stacked = np.stack([self._logs[g] for g in self._logs], axis=-3)
        return stacked[..., np.searchsorted(list(self._logs), gaps), :, :]

    def _by_gap(self, rows: Integers, values: Floats, multiply: _Product) -> Floats:
        gaps = self._gaps[rows]
        if len(self._of) == 1 or (len(rows) and (gaps == gaps[0]).all()):
            return multiply(values, self._of[int(gaps[0])]) if len(rows) else values
        result = np.empty_like(values)
        for gap in np.unique(gaps):
            at = np.flatnonzero(gaps == gap)
            result[..., at, :] = multiply(values[..., at, :], self._of[int(gap)])
        return result


def _log(values: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(values))


def _normalise(joint: Floats) -> Floats:
    powers = np.exp(joint - joint.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def _checked(
    evidence: ArrayLike, log_transition: ArrayLike, log_start: ArrayLike, gaps: ArrayLike | None
) -> tuple[Floats, Floats, Floats, Gaps]:
    scores, matrix, start = (np.asarray(each, np.float64) for each in (evidence, log_transition, log_start))
    classes = start.shape[-1] if start.ndim else 0
    if scores.ndim < 2 or scores.shape[-1] != classes or matrix.shape[-2:] != (classes, classes):
        raise UserError(
            f"A decoder needs evidence (windows, classes), transitions (classes, classes) and a start (classes), not "
            f"{scores.shape}, {matrix.shape} and {start.shape}."
        )
    if not np.isfinite(scores).all():
        raise UserError("The evidence of a window is not finite; decode windows with finite scores only.")
    settings = np.broadcast_shapes(scores.shape[:-2], matrix.shape[:-2], start.shape[:-1])
    shape = (*settings, *scores.shape[-2:])
    return np.array(np.broadcast_to(scores, shape)), matrix, start, check_gaps(gaps, scores.shape[-2])
