"""Check that normaliser statistics come from training windows only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .findings import Finding
from .splits import Splits
from .statistics import Statistics, fit_statistics
from .windows import Windows

TOLERANCE = 1e-5  # of a channel's standard deviation; plus the rounding of a mean kept as float32
ROUNDING = 2e-7


def check_statistics(windows: Windows, splits: Splits, statistics: Statistics | Sequence[Statistics]) -> list[Finding]:
    """Recompute the statistics of every fold's training windows and compare them with those given."""
    given = [statistics] * len(splits) if isinstance(statistics, Statistics) else list(statistics)
    channels = windows.signal.shape[1]
    if len(given) != len(splits):
        raise UserError(f"There are {len(given)} statistics for {len(splits)} folds; give one per fold.")
    for number, fold_statistics in enumerate(given):
        if np.shape(fold_statistics.mean) != (channels,) or np.shape(fold_statistics.std) != (channels,):
            raise UserError(f"The statistics of fold {number} are not of {channels} channels, as the windows are.")
    findings = []
    for number, (fold_statistics, fold) in enumerate(zip(given, splits.folds, strict=True)):
        expected = fit_statistics(windows, fold.train)
        wrong = np.flatnonzero(_differ(fold_statistics, expected))
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
            if (index is None or len(index)) and not _differ(fold_statistics, fit_statistics(windows, index)).any():
                taken = f"they are those of {name}"
                break
        else:
            taken = "nor of any other split"
        worst = int(wrong[0])
        text = (
            f"The statistics of {len(wrong)} of {channels} channels are not those of the training windows, {taken}: "
            f"{windows.spec.channel_names[worst]} has mean {fold_statistics.mean[worst]:.6g} and deviation "
            f"{fold_statistics.std[worst]:.6g}, "
            f"the training windows {expected.mean[worst]:.6g} and {expected.std[worst]:.6g}."
        )
        findings.append(Finding("statistic", "error", number, len(wrong), text))
    return findings


def _differ(given: Statistics, expected: Statistics) -> NDArray[np.bool_]:
    mean = np.abs(given.mean - expected.mean) <= TOLERANCE * expected.std + ROUNDING * np.abs(expected.mean)
    deviation = np.abs(given.std - expected.std) <= TOLERANCE * expected.std
    return np.asarray(~(mean & deviation))  # negated, so that NaN differs
