"""FastGRNN: a gated recurrence with one pair of matrices for gate and candidate, and two scalars.

Source: Kusupati et al., "FastGRNN: A Fast, Accurate, Stable and Tiny Kilobyte Sized Gated Recurrent Neural Network",
NeurIPS 2018. With input x, state h, σ the sigmoid and ⊙ the product of elements:

- z = σ(W x + U h + b_z)
- h̃ = tanh(W x + U h + b_h)
- h ← (σ(ζ) (1 − z) + σ(ν)) ⊙ h̃ + z ⊙ h

Start of training as in the authors' code (EdgeML): W and U normal with standard deviation 0.1, biases 1, ζ = 1, ν = −4.
Where this differs: W and U have full rank and are not sparsified. FastGRNN needs a third of the weights of a GRU of the
same width.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
from keras import initializers, layers, ops

from .network import Network, begin, finish, tap
from .shape import Shape

Tensor = Any
DEVIATION, ZETA, NU = 0.1, 1.0, -4.0


@keras.saving.register_keras_serializable(package="stillmotion")
class FastGRNN(layers.Layer):
    """The recurrence over time: (batch, time, features) to every state, or to the last.

    The product of the input is computed once for all steps; the steps are a scan on every backend. A saved model that
    holds this layer opens in plain Keras after ``import stillmotion.networks``.

    Args:
        units: width of the state.
        return_sequences: whether to return the states of all steps (batch, time, units), or the last (batch, units).
        kwargs: of every Keras layer, such as ``name``.

    Example:
        >>> import keras
        >>> from stillmotion.networks import FastGRNN
        >>> model = keras.Sequential([keras.Input((50, 3)), FastGRNN(8), keras.layers.Dense(4)])
        >>> model.layers[0].count_params() == 8 * (3 + 8) + 2 * 8 + 2, model.output_shape
        (True, (None, 4))
    """

    def __init__(self, units: int, *, return_sequences: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.return_sequences = units, return_sequences
        self.kernel_initializer = self.recurrent_initializer = initializers.RandomNormal(stddev=DEVIATION)
        self.bias_initializer = initializers.Ones()
        self.zeta_initializer, self.nu_initializer = initializers.Constant(ZETA), initializers.Constant(NU)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights; ``bias`` holds that of the gate and that of the candidate."""
        shapes = {
            "kernel": (input_shape[-1], self.units),
            "recurrent_kernel": (self.units, self.units),
            "bias": (2, self.units),
            "zeta": (),
            "nu": (),
        }
        for name, shape in shapes.items():
            initializer = getattr(self, f"{name.removesuffix('_kernel')}_initializer")
            setattr(self, name, self.add_weight(shape=shape, initializer=initializer, name=name))
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Return the states (batch, time, units), or the last state (batch, units)."""
        recurrent, bias = ops.convert_to_tensor(self.recurrent_kernel), ops.convert_to_tensor(self.bias)
        zeta, nu = ops.sigmoid(self.zeta), ops.sigmoid(self.nu)
        products = ops.swapaxes(ops.matmul(inputs, self.kernel), 0, 1)  # (time, batch, units)

        def step(state: Tensor, product: Tensor) -> tuple[Tensor, Tensor]:
            total = product + ops.matmul(state, recurrent)
            gate, candidate = ops.sigmoid(total + bias[0]), ops.tanh(total + bias[1])
            state = (zeta * (1 - gate) + nu) * candidate + gate * state
            return state, state

        last, states = ops.scan(step, ops.zeros_like(products[0]), products)
        return ops.swapaxes(states, 0, 1) if self.return_sequences else last

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (batch, time, units) or (batch, units)."""
        batch, time = input_shape[:2]
        return (batch, time, self.units) if self.return_sequences else (batch, self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the configuration."""
        return {**super().get_config(), "units": self.units, "return_sequences": self.return_sequences}


def build_fastgrnn(shape: Shape, *, units: int, name: str) -> keras.Model:
    """Build the normaliser, one FastGRNN over time and a classifier of its last state."""
    inputs, x = begin(shape)
    x = tap(FastGRNN(units, return_sequences=True, name="fastgrnn")(x), "stage1")
    return finish(inputs, tap(x[:, -1], "embedding"), shape, name)


def _size(units: int) -> Network:
    name = f"fastgrnn-{units}"
    return Network(
        name=name,
        title=f"FastGRNN with {units} units over time",
        source="Kusupati et al., NeurIPS 2018 (arXiv 1901.02358)",
        build=partial(build_fastgrnn, units=units, name=name),
        taps=("logits", "embedding", "stage1"),
    )


NETWORKS = (_size(8), _size(12))
