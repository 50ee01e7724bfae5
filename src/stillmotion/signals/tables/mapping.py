"""Mapping of a table: the role, unit and clock of each column."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ...errors import UnknownName, UserError
from ...names import require_name, require_text
from ..spec import UNITS, Channel
from .dialect import require_file

#: Seconds in one of each unit of time; ``iso`` are dates such as 2026-03-01T10:00:00.020.
TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "iso": 1.0}
#: Cells that mean "no class" wherever they stand, in any case.
NO_LABEL = ("", "none", "null", "nan", "na")
#: Fields that a file name may hold instead of a column.
PLACES = ("subject", "session", "label")
AXES = ("x", "y", "z")
#: Lowest and highest sampling rate, Hz.
RATES = (0.001, 1e6)


@dataclass(frozen=True)
class Device:
    """Describe the sensors that share one clock.

    Args:
        name: name of the device. The other devices of a table are interpolated on the clock of the first.
        files: pattern below the mapping's folder; ``{subject}``, ``{session}``, ``{label}`` are read from file names.
        sensors: column to channel, in the order of the signal.
        subject, session, label, time: columns (empty: none).
        unit_of_time: unit of the time column, a key of ``TIME_UNITS``.
        rate: in Hz; 0 to measure it on the clock.
        where: rows to read, as column to value, if one table holds several devices.
        offset: seconds to add to this device's clock.
        gap: pause of the clock that ends a recording, in seconds; 0 to measure it.
        missing: numbers that stand for a missing one, such as -9999.
    """

    name: str
    files: str
    sensors: tuple[tuple[str, Channel], ...]
    subject: str = ""
    session: str = ""
    label: str = ""
    time: str = ""
    unit_of_time: str = "s"
    rate: float = 0.0
    where: tuple[tuple[str, str], ...] = ()
    offset: float = 0.0
    gap: float = 0.0
    missing: tuple[float, ...] = ()

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Channels in order."""
        return tuple(channel for _, channel in self.sensors)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns to read, each once."""
        named = (self.subject, self.session, self.label, self.time, *(column for column, _ in self.where))
        return tuple(dict.fromkeys(name for name in (*named, *(column for column, _ in self.sensors)) if name))


@dataclass(frozen=True)
class Intervals:
    """Describe files of labels: intervals with start, end and label (CSV, Audacity, ELAN).

    Args:
        files: pattern below the mapping's folder; ``{subject}`` is read from file names.
        start, end, label, subject: columns; found by their names if empty.
        unit_of_time: of times that are plain numbers. Times below a year are counted from the start of a recording
            whose clock is a date.
        offset: seconds to add to the times.
        time_zone: of dates without one, such as ``Europe/Berlin`` (by default UTC, as clocks since 1970 are).
    """

    files: str
    start: str = ""
    end: str = ""
    label: str = ""
    subject: str = ""
    unit_of_time: str = "s"
    offset: float = 0.0
    time_zone: str = ""

    @classmethod
    def of(cls, values: Mapping[str, Any], source: str) -> Intervals:
        """Make it from the values of a TOML."""
        _require_known(values, [part.name for part in fields(cls)], f"{source}, intervals")
        _require_kinds(values, f"{source}, intervals")
        if not values.get("files"):
            raise UserError(f"{source}, intervals names no files; set files = 'labels.csv' or '{{subject}}.txt'.")
        if (unit := str(values.get("unit_of_time", "s"))) not in TIME_UNITS:
            raise UnknownName("unit of time", unit, list(TIME_UNITS))
        offset = _read_number(values, "offset", 0.0, f"{source}, intervals")
        return cls(**{key: str(value) for key, value in values.items() if key != "offset"}, offset=offset)


@dataclass(frozen=True)
class TableMap:
    """Describe how to read a table of recordings; made by ``TableMap.of`` from the values of a TOML or of flags.

    Args:
        name: name of the data set.
        folder: folder of the files.
        devices: one for each clock.
        intervals: files that hold the labels, if they are not in a column.
        merge: name of a class to the labels that it gathers; ``*`` stands for all that nothing else names.
        rename: label as spelt in the table to label as it should be.
        rename_subject: subject as spelt in the table to subject as it should be.
        no_label: labels that mean "no class", besides empty cells and ``none``.
        window, overlap: window length in seconds (0: the longest that fits the classes, up to 2.56), and overlap of
            consecutive windows as a share.
        delimiter, decimal, encoding: format of text files; detected if empty.
        heading: column names, for text files without a heading.
        values: the values that the mapping was made from.
    """

    name: str
    folder: Path
    devices: tuple[Device, ...]
    intervals: Intervals | None = None
    merge: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)
    no_label: tuple[str, ...] = ()
    rename_subject: Mapping[str, str] = field(default_factory=dict)
    window: float = 0.0
    overlap: float = 0.5
    delimiter: str = ""
    decimal: str = ""
    encoding: str = ""
    heading: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any], folder: Path, *, source: str = "the mapping") -> TableMap:
        """Make a mapping from values such as those of a TOML; ``source`` names their origin in errors."""
        _require_texts({key: value for key, value in values.items() if key != "delimiter"}, source)
        _require_known(values, {*DEVICE_KEYS, *TABLE_KEYS}, source)
        _require_kinds(values, source)
        text = {key: str(values[key]) for key in ("delimiter", "decimal", "encoding") if key in values}
        for key in ("delimiter", "decimal"):
            if len(text.get(key, "")) > 1 or text.get(key) in ("\n", "\r"):
                raise UserError(f"{source}: {key} must be one character, not {text[key]!r}.")
        lead = {key: values[key] for key in DEVICE_KEYS if key in values}
        if not lead.get("files"):
            raise UserError(f"{source} names no files; set files = 'recordings.csv' or '{{subject}}.csv'.")
        devices = [_make_device(str(values.get("device", "first")), lead, source)]
        for name, more in values.get("devices", {}).items():
            if not isinstance(more, Mapping):
                raise UserError(f"{source}: a device must be a TOML table, such as [devices.{name}], not {more!r}.")
            _require_known(more, DEVICE_KEYS, f"{source}, devices.{name}")
            _require_kinds(more, f"{source}, devices.{name}")
            # Further devices inherit subject, session and clock settings from the first.
            settings = {key: lead[key] for key in INHERITED if key in lead} | dict(more)
            devices.append(_make_device(name, settings, source))
        names = [channel.name for device in devices for channel in device.channels]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UserError(f"{source}: duplicate channel {', '.join(twice)}.")
        if len(devices) > 1 and not all(device.time for device in devices):
            raise UserError(f"{source}: devices can only be joined on a clock; name the time column of each.")
        window, overlap = _read_number(values, "window", 0.0, source), _read_number(values, "overlap", 0.5, source)
        if ("window" in values and not 0 < window <= LONGEST_WINDOW) or not 0 <= overlap < 1:
            raise UserError(
                f"{source}: window must be above 0 and at most {LONGEST_WINDOW:g} s, and overlap from 0 to below 1, "
                f"not {window:g} and {overlap:g}."
            )
        name = values.get("name") or Path(devices[0].files).stem.replace("*", "").strip("{}_-") or folder.name
        return cls(
            name=require_name(str(name), "name of a table, the files of its mapping"),
            folder=folder,
            devices=tuple(devices),
            intervals=Intervals.of(values["intervals"], source) if values.get("intervals") else None,
            merge={
                str(name): (labels,) if isinstance(labels, str) else tuple(str(label) for label in labels)
                for name, labels in values.get("merge", {}).items()
            },
            rename={str(wrong): str(right) for wrong, right in values.get("rename", {}).items()},
            rename_subject={str(wrong): str(right) for wrong, right in values.get("rename_subject", {}).items()},
            no_label=tuple(str(word) for word in values.get("no_label", ())),
            window=window,
            overlap=overlap,
            heading=tuple(str(name) for name in values.get("heading", ())),
            values=dict(values),
            **text,
        )

    @classmethod
    def from_toml(cls, path: Path) -> TableMap:
        """Read a mapping's TOML; its files lie below its folder."""
        return cls.of(read_toml(path), path.parent, source=str(path))

    def to_toml(self) -> str:
        """Return the mapping as text that ``from_toml`` reads."""
        return as_toml(self.values)

    def with_name(self, name: str) -> TableMap:
        """Return the same mapping under another name."""
        return replace(self, name=name)


#: Keys of a device, and those that further devices inherit from the first.
DEVICE_KEYS = (
    "files", "sensors", "subject", "session", "label", "time", "unit_of_time", "rate", "where", "offset", "gap",
    "missing",
)  # fmt: skip
INHERITED = ("files", "subject", "session", "time", "unit_of_time", "missing")
NESTED = ("sensors", "where", "devices", "rename", "rename_subject", "intervals", "merge")
LISTS = ("no_label", "heading", "missing")
#: Seconds of the longest window.
LONGEST_WINDOW = 3600.0
NUMBERS = ("rate", "offset", "window", "overlap", "gap")
TABLE_KEYS = (
    "name", "device", "devices", "rename", "rename_subject", "intervals", "merge", "no_label", "window", "overlap",
    "delimiter", "decimal", "encoding", "heading",
)  # fmt: skip


def read_toml(path: Path) -> dict[str, Any]:
    """Read the values of a mapping's TOML."""
    require_file(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as reason:
        raise UserError(f"{path} cannot be read: {reason.strerror}.") from reason
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as reason:
        raise UserError(f"{path} is not valid TOML: {reason}.") from reason


def as_toml(values: Mapping[str, Any]) -> str:
    """Format nested values as TOML, plain ones first."""
    lines: list[str] = []
    _write(values, (), lines)
    return "\n".join(lines).strip() + "\n"


def parse_sensor_flag(flag: str) -> tuple[str, dict[str, Any]]:
    """Parse ``wrist.acc=ax,ay,az:g`` into a sensor's name and its values."""
    name, equals, rest = flag.partition("=")
    columns, _, unit = rest.rpartition(":") if ":" in rest else (rest, "", "")
    listed = [column.strip() for column in columns.split(",") if column.strip()]
    if not equals or not name.strip() or not listed:
        raise UserError(f"{flag!r} is not a sensor; expected such as wrist.acc=ax,ay,az:g (the unit is optional).")
    return name.strip(), {"columns": listed} | ({"unit": unit.strip()} if unit.strip() else {})


def _make_device(name: str, values: Mapping[str, Any], source: str) -> Device:
    sensors = values.get("sensors")
    if not sensors:
        raise UserError(
            f"{source} names no sensors; set for example [sensors.\"wrist.acc\"] columns = ['ax', 'ay', 'az']."
        )
    channels: list[tuple[str, Channel]] = []
    for sensor, settings in sensors.items():
        channels += _make_channels(sensor, settings, source)
    columns = [column for column, _ in channels]
    if twice := sorted({column for column in columns if columns.count(column) > 1}):
        raise UserError(f"{source}: column {', '.join(twice)} is used twice.")
    unit = str(values.get("unit_of_time", "s"))
    if unit not in TIME_UNITS:
        raise UnknownName("unit of time", unit, list(TIME_UNITS))
    rate = _read_number(values, "rate", 0.0, source)
    if rate and not RATES[0] <= rate <= RATES[1]:
        raise UserError(f"{source}: rate must be {RATES[0]:g} to {RATES[1]:,.0f} Hz, not {rate:g}.")
    if not values.get("time") and not rate > 0:
        raise UserError(
            f"{source} names neither a time column nor a rate; set time = 't' (and unit_of_time) or rate = 50 (Hz)."
        )
    gap = _read_number(values, "gap", 0.0, source)
    if gap < 0:
        raise UserError(f"{source}: gap must be a pause in seconds, above 0, not {gap:g}.")
    return Device(
        name=name,
        files=str(values["files"]),
        sensors=tuple(channels),
        unit_of_time=unit,
        rate=rate,
        where=tuple((str(column), str(value)) for column, value in values.get("where", {}).items()),
        offset=_read_number(values, "offset", 0.0, source),
        gap=gap,
        missing=tuple(_read_number({"missing": mark}, "missing", 0.0, source) for mark in values.get("missing", ())),
        **{key: str(values.get(key, "")) for key in ("subject", "session", "label", "time")},
    )


def _make_channels(sensor: str, settings: Any, source: str) -> list[tuple[str, Channel]]:
    """Make the channels of one sensor; ``columns`` is a list, or axis to column."""
    place = f"{source}, sensors.{sensor}"
    if isinstance(settings, list | str):
        settings = {"columns": settings}
    if not isinstance(settings, Mapping) or not settings.get("columns"):
        raise UserError(f"{place} names no columns; set columns = ['ax', 'ay', 'az'].")
    _require_known(settings, ("columns", "unit"), place)
    columns = settings["columns"]
    if isinstance(columns, str):
        columns = [columns]
    listed = list(columns.values()) if isinstance(columns, Mapping) else columns
    if not isinstance(listed, list | tuple) or not all(isinstance(column, str | int) for column in listed):
        raise UserError(f"{place}: columns must be names, such as ['ax', 'ay', 'az'], not {columns!r}.")
    if isinstance(columns, Mapping):
        pairs = [(str(axis), str(column)) for axis, column in columns.items()]
    else:
        names = ("",) if len(columns) == 1 else AXES if len(columns) == 3 else range(1, len(columns) + 1)
        pairs = [(str(axis), str(column)) for axis, column in zip(names, columns, strict=True)]
    position, _, kind = sensor.rpartition(".")
    unit = str(settings.get("unit", ""))
    known = UNITS.get(kind.rsplit("-", 1)[-1])
    if unit and known and unit not in known:
        raise UserError(f"{place}: {kind} cannot be in {unit!r}. Valid: {', '.join(known)}, or leave unit out.")
    return [(column, Channel(kind, axis, unit, position)) for axis, column in pairs]


def _require_known(values: Mapping[str, Any], valid: Sequence[str] | set[str], place: str) -> None:
    unknown = sorted(set(values) - set(valid))
    if unknown:
        raise UserError(f"{place}: unknown key {', '.join(unknown)}. Valid: {', '.join(sorted(valid))}.")


def _require_texts(value: Any, place: str) -> None:
    """Raise unless every name in nested values (columns, sensors, labels, …) is printable."""
    if isinstance(value, Mapping):
        for name, nested in value.items():
            _require_texts(name, place)
            _require_texts(nested, place)
    elif isinstance(value, list | tuple):
        for item in value:
            _require_texts(item, place)
    elif isinstance(value, str):
        require_text(value, f"name in {place}")


def _require_kinds(values: Mapping[str, Any], place: str) -> None:
    """Raise if a value does not have the type that its key requires."""
    for key, value in values.items():
        if key in LISTS:
            right = isinstance(value, list | tuple) and all(isinstance(item, str | int | float) for item in value)
            wanted = "a list, such as ['a', 'b']"
        elif key in NESTED:
            right, wanted = isinstance(value, Mapping), f"a TOML table, such as [{key}.…]"
        elif key in NUMBERS:
            continue
        else:
            right, wanted = isinstance(value, str | int) and not isinstance(value, bool), "text"
        if not right:
            raise UserError(f"{place}: {key} must be {wanted}, not {value!r}.")


def _read_number(values: Mapping[str, Any], key: str, default: float, place: str) -> float:
    try:
        number = float(values.get(key, default))
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{place}: {key} must be a number, not {values[key]!r}.")
    return number


def _write(values: Mapping[str, Any], path: tuple[str, ...], lines: list[str]) -> None:
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    if path and plain:
        lines += ["", f"[{'.'.join(_key(part) for part in path)}]"]
    # Strings with JSON's escapes, lists of them, numbers and booleans read the same in TOML.
    lines += [f"{_key(key)} = {json.dumps(value, ensure_ascii=False)}" for key, value in plain.items()]
    for key, value in values.items():
        if isinstance(value, Mapping):
            _write(value, (*path, key), lines)


def _key(name: str) -> str:
    bare = name.replace("-", "").replace("_", "")
    return name if bare.isascii() and bare.isalnum() else json.dumps(name, ensure_ascii=False)
