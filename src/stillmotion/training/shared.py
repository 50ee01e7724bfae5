"""Arrays that all replicas of a fleet read: windows, labels and what teachers say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ..features.feature_set import FeatureSet
from .distillation import DistillationSetup

Array = Any


class Shared(NamedTuple):
    """Arrays that all replicas read: windows, labels, teachers' cached taps or their weights and state.

    ``teacher_weights`` (teachers, P) and ``teacher_state`` are those of each of the networks of a teacher that runs in
    every step, ``shares`` (teachers, M) their weights in the mean of their probabilities.
    ``features`` are all windows' features, (N, F) for each set of ``DistillationSetup.feature_layers``.
    ``classifiers`` are kernels (teachers, F, C) and biases (teachers, C), for methods that reuse them.
    """

    windows: Array
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
    windows: NDArray[Any],
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
        windows=jnp.asarray(windows),
        labels=jnp.asarray(labels),
        taps={name: jnp.asarray(values) for name, values in setup.cached.items()},
        teacher_weights=tuple(weights),
        teacher_state=tuple(state),
        shares=jnp.asarray([teacher.shares for teacher in setup.teachers]) if len(weights) > 1 else None,
        classifiers=None if kernels is None else (jnp.asarray(kernels[0]), jnp.asarray(kernels[1])),
        features=tuple(jnp.asarray(features[each]) for each in setup.feature_layers),
    )
