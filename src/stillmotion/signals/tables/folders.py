"""Proposal of a mapping for a folder of tables: what their names say, and which sensor each file holds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import UserError
from ..findings import list_names
from .batches import columns_of
from .columnar import COLUMNAR
from .mapping import TableMap
from .propose import Proposal, propose_mapping
from .propose_sensors import SENSORS, measure_norm
from .sample import sample_table

#: Extensions of files that may hold recordings, in a folder.
RECORDINGS = (".csv", ".tsv", ".txt", ".dat", ".csv.gz", ".tsv.gz", ".csv.bz2", *COLUMNAR)
#: Names of files that hold none.
OTHER = re.compile(r"(read.?me|licen[cs]e|metadata|annotation.*|labels?|notes?|info|requirements)\b.*", re.IGNORECASE)
#: Folders below the folder that are looked into.
DEPTH = 3
#: Files whose columns are compared.
COMPARED = 200
#: Names of files of phones (Sensor Logger, phyphox) beyond the names of sensors.
FILES = {
    "totalacceleration": "acc", "accelerometeruncalibrated": "raw-acc", "gravity": "gravity",
    "orientation": "orientation", "linearaccelerometer": "body-acc", "linearacceleration": "body-acc",
    "gyroscopeuncalibrated": "raw-gyr",
    "magnetometeruncalibrated": "raw-mag",
}  # fmt: skip
#: A sensor that measures less than this at rest has no gravity.
NO_GRAVITY = 0.5


def propose_folder(folder: Path, known: Mapping[str, Any]) -> Proposal:
    """Propose a mapping for a folder of tables.

    Args:
        folder: with tables in it, or in folders below it.
        known: given values of the mapping.

    Raises:
        UserError: there is no table in it.
    """
    listed = _list_recordings(folder)
    if not listed:
        raise UserError(f"{folder} holds no table; tables end in {', '.join(RECORDINGS[:4])}, {', '.join(COLUMNAR)}.")
    if sensors := _find_sensor_files(listed):
        return _propose_sensor_files(folder, listed, sensors, known)
    first = folder / listed[0]
    proposal = propose_mapping(first, {**known, "files": str(known.get("files") or _propose_pattern(listed, "both"))})
    values, remarks = dict(proposal.values), list(proposal.remarks)
    if not known.get("files"):
        lacking = {role for role in ("subject", "label") if not values.get(role)}
        wanted = "both" if len(lacking) == 2 else lacking.pop() if lacking else ""
        values["files"] = _propose_pattern(listed, wanted)
    pattern = str(values["files"])
    fields = re.findall(r"\{(\w+)\}", pattern)
    remarks = [each for each in remarks if not any(f"looks like a {field}" in each for field in fields)]
    remarks.append(f"{len(listed)} files are read as {pattern}")
    remarks += _compare_headings(folder, listed, values)
    return Proposal(folder, values, proposal.missing, tuple(remarks))


def _list_recordings(folder: Path) -> list[Path]:
    """List the tables of the most frequent extension, as paths below the folder, in natural order."""
    found = [
        path.relative_to(folder)
        for depth in range(DEPTH + 1)
        for path in folder.glob("/".join(["*"] * (depth + 1)))
        if path.is_file() and path.name.lower().endswith(RECORDINGS) and not OTHER.fullmatch(path.stem)
    ]
    found = [path for path in found if not any(part.startswith((".", "__MACOSX")) for part in path.parts)]
    if not found:
        return []
    usual, _ = Counter("".join(path.suffixes[-1:]) for path in found).most_common(1)[0]
    return sorted((path for path in found if path.suffix == usual), key=_natural)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", str(path)) if part]


def _propose_pattern(listed: Sequence[Path], wanted: str) -> str:
    """Propose a pattern for the names of files.

    Args:
        listed: paths below the folder.
        wanted: what their names must tell, ``subject``, ``label``, ``both`` or nothing.
    """
    if len(listed) == 1:
        return listed[0].as_posix()
    suffix = "".join(listed[0].suffixes[-1:])
    names = [path.as_posix().removesuffix(suffix) for path in listed]
    for separator in (r"([/_\-\. ]+)", r"(/)"):
        split = [re.split(separator, name) for name in names]
        if len({len(parts) for parts in split}) == 1 and all(
            len({parts[at] for parts in split}) == 1 for at in range(1, len(split[0]), 2)
        ):
            return _name_tokens(split, wanted) + suffix
    return "/".join(["*"] * (len(listed[0].parts) - 1) + [f"{{subject}}{suffix}" if wanted else f"*{suffix}"])


def _name_tokens(split: Sequence[Sequence[str]], wanted: str) -> str:
    columns = [[parts[at] for parts in split] for at in range(len(split[0]))]
    varying = [at for at in range(0, len(columns), 2) if len(set(columns[at])) > 1]
    with_digits = [at for at in varying if all(any(letter.isdigit() for letter in token) for token in columns[at])]
    words = sorted((at for at in varying if at not in with_digits), key=lambda at: len(set(columns[at])))
    roles: dict[int, str] = {}
    if wanted in ("subject", "both") and (with_digits or words):
        # Without a number, the word with most values is a person's.
        roles[with_digits[0] if with_digits else words[-1]] = "subject"
    if wanted in ("label", "both") and (left := [at for at in words if at not in roles]):
        roles[left[0]] = "label"
    if left := [at for at in varying if at not in roles]:
        roles[left[0]] = "session"
    return "".join(
        f"{{{roles[at]}}}" if at in roles else "*" if at in varying else columns[at][0] for at in range(len(columns))
    )


def _compare_headings(folder: Path, listed: Sequence[Path], values: Mapping[str, Any]) -> list[str]:
    """Compare the columns of files; those that lack one cannot be read with the others."""
    table = TableMap.of({**values, "rate": 1.0} if not values.get("time") else values, folder)
    needed = set(table.devices[0].columns)
    lacking = []
    for path in listed[:COMPARED]:
        try:
            if not needed <= set(columns_of(folder / path, table)):
                lacking.append(str(path))
        except UserError as reason:
            lacking.append(f"{path} ({str(reason).split(': ')[-1].rstrip('.')})")
    if not lacking:
        return []
    return [f"{len(lacking)} of {len(listed)} files lack columns and must be moved away: {list_names(lacking, 3)}"]


def _find_sensor_files(listed: Sequence[Path]) -> dict[str, list[Path]]:
    """Find files named after sensors, two or more kinds of them: kind to files."""
    kinds: dict[str, list[Path]] = {}
    plain_names = {path: re.sub(r"[^a-z]", "", path.stem.lower()) for path in listed}
    total = "totalacceleration" in plain_names.values()
    for path, plain in plain_names.items():
        named = next((kind for kind, words in SENSORS.items() if plain in words and len(plain) > 2), "")
        # Sensor Logger on Android writes gravity into TotalAcceleration only.
        kind = FILES.get(plain) or ("body-acc" if total and named == "acc" else named)
        if kind:
            kinds.setdefault(kind, []).append(path)
    return kinds if len(kinds) > 1 and all(len(paths) == len(set(paths)) for paths in kinds.values()) else {}


def _propose_sensor_files(
    folder: Path, listed: Sequence[Path], kinds: Mapping[str, list[Path]], known: Mapping[str, Any]
) -> Proposal:
    """Propose devices for files that hold a sensor each, as phones write them."""
    remarks: list[str] = []
    wanted = [kind for kind in ("acc", "gyr", "mag", "gravity", "body-acc") if kind in kinds]
    values: dict[str, Any] = {}
    missing: list[str] = []
    for kind in wanted:
        paths = kinds[kind]
        proposal = propose_mapping(folder / paths[0], {key: each for key, each in known.items() if key != "files"})
        columns = next(
            (each["columns"] for each in proposal.values["sensors"].values() if len(each["columns"]) == 3), None
        )
        if columns is None:
            remarks.append(f"not used, since it has no axes x, y and z: {paths[0]}")
            continue
        size = measure_norm(sample_table(folder / paths[0], known), columns)
        sensor = {"columns": columns}
        name = kind
        if kind == "acc" and size < NO_GRAVITY:
            name = "body-acc"
            remarks.append(f"{paths[0].name} has no gravity (magnitude {size:.2g}), so it is body-acc")
        if kind in ("acc", "body-acc", "gravity"):
            unit = _unit_of_gravity(folder, kinds, known)
            sensor |= {"unit": unit} if unit else {}
        elif kind == "gyr":
            sensor["unit"] = "rad/s"
        parents = [path.parent for path in paths]
        place = "" if parents[0] == Path() else _propose_pattern(parents, "subject") + "/"
        own = {"files": f"{place}{paths[0].name}", "sensors": {name: sensor}}
        if not values:
            keys = ("time", "unit_of_time", "subject", "label", "session", "rate")
            values = {**{key: proposal.values[key] for key in keys if proposal.values.get(key)}, **own}
            missing = list(proposal.missing)
            lead = kind
        else:
            values.setdefault("devices", {})[kind] = own
    if not values:
        raise UserError(f"{folder}: no file of it has axes x, y and z.")
    values["device"] = lead
    unused = sorted(set(kinds) - set(wanted))
    if unused:
        remarks.append(f"not used: {list_names(unused)}")
    remarks.append("the files hold a sensor each, which are joined on the clock of the first")
    return Proposal(folder, values, tuple(missing), (*missing, *remarks))


def _unit_of_gravity(folder: Path, kinds: Mapping[str, list[Path]], known: Mapping[str, Any]) -> str:
    """Return the unit of accelerations: gravity is 1 or 9.81 in files that have it; empty if none has."""
    for kind in ("gravity", "acc", "raw-acc"):
        for path in kinds.get(kind, [])[:1]:
            proposal = propose_mapping(folder / path, {key: each for key, each in known.items() if key != "files"})
            for sensor in proposal.values["sensors"].values():
                if len(sensor["columns"]) == 3:
                    size = measure_norm(sample_table(folder / path, known), sensor["columns"])
                    if 0.7 <= size <= 1.4:
                        return "g"
                    if 7 <= size <= 13.5:
                        return "m/s2"
    return ""
