"""Proposal of a mapping from the first rows of a table."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...names import is_text, make_visible, require_text
from ..findings import list_names
from .dates import is_date
from .mapping import TIME_UNITS, TableMap, as_toml
from .propose_sensors import is_axis, propose_sensors
from .sample import Sample, as_numbers, sample_table

WORDS = {
    "subject": ("subject", "person", "user", "participant", "subjectid", "userid", "personid", "participantid", "id"),
    "session": ("session", "trial", "visit", "run", "recording", "sessionid", "take"),
    "label": (
        "label",
        "activity",
        "class",
        "gesture",
        "state",
        "target",
        "annotation",
        "activityid",
        "event",
        "action",
        "behaviour",
        "behavior",
        "movement",
        "exercise",
        "marker",
        "task",
    ),
    "time": (
        "time",
        "timestamp",
        "t",
        "ts",
        "seconds",
        "millis",
        "datetime",
        "date",
        "clock",
        "utc",
        "loggingtimetxt",
        "loggingtime",
        "unixtime",
        "epoch",
        "timeofday",
        "timestampms",
        "secondselapsed",
        "elapsed",
    ),
}
#: Columns that tell several devices (or the sensors of a long table) apart, and how many there may be.
DEVICES = (
    "device", "deviceid", "devicename", "sensor", "sensorid", "sensorname", "sensortype", "position", "location",
    "placement", "bodypart", "node", "stream", "imu", "side", "limb", "source",
)  # fmt: skip
MOST_DEVICES = 12
#: Name of the mapping of a folder of tables.
FOLDER_MAPPING = "mapping.toml"
#: A column that nothing names is a label if it has at most so many words, each in so many rows in a row on average.
MOST_LABELS, LONG_RUNS = 50, 10
TIME_WORDS = {"s": "s", "sec": "s", "seconds": "s", "ms": "ms", "millis": "ms", "us": "us", "ns": "ns"}
#: Plausible sampling rates, Hz; a unit of time that gives another rate is ruled out.
PLAUSIBLE = (1.0, 5000.0)


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
        return TableMap.of(self.values, self.folder, source=f"the mapping proposed for {self.path}")

    @property
    def folder(self) -> Path:
        """Folder of the files: that of the table, or the folder of tables itself."""
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def default_toml(self) -> Path:
        """Path at which commands find the mapping."""
        return self.path / FOLDER_MAPPING if self.path.is_dir() else self.path.with_suffix(".toml")

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
        values = deepcopy(dict(self.values))
        if folder is not None:
            below = os.path.relpath(self.folder, folder)
            for device in (values, *values.get("devices", {}).values()):
                if "files" in device:
                    device["files"] = Path(below, str(device["files"])).as_posix()
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
    sample = sample_table(path, known)
    remarks = list(sample.remarks)
    if hidden := [make_visible(name) for name in sample.names if not is_text(name)]:
        remarks.append(f"not used, since their names hold unprintable characters: {list_names(hidden)}")
        sample = replace(sample, names=tuple(name for name in sample.names if is_text(name)))
    values: dict[str, Any] = {"files": path.name, **_find_roles(sample, known)}
    values |= {key: value for key, value in known.items() if key != "sensors"}
    taken = {str(values[role]) for role in WORDS if values.get(role)} | set(values.get("where", {}))
    if "label" not in values and (label := _find_label(sample, taken)):
        values["label"] = label
        taken.add(label)
        remarks.append(f"{label} is taken as the label: few words, each in many rows in a row")
    devices = {} if known.get("sensors") or known.get("where") else _find_devices(sample, taken, values)
    column, names = next(iter(devices.items()), ("", []))
    lead = sample.where(column, names[0]) if names else sample
    missing: list[str] = []
    if time := values.get("time"):
        _propose_clock(str(time), lead, values, remarks, missing)
    elif not values.get("rate"):
        missing.append("no column looks like a time: name it (time = 't'), or set the rate (rate = 50, in Hz)")
    roles = {"subject": str(values.get("subject", "")), "label": str(values.get("label", ""))}
    if names:
        taken.add(column)
        remarks.append(f"{column} tells {len(names)} devices apart, which are joined on one clock: {list_names(names)}")
        values |= {"device": names[0], "where": {column: names[0]}, "sensors": {}, "devices": {}}
        for number, name in enumerate(names):
            own = values if number == 0 else values["devices"].setdefault(name, {"where": {column: name}})
            plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or f"device-{number + 1}"
            own["sensors"] = propose_sensors(sample.where(column, name), taken, remarks, device=plain, **roles)
    else:
        values["sensors"] = known.get("sensors") or propose_sensors(sample, taken, remarks, **roles)
    if not values["sensors"]:
        missing.append("no numeric column is left that could be a sensor")
    if not values.get("subject") and "{subject}" not in str(values["files"]):
        remarks.append(
            "no column looks like a subject: all rows count as one subject, so no split by subject is possible"
        )
    if not values.get("label") and "{label}" not in str(values["files"]):
        remarks.append("no column looks like a label: nothing can be trained on this table")
    return Proposal(path, values, tuple(missing), (*missing, *dict.fromkeys(remarks)))


def _find_roles(sample: Sample, known: Mapping[str, Any]) -> dict[str, str]:
    """Find the columns of subject, session, label and time by their names."""
    roles: dict[str, str] = {}
    taken = {str(known[role]) for role in WORDS if known.get(role)}
    for role, words in WORDS.items():
        fitting = [
            name for name in sample.names if _normalise(name) in words or _normalise(name, units=TIME_WORDS)[0] in words
        ]
        fitting = [name for name in fitting if name not in taken and not is_axis(name, sample)]
        if role not in known and fitting:
            best = min(fitting, key=lambda name: words.index(w) if (w := _normalise(name)) in words else len(words))
            roles[role] = best
            taken.add(best)
    return roles


def _find_label(sample: Sample, taken: set[str]) -> str:
    """Find a text column with few values, each in many rows in a row, of which some person has several."""
    for name in sample.names:
        cells = sample.cells(name)
        if name in taken or _normalise(name) in DEVICES or not cells or as_numbers(cells) is not None:
            continue
        runs = [word for word, _ in sample.runs(name)]
        several = any(len(set(block.get(name, ()))) > 1 for block in sample.blocks)
        if several and 2 <= len(set(runs) - {""}) <= MOST_LABELS and len(cells) >= LONG_RUNS * len(runs):
            return name
    return ""


def _find_devices(sample: Sample, taken: set[str], values: Mapping[str, Any]) -> dict[str, list[str]]:
    """Find the column that tells several devices of one subject apart, with their names, most rows first."""
    subject = str(values.get("subject", ""))
    if not values.get("time"):
        return {}
    for name in sample.names:
        if name in taken or _normalise(name) not in DEVICES:
            continue
        counts = Counter(cell for cell in sample.cells(name) if cell)
        owners: dict[str, set[str]] = {}
        for block in sample.blocks:
            for owner, device in zip(
                block.get(subject, [""] * len(block.get(name, ()))), block.get(name, ()), strict=False
            ):
                owners.setdefault(owner, set()).add(device)
        if 2 <= len(counts) <= MOST_DEVICES and max(map(len, owners.values())) > 1:
            return {name: [device for device, _ in counts.most_common()]}
    return {}


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


def _propose_clock(name: str, sample: Sample, values: dict[str, Any], remarks: list[str], missing: list[str]) -> None:
    """Propose the unit of a time column from its name or from the rate that it gives."""
    if "unit_of_time" in values:
        return
    cells = sample.head(name)
    if any(is_date(cell) for cell in cells):
        values["unit_of_time"] = "iso"
        return
    numbers = as_numbers(cells)
    if numbers is None:
        missing.append(f"{name} holds neither numbers nor dates such as 2026-03-01T10:00:00.020 or times of day")
        return
    steps = np.diff(numbers)
    steps = steps[steps > 0]
    if len(steps) == 0:
        missing.append(f"{name} is constant in the first rows; set the rate (rate = 50, in Hz) instead")
        return
    step = float(np.median(steps))
    named_unit = _normalise(name, units=TIME_WORDS)[1] or TIME_WORDS.get(_normalise(sample.units.get(name, "")), "")
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
