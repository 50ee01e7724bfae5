"""Arrays that all replicas of a fleet read: windows, labels and what teachers say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..features.feature_set import FeatureSet
from ..windows import Windows
from .distillation import DistillationSetup

Array = Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Signal:
    """Samples (S, D) on the device, and the row at which each window of ``length`` samples begins.

    Windows that overlap share their samples: a step gathers those of its batch.
    """

    samples: Array
    starts: Array
    length: int = field(metadata={"static": True})

    @classmethod
    def of(cls, windows: NDArray[np.float32] | Windows) -> Signal:
        """Put windows on the device; those of an array lie one after the other."""
        count, length, channels = windows.shape
        if isinstance(windows, Windows):
            samples, starts = windows.signal, windows.starts
        else:
            samples, starts = windows.reshape(-1, channels), length * np.arange(count)
        if len(samples) >= 2**31:
            raise UserError(f"A fleet holds up to 2³¹ samples, not {len(samples):,}: train on fewer recordings.")
        return cls(jnp.asarray(samples), jnp.asarray(starts.astype(np.int32)), length)

    def __getitem__(self, rows: Array) -> Array:
        """Gather windows: (B,) numbers to (B, T, D)."""
        shape = (self.length, self.samples.shape[1])
        return jax.vmap(lambda start: jax.lax.dynamic_slice(self.samples, (start, 0), shape))(self.starts[rows])


class Shared(NamedTuple):
    """Arrays that all replicas read: windows, labels, teachers' cached taps or their weights and state.

    ``teacher_weights`` (teachers, P) and ``teacher_state`` are those of each of the networks of a teacher that runs in
    every step, ``shares`` (teachers, M) their weights in the mean of their probabilities.
    ``features`` are all windows' features, (N, F) for each set of ``DistillationSetup.feature_layers``.
    ``classifiers`` are kernels (teachers, F, C) and biases (teachers, C), for methods that reuse them.
    """

    windows: Signal
    labels: Array
    taps: dict[str, Array]
    teacher_weights: tuple[Array, ...] = ()
    teacher_state: tuple[list[Array], ...] = ()
    shares: Array | None = None
    classifiers: tuple[Array, Array] | None = None
    features: tuple[Array, ...] = ()


#: The parts of ``Shared`` that hold teachers.
TEACHER_PARTS = ("taps", "teacher_weights", "teacher_state", "shares")


def share_arrays(
    setup: DistillationSetup,
    windows: NDArray[np.float32] | Windows,
    labels: NDArray[Any],
    features: Mapping[FeatureSet, NDArray[np.float32]],
) -> Shared:
    """Put the arrays that all replicas read on the device.

    Args:
        setup: method, student and teachers.
        windows: (N, T, D).
        labels: (N,).
        features: of all windows, for each set of ``setup.feature_layers``.
    """
    weights, state = [], []
    parts = [teacher.parts for teacher in setup.teachers] if setup.members else []
    for members in zip(*parts, strict=True):
        weights.append(jnp.stack([jnp.asarray(member.weights) for member in members]))
        leaves = zip(*(member.state or [] for member in members), strict=True)
        state.append([jnp.stack([jnp.asarray(leaf) for leaf in each]) for each in leaves])
    kernels = setup.classifiers
    return Shared(
        windows=Signal.of(windows),
        labels=jnp.asarray(labels),
        taps={name: jnp.asarray(values) for name, values in setup.cached.items()},
        teacher_weights=tuple(weights),
        teacher_state=tuple(state),
        shares=jnp.asarray([teacher.shares for teacher in setup.teachers]) if len(weights) > 1 else None,
        classifiers=None if kernels is None else (jnp.asarray(kernels[0]), jnp.asarray(kernels[1])),
        features=tuple(jnp.asarray(features[each]) for each in setup.feature_layers),
    )
