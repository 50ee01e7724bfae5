"""Describe a network of ours to a contender, which must prove that its own is the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Windows whose logits are compared.
PROBES = 16


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
    import stillmotion.training  # noqa: F401 - before any import of keras: it chooses the backend.
    from stillmotion.networks import build_network, set_feature_statistics, with_taps
    from stillmotion.networks.normaliser import feature_normalisers

    model = build_network(name, shape, seed=1)
    tapped = with_taps(model, ["logits"])
    described: dict[str, NDArray[Any]] = {"trained": np.array(sum(np.size(v) for v in tapped.trainable_variables))}
    if feature_normalisers(model):
        set_feature_statistics(model, windows)
        parts = np.array_split(windows, -(-len(windows) // 4096))
        features = with_taps(model, ["features"])
        described["features"] = np.concatenate([np.asarray(features(part)["features"]) for part in parts])
    random = np.random.default_rng(0)
    for variable in tapped.variables:
        path = variable.path.removeprefix(f"{model.name}/")
        if "normaliser" in path or "seed_generator" in path:
            continue
        values = np.asarray(variable) + random.normal(0, 0.1, variable.shape)
        values = (np.abs(values) if "variance" in path else values).astype(np.float32)
        variable.assign(values)
        described[f"weights/{path}"] = values
    described["logits"] = np.asarray(tapped(windows[:PROBES], training=False)["logits"])
    return described
