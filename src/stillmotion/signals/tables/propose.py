"""Proposal of a mapping from the first rows of a table."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...names import is_text, make_visible, require_text
from ..units import STANDARD_GRAVITY
from .batches import NO_NUMBER, iterate_parquet, open_parquet, read_parquet_names
from .dialect import NAMES, detect_dialect
from .mapping import TIME_UNITS, TableMap, as_toml

WORDS = {
    "subject": ("subject", "person", "user", "participant", "subjectid", "userid", "personid", "participantid", "id"),
    "session": ("session", "trial", "visit", "run", "recording", "sessionid", "take"),
    "label": ("label", "activity", "class", "gesture", "state", "target", "annotation", "activityid", "event"),
    "time": ("time", "timestamp", "t", "ts", "seconds", "millis", "datetime", "date", "elapsed", "clock", "utc"),
}
SENSORS = {
    "acc": ("acc", "accel", "accelerometer", "acceleration", "a"),
    "gyr": ("gyr", "gyro", "gyroscope", "g", "w", "angularvelocity"),
    "mag": ("mag", "magnetometer", "m", "magnetic"),
}
UNIT_WORDS = {
    "g": "g", "ms2": "m/s2", "mps2": "m/s2", "rads": "rad/s", "radps": "rad/s", "dps": "deg/s", "degs": "deg/s",
    "ut": "uT", "gauss": "gauss",
}  # fmt: skip
TIME_WORDS = {"s": "s", "sec": "s", "seconds": "s", "ms": "ms", "millis": "ms", "us": "us", "ns": "ns"}
#: Plausible sampling rates, Hz; a unit of time that gives another rate is ruled out.
PLAUSIBLE = (1.0, 5000.0)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}.*")
#: Largest deviation from one g of an accelerometer's median norm, as a share, for its unit to be recognised.
NEAR = 0.3


@dataclass(frozen=True)
class Proposal:
    """Hold a proposed mapping to check: its ``values``, what is ``missing`` in it, and ``remarks``.

    ``remarks`` are sentences: first what is missing, then the assumptions that were made.
    """

    path: Path
    values: Mapping[str, Any]
    missing: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether the table can be read with the proposal."""
        return not self.missing

    def mapping(self) -> TableMap:
        """Return the proposal as a mapping; raise ``UserError`` if something is missing."""
        if self.missing:
            raise UserError(
                f"{self.path}: {self.missing[0]}; set it in a mapping (mapping=, or a TOML next to the table)."
            )
        return TableMap.of(self.values, self.path.parent, source=f"the mapping proposed for {self.path}")

    def describe(self) -> str:
        """Return one line with the role of each column, and the remarks."""
        device = self.mapping().devices[0]
        roles = [f"{role} = {getattr(device, role)}" for role in WORDS if getattr(device, role)]
        if device.time:
            roles.append(f"unit_of_time = {device.unit_of_time}")
        if device.rate:
            roles.append(f"rate = {device.rate:g} Hz")
        for group in dict.fromkeys(channel.group for channel in device.channels):
            columns = [column for column, channel in device.sensors if channel.group == group]
            units = {channel.unit for channel in device.channels if channel.group == group} - {""}
            roles.append(f"{group} = {' '.join(columns)}" + "".join(f" in {unit}" for unit in units))
        return "; ".join([", ".join(roles), *self.remarks])

    def to_toml(self, folder: Path | None = None) -> str:
        """Return the proposal as TOML for the table's folder, or for another one, with the remarks as comments."""
        values = dict(self.values)
        if folder is not None:
            values["files"] = Path(os.path.relpath(self.path.parent, folder), str(values["files"])).as_posix()
        return "".join(f"# {remark}\n" for remark in self.remarks) + as_toml(values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {"mapping": dict(self.values), "missing": list(self.missing), "remarks": list(self.remarks)}


def propose_mapping(path: str | Path, known: Mapping[str, Any] | None = None) -> Proposal:
    r"""Propose a mapping for a table, from its first rows.

    Args:
        path: a CSV or Parquet file.
        known: given values of the mapping, which are kept.

    Returns:
        A mapping to check, with what is missing in it and the assumptions that were made.

    Raises:
        UserError: the file is not a table.

    Example:
        >>> from pathlib import Path
        >>> from stillmotion.signals import propose_mapping
        >>> rows = [f"{who},{n / 50},walk,{n % 7},{n % 5},{n % 3}" for who in ("ann", "bob") for n in range(100)]
        >>> size = Path("walks.csv").write_text("\n".join(["subject,t,activity,ax,ay,az", *rows]))
        >>> proposal = propose_mapping("walks.csv")
        >>> proposal.values["subject"], proposal.values["unit_of_time"], proposal.values["sensors"]
        ('subject', 's', {'acc': {'columns': ['ax', 'ay', 'az']}})
    """
    path, known = Path(path), dict(known or {})
    require_text(path.name, "file")
    names, columns, remarks = _sample_parquet(path) if path.suffix == ".parquet" else _sample_text(path, known)
    if hidden := [make_visible(name) for name in names if not is_text(name)]:
        remarks.append(f"not used, since their names hold unprintable characters: {', '.join(hidden)}")
        names = tuple(name for name in names if is_text(name))
    values: dict[str, Any] = {"files": path.name}
    taken = {str(known[role]) for role in WORDS if known.get(role)}
    for role, words in WORDS.items():
        fitting = [
            name for name in names if _normalise(name) in words or _normalise(name, units=TIME_WORDS)[0] in words
        ]
        fitting = [name for name in fitting if name not in taken and not _is_axis(name, columns)]
        if role not in known and fitting:
            best = min(fitting, key=lambda name: words.index(w) if (w := _normalise(name)) in words else len(words))
            values[role] = best
            taken.add(best)
    values |= {key: value for key, value in known.items() if key != "sensors"}
    missing: list[str] = []
    if time := values.get("time"):
        _propose_clock(str(time), columns.get(str(time), ()), values, remarks, missing)
    elif not values.get("rate"):
        missing.append("no column looks like a time: name it (time = 't'), or set the rate (rate = 50, in Hz)")
    taken |= {str(values[role]) for role in WORDS if values.get(role)} | set(values.get("where", {}))
    values["sensors"] = known.get("sensors") or _propose_sensors(names, columns, taken, remarks)
    if not values["sensors"]:
        missing.append("no numeric column is left that could be a sensor")
    if not values.get("subject") and "{subject}" not in str(values["files"]):
        remarks.append(
            "no column looks like a subject: all rows count as one subject, so no split by subject is possible"
        )
    if not values.get("label"):
        remarks.append("no column looks like a label: nothing can be trained on this table")
    return Proposal(path, values, tuple(missing), (*missing, *remarks))


Cells = dict[str, Sequence[Any]]


def _sample_text(path: Path, known: Mapping[str, Any]) -> tuple[tuple[str, ...], Cells, list[str]]:
    dialect = detect_dialect(
        path,
        **{key: str(known.get(key, "")) for key in ("delimiter", "decimal", "encoding")},
        heading=tuple(known.get("heading", ())),
    )
    remarks = []
    if dialect.delimiter != ",":
        remarks.append(f"cells are delimited by {NAMES.get(dialect.delimiter, repr(dialect.delimiter))}")
    if dialect.decimal == ",":
        remarks.append("numbers have decimal commas")
    if dialect.encoding != "utf-8":
        remarks.append(f"the text is {dialect.encoding.upper()}")
    rows = [row for row in dialect.rows if len(row) == len(dialect.heading) and row != dialect.heading]
    columns: Cells = {}
    for name, cells in zip(dialect.heading, zip(*rows, strict=True), strict=False):
        columns[name] = [cell.replace(",", ".") if dialect.decimal == "," else cell for cell in cells]
    return dialect.heading, columns, remarks


def _sample_parquet(path: Path) -> tuple[tuple[str, ...], Cells, list[str]]:
    file = open_parquet(path)
    names = read_parquet_names(path, file)
    first = next(iterate_parquet(path, file), None)
    if first is None:
        return names, {}, []
    head = first[1].slice(0, 200)
    return names, {name: [str(value) for value in head[name].to_pylist()] for name in names}, []


def _normalise(name: str, units: Mapping[str, str] | None = None) -> Any:
    """Reduce a name to lower-case letters and digits; with ``units``, also split off a unit at its end."""
    parts = [part for part in re.split(r"[^a-z0-9]+", name.lower()) if part]
    if units is None:
        return "".join(parts)
    for width in (2, 1):
        unit = "".join(parts[-width:])
        if len(parts) > width and unit in units:
            return "".join(parts[:-width]), units[unit]
    return "".join(parts), ""


def _as_numbers(cells: Sequence[Any]) -> NDArray[np.float64] | None:
    """Return a column as numbers, or None if it holds anything else or nothing."""
    try:
        numbers = np.array([np.nan if cell in NO_NUMBER else float(cell) for cell in cells])
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).any() else None


def _is_axis(name: str, columns: Cells) -> bool:
    """Return whether a column is an axis (x, y or z) of a sensor, whatever else its name may mean."""
    return _parse_axis(name)[2] != "" and _as_numbers(columns.get(name, ())) is not None


def _propose_clock(
    name: str, cells: Sequence[Any], values: dict[str, Any], remarks: list[str], missing: list[str]
) -> None:
    """Propose the unit of a time column from its name or from the rate that it gives."""
    if "unit_of_time" in values:
        return
    if any(DATE.fullmatch(str(cell)) for cell in cells):
        values["unit_of_time"] = "iso"
        return
    numbers = _as_numbers(cells)
    if numbers is None:
        missing.append(f"{name} holds neither numbers nor dates such as 2026-03-01T10:00:00.020")
        return
    steps = np.diff(numbers)
    steps = steps[steps > 0]
    if len(steps) == 0:
        missing.append(f"{name} is constant in the first rows; set the rate (rate = 50, in Hz) instead")
        return
    step = float(np.median(steps))
    named_unit = _normalise(name, units=TIME_WORDS)[1]
    fitting = [unit for unit, size in TIME_UNITS.items() if unit != "iso" and _fits(step * size)]
    if named_unit:
        values["unit_of_time"] = named_unit
    elif step == 1.0 and (steps == 1.0).all():
        missing.append(
            f"{name} counts 1, 2, 3 …: set unit_of_time = 's' if it is a clock, or rate = 50 (Hz) if it is a counter"
        )
    elif fitting:
        # A step of 0.02 means seconds, 20 milliseconds; of several units, take the largest rate up to 500 Hz.
        usual = [unit for unit in fitting if 1 / (step * TIME_UNITS[unit]) <= 500]
        values["unit_of_time"] = (usual or fitting)[-1]
        rate = 1 / (step * TIME_UNITS[values["unit_of_time"]])
        remarks.append(f"{name} is taken as {values['unit_of_time']}, which gives {rate:.4g} Hz")
    else:
        missing.append(f"{name} has steps of {step:g}, not a plausible rate in any unit; set unit_of_time")


def _fits(period: float) -> bool:
    return PLAUSIBLE[0] <= 1 / period <= PLAUSIBLE[1]


def _parse_axis(name: str) -> tuple[str, str, str, str]:
    """Parse position, sensor, axis and unit from a column's name; empty where it has none."""
    unit = ""
    if bracketed := re.search(r"[\[(]([^\])]*)[\])]", name):
        unit = UNIT_WORDS.get(re.sub(r"[^a-z0-9]", "", bracketed[1].lower().replace("²", "2")), "")
        name = name[: bracketed.start()]
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    parts = [part for part in re.split(r"[^A-Za-z0-9]+", spaced.lower()) if part]
    if not unit and len(parts) > 2 and parts[-1] in UNIT_WORDS and parts[-2] in "xyz":
        unit = UNIT_WORDS[parts.pop()]
    if parts and len(parts[-1]) > 1 and parts[-1][-1] in "xyz":
        # ax, accx: a sensor's name with its axis behind it
        stem = parts[-1][:-1]
        if any(stem in words for words in SENSORS.values()):
            parts[-1:] = [stem, parts[-1][-1]]
    if not parts or parts[-1] not in ("x", "y", "z"):
        return "", "", "", unit
    *front, axis = parts
    for place, part in enumerate(front):
        for sensor, words in SENSORS.items():
            if part in words:
                return "-".join([*front[:place], *front[place + 1 :]]), sensor, axis, unit
    return "", "-".join(front), axis, unit


def _propose_sensors(names: Sequence[str], columns: Cells, taken: set[str], remarks: list[str]) -> dict[str, Any]:
    """Propose sensors from the numeric columns; columns that differ only in the axis form one sensor."""
    triples: dict[str, dict[str, str]] = {}
    units: dict[str, str] = {}
    single: list[str] = []
    other: list[str] = []
    for name in names:
        if name in taken:
            continue
        if _as_numbers(columns.get(name, ())) is None:
            other.append(name)
            continue
        position, sensor, axis, unit = _parse_axis(name)
        if axis:
            group = ".".join(part for part in (position, sensor or "xyz") if part)
            triples.setdefault(group, {})[axis] = name
            units[group] = unit
        else:
            single.append(name)
    sensors: dict[str, Any] = {}
    for group, axes in triples.items():
        sensors[group] = {"columns": axes if len(axes) != 3 else [axes[axis] for axis in sorted(axes)]}
        unit = units[group] or _guess_unit(group, axes, columns)
        if unit:
            sensors[group]["unit"] = unit
            if not units[group]:
                remarks.append(f"{group} is taken as {unit}, since its median norm is then about one g")
        else:
            remarks.append(f"the unit of {group} is not known; set it (unit = 'g') if you know it")
    for name in single:
        sensors[re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or name] = {"columns": [name]}
    if other:
        remarks.append(f"not used, since they hold text or nothing: {', '.join(other)}")
    return sensors


def _guess_unit(group: str, axes: Mapping[str, str], columns: Cells) -> str:
    """Guess the unit of an accelerometer from its median norm, about one g."""
    if group.rsplit(".", 1)[-1] != "acc" or len(axes) != 3:
        return ""
    numbers = [_as_numbers(columns[name]) for name in axes.values()]
    with np.errstate(over="ignore"):
        size = float(np.nanmedian(np.sqrt(sum(n**2 for n in numbers if n is not None))))
    for unit, one_g in (("g", 1.0), ("m/s2", STANDARD_GRAVITY)):
        if abs(size / one_g - 1) < NEAR:
            return unit
    return ""
