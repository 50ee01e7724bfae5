"""The rule for every name that a user gives: what may be a file, what may be shown, what never passes."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable

from .errors import UserError

#: Characters of a name that is shown, and of one that becomes a file.
LONGEST, LONGEST_FILE = 200, 64
#: Bytes of a file's name; the rest of the 255 that file systems take is for endings and for writing beside it.
BYTES = 200
#: Taken: ``best`` stands beside the variants in ``models/``, the others are devices on Windows, whatever their ending.
RESERVED = {"best", "con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
#: What a file's name holds besides letters, digits and their marks.
JOINERS = "-_.+="

# Controls, invisible marks, line separators, changes of direction, lone surrogates, what Unicode calls no character.
# The two joiners of scripts and emoji (U+200C, U+200D) pass: words are misspelt without them.
_HIDDEN = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f"
)
_PLANE_ENDS = "".join(chr(plane << 16 | end) for plane in range(1, 17) for end in (0xFFFE, 0xFFFF))
_NEVER = re.compile(f"[{_HIDDEN}{_PLANE_ENDS}]")


def is_text(text: str) -> bool:
    """Say whether every character can be shown and leaves the others as they are."""
    return _NEVER.search(text) is None


def make_visible(text: str, *, keep: str = "") -> str:
    r"""Write characters that never pass as escapes such as ``\u001b``, which JSON reads too.

    Args:
        text: anything, such as a path or the reason of an error.
        keep: characters that stay, such as line breaks.
    """
    return _NEVER.sub(lambda match: match[0] if match[0] in keep else json.dumps(match[0])[1:-1], text)


def require_text(text: str, what: str) -> str:
    """Give back a text that can be shown.

    Args:
        text: as the user gave it.
        what: it is, for the message, such as ``column``.

    Raises:
        UserError: it holds a control character, a terminal escape, a change of direction or the like.
    """
    if (wrong := _NEVER.search(text)) is not None:
        raise UserError(
            f"The {what} {_short(text)} holds U+{ord(wrong[0]):04X}, which is not shown or changes how the rest is; "
            f"write it without."
        )
    return text


def require_name(name: str, what: str) -> str:
    """Give back a name that is only shown (a subject, a label, a column), composed as NFC.

    Args:
        name: as the user gave it: any text that can be shown.
        what: it is, for the message.

    Raises:
        UserError: it cannot be shown, is empty or too long.
    """
    if not name.strip():
        raise UserError(f"A {what} is empty; give it a name.")
    if len(require_text(name, what)) > LONGEST:
        raise UserError(f"The {what} {_short(name)} has {len(name)} characters; shorten it to {LONGEST}.")
    return unicodedata.normalize("NFC", name)


def require_file_name(name: str, what: str) -> str:
    """Give back a name that becomes a file or a folder (a study, a variant), composed as NFC.

    The same on every system: letters and digits of any script and ``-_.+=`` between them, no more than 64.

    Args:
        name: as the user gave it.
        what: it is, for the message.

    Raises:
        UserError: it could leave its folder, is taken, or does not work as a file's name everywhere.
    """
    name = unicodedata.normalize("NFC", name)
    if (fault := _file_fault(name)) is not None:
        plain = make_file_name(name)
        hint = f", such as {plain!r}" if plain else ""
        raise UserError(f"The {what} {_short(name)} becomes a file's name and {fault}; give it another name{hint}.")
    return name


def make_file_name(text: str, default: str = "") -> str:
    """Give the nearest name that is safe as a file's, or the default where there is none."""
    text = unicodedata.normalize("NFC", text)
    # Its end is kept: it may say what kind of file it is.
    plain = "".join(each if _in_file(each) else "-" for each in text)[-LONGEST_FILE:].strip(JOINERS)
    return default if _file_fault(plain) else plain


def require_distinct(names: Iterable[str], what: str) -> None:
    """Refuse names that are one file where case does not count, such as ``LM`` beside ``lm``.

    Args:
        names: each may come again.
        what: they are, for the message.

    Raises:
        UserError: two differ in case alone.
    """
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(unicodedata.normalize("NFC", name.casefold()), name)
        if other != name:
            raise UserError(
                f"The {what}s {other!r} and {name!r} differ in case alone and would be one file on many systems; "
                f"give one of them another name."
            )


def _file_fault(name: str) -> str | None:
    if not name:
        return "is empty"
    if wrong := next((each for each in name if not _in_file(each)), ""):
        return f"holds {wrong!r}, where letters, digits and {' '.join(JOINERS)} are expected"
    if not name[0].isalnum():
        return "does not begin with a letter or a digit"
    if name[-1] == ".":
        return "ends with a point"
    if len(name) > LONGEST_FILE or len(name.encode()) > BYTES:
        return f"has {len(name)} characters in {len(name.encode())} bytes, more than {LONGEST_FILE} in {BYTES}"
    if unicodedata.normalize("NFKC", name.partition(".")[0]).casefold() in RESERVED:
        return "is taken"
    return None


def _in_file(character: str) -> bool:
    if not is_text(character):
        return False
    return character.isalnum() or character in JOINERS or unicodedata.category(character) in ("Mn", "Mc")


def _short(text: str, most: int = 60) -> str:
    return repr(text if len(text) <= most else text[: most - 1] + "…")
