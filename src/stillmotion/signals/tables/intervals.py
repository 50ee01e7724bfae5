"""Labels in files of their own: intervals with start, end and label, as annotators write them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from .dates import ZONES
from .dialect import detect_dialect, make_printable, require_file, split_cells
from .mapping import TIME_UNITS, Intervals

#: Names of the columns of intervals, in many programs.
WORDS = {
    "start": ("start", "begin", "starttime", "begintime", "from", "onset", "tmin", "start_time"),
    "end": ("end", "stop", "endtime", "to", "tmax", "until", "finish"),
    "label": ("label", "annotation", "activity", "text", "class", "name", "value", "event", "default"),
    "subject": ("subject", "participant", "person", "user"),
}
#: Clocks beyond this many seconds are dates; intervals below it are counted from the start of a recording.
EPOCH = 1e8


@dataclass(eq=False)
class IntervalLabels:
    """Intervals by subject (empty for all), and what was done with them."""

    table: Mapping[str, list[tuple[float, float, str]]]
    place: str
    labelled: int = 0
    span: tuple[float, float] = (np.inf, -np.inf)
    _sorted: dict[str, tuple[NDArray[np.float64], NDArray[np.float64], list[str]]] = field(default_factory=dict)
    _origin: dict[tuple[Any, ...], float] = field(default_factory=dict)

    def label(
        self, subject: str, seconds: NDArray[np.float64], place: tuple[Any, ...]
    ) -> tuple[NDArray[np.int64], list[str]]:
        """Return the number of each sample's label, and the labels; the last, empty one is outside of all intervals.

        Args:
            subject: name.
            seconds: the clock.
            place: file and session, at whose first sample intervals begin that are no dates.
        """
        starts, ends, words = self._of(subject)
        if not len(seconds) or not len(starts):
            return np.zeros(len(seconds), np.int64), [""]
        origin = self._origin.setdefault(place, float(seconds[0]))
        self.span = min(self.span[0], float(seconds.min())), max(self.span[1], float(seconds.max()))
        moments = seconds - origin if origin > EPOCH > ends.max() else seconds
        at = np.searchsorted(starts, moments, side="right") - 1
        inside = (at >= 0) & (moments < ends[np.maximum(at, 0)])
        self.labelled += int(inside.sum())
        return np.where(inside, at, len(words)), [*words, ""]

    def _of(self, subject: str) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
        if subject not in self._sorted:
            own = sorted([*self.table.get(subject, ()), *self.table.get("", ())])
            starts, ends = (np.array([row[at] for row in own], np.float64) for at in (0, 1))
            self._sorted[subject] = starts, ends, [word for *_, word in own]
        return self._sorted[subject]

    def require_used(self) -> None:
        """Raise ``UserError`` if no sample lies in an interval: then the clocks differ."""
        if self.labelled:
            return
        every = [row for rows in self.table.values() for row in rows]
        begin, end = min(row[0] for row in every), max(row[1] for row in every)
        raise UserError(
            f"{self.place}: none of {len(every)} intervals ({begin:.10g} to {end:.10g} s) covers a sample (the clock "
            f"runs from {self.span[0]:.10g} to {self.span[1]:.10g} s); set time_zone or offset in [intervals]."
        )


def read_intervals(intervals: Intervals, listed: list[tuple[Path, dict[str, Any]]]) -> IntervalLabels:
    """Read files of intervals.

    Args:
        intervals: columns and clock.
        listed: files with the fields read from their names.

    Raises:
        UserError: a file has no start, end and label, or an interval ends before it starts.
    """
    table: dict[str, list[tuple[float, float, str]]] = {}
    for path, in_name in listed:
        names, rows, first = _read_rows(path)
        columns = {role: _find_column(path, names, role, getattr(intervals, role)) for role in WORDS}
        for number, row in enumerate(rows, first):
            if len(row) != len(names):
                raise UserError(f"{path}, row {number}: {len(row)} cells where {len(names)} were expected.")
            begin, end = (
                _parse_moment(path, number, row[names.index(columns[role])], intervals) for role in ("start", "end")
            )
            if end < begin:
                raise UserError(f"{path}, row {number}: the interval ends before it starts ({begin:g} to {end:g} s).")
            subject = row[names.index(columns["subject"])] if columns["subject"] else in_name.get("subject", "")
            table.setdefault(subject, []).append((begin, end, row[names.index(columns["label"])]))
    if not table:
        raise UserError(f"{intervals.files} holds no intervals.")
    return IntervalLabels(table, ", ".join(str(path) for path, _ in listed[:3]))


def _read_rows(path: Path) -> tuple[list[str], list[list[str]], int]:
    """Return names, rows and the number of the first row; Audacity and ELAN write no names."""
    require_file(path)
    first = path.read_bytes()[:4096].decode("utf-8", errors="replace").lstrip("\ufeff").splitlines()[0]
    delimiter = "\t" if "\t" in first else ""
    bare = split_cells(first, delimiter) if delimiter else []
    if any(_is_moment(cell) for cell in bare):
        moments = [at for at, cell in enumerate(bare) if _is_moment(cell)]
        names = [f"column {at}" for at in range(1, len(bare) + 1)]
        names[moments[0]], names[moments[1] if len(moments) > 1 else moments[0]] = "start", "end"
        names[max(at for at in range(len(bare)) if at not in moments)] = "label"
        dialect = detect_dialect(path, delimiter=delimiter, heading=tuple(names))
    else:
        dialect = detect_dialect(path)
    text = path.read_bytes().decode(dialect.encoding).lstrip("\ufeff")
    lines = text.splitlines()[dialect.above :]
    rows = [
        [cell.strip() for cell in row] for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=dialect.delimiter)
    ]
    return list(dialect.heading), [row for row in rows if any(row)], dialect.above + 1


def _find_column(path: Path, names: list[str], role: str, given: str) -> str:
    if given and given not in names:
        raise UserError(
            f"{path} has no column {make_printable(given)!r}; it has {', '.join(map(make_printable, names[:20]))}."
        )
    plain = {re.sub(r"[^a-z_]", "", re.sub(r"[\[(].*", "", name.lower())): name for name in names}
    column = given or next((plain[word] for word in WORDS[role] if word in plain), "")
    if not column and role != "subject":
        raise UserError(
            f"{path} has no column for the {role} of an interval; name it in [intervals] ({role} = '…'); it has "
            f"{', '.join(map(make_printable, names[:20]))}."
        )
    return column


def _is_moment(cell: str) -> bool:
    return re.fullmatch(r"\d+([.,]\d+)?|(\d+:)?\d{1,2}:\d{2}([.,]\d+)?", cell) is not None


def _parse_moment(path: Path, row: int, cell: str, intervals: Intervals) -> float:
    """Parse seconds, hours, minutes and seconds, or a date."""
    text = cell.replace(",", ".")
    if re.fullmatch(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", text):
        unit = "s" if intervals.unit_of_time == "iso" else intervals.unit_of_time
        return float(text) * TIME_UNITS[unit] + intervals.offset
    if _is_moment(cell):
        seconds = 0.0
        for part in text.split(":"):
            seconds = 60 * seconds + float(part)
        return seconds + intervals.offset
    try:
        moment = datetime.fromisoformat(cell.replace("/", "-"))
    except ValueError:
        raise UserError(
            f"{path}, row {row}: {make_printable(cell)!r} is no time; seconds, 00:01:02.5 or 2026-03-01T10:00:00 were "
            f"expected."
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=_zone(intervals.time_zone))
    return moment.timestamp() + intervals.offset


def _zone(name: str) -> Any:
    from datetime import timedelta
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if not name or name.upper() in ZONES:
        return timezone(timedelta(hours=ZONES.get(name.upper(), 0)))
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UserError(
            f"time_zone in [intervals] is not known: {name!r}; give one such as Europe/Berlin or CET."
        ) from None
