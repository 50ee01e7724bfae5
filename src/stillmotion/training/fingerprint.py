"""Fingerprint models, values and arrays, so that a checkpoint is used only for the same training."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from ..methods.code import class_code
from ..networks.normaliser import Normaliser

#: Packages whose layers are described by their configuration.
OWN_MODULES = ("keras.", "stillmotion.")


def fingerprint(plain: Mapping[str, Any], arrays: Iterable[Any]) -> str:
    """Return the SHA-256 of values and arrays; None among the arrays counts too.

    Args:
        plain: values that fit JSON.
        arrays: arrays in a fixed order.
    """
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
    for array in arrays:
        values = None if array is None else np.ascontiguousarray(array)
        # Shape and type too: two lists of windows must not equal one longer list.
        digest.update(b"-" if values is None else f"{values.dtype}{values.shape}".encode() + values.tobytes())
    return digest.hexdigest()


def model_fingerprint(model: keras.Model) -> str:
    """Fingerprint a model: its configuration, its weights, and the code of layers that are not Keras' own."""
    layer_code = [class_code(kind) for kind in map(type, _layers(model)) if not kind.__module__.startswith("keras.")]
    weights = [np.asarray(value) for value in model.weights]
    return fingerprint({"structure": model_structure(model), "code": layer_code}, weights)


def _layers(layer: keras.Layer) -> Iterator[keras.Layer]:
    yield layer
    for inner in getattr(layer, "layers", ()):
        yield from _layers(inner)


def describe_layers(model: keras.Model) -> tuple[Any, ...] | None:
    """Return all that a model computes from its weights and an input; None where its configuration does not tell.

    It tells for layers of Keras and of this package, unless they take a function or keep what they were adapted to.
    """
    kinds = tuple(type(layer) for layer in model._flatten_layers())
    if not all(_is_told(kind) for kind in kinds):
        return None
    try:
        with warnings.catch_warnings(action="ignore"):  # Keras warns of functions without a name.
            text = model.to_json()
    except (TypeError, ValueError, NotImplementedError):
        return None
    modules = set(re.findall(r'"module": "([^"]*)"', text))
    # A function of the user's own is a name, or the code without what it refers to.
    if re.search(r'"class_name": "(function|__lambda__)"|\{"value": \[', text):
        return None
    if not all(f"{name}.".startswith(OWN_MODULES) for name in modules):
        return None
    return _ranked(text), kinds


def _is_told(kind: type) -> bool:
    adapts = hasattr(kind, "adapt") and not issubclass(kind, Normaliser)
    return kind.__module__.startswith(OWN_MODULES) and not adapts and not issubclass(kind, keras.layers.Lambda)


def model_structure(model: keras.Model) -> str:
    """Return a model's configuration as JSON, independent of models built before it.

    Keras numbers names through a process (``dense_7``): here each name gets its rank among the names of its kind.
    """
    return _ranked(model.to_json())


def _ranked(text: str) -> str:
    ranks: dict[str, dict[str, int]] = defaultdict(dict)

    def rank(match: re.Match[str]) -> str:
        of_kind = ranks[match[1]]
        return f'"{match[1]}#{of_kind.setdefault(match[0], len(of_kind))}"'

    return re.sub(r'"([a-z][a-z0-9_]*?)(?:_\d+)?"', rank, text)
