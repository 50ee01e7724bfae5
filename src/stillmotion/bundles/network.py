"""A bundle's model as a Keras network: its form for the device, its fit to the contract, its file."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from ..compiled import keep_compiled_programs
from ..errors import ContractError, UserError
from ..networks.draws import drawn_by_numpy
from ..networks.heads import gives_logits, refuse_probabilities
from ..networks.taps import make_inference_model
from ..signals import SignalSpec

#: Windows that a network answers at a time.
BATCH = 256


def make_device_model(model: keras.Model, spec: SignalSpec) -> keras.Model:
    """Return a model without auxiliary classifiers and softmax, which must fit the contract and give logits."""
    keep_compiled_programs()
    device = make_inference_model(model)
    require_shape(device, spec)
    # Where its layers do not tell, random windows do.
    if not gives_logits(device.outputs[0]):
        drawn = np.random.default_rng(0).normal(size=(4, *device.input_shape[1:])).astype(np.float32)
        refuse_probabilities(device.predict(drawn, verbose=0), network=device.name)
    return device


def load_network(file: Path) -> keras.Model:
    """Load the network of a bundle."""
    keep_compiled_programs()
    try:
        with drawn_by_numpy():
            return make_inference_model(keras.models.load_model(file, compile=False))
    except Exception as problem:  # Keras raises many types for files that it did not write.
        reason = str(problem).strip().partition("\n")[0]
        raise UserError(f"{file} cannot be loaded by Keras ({reason}); copy the bundle again.") from problem


def require_shape(model: keras.Model, spec: SignalSpec) -> None:
    """Raise ``ContractError`` unless a model maps the contract's windows to its classes."""
    expected = (spec.window, len(spec.channels)), (len(spec.classes),)
    actual = tuple(model.input_shape[1:]), tuple(model.output_shape[1:])
    if actual != expected:
        raise ContractError(
            f"The network maps {actual[0]} to {actual[1]} but its signal has windows of {expected[0]} and "
            f"{expected[1][0]} classes."
        )


def run_network(model: keras.Model, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits (n, C) of windows (n, T, D).

    Batches are filled up to a power of two: a program is compiled for each size, and a stream has any.
    """
    parts = []
    for start in range(0, len(windows), BATCH):
        part = windows[start : start + BATCH]
        filled = np.zeros((1 << (len(part) - 1).bit_length(), *part.shape[1:]), np.float32)
        filled[: len(part)] = part
        parts.append(np.asarray(model.predict_on_batch(filled), np.float32)[: len(part)])
    return np.concatenate(parts)


def split_head(model: keras.Model, name: str) -> tuple[keras.Model, keras.layers.Dense]:
    """Return the part of a network before its last dense layer, which gives the logits, and that layer.

    Args:
        model: functional, with one output.
        name: of the network in messages.
    """
    layer = model.outputs[0]._keras_history.operation
    dense = isinstance(layer, keras.layers.Dense) and layer.use_bias
    if not dense or layer.activation is not keras.activations.linear:
        raise UserError(
            f"{name} ends in {type(layer).__name__}; expected a dense layer with a bias that gives the logits."
        )
    return keras.Model(model.inputs[0], layer.input), layer
