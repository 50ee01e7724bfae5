"""Escape names and other texts of users for each kind of output.

Terminals need no escaping: ``reports.screen.console`` has no markup.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterable, Mapping, Sequence

from .names import make_visible

#: Characters with which spreadsheets start a formula, unless the text is a number.
FORMULA = "=+-@\t\r＝＋－＠"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)")
#: Characters with a special meaning in LaTeX.
LATEX: Mapping[str, str] = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    # A row that begins with one of these is an argument of the line break before it.
    "[": "{[}",
    "*": "{*}",
    "`": "{`}",
    "|": r"\textbar{}",
    "−": r"\textminus{}",
    "–": "--",
    "±": r"$\pm$",
    "≥": r"$\ge$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}
_LATEX = {ord(mark): written for mark, written in LATEX.items()}
# Underscores within a word are plain; an ampersand is one unless an entity follows.
_MARKDOWN = re.compile(r"[\\`*\[\]<>|~$#]|&(?=[#\w])|(?<![^\W_])_|_(?![^\W_])")
# A list, or a line under a heading.
_LINE_START = re.compile(r"^(\s*\d+)([.)])(?=\s|$)|^(\s*)([-+=])(?=[-=\s]|$)")


def escape_html(text: str) -> str:
    """Escape text for HTML, between tags or in an attribute."""
    return html.escape(make_visible(text, keep="\n\t"))


def escape_latex(text: str) -> str:
    """Escape text for LaTeX."""
    return make_visible(text).translate(_LATEX)


def escape_markdown(text: str) -> str:
    """Escape text for Markdown: within a line, at its start, or in a table cell."""
    return _LINE_START.sub(r"\1\3\\\2\4", _MARKDOWN.sub(r"\\\g<0>", make_visible(text)))


def escape_csv(text: str) -> str:
    """Escape a cell for spreadsheets: text that looks like a formula gets an apostrophe in front."""
    return f"'{text}" if _is_formula(text.lstrip("'")) else text


def unescape_csv(text: str) -> str:
    """Undo ``escape_csv``."""
    return text[1:] if text.startswith("'") and _is_formula(text.lstrip("'")) else text


def write_csv(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as CSV; numbers stay numbers, and texts are never formulas."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in (headings, *rows):
        writer.writerow([escape_csv(make_visible(cell)) if isinstance(cell, str) else cell for cell in row])
    return out.getvalue()


def _is_formula(text: str) -> bool:
    return text[:1] != "" and text[0] in FORMULA and _NUMBER.fullmatch(text) is None
