"""A loop-friendly form of Keras' LSTM, saved as the plain layer.

Keras 3.15 multiplies input and state by their kernels at every step on a CPU, and on a GPU calls a cuDNN routine that
cannot take a replica axis. Here the product of the input is computed once for all steps, if there are enough steps.

Measured: forward and backward of one layer in a compiled loop, batch 64, two shared cores, milliseconds, best of four
(steps, features, units, replicas): Keras' form, input product ahead of the loop, the same with four steps unrolled.

=============  =====  =====  =====
3, 16, 8, 1    0.086  0.129  0.130
3, 16, 8, 16    1.99   2.41   2.52
45, 56, 8, 1    5.65   3.40   4.13
45, 56, 8, 16   47.8   45.2  106.1
=============  =====  =====  =====

So the product is computed ahead from 16 steps on, and nothing is unrolled (45 unrolled steps also take 40 s to
compile). With fewer steps it is where the input's kernel is large, which a loop reads, and adds to the gradient of, in
each step: ``deepconvlstm-om`` at 128 × 6 (six steps, 7,168 × 512) trains 1.05 to 1.17 times as fast. A GRU needs no
such form: Keras computes its product ahead.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from .layers import saved_as

#: Number of steps, or elements of the input's kernel, from which the input's product is computed ahead of the loop.
LONG, LARGE = 16, 1 << 12


@saved_as(keras.layers.LSTM)
class LSTM(keras.layers.LSTM):
    """``keras.layers.LSTM`` in loop-friendly form (JAX, no mask, no dropout inside; else Keras' own)."""

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """Run the loop over steps; return the last output, all outputs and the last states."""
        dropped = training and (self.dropout or self.recurrent_dropout)
        if keras.backend.backend() != "jax" or mask is not None or dropped or self.unroll:
            return super().inner_loop(sequences, initial_state, mask, training=training)
        from jax import lax

        cell = self.cell
        kernel, recurrent = ops.convert_to_tensor(cell.kernel), ops.convert_to_tensor(cell.recurrent_kernel)
        ahead = sequences.shape[1] >= LONG or kernel.size >= LARGE
        inputs = ops.swapaxes(sequences, 0, 1)  # (steps, batch, features)
        if ahead:
            inputs = self._biased(ops.matmul(inputs, kernel))

        def step(state: Any, x: Any) -> Any:
            h, c = state
            x = x if ahead else self._biased(ops.matmul(x, kernel))
            gates = ops.split(x + ops.matmul(h, recurrent), 4, axis=-1)
            i, f, o = (cell.recurrent_activation(gates[place]) for place in (0, 1, 3))
            c = f * c + i * cell.activation(gates[2])
            h = o * cell.activation(c)
            return (h, c), h if self.return_sequences else None

        state, outputs = lax.scan(step, tuple(initial_state), inputs, reverse=self.go_backwards)
        if outputs is None:
            return state[0], state[0][:, None], list(state)
        outputs = ops.flip(outputs, axis=0) if self.go_backwards else outputs
        return state[0], ops.swapaxes(outputs, 0, 1), list(state)

    def _biased(self, x: Any) -> Any:
        return x + ops.convert_to_tensor(self.cell.bias) if self.cell.use_bias else x
