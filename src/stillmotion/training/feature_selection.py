"""Select window features by what they cost: recursive elimination, scored on validation subjects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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

Floats = NDArray[np.float64]
#: What macro-F1 may lose: half a point. One standard error over a handful of validation subjects is two to three
#: points, so the usual rule of one standard error would give away more than distillation or augmentation ever bring.
TOLERANCE = 0.005
#: Penalty of the ridge regression, for each training window and standardised feature.
PENALTY = 1e-3


@dataclass(frozen=True)
class SelectionStep:
    """A set on the path of an elimination.

    Args:
        dropped: the unit that was dropped last, empty for the whole set.
        features: what is left.
        operations: FLOPs of a window with a linear softmax on these features, as ``still cost`` counts them.
        constants: bytes of that model in int8: weights, biases, standardisation, tables.
        macro_f1: on the validation windows.
    """

    dropped: str
    features: FeatureSet
    operations: int
    constants: int
    macro_f1: float


@dataclass(frozen=True)
class FeatureSelection:
    """The path of an elimination, and the step that was selected.

    Args:
        path: from the whole set to the last unit.
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
        """The selected features; ``selection`` is the option ``features`` of networks."""
        return self.step.features


def select_features(
    windows: Windows,
    train: ArrayLike,
    validation: ArrayLike,
    *,
    groups: Sequence[str] = STANDARD,
    tolerance: float = TOLERANCE,
    operations: int | None = None,
    constants: int | None = None,
) -> FeatureSelection:
    """Select the features that are worth their cost, by recursive elimination.

    A ridge regression to the classes (compressed and standardised features, weights of classes by the root of their
    rarity) is fitted to the training windows. Step by step, the unit is dropped whose loss of macro-F1 on the validation
    windows is least for the operations that it saves, given all that is still kept; the regression without it is exact.
    Units are streams, their parts, a sensor's correlations and single features, see ``FeatureSet.units``. Use the
    training and validation subjects of one fold: the score of its test subjects is then that of unseen people.

    Args:
        windows: the windows that ``cut`` returned.
        train: numbers of the windows to fit.
        validation: numbers of the windows to score, of other subjects.
        groups: groups of features to select from.
        tolerance: macro-F1 that may be lost against the largest set that fits; the cheapest such set is selected.
        operations: most FLOPs of a window with a linear softmax on the features; by default no limit.
        constants: most bytes of that model's constants in int8; by default no limit.

    Returns:
        The path, and the step that was selected.

    Raises:
        UserError: there is one class, no validation window, or no set fits the limits.

    Example:
        >>> import stillmotion as sm
        >>> windows = sm.cut(sm.load("simulated", sensors="wrist.acc"))
        >>> fold = sm.make_splits(windows, "subjects:3").folds[0]
        >>> selection = sm.select_features(windows, fold.train, fold.validation, groups=["norms", "time", "spectrum"])
        >>> selection.path[0].operations > 3 * selection.step.operations
        True
        >>> student = sm.networks.build_network("feature-net-xs", windows.spec, features=selection.features.selection)
    """
    if not 0 <= tolerance < 1:
        raise UserError(f"The tolerance is a difference of macro-F1 from 0 to 1, such as 0.005, not {tolerance}.")
    rows, others = windows.numbers(train), windows.numbers(validation)
    labels, classes = windows.labels, len(windows.spec.classes)
    for what, numbers in (("training", rows), ("validation", others)):
        if not len(numbers) or (labels[numbers] < 0).any():
            raise UserError(f"A selection of features needs {what} windows that all have a class.")
    if len(np.unique(labels[rows])) < 2:
        raise UserError("A selection of features needs training windows of at least two classes.")
    features = FeatureSet.of(windows.spec, groups=groups, compressed=True)
    path = tuple(
        _eliminate(
            features,
            _Ridge(
                *(compute_feature_table(windows.take(numbers), features) for numbers in (rows, others)), labels[rows]
            ),
            labels[others],
            classes,
        )
    )
    return FeatureSelection(path, _select(path, tolerance, operations, constants))


def _select(path: Sequence[SelectionStep], tolerance: float, operations: int | None, constants: int | None) -> int:
    """Return the number of the cheapest step that fits the limits and loses no more than the tolerance."""
    limits = {"operations": operations, "constants": constants}
    fitting = [
        number
        for number, step in enumerate(path)
        if all(most is None or getattr(step, name) <= most for name, most in limits.items())
    ]
    if not fitting:
        wanted = " and ".join(f"{most:,} {_UNITS[name]}" for name, most in limits.items() if most is not None)
        least = " and ".join(
            f"{min(getattr(step, name) for step in path):,} {_UNITS[name]}"
            for name, most in limits.items()
            if most is not None
        )
        raise UserError(f"No set of features fits {wanted}; the smallest takes {least}. Raise the limit.")
    enough = path[fitting[0]].macro_f1 - tolerance
    return min((n for n in fitting if path[n].macro_f1 >= enough), key=lambda n: (path[n].operations, n))


_UNITS = {"operations": "operations", "constants": "bytes of constants"}


class _Ridge:
    """A ridge regression to ±1 for each class, from which features are dropped exactly, and its validation scores."""

    def __init__(self, train: Any, validation: Any, labels: NDArray[np.int64]) -> None:
        scale = fit_scale(train)
        x, others = (scale.apply(table).astype(np.float64) for table in (train, validation))
        self.classes, own, counts = np.unique(labels, return_inverse=True, return_counts=True)
        weights = np.sqrt(1 / counts)[own]
        weights *= len(weights) / weights.sum()
        targets = np.where(own[:, None] == np.arange(len(counts)), 1.0, -1.0)
        mean, bias = (weights @ each / len(weights) for each in (x, targets))
        x, others = x - mean, others - mean
        gram = (x * weights[:, None]).T @ x + PENALTY * len(x) * np.eye(x.shape[1])
        self.inverse: Floats = np.linalg.inv(gram)
        self.weights: Floats = self.inverse @ ((x * weights[:, None]).T @ (targets - bias))
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


def _eliminate(features: FeatureSet, ridge: _Ridge, labels: NDArray[np.int64], classes: int) -> Iterator[SelectionStep]:
    """Yield the whole set, then each one with a unit less, to the last unit."""
    column = {name: place for place, name in enumerate(features.names)}

    def score(scores: Floats) -> float:
        predicted = ridge.classes[scores.argmax(1)]
        return float(macro_f1(confusion_matrix(labels, predicted, classes), absent="skip"))

    step = _step("", features, score(ridge.scores), classes)
    yield step
    while candidates := _candidates(features, step.features):
        options = []
        for unit, own in candidates.items():
            left = step.features.without(*own)
            value = score(ridge.scores_without([column[name] for name in own]))
            options.append(_step(unit, left, value, classes))
        # Of those that lose nothing, the dearest.
        best = min(
            options,
            key=lambda each: (
                max(step.macro_f1 - each.macro_f1, 0.0) / (step.operations - each.operations),
                each.operations,
            ),
        )
        ridge.drop([column[name] for name in candidates[best.dropped]])
        step = SelectionStep(
            best.dropped,
            features.with_only(best.features.names),
            best.operations,
            best.constants,
            best.macro_f1,
        )
        yield step


def _candidates(whole: FeatureSet, left: FeatureSet) -> dict[str, tuple[str, ...]]:
    """Return what can be dropped next, by unit: its features that are left, fewer than all; each once."""
    kept, different = {*left.names}, {}
    for unit, own in whole.units.items():
        features = tuple(name for name in own if name in kept)
        if features and len(features) < len(kept):
            different.setdefault(features, unit)
    return {unit: features for features, unit in different.items()}


def _step(dropped: str, features: FeatureSet, score: float, classes: int) -> SelectionStep:
    """Count a set and the linear softmax on it."""
    cost, count = feature_cost(features), len(features.names)
    # Standardise, clip, weigh, add the bias; a byte for a weight, four for any other number.
    operations = 2 * cost.multiply_adds + cost.elementary + 3 * count + 2 * classes * count + classes
    constants = classes * count + 4 * classes + 8 * count + 4 * cost.tables
    return SelectionStep(dropped, features, operations, constants, score)
