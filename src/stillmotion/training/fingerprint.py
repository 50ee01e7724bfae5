"""A fingerprint of everything that decides what a fleet comes to."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from ..methods.code import class_code


def fingerprint(plain: Mapping[str, Any], arrays: Iterable[Any]) -> str:
    """SHA-256 of plain values and arrays; None among the arrays counts too.

    Args:
        plain: ready for JSON.
        arrays: in an order of their own.
    """
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
    for array in arrays:
        values = None if array is None else np.ascontiguousarray(array)
        # Shape and type with the bytes: two lists of windows must not pass for one longer list.
        digest.update(b"-" if values is None else f"{values.dtype}{values.shape}".encode() + values.tobytes())
    return digest.hexdigest()


def model_fingerprint(model: keras.Model) -> str:
    """Fingerprint of a model: its configuration, its weights, and the code of layers that are not Keras' own."""
    own = [class_code(kind) for kind in map(type, _layers(model)) if not kind.__module__.startswith("keras.")]
    return fingerprint({"structure": model_structure(model), "code": own}, [np.asarray(each) for each in model.weights])


def _layers(layer: keras.Layer) -> Iterator[keras.Layer]:
    yield layer
    for inner in getattr(layer, "layers", ()):
        yield from _layers(inner)


def model_structure(model: keras.Model) -> str:
    """The configuration of a model, the same whatever was built before it.

    Keras counts names up in a process (``dense_7``): here each is its rank among the names of its kind.
    """
    ranks: dict[str, dict[str, int]] = defaultdict(dict)

    def rank(found: re.Match[str]) -> str:
        of_kind = ranks[found[1]]
        return f'"{found[1]}#{of_kind.setdefault(found[0], len(of_kind))}"'

    return re.sub(r'"([a-z][a-z0-9_]*?)(?:_\d+)?"', rank, model.to_json())
