"""Select window features by what they cost: recursive elimination, cross-validated over subjects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from ..evaluation import confusion_matrix, macro_f1
from ..features.cost import feature_cost
from ..features.feature_set import STANDARD, FeatureSet
from ..features.scale import fit_scale
from ..features.window_features import compute_feature_table
from ..windows import Windows

Floats = NDArray[np.floating[Any]]
#: What macro-F1 may lose by default: half a point. One standard error over subjects is one to three points, so the
#: usual rule of one standard error would give away more than most recipes bring.
TOLERANCE = 0.005
#: Groups of subjects of the cross-validation.
FOLDS = 5
#: Penalty of the ridge regression, for each training window and standardised feature.
PENALTY = 1e-3
#: A single feature is dropped by itself if that saves this part of the operations: choosing among a hundred features
#: that cost next to nothing fits the validation subjects' chance.
MEASURABLE = 0.01
#: From the scores of a ridge regression to logits.
FACTORS = np.geomspace(0.5, 16.0, 11)
#: What is limited, in words.
WORDS = {"operations": "operations", "constants": "bytes of constants"}


@dataclass(frozen=True)
class SelectionStep:
    """A set on the path of an elimination.

    Args:
        dropped: the unit that was dropped last, empty for the whole set.
        features: what is left.
        operations: FLOPs of a window with a linear softmax on these features, as ``still cost`` counts them.
        constants: bytes of that model in int8: weights, biases, standardisation, tables.
        macro_f1: on the validation windows.
        cross_entropy: mean over classes of that on their validation windows.
    """

    dropped: str
    features: FeatureSet
    operations: int
    constants: int
    macro_f1: float
    cross_entropy: float


@dataclass(frozen=True)
class FeatureSelection:
    """The path of an elimination, and the step that was selected.

    Args:
        path: from the whole set to one unit.
        selected: number of a step.
    """

    path: tuple[SelectionStep, ...]
    selected: int

    @property
    def step(self) -> SelectionStep:
        """The selected step."""
        return self.path[self.selected]

    @property
    def features(self) -> FeatureSet:
        """The selected features; their ``selection`` is the option ``features`` of networks."""
        return self.step.features

    def within(
        self, *, tolerance: float | None = None, operations: int | None = None, constants: int | None = None
    ) -> FeatureSelection:
        """Return the step of the same path that another tolerance or other limits select, see ``select_features``."""
        return FeatureSelection(self.path, _select(self.path, tolerance, operations, constants))


def select_features(
    windows: Windows,
    index: ArrayLike,
    *,
    groups: Sequence[str] = STANDARD,
    tolerance: float | None = None,
    operations: int | None = None,
    constants: int | None = None,
    folds: int = FOLDS,
) -> FeatureSelection:
    """Select the features that are worth their operations, by recursive elimination.

    A ridge regression to the classes (of compressed and standardised features, classes weighted by the root of their
    rarity) is fitted to all groups of subjects but one, and scored on that one, in turn: the validation subjects. Step
    by step, the unit is dropped whose loss of cross-entropy is least for the operations that it saves, given all that
    is still kept; the regressions without it are exact. Units are streams, their parts, a sensor's correlations
    (``FeatureSet.units``), and single features where that saves at least 1 % of the operations.

    Pass the windows of subjects that may be looked at: training and validation subjects of a fold, whose test subjects
    then say what the selection loses on unseen people. Over the few validation subjects of one fold alone, the best of
    so many sets is best by chance (docs/guides/features.md).

    Args:
        windows: the windows that ``cut`` returned.
        index: numbers of the windows to select by, with classes, of subjects without which the scores stand.
        groups: groups of features to select from.
        tolerance: macro-F1 that may be lost against the largest set that fits; the cheapest such set is selected. By
            default half a point (0.005), and nothing where there is a limit.
        operations: most FLOPs of a window with a linear softmax on the features; by default no limit.
        constants: most bytes of that model's constants in int8; by default no limit.
        folds: groups of subjects.

    Returns:
        The path, and the step that was selected.

    Raises:
        UserError: windows without a class, too few subjects or classes, or no set fits the limits.

    Example:
        >>> import stillmotion as sm
        >>> windows = sm.cut(sm.load("simulated", sensors="wrist.acc"))
        >>> fold = sm.make_splits(windows, "subjects:3").folds[0]
        >>> known = [*fold.train, *fold.validation]
        >>> selection = sm.select_features(windows, known, groups=["norms", "time", "spectrum"], operations=4000)
        >>> selection.path[0].operations > 4 * selection.step.operations
        True
        >>> student = sm.networks.build_network("feature-net-xs", windows.spec, features=selection.features.selection)
    """
    from threadpoolctl import threadpool_limits

    rows, labels, classes = windows.numbers(index), windows.labels.astype(np.int64), len(windows.spec.classes)
    if not len(rows) or (labels[rows] < 0).any():
        raise UserError("Features are selected by windows that all have a class; leave out those without one.")
    features = FeatureSet.of(windows.spec, groups=groups, compressed=True)
    table = compute_feature_table(windows.take(rows), features)
    subjects, own = np.unique(windows.subject_codes[rows], return_inverse=True)
    if not 2 <= folds <= len(subjects):
        raise UserError(
            f"{folds} groups of subjects for cross-validation do not fit {len(subjects)} subjects; expected from 2 to "
            f"one a subject."
        )
    group = (np.random.default_rng(0).permutation(len(subjects)) % folds)[own]
    with threadpool_limits(1):  # Small products: on two busy cores, two threads took several times as long.
        path = tuple(_eliminate(features, _Ridges(table, labels[rows], group), classes))
    return FeatureSelection(path, _select(path, tolerance, operations, constants))


def _select(
    path: Sequence[SelectionStep], tolerance: float | None, operations: int | None, constants: int | None
) -> int:
    """Return the number of the cheapest step that fits the limits and loses no more than the tolerance."""
    if tolerance is None:
        tolerance = TOLERANCE if operations is None and constants is None else 0.0
    if not 0 <= tolerance < 1:
        raise UserError(f"The tolerance is a difference of macro-F1 from 0 to 1, such as 0.005, not {tolerance}.")
    limits = {"operations": operations, "constants": constants}
    fitting = [
        number
        for number, step in enumerate(path)
        if all(most is None or getattr(step, name) <= most for name, most in limits.items())
    ]
    if not fitting:
        wanted = " and ".join(f"{most:,} {WORDS[name]}" for name, most in limits.items() if most is not None)
        least = " and ".join(
            f"{min(getattr(step, name) for step in path):,} {WORDS[name]}"
            for name, most in limits.items()
            if most is not None
        )
        raise UserError(f"No set of features fits {wanted}; the smallest takes {least}. Raise the limit.")
    enough = path[fitting[0]].macro_f1 - tolerance
    return min((n for n in fitting if path[n].macro_f1 >= enough), key=lambda n: (path[n].operations, n))


class _Ridge:
    """A ridge regression to ±1 for each class, from which features are dropped exactly, and its validation scores."""

    def __init__(self, train: Floats, labels: NDArray[np.int64], classes: int, validation: Floats) -> None:
        scale = fit_scale(train)
        x, others = (scale.apply(table).astype(np.float64) for table in (train, validation))
        counts = np.bincount(labels, minlength=classes)
        weights = np.sqrt(1 / counts[labels])
        weights *= len(weights) / weights.sum()
        targets = np.where(labels[:, None] == np.arange(classes), 1.0, -1.0)
        mean, bias = (weights @ each / len(weights) for each in (x, targets))
        x, others = x - mean, others - mean
        weighted = (x * weights[:, None]).T
        self.inverse: Floats = np.linalg.inv(weighted @ x + PENALTY * len(x) * np.eye(x.shape[1]))
        self.weights: Floats = self.inverse @ (weighted @ (targets - bias))
        self.reach: Floats = others @ self.inverse
        self.scores: Floats = others @ self.weights + bias

    def scores_without(self, columns: Sequence[int]) -> Floats:
        """Return the scores of the validation windows without some features."""
        return self.scores - self.reach[:, columns] @ self._share(columns, self.weights)

    def drop(self, columns: Sequence[int]) -> None:
        """Drop features; their rows and columns stay, as zeros."""
        self.scores = self.scores_without(columns)
        self.weights = self.weights - self.inverse[:, columns] @ self._share(columns, self.weights)
        share = self._share(columns, self.inverse)
        self.reach = self.reach - self.reach[:, columns] @ share
        self.inverse = self.inverse - self.inverse[:, columns] @ share

    def _share(self, columns: Sequence[int], of: Floats) -> Floats:
        return np.linalg.solve(self.inverse[np.ix_(columns, columns)], of[columns])


class _Ridges:
    """The regressions of all groups of subjects: each window is scored by the one without its subject."""

    def __init__(self, table: NDArray[np.float32], labels: NDArray[np.int64], group: NDArray[np.int64]) -> None:
        self.present, own = np.unique(labels, return_inverse=True)
        if len(self.present) < 2:
            raise UserError("A selection of features needs windows of at least two classes.")
        self.parts, order = [], []
        for number in np.unique(group):
            inside = group == number
            self.parts.append(_Ridge(table[~inside], own[~inside], len(self.present), table[inside]))
            order.append(np.flatnonzero(inside))
        self.own = own[np.concatenate(order)]
        self.labels = self.present[self.own]
        self.weights = 1 / (np.bincount(self.own)[self.own] * len(self.present))
        whole = self.scores_without([])
        self.factor = min(FACTORS, key=lambda factor: self._cross_entropy(factor * whole))

    def scores_without(self, columns: Sequence[int]) -> Floats:
        """Return the scores of all windows without some features."""
        return np.concatenate([part.scores_without(columns) for part in self.parts])

    def drop(self, columns: Sequence[int]) -> None:
        """Drop features."""
        for part in self.parts:
            part.drop(columns)

    def score(self, columns: Sequence[int], classes: int) -> tuple[float, float]:
        """Return macro-F1 and cross-entropy without some features."""
        scores = self.scores_without(columns)
        predicted = self.present[scores.argmax(1)]
        score = macro_f1(confusion_matrix(self.labels, predicted, classes), absent="skip")
        return float(score), self._cross_entropy(self.factor * scores)

    def _cross_entropy(self, logits: Floats) -> float:
        """Return the mean over classes."""
        shifted = logits - logits.max(1, keepdims=True)
        own = np.take_along_axis(shifted, self.own[:, None], axis=1)[:, 0] - np.log(np.exp(shifted).sum(1))
        return -float(self.weights @ own)


def _eliminate(features: FeatureSet, ridges: _Ridges, classes: int) -> Iterator[SelectionStep]:
    """Yield the whole set, then each one with a unit less."""
    column = {name: place for place, name in enumerate(features.names)}
    now: SelectionStep | None = SelectionStep("", features, *_count(features, classes), *ridges.score([], classes))
    while now is not None:
        yield now
        candidates, best = _candidates(features, now.features), None
        for unit, own in candidates.items():
            left = now.features.without(*own)
            operations, constants = _count(left, classes)
            saved = now.operations - operations
            if len(own) == 1 and saved < MEASURABLE * now.operations:
                continue
            scores = ridges.score([column[name] for name in own], classes)
            step = SelectionStep(unit, left, operations, constants, *scores)
            # Of those that lose nothing, the dearest.
            key = max(step.cross_entropy - now.cross_entropy, 0.0) / saved, operations
            if best is None or key < best[0]:
                best = key, step
        now = None
        if best is not None:
            now = replace(best[1], features=features.with_only(best[1].features.names))
            ridges.drop([column[name] for name in candidates[now.dropped]])


def _candidates(whole: FeatureSet, left: FeatureSet) -> dict[str, tuple[str, ...]]:
    """Return what can be dropped next, by unit: its features that are left, fewer than all; each once."""
    kept = {*left.names}
    different: dict[tuple[str, ...], str] = {}
    for unit, own in whole.units.items():
        features = tuple(name for name in own if name in kept)
        if features and len(features) < len(kept):
            different.setdefault(features, unit)
    return {unit: features for features, unit in different.items()}


def _count(features: FeatureSet, classes: int) -> tuple[int, int]:
    """Count operations and bytes of constants of a set and the linear softmax on it."""
    cost, count = feature_cost(features), len(features.names)
    # Standardise, clip, weigh, add the bias; a byte for a weight, four for any other number.
    operations = 2 * cost.multiply_adds + cost.elementary + 3 * count + 2 * classes * count + classes
    return operations, classes * count + 4 * classes + 8 * count + 4 * cost.tables
