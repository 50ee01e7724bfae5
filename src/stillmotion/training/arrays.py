"""Arrays that a user gives to training, checked before anything is built from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError

#: Share of the subjects that are held out to choose the best epoch.
HELD_OUT = 0.2
#: Of the draw of those subjects, so that it is not the draw of anything else from the same seed.
HOLD_OUT_STREAM = 1


def check_windows(windows: ArrayLike, what: str = "Windows") -> NDArray[np.float32]:
    """Return windows (n, time, channel) as float32; values that are not finite are left to ``check_replicas``."""
    values = _numeric(windows, what)
    if values.ndim != 3 or 0 in values.shape[1:]:
        raise UserError(f"{what} must be (n, time, channel), not {values.shape}.")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, np.float32)


def check_scores(scores: ArrayLike, what: str) -> NDArray[np.float32]:
    """Return a teacher's scores (n, classes) as float32."""
    values = _numeric(scores, what)
    if values.ndim != 2:
        raise UserError(f"{what} must be (n, classes), a row for each window, not {values.shape}.")
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32)


def check_labels(labels: ArrayLike, what: str = "Labels") -> NDArray[np.int64]:
    """Return labels (n,) as whole numbers; one-hot rows, names and fractions are refused."""
    values = _array(labels, what)
    if values.ndim == 2 and values.shape[1] > 1:
        raise UserError(
            f"{what} must be (n,) numbers of classes from 0, not {values.shape}: of one-hot rows take argmax(axis=1)."
        )
    if values.ndim != 1:
        raise UserError(f"{what} must be (n,) numbers of classes from 0, not {values.shape}.")
    if values.dtype.kind not in "biuf":
        first = values[0] if len(values) else values.dtype
        raise UserError(
            f"{what} must be numbers of classes from 0, not {first!r}: "
            f"np.unique(labels, return_inverse=True) numbers names."
        )
    if values.dtype.kind == "f":
        odd = ~(np.isfinite(values) & (values == np.round(values)))
        if odd.any():
            raise UserError(
                f"{what} must be whole numbers from 0; the one of window {int(odd.argmax())} is {values[odd][0]}."
            )
    if len(values) and not -(2**31) <= values.min() <= values.max() < 2**31:
        raise UserError(f"{what} must be numbers of classes from 0; they run from {values.min()} to {values.max()}.")
    return values.astype(np.int64)


def hold_out_subjects(subjects: ArrayLike, count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of the windows to train on, and of those of about 20 % of the subjects, drawn by ``seed``.

    Args:
        subjects: (n,) numbers or names.
        count: how many windows there are.
        seed: of the draw.
    """
    values = _array(subjects, "subjects")
    if values.shape != (count,):
        raise UserError(f"subjects must name one for each of {count} windows, not {values.shape}.")
    missing = np.array([each is None or each != each for each in values.tolist()], bool)
    if missing.any():
        raise UserError(
            f"subjects names none for {missing.sum()} windows, the first of them window {missing.argmax()}."
        )
    names, of_window = np.unique(values.astype(str), return_inverse=True)
    if len(names) < 2:
        raise UserError(
            f"All {count} windows are of one subject, {str(names[0])!r}, and none can be held out: give validation= of "
            f"others."
        )
    drawn = np.random.default_rng([seed % 2**32, HOLD_OUT_STREAM]).permutation(len(names))
    held = np.isin(of_window, drawn[: max(1, round(HELD_OUT * len(names)))])
    return np.flatnonzero(~held), np.flatnonzero(held)


def _numeric(given: ArrayLike, what: str) -> NDArray[Any]:
    values = _array(given, what)
    if values.dtype.kind not in "biuf":
        raise UserError(f"{what} must be numbers, not {values.dtype} values.")
    return values


def _array(given: ArrayLike, what: str) -> NDArray[Any]:
    try:
        values = np.asarray(given)
    except Exception:
        raise UserError(
            f"{what} must be an array, not {type(given).__name__} of unequal or unreadable parts."
        ) from None
    if values.dtype == object and values.size and all(isinstance(each, int | float) for each in values.flat):
        return np.array(values.tolist())
    return values
