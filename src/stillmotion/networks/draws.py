"""Draw initial weights by NumPy from the distributions of Keras' initialisers, without compiling each shape.

Under JAX, Keras compiles each random draw for each shape: building a DeepConvLSTM took 4 to 12 seconds, nearly all of
it for weights that are drawn again anyway. With these draws a seed also gives the same weights on every backend.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import initializers
from numpy.typing import NDArray

_ONE_AT_A_TIME = threading.RLock()

Draw = Callable[[Any, tuple[int, ...], np.random.Generator], NDArray[Any]]


def draw(initialiser: Any, shape: tuple[int, ...], dtype: str, seed: int) -> NDArray[Any]:
    """Draw the values of ``initialiser`` for a weight of ``shape``; an unknown initialiser is called itself."""
    for kind, rule in RULES.items():
        if isinstance(initialiser, kind):
            return rule(initialiser, shape, np.random.default_rng(seed)).astype(dtype)
    config = initialiser.get_config() if hasattr(initialiser, "get_config") else {}
    fresh = type(initialiser).from_config({**config, "seed": seed}) if "seed" in config else initialiser
    return np.asarray(fresh(shape, dtype=dtype))


@contextmanager
def drawn_by_numpy() -> Iterator[None]:
    """Let Keras' initialisers draw by NumPy while layers are built.

    Within the context, ``__call__`` of their classes is replaced; another thread that builds layers meanwhile draws
    from the same distributions. The state of Python's ``random``, from which Keras takes default seeds, is restored.
    """
    with _ONE_AT_A_TIME:
        state = random.getstate()
        before = {kind: kind.__dict__["__call__"] for kind in RULES}
        try:
            for kind, rule in RULES.items():
                kind.__call__ = _as_call(rule)
            yield
        finally:
            for kind, call in before.items():
                kind.__call__ = call
            random.setstate(state)


def _as_call(rule: Draw) -> Callable[..., Any]:
    def call(self: Any, shape: Any, dtype: Any = None) -> Any:
        seed = getattr(self, "seed", None)
        dtype = keras.backend.standardize_dtype(dtype or keras.config.floatx())
        values = rule(self, tuple(shape), np.random.default_rng(seed if isinstance(seed, int) else None))
        return _as_tensor(values.astype(dtype))

    return call


def _as_tensor(values: NDArray[Any]) -> Any:
    """Return a tensor of the backend; without ``jnp.asarray``, which compiles a program for every new shape."""
    if keras.backend.backend() != "jax":
        return keras.ops.convert_to_tensor(values)
    import jax

    return jax.device_put(values)


def _scaled(initialiser: Any, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
    """Draw Glorot, He or LeCun weights: a variance of ``scale`` over the number of inputs, outputs or their mean."""
    field = int(np.prod(shape[:-2]))
    inputs, outputs = (shape[-2] * field, shape[-1] * field) if len(shape) > 1 else (sum(shape), sum(shape))
    fan = {"fan_in": inputs, "fan_out": outputs, "fan_avg": (inputs + outputs) / 2}[initialiser.mode]
    deviation = np.sqrt(initialiser.scale / max(1.0, fan))
    if initialiser.distribution == "uniform":
        return np.asarray(rng.uniform(-np.sqrt(3) * deviation, np.sqrt(3) * deviation, shape))
    if initialiser.distribution == "truncated_normal":
        return np.asarray(
            _truncated(rng, shape) * deviation / 0.87962566103423978
        )  # standard deviation of a normal distribution truncated at 2
    return np.asarray(rng.normal(0, deviation, shape))


def _orthogonal(initialiser: Any, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    q = _orthonormal(rng.normal(size=(max(rows, columns), min(rows, columns))))
    return np.asarray(initialiser.gain * (q.T if rows < columns else q).reshape(shape))


def _orthonormal(columns: NDArray[Any]) -> NDArray[Any]:
    """Orthonormalise columns by the modified Gram-Schmidt process: the Q of QR with a positive diagonal in R.

    LAPACK's QR waits for its threads: on a machine with all cores busy a (512, 128) matrix took 5 seconds; this takes
    30 ms.
    """
    rows = np.ascontiguousarray(columns.T)
    for place, row in enumerate(rows):
        row /= np.sqrt(np.einsum("i,i->", row, row))
        rest = rows[place + 1 :]
        rest -= np.einsum("ji,i->j", rest, row)[:, None] * row
    return rows.T


def _truncated(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    from scipy.special import ndtr, ndtri

    return np.asarray(ndtri(rng.uniform(ndtr(-2.0), ndtr(2.0), shape)))


RULES: dict[Any, Draw] = {
    initializers.VarianceScaling: _scaled,
    initializers.Orthogonal: _orthogonal,
    initializers.RandomNormal: lambda self, shape, rng: rng.normal(self.mean, self.stddev, shape),
    initializers.RandomUniform: lambda self, shape, rng: rng.uniform(self.minval, self.maxval, shape),
    initializers.TruncatedNormal: lambda self, shape, rng: self.mean + self.stddev * _truncated(rng, shape),
    initializers.Zeros: lambda self, shape, rng: np.zeros(shape),
    initializers.Ones: lambda self, shape, rng: np.ones(shape),
}
