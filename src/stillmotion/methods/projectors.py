"""Projectors: linear maps that are trained beside the networks."""

from __future__ import annotations

import numpy as np

from .method import Array, AuxParamArrays, Taps


def apply_projector(x: Array, aux_params: Taps, name: str) -> Array:
    """``x`` (…, width) through the projector of that name, if there is one."""
    if f"{name}/kernel" not in aux_params:
        return x
    return x @ aux_params[f"{name}/kernel"] + aux_params[f"{name}/bias"]


def init_projector(name: str, inputs: int, outputs: int, rng: np.random.Generator) -> AuxParamArrays:
    """First values of a projector: Glorot's uniform draw and no bias."""
    limit = np.sqrt(6 / (inputs + outputs))
    return {
        f"{name}/kernel": rng.uniform(-limit, limit, (inputs, outputs)).astype(np.float32),
        f"{name}/bias": np.zeros(outputs, np.float32),
    }
