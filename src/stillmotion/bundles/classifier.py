"""A bundle's model as arrays: a feature classifier, its fit to the contract and its cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ContractError
from ..features import ClassifierArrays, FeatureSet, TreeArrays, classifier_cost, feature_cost
from ..features.window_features import compute_feature_table
from ..networks.cost import Cost, LayerCost
from ..signals import SignalSpec


def require_classifier(classifier: ClassifierArrays, spec: SignalSpec) -> None:
    """Raise ``ContractError`` unless a classifier's features are of the contract's windows, and its classes as many."""
    features, own = classifier.features, FeatureSet.of(spec)
    for what in ("window", "rate", "channels", "sensors"):
        given, expected = getattr(features, what), getattr(own, what)
        if given != expected:
            raise ContractError(f"The classifier's features have {what} {given}, its signal {expected}.")
    if classifier.classes != len(spec.classes):
        raise ContractError(f"The classifier has {classifier.classes} classes, its signal {len(spec.classes)}.")


def classifier_logits(classifier: ClassifierArrays, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits (n, C) of windows (n, T, D)."""
    return classifier.predict_logits(compute_feature_table(windows, classifier.features))


def cost_of_classifier(classifier: ClassifierArrays, name: str) -> Cost:
    """Count the cost of one window, from the signal to the logits; every stored number takes 4 bytes.

    Args:
        classifier: trees or a linear one.
        name: of the classifier.
    """
    features, own, described = classifier.features, classifier_cost(classifier), feature_cost(classifier.features)
    count, classes = len(features.names), classifier.classes
    samples = features.window * len(features.channels)
    operations = (
        ("features", "WindowFeatures", count, 0, described.multiply_adds, described.elementary),
        (
            "classifier",
            "Trees" if isinstance(classifier, TreeArrays) else "Linear",
            classes,
            own.stored,
            own.multiply_adds,
            own.elementary,
        ),
    )
    layers = tuple(
        LayerCost(layer, kind, (size,), params, multiply_adds, 2 * multiply_adds + elementary, 0)
        for layer, kind, size, params, multiply_adds, elementary in operations
    )
    stored = 4 * (own.stored + described.tables)
    activations = 4 * max(samples + described.scratch + count, count + classes)
    return Cost(
        network=name,
        input_shape=(features.window, len(features.channels)),
        output_shape=(classes,),
        params=own.stored,
        flops=sum(layer.flops for layer in layers),
        flops_convolutions=0,
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        weight_bytes=stored,
        weight_bytes_int8=stored,
        activation_bytes=activations,
        activation_bytes_int8=activations,
        normaliser_flops=0,
        auxiliary_params=0,
        auxiliary_flops=0,
        layers=layers,
    )
