"""Read and write frozen dataclasses as TOML. Errors name the wrong key or value."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from ..errors import UnknownName, UserError
from ..limits import Limits
from ..names import require_text

Section = TypeVar("Section")
#: Maximum number of entries in a list.
LONGEST = 10_000
#: Keys that were renamed: old to new.
RENAMED = {"numbers": "hyperparameters", "tries": "trials"}


def read_toml(path: Path) -> dict[str, Any]:
    """Read the tables of a TOML file."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise UserError(f"The specification {path} does not exist.") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; name a specification in it.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise UserError(f"{path} is not TOML: {problem}.") from None


def from_table(kind: type[Section], values: Mapping[str, Any], place: str) -> Section:
    """Make a dataclass from a table.

    Args:
        kind: a dataclass of plain values, tuples, mappings and further dataclasses.
        values: the table.
        place: name of the table in messages, such as ``[search]``.
    """
    hints = _hints(kind)  # type: ignore[arg-type]
    known = {part.name: part for part in fields(kind)}  # type: ignore[arg-type]
    given: dict[str, Any] = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name not in known:
            if RENAMED.get(name) in known:
                raise UserError(f"The key {key} in {place} is now called {RENAMED[name]}; rename it.")
            raise UnknownName(f"key in {place}", key, [part.replace("_", "-") for part in known])
        given[name] = _value(hints[name], value, f"{key} in {place}")
    for name, part in known.items():
        if name not in given and _required(part):
            raise UserError(f"{place} lacks the required key {name.replace('_', '-')}.")
    with named(place):
        return kind(**given)


def check(section: Any, place: str = "") -> None:
    """Check a section made in Python like one read from TOML, and convert its values in the same way.

    Args:
        section: a dataclass as ``read`` takes it; limits of its numbers are ``Limits`` in their annotations.
        place: name of the table in messages, such as ``[search]``.
    """
    hints = _hints(type(section))  # type: ignore[arg-type]
    for part in fields(section):
        name = part.name.replace("_", "-")
        value = _value(hints[part.name], getattr(section, part.name), f"{name} in {place}" if place else name)
        object.__setattr__(section, part.name, value)


@contextmanager
def named(place: str) -> Iterator[None]:
    """Prefix errors that do not name the place with it."""
    try:
        yield
    except UserError as problem:
        if place not in str(problem):
            problem.args = (f"{place}: {problem}",)
        raise


def to_table(value: Any, *, changed: bool = False) -> Any:
    """Convert to tables and plain values for TOML; with ``changed`` only what differs from the defaults."""
    if is_dataclass(value) and not isinstance(value, type):
        table = {}
        for part in fields(value):
            current = getattr(value, part.name)
            if current is None or (changed and not _required(part) and current == _default(part)):
                continue
            table[part.name.replace("_", "-")] = to_table(current, changed=changed)
        return table
    if isinstance(value, Mapping):
        return {name: to_table(each, changed=changed) for name, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_table(each, changed=changed) for each in value]
    return value


def flat(table: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """Flatten nested tables to keys such as ``split.protocol``."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            values |= flat(value, f"{place}{key}.")
        else:
            values[f"{place}{key}"] = value
    return values


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _value(hint: Any, value: Any, place: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        checked = _value(arguments[0], value, place)
        for limits in arguments[1:]:
            if checked is not None and isinstance(limits, Limits):
                limits.check(checked, place)
        return checked
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        # Of a number or text, text is taken as text.
        text = isinstance(value, str) and str in arguments
        return _value(str if text else next(each for each in arguments if each is not NoneType), value, place)
    if is_dataclass(hint):
        if isinstance(value, hint):  # type: ignore[arg-type]
            return value
        if not isinstance(value, Mapping):
            raise UserError(f"{place} must be a table, not {_short(value)}.")
        return from_table(hint, value, place)  # type: ignore[arg-type]
    if origin is tuple:
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, (list, tuple)):
            raise UserError(f"{place} must be a list, not {_short(value)}.")
        if len(listed) > LONGEST:
            raise UserError(f"{place} must be a list of at most {LONGEST:,} entries, not of {len(listed):,}.")
        return tuple(_value(arguments[0], each, place) for each in listed)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise UserError(f"{place} must be a table, not {_short(value)}.")
        return {
            require_text(name, f"name in {place}"): _value(arguments[1], each, f"{name} of {place}")
            for name, each in value.items()
        }
    if hint in (int, float) and isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        value = int(value)
        if hint is float:
            value = float(value) if abs(value) < 2**1000 else math.inf
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
        raise UserError(f"{place} must be {names[hint]}, not {_short(value)}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{place} must be a finite number, not {value}.")
    return require_text(value, f"text of {place}") if hint is str else value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]} …"


def _required(part: Field[Any]) -> bool:
    return part.default is MISSING and part.default_factory is MISSING


def _default(part: Field[Any]) -> Any:
    if part.default_factory is not MISSING:
        return part.default_factory()
    return part.default
