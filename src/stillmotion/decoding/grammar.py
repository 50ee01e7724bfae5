"""Grammars: which activity can directly follow which, by physics, as a table that a user writes in TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnknownName, UserError
from ..names import require_name

GRAMMARS = files(__package__) / "grammars"


@dataclass(frozen=True)
class Grammar:
    """Which activity can directly follow another.

    Args:
        name: of the grammar, for messages.
        follows: the activities that can follow each; after an activity that is not named, every other one can.
        transitions: activities that are transitions between others, such as ``SIT_TO_STAND``; tables show their scores
            apart.
    """

    name: str
    follows: Mapping[str, tuple[str, ...]]
    transitions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.names:
            require_name(name, "class in a grammar")
        for name, after in self.follows.items():
            if not set(after) - {name}:
                raise UserError(f"Grammar {self.name}: nothing can follow {name}; name at least one other activity.")

    @property
    def names(self) -> tuple[str, ...]:
        """Every activity that the grammar names."""
        named = [*self.follows, *(name for after in self.follows.values() for name in after), *self.transitions]
        return tuple(dict.fromkeys(named))

    def allowed(self, classes: Sequence[str]) -> NDArray[np.bool_]:
        """Return a table (C, C) of whether the class of a column can follow that of a row, False on the diagonal.

        Raises:
            UserError: the grammar names an activity that is not among ``classes``.
        """
        for name in self.names:
            if name not in classes:
                raise UnknownName(f"class in grammar {self.name}", name, list(classes))
        table = np.ones((len(classes), len(classes)), np.bool_)
        for name, after in self.follows.items():
            table[classes.index(name)] = [other in after for other in classes]
        np.fill_diagonal(table, False)
        return table


def read_grammar(source: str | Path) -> Grammar:
    """Read a built-in grammar, or one in a TOML file.

    The file has a table ``[follows]`` with a list of activities for each activity, and may list ``transitions``.

    Args:
        source: name of a built-in grammar (``list_grammars``), or the path of a ``.toml`` file.

    Returns:
        The grammar.

    Raises:
        UserError: there is no such grammar, or the file is not as described.

    Example:
        >>> from stillmotion.decoding import read_grammar
        >>> read_grammar("hapt-postures").follows["SITTING"]
        ('SIT_TO_STAND', 'SIT_TO_LIE')
    """
    text = str(source)
    if text in list_grammars():
        return _grammar_of(tomllib.loads((GRAMMARS / f"{text}.toml").read_text()), text)
    path = Path(source)
    if path.suffix != ".toml":
        raise UnknownName("grammar", text, list_grammars(), "Or give the path of a .toml file.")
    try:
        with path.open("rb") as file:
            return _grammar_of(tomllib.load(file), text)
    except OSError as problem:
        raise UserError(f"The grammar {path} cannot be read ({problem.strerror}); give the path of a file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise UserError(f"{path} is not TOML: {problem}.") from None


def list_grammars() -> list[str]:
    """List the names of the built-in grammars.

    Returns:
        The names, in order.

    Example:
        >>> from stillmotion.decoding import list_grammars
        >>> list_grammars()
        ['hapt-postures']
    """
    return sorted(entry.name.removesuffix(".toml") for entry in GRAMMARS.iterdir() if entry.name.endswith(".toml"))


def _grammar_of(values: Mapping[str, Any], name: str) -> Grammar:
    if unknown := sorted(set(values) - {"follows", "transitions"}):
        raise UnknownName(f"key in grammar {name}", unknown[0], ["follows", "transitions"])
    follows, transitions = values.get("follows"), values.get("transitions", [])
    if not isinstance(follows, dict) or not all(map(_are_names, [*follows.values(), transitions])):
        raise UserError(
            f"Grammar {name} must have a table [follows] with a list of classes for each class, such as "
            f'SITTING = ["SIT_TO_STAND"], and transitions, if given, must be a list of classes.'
        )
    return Grammar(name, {key: tuple(after) for key, after in follows.items()}, tuple(transitions))


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
