"""Projectors: trained linear maps between the features of two networks."""

from __future__ import annotations

import numpy as np

from .method import Array, AuxParamArrays, Taps


def apply_projector(x: Array, aux_params: Taps, name: str) -> Array:
    """Apply the projector of that name to ``x`` (…, width); return ``x`` where there is none."""
    if f"{name}/kernel" not in aux_params:
        return x
    return x @ aux_params[f"{name}/kernel"] + aux_params[f"{name}/bias"]


def init_projector(name: str, inputs: int, outputs: int, rng: np.random.Generator) -> AuxParamArrays:
    """Draw a projector: a Glorot-uniform kernel and a bias of zeros."""
    limit = np.sqrt(6 / (inputs + outputs))
    return {
        f"{name}/kernel": rng.uniform(-limit, limit, (inputs, outputs)).astype(np.float32),
        f"{name}/bias": np.zeros(outputs, np.float32),
    }
