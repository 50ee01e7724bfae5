"""Frozen dataclasses as TOML: read with every wrong key and value named, written as differences from the defaults."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from ..errors import UnknownName, UserError
from ..names import require_text

Made = TypeVar("Made")


def parse(path: Path) -> dict[str, Any]:
    """The tables of a TOML file."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise UserError(f"There is no specification {path}.") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; name a specification in it.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise UserError(f"{path} is not TOML: {problem}.") from None


def read(kind: type[Made], values: Mapping[str, Any], place: str) -> Made:
    """A dataclass from a table.

    Args:
        kind: a dataclass of plain values, tuples, mappings and further dataclasses.
        values: the table.
        place: what to call it in messages, such as ``[search]``.
    """
    hints = get_type_hints(kind)
    known = {part.name: part for part in fields(kind)}  # type: ignore[arg-type]
    given: dict[str, Any] = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name not in known:
            raise UnknownName(f"key in {place}", key, [part.replace("_", "-") for part in known])
        given[name] = _value(hints[name], value, f"{key} in {place}")
    for name, part in known.items():
        if name not in given and _required(part):
            raise UserError(f"{place} does not say {name.replace('_', '-')}.")
    return kind(**given)


def plain(value: Any, *, changed: bool = False) -> Any:
    """Tables and plain values, ready for TOML; with ``changed`` only what differs from the defaults."""
    if is_dataclass(value) and not isinstance(value, type):
        table = {}
        for part in fields(value):
            own = getattr(value, part.name)
            if own is None or (changed and not _required(part) and own == _default(part)):
                continue
            table[part.name.replace("_", "-")] = plain(own, changed=changed)
        return table
    if isinstance(value, Mapping):
        return {name: plain(each, changed=changed) for name, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(each, changed=changed) for each in value]
    return value


def _value(hint: Any, value: Any, place: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _value(next(each for each in arguments if each is not NoneType), value, place)
    if is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise UserError(f"{place} must be a table, not {value!r}.")
        return read(hint, value, place)  # type: ignore[arg-type]
    if origin is tuple:
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, (list, tuple)):
            raise UserError(f"{place} must be a list, not {value!r}.")
        return tuple(_value(arguments[0], each, place) for each in listed)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise UserError(f"{place} must be a table, not {value!r}.")
        return {
            require_text(name, f"name in {place}"): _value(arguments[1], each, f"{name} of {place}")
            for name, each in value.items()
        }
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
        raise UserError(f"{place} must be {names[hint]}, not {value!r}.")
    return require_text(value, f"text of {place}") if hint is str else value


def _required(part: Field[Any]) -> bool:
    return part.default is MISSING and part.default_factory is MISSING


def _default(part: Field[Any]) -> Any:
    if part.default_factory is not MISSING:
        return part.default_factory()
    return part.default
