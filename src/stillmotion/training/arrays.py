"""Check the arrays that a user passes to training, and hold out subjects for validation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError

#: Share of the subjects held out to choose the best epoch.
HELD_OUT = 0.2
#: Random stream of that draw, so that it differs from all others of the same seed.
HOLD_OUT_STREAM = 1


def check_windows(windows: ArrayLike, what: str = "Windows") -> NDArray[np.float32]:
    """Return windows (n, time, channel) as float32; ``check_replicas`` refuses values that are not finite."""
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
            f"{what} must be (n,) class numbers from 0, not {values.shape}: of one-hot rows pass the argmax(axis=1)."
        )
    if values.ndim != 1:
        raise UserError(f"{what} must be (n,) class numbers from 0, not {values.shape}.")
    if values.dtype.kind not in "biuf":
        first = values[0] if len(values) else values.dtype
        raise UserError(
            f"{what} must be class numbers from 0, not {first!r}: "
            f"np.unique(labels, return_inverse=True) turns names into numbers."
        )
    if values.dtype.kind == "f":
        odd = ~(np.isfinite(values) & (values == np.round(values)))
        if odd.any():
            raise UserError(
                f"{what} must be whole numbers from 0; that of window {int(odd.argmax())} is {values[odd][0]}."
            )
    if len(values) and not -(2**31) <= values.min() <= values.max() < 2**31:
        raise UserError(f"{what} must be class numbers from 0; they run from {values.min()} to {values.max()}.")
    return values.astype(np.int64)


def number_names(
    labels: ArrayLike, validation: tuple[ArrayLike, ArrayLike] | None
) -> tuple[ArrayLike, tuple[ArrayLike, ArrayLike] | None, tuple[str, ...]]:
    """Number names of classes in sorted order, those of training and validation alike; numbers stay as they are.

    Args:
        labels: of the training windows.
        validation: windows and labels, or None.

    Returns:
        Labels, validation, and the names; none if labels are numbers.
    """
    pair = validation if isinstance(validation, (tuple, list)) and len(validation) == 2 else None
    columns = [_array(labels, "Labels"), *([] if pair is None else [_array(pair[1], "Validation labels")])]
    if any(column.ndim != 1 or not _are_names(column) for column in columns):
        return labels, validation, ()
    names = np.unique(np.concatenate([column.astype(str) for column in columns]))
    numbers = [np.searchsorted(names, column.astype(str)) for column in columns]
    return numbers[0], None if pair is None else (pair[0], numbers[1]), tuple(names.tolist())


def _are_names(column: NDArray[Any]) -> bool:
    return column.dtype.kind == "U" or (column.dtype == object and all(isinstance(each, str) for each in column))


def hold_out_subjects(subjects: ArrayLike, count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hold out about 20 % of the subjects, drawn by ``seed``; return indices of training and validation windows.

    Args:
        subjects: (n,) the subject of each window, numbers or names.
        count: number of windows.
        seed: seed of the draw.
    """
    values = _array(subjects, "subjects")
    if values.shape != (count,):
        raise UserError(f"subjects must hold one subject for each of {count} windows, not {values.shape}.")
    missing = np.array([subject is None or subject != subject for subject in values.tolist()], bool)
    if missing.any():
        raise UserError(f"{missing.sum()} windows have no subject, the first of them window {missing.argmax()}.")
    names, of_window = np.unique(values.astype(str), return_inverse=True)
    if len(names) < 2:
        raise UserError(
            f"All {count} windows are of one subject ({str(names[0])!r}), so none can be held out: pass validation= of "
            f"other subjects."
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
    if values.dtype == object and values.size and all(isinstance(value, int | float) for value in values.flat):
        return np.array(values.tolist())
    return values
