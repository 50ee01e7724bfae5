"""Columns of numbers that are no sensor: constant for each subject or label, or ever rising."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Fewer rows than this say nothing about a column.
FEWEST = 20
#: Names of columns that are no sensor, whatever they hold.
NAMES = {
    "battery", "batterylevel", "charge", "age", "weight", "bmi", "gender", "sex", "handedness", "index", "idx", "row",
    "rownumber", "rowid", "sample", "samplenumber", "sampleid", "samplecount", "seq", "sequence", "counter", "count",
    "packet", "packetid", "elapsed", "secondselapsed", "elapsedtime", "elapsedseconds", "frame", "framenumber",
    "bodyheight", "heightcm", "weightkg",
}  # fmt: skip


def is_named_otherwise(name: str) -> bool:
    """Return whether a column's name says that it is no sensor, such as ``battery`` or ``row number``."""
    plain = re.sub(r"[^a-z0-9]+", "", name.lower())
    return plain in NAMES or plain.startswith("unnamed") or plain == ""


def explain_no_sensor(
    parts: Sequence[NDArray[Any]], subjects: Sequence[str], labels: Sequence[NDArray[Any]] | None = None
) -> str:
    """Explain why a column is no sensor; empty if nothing speaks against it.

    Args:
        parts: its values in stretches of consecutive rows, NaN where they are missing.
        subjects: the subject of each stretch.
        labels: the labels of the rows of each stretch, if there are labels.

    Example:
        >>> import numpy as np
        >>> from stillmotion.signals.no_sensor import explain_no_sensor
        >>> explain_no_sensor([np.full(50, 34.0), np.full(50, 61.0)], ["ann", "bob"])
        'is constant for each subject'
        >>> explain_no_sensor([np.arange(50.0), np.arange(50.0)], ["ann", "bob"])
        'only ever rises, as a counter or a clock does'
    """
    values = np.concatenate(parts) if parts else np.empty(0)
    known = np.isfinite(values)
    if np.count_nonzero(known) < FEWEST:
        return ""
    if _is_constant(values):
        return f"is constant ({values[known][0]:g})"
    if len(set(subjects)) > 1 and _is_constant_within(values, np.repeat(subjects, [len(part) for part in parts])):
        return "is constant for each subject"
    if labels is not None and _is_constant_within(values, np.concatenate(labels)):
        return "is constant for each label"
    long = [part[np.isfinite(part)] for part in parts]
    long = [part for part in long if len(part) >= FEWEST]
    for sign, verb in ((1, "rises"), (-1, "falls")):
        moving = [part for part in long if not _is_constant(part)]
        if moving and all((sign * part[1:] >= sign * part[:-1]).all() for part in long):
            what = "a counter or a clock" if sign > 0 else "a battery"
            return f"only ever {verb}, as {what} does"
    return ""


def _is_constant(values: NDArray[Any]) -> bool:
    known = values[np.isfinite(values)]
    return bool(len(known) and (known == known[0]).all())


def _is_constant_within(values: NDArray[Any], groups: NDArray[Any]) -> bool:
    """Return whether every group of two or more holds one value, and they are not all the same."""
    names, codes = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return False
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    known = np.isfinite(values)
    np.minimum.at(low, codes[known], values[known])
    np.maximum.at(high, codes[known], values[known])
    seen = np.isfinite(low)
    return bool(seen.sum() > 1 and (low[seen] == high[seen]).all() and len(np.unique(low[seen])) > 1)
