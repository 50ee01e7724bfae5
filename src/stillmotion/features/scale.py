"""Standardise features by the training subjects' mean and standard deviation, and clip them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError

#: Standardised features beyond this many standard deviations are clipped: another subject's outlier must not rule.
LIMIT = 5.0
#: A standard deviation below this part of the mean's size is rounding: the feature is constant and only centred.
CONSTANT = 1e-6


@dataclass(frozen=True, eq=False)
class FeatureScale:
    """Means and standard deviations of features.

    Args:
        mean: (F,) float32.
        std: (F,) float32, 1 for a constant feature.
    """

    mean: NDArray[np.float32]
    std: NDArray[np.float32]

    def apply(self, values: ArrayLike) -> NDArray[np.float32]:
        """Return standardised features (n, F), clipped to ±5.

        Args:
            values: (n, F) features.
        """
        scaled = (np.asarray(values, np.float32) - self.mean) / self.std
        return np.asarray(np.clip(scaled, -LIMIT, LIMIT))


def fit_scale(values: ArrayLike) -> FeatureScale:
    """Fit the scale of features; pass those of training subjects alone.

    Args:
        values: (n, F) features.

    Returns:
        Mean and standard deviation of each feature.

    Raises:
        UserError: there is no row, or a value is not finite.

    Example:
        >>> import numpy as np
        >>> from stillmotion.features import fit_scale
        >>> scale = fit_scale([[1.0, 7.0], [3.0, 7.0]])
        >>> scale.mean, scale.std
        (array([2., 7.], dtype=float32), array([1., 1.], dtype=float32))
        >>> scale.apply([[99.0, 8.0]])
        array([[5., 1.]], dtype=float32)
    """
    table = np.asarray(values, np.float64)
    if table.ndim != 2 or not len(table):
        raise UserError(f"The scale of features is fitted to (n, features) of at least one window, not {table.shape}.")
    if not np.isfinite(table).all():
        column = int(np.argmin(np.isfinite(table).all(0)))
        raise UserError(f"Feature {column} is NaN or infinite in some window; fill the gap or leave the window out.")
    mean, std = table.mean(0), table.std(0)
    constant = (std <= CONSTANT * np.abs(mean)) | (std == 0)
    return FeatureScale(mean.astype(np.float32), np.where(constant, 1.0, std).astype(np.float32))
