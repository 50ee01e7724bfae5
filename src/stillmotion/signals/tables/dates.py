"""Dates and times of day as seconds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

#: Hours by which the clock of a named zone is ahead of UTC. Names that stand for several zones are missing.
ZONES = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "MEZ": 1, "CEST": 2, "MESZ": 2, "EET": 2,
    "EEST": 3, "MSK": 3, "EST": -5, "EDT": -4, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "JST": 9, "KST": 9,
    "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip
_DATE = re.compile(r"\d{4}[-/]\d{2}[-/]\d{2}[ T]\d{2}:\d{2}.*")
_TIME = re.compile(r"\d{1,2}:\d{2}:\d{2}([.,]\d+)?")


def is_date(cell: str) -> bool:
    """Return whether a cell is a date with a time, or a time of day with seconds."""
    return bool(_DATE.fullmatch(cell) or _TIME.fullmatch(cell))


def parse_dates(path: Path, row: int, column: str, cells: pa.Array) -> pa.Array:
    """Parse dates such as ``2026-03-01T10:00:00.020``, with or without a zone, or times of day.

    Dates without a zone, and times of day, keep their own clock: only differences matter.

    Args:
        path, row, column: where the cells are, for messages.
        cells: text.

    Returns:
        Timestamps in nanoseconds.

    Raises:
        UserError: a cell is neither, or its zone is not known.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    words = pc.utf8_trim_whitespace(cells)
    for form in (words, _as_iso(path, row, column, words)):
        for kind in (pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
            try:
                return form.cast(kind)
            except pa.ArrowInvalid as problem:
                last = problem
    raise UserError(
        f"{path}, from row {row} on: {column} is not a date: {str(last).splitlines()[0].rstrip('.')}; dates are "
        f"written as 2026-03-01T10:00:00.020 (year, month, day), times of day as 10:00:00.020."
    )


def _as_iso(path: Path, row: int, column: str, words: pa.Array) -> pa.Array:
    """Rewrite dates with slashes, named zones or offsets such as +0100, and times of day, as ISO dates."""
    import pyarrow as pa
    import pyarrow.compute as pc

    words = pc.replace_substring_regex(words, r"^(\d{4})/(\d{2})/(\d{2})", r"\1-\2-\3")
    words = pc.replace_substring_regex(words, r"^(\d:\d{2}:\d{2})", r"0\1")
    words = pc.replace_substring_regex(words, r"^(\d{2}:\d{2}:\d{2})", r"1970-01-01T\1")
    words = pc.replace_substring_regex(words, r"(:\d{2}),(\d+)", r"\1.\2")
    zones = pc.struct_field(pc.extract_regex(words, r"\d\s*(?P<zone>[A-Za-z]{1,5})$"), "zone").dictionary_encode()
    for zone in zones.dictionary.to_pylist():
        if zone is None:
            continue
        if zone.upper() not in ZONES:
            raise UserError(
                f"{path}, from row {row} on: {column} has the time zone {zone!r}, which is not known or not unique; "
                f"write an offset, such as +02:00."
            )
        hours = ZONES[zone.upper()]
        words = pc.replace_substring_regex(words, rf"\s*{zone}$", f"{'+' if hours >= 0 else '-'}{abs(hours):02d}:00")
    words = pc.replace_substring_regex(words, r"(\d)\s+([+-]\d{2}):?(\d{2})$", r"\1\2:\3")
    words = pc.replace_substring_regex(words, r"(:\d{2}(?:\.\d+)?)([+-]\d{2})(\d{2})$", r"\1\2:\3")
    # Arrow reads at most nine decimals.
    return pa.array(pc.replace_substring_regex(words, r"(\.\d{9})\d+", r"\1"))
