"""The head of a network: its logits, taken from before the softmax where one stands at the end.

Cross-entropy and distillation start from logits. Probabilities taken for logits would go through a second softmax,
which flattens every answer, and nothing would say so.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError

Tensor = Any

#: Layers that hold an activation of their own and apply it last. Subclasses may do otherwise.
FUSED = (keras.layers.Dense, keras.layers.EinsumDense)
#: Operations of ``keras.ops`` and layers, by the name of their function.
OPERATIONS = {
    "Softmax": "softmax",
    "Sigmoid": "sigmoid",
    "HardSigmoid": "hard_sigmoid",
    "SparseSigmoid": "sparse_sigmoid",
    "Sparsemax": "sparsemax",
}
#: What logits are not to be taken from.
REFUSED = ("sigmoid", "hard_sigmoid", "sparse_sigmoid", "sparsemax")
#: How far from 1 a row of probabilities may sum, for scores that were rounded to three digits.
ROUNDING = 1e-3
#: How far below 0 rounding may leave a probability.
NEGATIVE = 1e-6
#: Smallest probability that a logarithm is taken of.
SMALLEST = 1e-12


def take_logits(output: Tensor, *, network: str) -> Tensor:
    """Return the tensor of logits that a network's output tensor is made from.

    Args:
        output: symbolic output of a network; itself where no softmax is recognised at the end.
        network: its name, for messages.

    Raises:
        UserError: a sigmoid or sparsemax stands at the end.
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
    """Tell whether logits are certain from the graph alone: the last operation is linear."""
    operation, _ = _origin(output)
    return type(operation) in FUSED and _activation(operation, len(output.shape)) == "linear"


def are_probabilities(scores: ArrayLike) -> bool:
    """Tell whether all rows of scores (n, classes) are probabilities: not negative, with the sum 1, to rounding."""
    values = np.asarray(scores, np.float64)
    if values.ndim != 2 or not values.size or not (values >= -NEGATIVE).all():
        return False
    return bool(np.allclose(values.sum(1), 1, atol=ROUNDING))


def as_logits(scores: NDArray[Any]) -> NDArray[Any]:
    """Return scores (n, classes) as logits: of probabilities the logarithm, of at least 1e-12; logits as they are.

    The softmax of such logits gives the probabilities back.
    """
    return np.log(np.maximum(scores, SMALLEST)) if are_probabilities(scores) else scores


def refuse_probabilities(scores: ArrayLike, *, network: str) -> None:
    """Raise ``UserError`` when what a network gives for a few windows (n, classes) are probabilities, not logits."""
    if are_probabilities(scores):
        raise UserError(
            f"{network} gives probabilities (its rows sum to 1) in a form that its logits cannot be taken from: end it "
            f"in Dense(classes), Dense(classes, activation='softmax') or a Softmax layer."
        )


def _origin(tensor: Tensor) -> tuple[Any, Tensor | None]:
    """The operation that made a tensor, and the one tensor that it was made of (None: several, or an input)."""
    operation, index, _ = tensor._keras_history
    sources = operation._inbound_nodes[index].input_tensors
    return operation, sources[0] if len(sources) == 1 else None


def _activation(operation: Any, rank: int) -> str:
    """Name of the function that an operation applies last, '' where that is not known."""
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
    """The layer with the same variables and no activation.

    The very same variables: what the one learns, the other has learnt. A layer of the same configuration would have
    its own, so this is a copy of the object, with nodes of its own.
    """
    twin = object.__new__(type(layer))
    twin.__dict__.update(layer.__dict__)
    twin.__dict__.update(
        name=f"{layer.name}_logits", activation=keras.activations.linear, _inbound_nodes=[], _outbound_nodes=[]
    )
    return twin
