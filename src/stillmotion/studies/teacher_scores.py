"""Scores of a teacher in a file: a row for each window of the study."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..networks.heads import as_logits
from ..windows import Windows


def read_scores(path: Path, windows: Windows) -> tuple[NDArray[np.float32], str]:
    """Read scores for every window from a file; return them as logits, with the checksum of the file.

    Args:
        path: Parquet or CSV with the columns ``window`` (number of the window in the study) or ``subject`` and ``time``
            (start of the window in seconds in the concatenated recordings of the subject), and a column per class:
            ``score_0`` … or the class names. Rows that are not negative and sum to 1 are probabilities, else logits.
        windows: of the study.
    """
    import pyarrow as pa

    if not path.is_file():
        raise UserError(f"The file of scores {path} does not exist.")
    try:
        if path.suffix == ".csv":
            from pyarrow import csv

            table = csv.read_csv(path)
        else:
            from pyarrow import parquet

            table = parquet.read_table(path)
    except (pa.ArrowInvalid, OSError) as problem:
        raise UserError(f"{path} is not a readable table of scores: {problem}.") from None
    classes = windows.spec.classes
    columns = [f"score_{number}" for number in range(len(classes))]
    if not set(columns) <= set(table.column_names):
        columns = list(classes)
    lacking = [name for name in columns if name not in table.column_names]
    if lacking:
        raise UserError(f"{path} lacks the columns {', '.join(lacking)}; it has {', '.join(table.column_names)}.")
    values = np.stack([np.asarray(table[name], np.float64) for name in columns], axis=1)
    rows = _window_numbers(path, table, windows)
    if not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values).all(1))[0])
        raise UserError(f"{path}: row {bad + 1} holds a score that is not a finite number.")
    values = as_logits(values)
    logits = np.full((len(windows), len(classes)), np.nan)
    logits[rows] = values
    without = int(np.isnan(logits).any(1).sum())
    if without:
        at = int(np.flatnonzero(np.isnan(logits).any(1))[0])
        raise UserError(
            f"{path} has no scores for {without} of {len(logits)} windows, the first of which is window {at}."
        )
    return logits.astype(np.float32), hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _window_numbers(path: Path, table: Any, windows: Windows) -> NDArray[np.int64]:
    """Return the number of the window for each row of a table."""
    if "window" in table.column_names:
        rows = np.asarray(table["window"], np.int64)
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(windows):
            raise UserError(f"{path} has window numbers outside 0 … {len(windows) - 1}.")
    elif {"subject", "time"} <= set(table.column_names):
        known = {key: number for number, key in enumerate(window_times(windows))}
        keys = zip(map(str, table["subject"].to_pylist()), table["time"].to_pylist(), strict=True)
        numbers = [known.get((subject, round(float(time), 3)), -1) for subject, time in keys]
        rows = np.array(numbers, np.int64)
        if (rows < 0).any():
            at = int(np.flatnonzero(rows < 0)[0])
            raise UserError(f"{path}: row {at + 1} matches no window of the study (by subject and time in seconds).")
    else:
        raise UserError(f"{path} needs the column window, or subject and time.")
    repeated = len(rows) - len(np.unique(rows))
    if repeated:
        raise UserError(f"{path} contains {repeated} windows more than once.")
    return rows


def window_times(windows: Windows) -> list[tuple[str, float]]:
    """Return (subject, seconds) of the start of each window in the concatenated recordings of the subject."""
    first: dict[int, int] = {}
    for subject, start in zip(windows.subject_codes.tolist(), windows.starts.tolist(), strict=True):
        first[subject] = min(first.get(subject, start), start)
    return [
        (windows.subjects[subject], round((start - first[subject]) / windows.spec.rate, 3))
        for subject, start in zip(windows.subject_codes.tolist(), windows.starts.tolist(), strict=True)
    ]
