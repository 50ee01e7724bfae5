"""Proposal of sensors from the columns of a table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..findings import list_names
from ..no_sensor import explain_no_sensor, is_named_otherwise
from ..units import STANDARD_GRAVITY
from .sample import Sample, as_numbers

SENSORS = {
    "acc": ("acc", "accel", "accelerometer", "acceleration", "a"),
    "gyr": ("gyr", "gyro", "gyroscope", "g", "w", "angularvelocity", "rotation", "rotationrate"),
    "mag": ("mag", "magnetometer", "m", "magnetic", "magneticfield"),
}
#: Words beside a sensor that say nothing more, and those that say that gravity was subtracted.
FILLERS = ("rotation", "rate", "field", "sensor", "raw", "uncalibrated", "data", "value")
WITHOUT_GRAVITY = ("linear", "user", "lin", "body", "motionuser")
UNIT_WORDS = {
    "g": "g", "gs": "g", "ms2": "m/s2", "mps2": "m/s2", "rads": "rad/s", "radps": "rad/s", "dps": "deg/s",
    "degs": "deg/s", "s": "deg/s", "ut": "uT", "µt": "uT", "gauss": "gauss",
}  # fmt: skip
#: Largest deviation from one g of an accelerometer's median norm, as a share, for its unit to be recognised.
NEAR = 0.3
#: No body turns as fast in rad/s: a gyroscope that shows more is in degrees per second.
FASTEST = 35.0


def parse_axis(name: str) -> tuple[str, str, str, str]:
    """Parse position, sensor, axis and unit from a column's name; empty where it has none."""
    unit = ""
    if bracketed := re.search(r"[\[(]([^\])]*)[\])]", name):
        word = re.sub(r"[^a-zµ0-9]", "", bracketed[1].lower().replace("²", "2"))
        # "(°/s)" is all that is left of degrees per second.
        unit = UNIT_WORDS.get(word, "") if word != "s" or "°" in bracketed[1] else ""
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
                # accelerometerAccelerationX names its sensor twice.
                rest = [each for at, each in enumerate(front) if at != place and each not in (*words, *FILLERS)]
                kind = f"body-{sensor}" if sensor == "acc" and set(rest) & set(WITHOUT_GRAVITY) else sensor
                return "-".join(each for each in rest if each not in (*WITHOUT_GRAVITY, "motion")), kind, axis, unit
    return "", "-".join(front), axis, unit


def is_axis(name: str, sample: Sample) -> bool:
    """Return whether a column is an axis (x, y or z) of a sensor, whatever else its name may mean."""
    return parse_axis(name)[2] != "" and as_numbers(sample.head(name)) is not None


def propose_sensors(
    sample: Sample, taken: set[str], remarks: list[str], *, subject: str = "", label: str = "", device: str = ""
) -> dict[str, Any]:
    """Propose sensors from the numeric columns; columns that differ only in the axis form one sensor.

    Columns that are no sensor (constant for each subject or label, ever rising, or named so) are left out.

    Args:
        sample: rows of the table, or of one device in it.
        taken: columns that have another role.
        remarks: receives what was assumed.
        subject, label: columns.
        device: name of the device in the table, the position of its sensors.
    """
    triples: dict[str, dict[str, str]] = {}
    units: dict[str, str] = {}
    single, other = [], []
    excluded: dict[str, list[str]] = {}
    for name in sample.names:
        if name in taken:
            continue
        if sample.numbers(name) is None:
            if not device or as_numbers(sample.head(name)) is not None or any(cell for cell in sample.cells(name)):
                other.append(name)
            continue
        position, sensor, axis, unit = parse_axis(name)
        if axis:
            kind = _name_group(position, sensor, device)
            triples.setdefault(kind, {})[axis] = name
            units[kind] = unit or _unit_of_row(sample.units.get(name, ""))
        elif reason := _explain_exclusion(name, sample, subject, label):
            excluded.setdefault(reason, []).append(name)
        else:
            single.append(name)
    sensors: dict[str, Any] = {}
    for group, axes in triples.items():
        sensors[group] = {"columns": axes if len(axes) != 3 else [axes[axis] for axis in sorted(axes)]}
        unit = units[group] or _guess_unit(group, axes, sample)
        if unit:
            sensors[group]["unit"] = unit
            if not units[group]:
                reason = "its median norm is then about one g" if group.endswith("acc") else "it is too fast for rad/s"
                remarks.append(f"{group} is taken as {unit}, since {reason}")
        else:
            remarks.append(f"the unit of {group} is not known; set it (unit = 'g') if you know it")
    for name in single:
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or name
        sensors[f"{device}.{plain}" if device else plain] = {"columns": [name]}
    for reason, names in excluded.items():
        remarks.append(f"not used, since {'it' if len(names) == 1 else 'each'} {reason}: {list_names(names)}")
    if other:
        remarks.append(f"not used, since they hold text or nothing: {list_names(other)}")
    return sensors


def _name_group(position: str, sensor: str, device: str) -> str:
    if not device:
        return ".".join(part for part in (position, sensor or "xyz") if part)
    # In a long table, the device may be the sensor: accelerometer, gyroscope.
    kind = next((kind for kind, words in SENSORS.items() if device in words and len(device) > 2), "")
    if kind and not sensor:
        return kind
    return ".".join(part for part in (device, position, sensor or "xyz") if part)


def _explain_exclusion(name: str, sample: Sample, subject: str, label: str) -> str:
    if is_named_otherwise(name):
        return "is no sensor by its name"
    runs = sample.runs(subject)
    parts = [as_numbers(block.get(name, ())) for _, block in runs]
    kept = [(part, owner, block) for part, (owner, block) in zip(parts, runs, strict=True) if part is not None]
    labels = [np.array(block[label]) for _, _, block in kept] if label in sample.names and label else None
    return explain_no_sensor([part for part, _, _ in kept], [owner for _, owner, _ in kept], labels)


def _unit_of_row(word: str) -> str:
    return UNIT_WORDS.get(re.sub(r"[^a-zµ0-9]", "", word.lower().replace("²", "2")), "") if word != "s" else ""


def measure_norm(sample: Sample, columns: Sequence[str]) -> float:
    """Return the median norm of the rows of some columns; NaN without numbers."""
    numbers: Sequence[Any] = [each for name in columns if (each := sample.numbers(name)) is not None]
    if not numbers:
        return float("nan")
    with np.errstate(over="ignore", invalid="ignore"):
        norms = np.sqrt(sum(each**2 for each in numbers))
    norms = norms[np.isfinite(norms)]
    return float(np.median(norms)) if len(norms) else float("nan")


def _guess_unit(group: str, axes: Mapping[str, str], sample: Sample) -> str:
    """Guess the unit of an accelerometer from its median norm, and of a gyroscope that is too fast for rad/s."""
    kind = group.rsplit(".", 1)[-1]
    if kind not in ("acc", "gyr") or len(axes) != 3:
        return ""
    numbers: Sequence[Any] = [sample.numbers(name) for name in axes.values()]
    with np.errstate(over="ignore", invalid="ignore"):
        norms = np.sqrt(sum(n**2 for n in numbers if n is not None))
    norms = norms[np.isfinite(norms)]
    if not len(norms):
        return ""
    if kind == "gyr":
        return "deg/s" if FASTEST < float(np.percentile(norms, 99)) < 4000 else ""
    size = float(np.median(norms))
    for unit, one_g in (("g", 1.0), ("m/s2", STANDARD_GRAVITY)):
        if abs(size / one_g - 1) < NEAR:
            return unit
    return ""
