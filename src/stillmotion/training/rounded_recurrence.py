"""LSTM, GRU and FastGRNN with the rounding of their int8 form: the state that others see and that enters the next step.

The state of GRU and FastGRNN and the cell of LSTM go on unrounded. ``deploy.recurrent_int8`` has the integers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from jax import lax
from jax import numpy as jnp
from jax.nn import sigmoid
from keras import ops

from ..errors import UserError
from ..networks import FastGRNN

Array = Any
#: (state or cell, rounded state, product of the input) to the state or cell and the state before it is rounded.
Step = Callable[[Array, Array, Array], tuple[Array, Array]]
Round = Callable[[Array], Array]


def is_recurrent(layer: Any) -> bool:
    """Tell whether this file has a form of a layer."""
    inner = layer.forward_layer if isinstance(layer, keras.layers.Bidirectional) else layer
    return isinstance(inner, keras.layers.LSTM | keras.layers.GRU | FastGRNN)


def require_plain(layer: Any) -> None:
    """Raise ``UserError`` for a recurrence that drops values inside."""
    inner = layer.forward_layer if isinstance(layer, keras.layers.Bidirectional) else layer
    if getattr(inner, "dropout", 0) or getattr(inner, "recurrent_dropout", 0):
        raise UserError(
            f"{layer.name} drops values inside its recurrence, which training for int8 does not do; put a Dropout "
            f"layer before it instead."
        )


def run_recurrence(layer: Any, x: Array, rounded: Round) -> tuple[Array, Array]:
    """Run a layer on (B, T, features).

    Args:
        layer: the layer, or a ``Bidirectional`` of it.
        x: its input.
        rounded: rounds a state.

    Returns:
        What the layer gives, and all states (B, T, units) before they are rounded.
    """
    if not isinstance(layer, keras.layers.Bidirectional):
        return _run(layer, x, rounded, backward=getattr(layer, "go_backwards", False))
    ahead, states = _run(layer.forward_layer, x, rounded, backward=False)
    back, others = _run(layer.backward_layer, x, rounded, backward=True)
    both = jnp.concatenate([states, others], -1)
    if layer.merge_mode == "concat":
        return jnp.concatenate([ahead, back], -1), both
    return ahead + back if layer.merge_mode == "sum" else ahead * back, both


def _run(layer: Any, x: Array, rounded: Round, *, backward: bool) -> tuple[Array, Array]:
    cell = getattr(layer, "cell", layer)
    kernel, recurrent = ops.convert_to_tensor(cell.kernel), ops.convert_to_tensor(cell.recurrent_kernel)
    bias = ops.convert_to_tensor(cell.bias) if getattr(cell, "use_bias", True) else None
    step, first = _STEPS[_kind(layer)](cell, recurrent, bias)

    def body(carry: tuple[Array, Array], product: Array) -> tuple[tuple[Array, Array], Array]:
        wide, exact = step(*carry, product)
        state = rounded(exact)
        return (wide, state), (state, exact)

    nothing = jnp.zeros((x.shape[0], recurrent.shape[0]), x.dtype)
    products = jnp.swapaxes(x @ kernel, 0, 1) + first  # (T, B, gates · units)
    _, each = lax.scan(body, (nothing, nothing), products, reverse=backward)
    states, exact = (jnp.swapaxes(values, 0, 1) for values in each)
    return (states if layer.return_sequences else states[:, 0 if backward else -1]), exact


def _kind(layer: Any) -> type:
    return next(kind for kind in _STEPS if isinstance(layer, kind))


def _lstm(cell: Any, recurrent: Array, bias: Array | None) -> tuple[Step, Array]:
    def step(wide: Array, state: Array, product: Array) -> tuple[Array, Array]:
        i, f, g, o = jnp.split(product + state @ recurrent, 4, axis=-1)
        wide = sigmoid(f) * wide + sigmoid(i) * jnp.tanh(g)
        return wide, sigmoid(o) * jnp.tanh(wide)

    return step, 0.0 if bias is None else bias


def _gru(cell: Any, recurrent: Array, bias: Array | None) -> tuple[Step, Array]:
    first, second = (0.0, 0.0) if bias is None else (bias[0], bias[1])

    def step(wide: Array, state: Array, product: Array) -> tuple[Array, Array]:
        z, r, g = jnp.split(product, 3, axis=-1)
        own_z, own_r, own_g = jnp.split(state @ recurrent + second, 3, axis=-1)
        z = sigmoid(z + own_z)
        wide = z * wide + (1 - z) * jnp.tanh(g + sigmoid(r + own_r) * own_g)
        return wide, wide

    return step, first


def _fastgrnn(cell: Any, recurrent: Array, bias: Array | None) -> tuple[Step, Array]:
    assert bias is not None
    zeta, nu = sigmoid(ops.convert_to_tensor(cell.zeta)), sigmoid(ops.convert_to_tensor(cell.nu))

    def step(wide: Array, state: Array, product: Array) -> tuple[Array, Array]:
        total = product + state @ recurrent
        z, candidate = sigmoid(total + bias[0]), jnp.tanh(total + bias[1])
        wide = (zeta * (1 - z) + nu) * candidate + z * wide
        return wide, wide

    return step, 0.0


_STEPS: dict[type, Callable[[Any, Array, Array | None], tuple[Step, Array]]] = {
    keras.layers.LSTM: _lstm,
    keras.layers.GRU: _gru,
    FastGRNN: _fastgrnn,
}
