"""Windows that a bundle takes fit its contract."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ContractError
from ..signals import SignalSpec


def require_windows(windows: ArrayLike, spec: SignalSpec, source: str) -> NDArray[np.float32]:
    """Return windows as float32; raise ``ContractError`` unless they fit the contract and are finite."""
    values = np.asarray(windows)
    expected = (spec.window, len(spec.channels))
    if values.ndim != 3 or values.shape[1:] != expected or values.dtype.kind not in "fiu":
        raise ContractError(
            f"{source} must hold numbers (windows, {expected[0]}, {expected[1]}) in the units of the contract, not "
            f"{values.dtype} {values.shape}."
        )
    if not np.isfinite(values).all():
        raise ContractError(f"{source} must hold finite numbers, not NaN or infinite values; leave these windows out.")
    return values.astype(np.float32)
