"""Several teachers as one: the weighted mean of their probabilities, with weights fitted on validation subjects."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .runs import Run

#: Largest gain of log-likelihood per window that a better choice of weights could still bring.
CLOSE = 1e-7
STEPS = 20_000

Logits = NDArray[np.float32]


def teacher_kinds(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return the networks and classifiers among the runs of a teacher, each once."""
    return tuple(dict.fromkeys(run.model for run in runs))


def weigh_kinds(runs: Sequence[Run], shares: NDArray[np.float64]) -> dict[str, float]:
    """Return the weight of each network and classifier among the runs of a teacher."""
    models = np.array([run.model for run in runs])
    return {kind: float(shares[models == kind].sum()) for kind in teacher_kinds(runs)}


def share_equally(runs: Sequence[Run]) -> NDArray[np.float64]:
    """Return equal weights (runs,) of the members of a teacher."""
    return np.full(len(runs), 1 / len(runs))


def share_by_fit(
    runs: Sequence[Run], predict: Callable[[Run], Logits | None], labels: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Return weights (runs,) of the members of a teacher, fitted on validation windows.

    Only kinds are weighed against each other: seeds of one kind, and its cross-fitted runs, are draws of the same
    training, so they share the weight of their kind equally.

    Args:
        runs: the members, in a fold.
        predict: gives the logits (n, C) of a member for the validation windows, or None.
        labels: (n,) of these windows.

    Returns:
        The weights, with the sum 1; None if a member has no predictions.
    """
    from scipy.special import softmax

    kinds = teacher_kinds(runs)
    of_kind = np.array([kinds.index(run.model) for run in runs])
    right = []
    for run in runs:
        logits = predict(run)
        if logits is None:
            return None
        right.append(softmax(logits, axis=1)[np.arange(len(labels)), labels])
    means = np.stack([np.mean(np.array(right)[of_kind == kind], axis=0) for kind in range(len(kinds))], axis=1)
    return np.asarray(fit_weights(means)[of_kind] / np.bincount(of_kind)[of_kind])


def fit_weights(right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit the weights of a mean of probabilities by log-loss: the maximum of Σ_n log Σ_k w_k p_nk on the simplex.

    The problem is convex. Expectation maximisation raises the likelihood in every step and keeps weights on the
    simplex; it ends where no weight can gain: at the optimum, mean_n p_nk / (p_n · w) is 1 for every weight above 0 and
    at most 1 for the others.

    Args:
        right: (n, K) the probability that each of K teachers gives to the true class of each window.

    Returns:
        The weights (K,), with the sum 1.

    Example:
        >>> import numpy as np
        >>> from stillmotion.studies.ensembles import fit_weights
        >>> fit_weights(np.array([[0.9, 0.2], [0.8, 0.4]])).round(3).tolist()
        [1.0, 0.0]
    """
    values = np.maximum(np.asarray(right, np.float64), 1e-12)
    weights = np.full(values.shape[1], 1 / values.shape[1])
    for _ in range(STEPS):
        gain = (values / (values @ weights)[:, None]).mean(0)
        if gain.max() - 1 < CLOSE:
            break
        weights = weights * gain
    return np.asarray(weights / weights.sum())
