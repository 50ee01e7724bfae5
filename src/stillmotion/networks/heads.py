"""Find the logits of a network, and tell logits from probabilities.

Cross-entropy and distillation start from logits, which are taken from before a final softmax. Probabilities mistaken
for logits would go through a second softmax, which flattens them without any error.
"""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError

Tensor = Any

#: Layers that apply their own activation last. Subclasses may differ.
FUSED = (keras.layers.Dense, keras.layers.EinsumDense)
#: Class of a layer or operation of ``keras.ops`` to the name of its function.
OPERATIONS = {
    "Softmax": "softmax",
    "Sigmoid": "sigmoid",
    "HardSigmoid": "hard_sigmoid",
    "SparseSigmoid": "sparse_sigmoid",
    "Sparsemax": "sparsemax",
}
#: Final activations that give no logits of one class among several.
REFUSED = ("sigmoid", "hard_sigmoid", "sparse_sigmoid", "sparsemax")
#: Tolerance of the sum of a row of probabilities, for scores that were rounded to three digits.
ROUNDING = 1e-3
#: Tolerance of probabilities below 0, for rounding.
NEGATIVE = 1e-6
#: Smallest probability whose logarithm is taken.
SMALLEST = 1e-12


def take_logits(output: Tensor, *, network: str) -> Tensor:
    """Return the tensor of logits behind a network's output tensor.

    Args:
        output: symbolic output of a network.
        network: its name, for messages.

    Returns:
        The logits; the output itself where it does not end in a known softmax.

    Raises:
        UserError: the network ends in a sigmoid or sparsemax.
    """
    operation, source = _origin(output)
    if source is None:
        return output
    activation = _activation(operation, len(output.shape))
    if activation in REFUSED:
        raise UserError(
            f"{network} ends in {activation} ({operation.name}), which gives no logits of one class among several: end "
            f"it in Dense(classes) or Dense(classes, activation='softmax')."
        )
    if activation == "softmax":
        return _without_activation(operation)(source) if type(operation) in FUSED else source
    passes = isinstance(operation, keras.layers.Identity | keras.layers.Activation) and activation == "linear"
    return take_logits(source, network=network) if passes else output


def gives_logits(output: Tensor) -> bool:
    """Tell whether the graph alone proves that the output are logits: the last operation is linear."""
    operation, _ = _origin(output)
    return type(operation) in FUSED and _activation(operation, len(output.shape)) == "linear"


def are_probabilities(scores: ArrayLike) -> bool:
    """Tell whether all rows of scores (n, classes) are probabilities: not negative, with sum 1, up to rounding."""
    values = np.asarray(scores, np.float64)
    if values.ndim != 2 or not values.size or not (values >= -NEGATIVE).all():
        return False
    return bool(np.allclose(values.sum(1), 1, atol=ROUNDING))


def as_logits(scores: NDArray[Any]) -> NDArray[Any]:
    """Return scores (n, classes) as logits: take the logarithm of probabilities (at least 1e-12), keep logits.

    The softmax of the result gives the probabilities back.
    """
    return np.log(np.maximum(scores, SMALLEST)) if are_probabilities(scores) else scores


def refuse_probabilities(scores: ArrayLike, *, network: str) -> None:
    """Raise ``UserError`` when a network's outputs for a few windows (n, classes) are probabilities."""
    if are_probabilities(scores):
        raise UserError(
            f"{network} gives probabilities (its rows sum to 1), but its logits cannot be found: end it "
            f"in Dense(classes), Dense(classes, activation='softmax') or a Softmax layer."
        )


def _origin(tensor: Tensor) -> tuple[Any, Tensor | None]:
    """Return the operation that made a tensor, and its input tensor (None: several inputs, or an input layer)."""
    operation, index, _ = tensor._keras_history
    sources = operation._inbound_nodes[index].input_tensors
    return operation, sources[0] if len(sources) == 1 else None


def _activation(operation: Any, rank: int) -> str:
    """Return the name of the function that an operation applies last, '' where it is not known."""
    if isinstance(operation, keras.layers.Identity):
        return "linear"
    if type(operation) is keras.layers.Activation or type(operation) in FUSED:
        # A function, or a layer given as one.
        last = operation.activation
        if not isinstance(last, keras.layers.Layer):
            return str(getattr(last, "__name__", ""))
        operation = last
    name = OPERATIONS.get(type(operation).__name__, "") if type(operation).__module__.startswith("keras.") else ""
    along_classes = getattr(operation, "axis", -1) in (-1, rank - 1)
    return "" if name == "softmax" and not along_classes else name


def _without_activation(layer: Any) -> Any:
    """Copy a layer without its activation; the copy shares its variables.

    A new layer of the same configuration would have variables of its own, so the object itself is copied, with its own
    nodes.
    """
    twin = object.__new__(type(layer))
    twin.__dict__.update(layer.__dict__)
    # Without the number that Keras gives an unnamed layer: initial weights depend on names.
    name = re.sub(r"_[0-9]+$", "", layer.name) + "_logits"
    twin.__dict__.update(name=name, activation=keras.activations.linear, _inbound_nodes=[], _outbound_nodes=[])
    return twin
