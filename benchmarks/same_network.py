"""Describe a network of ours to a contender, which must prove that its own is the same.

Contenders import this where neither this package nor Keras is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Windows whose logits are compared.
PROBES = 16
#: Largest difference of a contender's logits to ours, as a share of the largest; rounding takes up to 3e-6.
TOLERANCE = 5e-5
#: Standard deviations of what is added to vectors, and to kernels. Vectors vary so much that some units are clipped.
SPREAD, KERNEL_SPREAD = 0.5, 0.1


def describe_network(name: str, shape: tuple[int, int, int], windows: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Return what a contender needs to check and to feed a network of its own.

    Args:
        name: the network.
        shape: samples, channels and classes.
        windows: (N, T, D) of the contest.

    Returns:
        ``trained``, the number of trained numbers; ``weights/PATH``, random values for all variables, biases and moving
        statistics too, which new networks have at 0 or 1; ``logits`` of the first windows with these values, in
        inference mode; for a network on window features, ``features`` of all windows, standardised and clipped.
    """
    import jax

    import stillmotion.training  # noqa: F401 - before any import of keras: it chooses the backend.
    from stillmotion.networks import build_network, set_feature_statistics, with_taps
    from stillmotion.networks.normaliser import feature_normalisers

    model = build_network(name, shape, seed=1)
    tapped = with_taps(model, ["logits"])
    described: dict[str, NDArray[Any]] = {"trained": np.array(sum(np.size(v) for v in tapped.trainable_variables))}
    if feature_normalisers(model):
        set_feature_statistics(model, windows)
        parts = np.array_split(windows, -(-len(windows) // 4096))
        features = jax.jit(with_taps(model, ["features"]))
        described["features"] = np.concatenate([np.asarray(features(part)["features"]) for part in parts])
    random = np.random.default_rng(0)
    for variable in tapped.variables:
        path = variable.path.removeprefix(f"{model.name}/")
        if "normaliser" in path or "seed_generator" in path:
            continue
        spread = SPREAD if len(variable.shape) == 1 else KERNEL_SPREAD
        values = np.asarray(variable) + random.normal(0, spread, variable.shape)
        values = (np.abs(values) if "variance" in path else values).astype(np.float32)
        variable.assign(values)
        described[f"weights/{path}"] = values
    with jax.default_matmul_precision("highest"):  # a GPU would round factors to TF32
        described["logits"] = np.asarray(jax.jit(partial(tapped, training=False))(windows[:PROBES])["logits"])
    return described


def require_same(described: Mapping[str, NDArray[Any]], trained: int, logits: NDArray[np.float32]) -> None:
    """Raise unless a contender's network is the one described.

    Args:
        described: what ``describe_network`` returns.
        trained: the number of trained numbers of the contender's network.
        logits: its answers in inference mode, with our weights, on as many of the first windows as are described.
    """
    if trained != int(described["trained"]):
        raise ValueError(
            f"The contender's network has {trained:,} trained numbers, ours {int(described['trained']):,}."
        )
    expected = described["logits"]
    difference = np.abs(logits - expected).max() / np.abs(expected).max()
    if not difference < TOLERANCE:
        raise ValueError(f"With our weights the contender's network is {difference:.2g} of the largest logit off.")
