"""Check that normaliser statistics come from training windows alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .findings import Finding
from .splits import Splits
from .statistics import Statistics, fit_statistics
from .windows import Windows

TOLERANCE = 1e-5  # of a channel's spread; with the rounding of a mean kept as float32 on top
ROUNDING = 2e-7


def check_statistics(windows: Windows, splits: Splits, statistics: Statistics | Sequence[Statistics]) -> list[Finding]:
    """Recompute the statistics of every fold's training windows and compare."""
    given = [statistics] * len(splits) if isinstance(statistics, Statistics) else list(statistics)
    channels = windows.signal.shape[1]
    if len(given) != len(splits):
        raise UserError(f"There are {len(given)} statistics for {len(splits)} folds; give one for each fold.")
    for number, one in enumerate(given):
        if np.shape(one.mean) != (channels,) or np.shape(one.std) != (channels,):
            raise UserError(f"The statistics of fold {number} are not of {channels} channels, as the windows are.")
    found = []
    for number, (one, fold) in enumerate(zip(given, splits.folds, strict=True)):
        right = fit_statistics(windows, fold.train)
        wrong = np.flatnonzero(_off(one, right))
        if len(wrong) == 0:
            continue
        suspects = (
            ("all windows", None),
            ("training and test windows", np.concatenate([fold.train, fold.test])),
            ("training and validation windows", np.concatenate([fold.train, fold.validation])),
            ("test windows", fold.test),
            ("validation windows", fold.validation),
        )
        for name, index in suspects:
            if (index is None or len(index)) and not _off(one, fit_statistics(windows, index)).any():
                taken = f"they are those of {name}"
                break
        else:
            taken = "nor of any other side"
        worst = int(wrong[0])
        text = (
            f"The statistics of {len(wrong)} of {channels} channels are not those of the training windows, {taken}: "
            f"{windows.spec.channel_names[worst]} has mean {one.mean[worst]:.6g} and deviation {one.std[worst]:.6g}, "
            f"the training windows {right.mean[worst]:.6g} and {right.std[worst]:.6g}."
        )
        found.append(Finding("statistic", "error", number, len(wrong), text))
    return found


def _off(one: Statistics, right: Statistics) -> NDArray[np.bool_]:
    mean = np.abs(one.mean - right.mean) <= TOLERANCE * right.std + ROUNDING * np.abs(right.mean)
    deviation = np.abs(one.std - right.std) <= TOLERANCE * right.std
    return np.asarray(~(mean & deviation))  # so that what is not a number is off
