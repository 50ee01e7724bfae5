"""Count what a fitted feature classifier costs on a device, its features included.

=====================================  =========================================  ===================================
part                                   stored numbers                             operations
=====================================  =========================================  ===================================
inner node                             4 (feature, threshold, two children)       1 comparison for each level
leaf                                   C (a probability for each class)
trees together                         a root for each                            trees · C (sum; mean)
scaling of a feature                   2 (location, scale)                        4 (difference, quotient, clip twice)
linear layer                           (F + 1) · C                                F · C multiply-adds, C sums
tables of the features                 see ``features.cost``
=====================================  =========================================  ===================================

A window takes the longest path through each tree at most. A number is 4 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import LEAF, ClassifierArrays, TreeArrays
from .cost import feature_cost


@dataclass(frozen=True)
class ClassifierCost:
    """The cost of one window after its features.

    Args:
        stored: numbers that a device stores, without the tables of the features.
        multiply_adds: multiply-add operations.
        elementary: all other operations, comparisons included.
    """

    stored: int
    multiply_adds: int
    elementary: int


def classifier_cost(classifier: ClassifierArrays) -> ClassifierCost:
    """Count the numbers and operations of a fitted classifier, without its features.

    Args:
        classifier: trees or a linear one.

    Returns:
        The cost of one window.

    Example:
        >>> import numpy as np
        >>> from stillmotion.features import FeatureSet, LinearArrays, classifier_cost
        >>> features = FeatureSet(50, 25.0, ("pulse",), ("pulse",), groups=("axes", "time"))
        >>> classifier_cost(LinearArrays(features, np.ones((8, 2)), [0, 1], np.zeros(8), np.ones(8), 5.0))
        ClassifierCost(stored=34, multiply_adds=16, elementary=34)
    """
    classes = classifier.classes
    if isinstance(classifier, TreeArrays):
        nodes, trees = len(classifier.feature), len(classifier.roots)
        leaves = int(np.count_nonzero(classifier.feature == LEAF))
        return ClassifierCost(
            stored=4 * (nodes - leaves) + classes * leaves + trees,
            multiply_adds=0,
            elementary=classifier.comparisons + trees * classes,
        )
    count = len(classifier.features.names)
    return ClassifierCost(
        stored=2 * count + (count + 1) * classes, multiply_adds=count * classes, elementary=4 * count + classes
    )


def count_stored(classifier: ClassifierArrays) -> dict[str, float]:
    """Count what a device stores, by part: ``nodes`` or ``coefficients``, and ``stored`` numbers in all.

    Args:
        classifier: trees or a linear one.

    Returns:
        The counts; the tables of the features are stored too.

    Example:
        >>> import numpy as np
        >>> from stillmotion.features import FeatureSet, LinearArrays, count_stored
        >>> features = FeatureSet(50, 25.0, ("pulse",), ("pulse",), groups=("axes", "time"))
        >>> count_stored(LinearArrays(features, np.ones((8, 2)), [0, 1], np.zeros(8), np.ones(8), 5.0))
        {'coefficients': 18, 'stored': 34}
    """
    stored = classifier_cost(classifier).stored + feature_cost(classifier.features).tables
    if isinstance(classifier, TreeArrays):
        return {"nodes": len(classifier.feature), "stored": stored}
    return {"coefficients": classifier.weights.size + classifier.bias.size, "stored": stored}
