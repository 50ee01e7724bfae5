"""Fingerprint models, values and arrays, so that a checkpoint is used only for the same training."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from types import FunctionType
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
    layers = model._flatten_layers()
    if not all(map(_tells, layers)):
        return None
    try:
        text = model.to_json()
    except (TypeError, ValueError, NotImplementedError):
        return None
    # A function of the user's own is a name here.
    if '"class_name": "function"' in text or not all(map(_is_ours, re.findall(r'"module": "([^"]*)"', text))):
        return None
    return _ranked(text), tuple(map(type, layers))


def _tells(layer: keras.Layer) -> bool:
    """Return whether the configuration of a layer tells what it computes from its weights."""
    functions = [value for value in vars(layer).values() if isinstance(value, FunctionType)]
    adapts = hasattr(layer, "adapt") and not isinstance(layer, Normaliser)
    taken = isinstance(layer, keras.layers.Lambda)
    return not adapts and not taken and all(_is_ours(each.__module__) for each in (type(layer), *functions))


def _is_ours(module: str) -> bool:
    return f"{module}.".startswith(OWN_MODULES)


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
