"""Rules for names that users give: file names, texts to display, and forbidden characters."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable

from .errors import UserError

#: Maximum characters of a displayed name and of a file name.
LONGEST, LONGEST_FILE = 200, 64
#: Maximum bytes of a file name; the rest of the 255 of file systems is for suffixes and drafts.
BYTES = 200
#: Reserved names: ``best`` is a folder in ``models/``, the others are devices on Windows, with any suffix.
RESERVED = {"best", "con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
#: Characters of file names besides letters, digits and their marks.
JOINERS = "-_.+="

# Control characters, invisible marks, line separators, direction changes, lone surrogates and non-characters.
# The joiners of scripts and emoji (U+200C, U+200D) are allowed: words are misspelt without them.
_HIDDEN = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f"
)
_PLANE_ENDS = "".join(chr(plane << 16 | end) for plane in range(1, 17) for end in (0xFFFE, 0xFFFF))
_NEVER = re.compile(f"[{_HIDDEN}{_PLANE_ENDS}]")


def is_text(text: str) -> bool:
    """Return whether a text has no forbidden characters."""
    return _NEVER.search(text) is None


def make_visible(text: str, *, keep: str = "") -> str:
    r"""Replace forbidden characters by escapes such as ``\u001b``, which JSON reads too.

    Args:
        text: anything, such as a path or the reason of an error.
        keep: characters that stay, such as line breaks.
    """
    return _NEVER.sub(lambda match: match[0] if match[0] in keep else json.dumps(match[0])[1:-1], text)


def require_text(text: str, what: str) -> str:
    """Check a text for forbidden characters and return it.

    Args:
        text: text of the user.
        what: kind of text for the message, such as ``column``.

    Raises:
        UserError: if it contains a control character, a terminal escape, a direction change or similar.
    """
    if (wrong := _NEVER.search(text)) is not None:
        raise UserError(
            f"The {what} {_short(text)} contains U+{ord(wrong[0]):04X}, which is invisible or changes the display; "
            f"remove it."
        )
    return text


def require_name(name: str, what: str) -> str:
    """Check a name that is only displayed (a subject, a label, a column) and return it in NFC.

    Args:
        name: name of the user.
        what: kind of name for the message.

    Raises:
        UserError: if it has forbidden characters, is empty or too long.
    """
    if not name.strip():
        raise UserError(f"A {what} is empty; give it a name.")
    if len(require_text(name, what)) > LONGEST:
        raise UserError(f"The {what} {_short(name)} has {len(name)} characters; shorten it to {LONGEST}.")
    return unicodedata.normalize("NFC", name)


def require_file_name(name: str, what: str) -> str:
    """Check a name that becomes a file or a folder (a study, a variant) and return it in NFC.

    The rule is the same on every system: letters and digits of any script and ``-_.+=``, at most 64 characters.

    Args:
        name: name of the user.
        what: kind of name for the message.

    Raises:
        UserError: if it is reserved or not a valid file name on every system.
    """
    name = unicodedata.normalize("NFC", name)
    if (fault := _file_fault(name)) is not None:
        plain = make_file_name(name)
        hint = f", such as {plain!r}" if plain else ""
        raise UserError(f"The {what} {_short(name)} is used as a file name and {fault}; use another name{hint}.")
    return name


def make_file_name(text: str, default: str = "") -> str:
    """Convert a text to a safe file name, or return the default if nothing is left."""
    text = unicodedata.normalize("NFC", text)
    # The end is kept, since it may be a suffix.
    plain = "".join(each if _in_file(each) else "-" for each in text)[-LONGEST_FILE:].strip(JOINERS)
    return default if _file_fault(plain) else plain


def require_distinct(names: Iterable[str], what: str) -> None:
    """Refuse names that differ only in case, such as ``LM`` and ``lm``.

    Args:
        names: names, possibly repeated.
        what: kind of names for the message.

    Raises:
        UserError: if two names differ only in case.
    """
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(unicodedata.normalize("NFC", name.casefold()), name)
        if other != name:
            raise UserError(
                f"The {what}s {other!r} and {name!r} differ only in case and would be the same file on many systems; "
                f"rename one of them."
            )


def _file_fault(name: str) -> str | None:
    if not name:
        return "is empty"
    if wrong := next((each for each in name if not _in_file(each)), ""):
        return f"contains {wrong!r}, where letters, digits and {' '.join(JOINERS)} are expected"
    if not name[0].isalnum():
        return "does not begin with a letter or a digit"
    if name[-1] == ".":
        return "ends with a point"
    if len(name) > LONGEST_FILE or len(name.encode()) > BYTES:
        return f"has {len(name)} characters in {len(name.encode())} bytes, more than {LONGEST_FILE} in {BYTES}"
    if unicodedata.normalize("NFKC", name.partition(".")[0]).casefold() in RESERVED:
        return "is reserved"
    return None


def _in_file(character: str) -> bool:
    if not is_text(character):
        return False
    return character.isalnum() or character in JOINERS or unicodedata.category(character) in ("Mn", "Mc")


def _short(text: str, most: int = 60) -> str:
    return repr(text if len(text) <= most else text[: most - 1] + "…")
