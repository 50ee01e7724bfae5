"""Print tables to the terminal.

Markup is off, so that a name with ``[red]`` or ``:smile:`` in it is printed as it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleRenderable, Group, RenderableType, RenderHook
from rich.constrain import Constrain
from rich.measure import Measurement
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from ..names import make_visible
from ..signals.card import Card
from ..signals.fetching import Fetched
from ..signals.quality import Quality
from ..signals.tables import Proposal
from ..signals.tables.mapping import as_toml
from ..windows.findings import Audit

#: Colours of findings by severity, worst first.
MARKS = {"error": "red", "warning": "yellow", "note": "dim"}
#: Findings of one kind that are printed; the rest are counted.
SHOWN = 5


#: Width in characters where the output is no terminal: more than any table needs.
PIPED = 100_000
#: Width of a horizontal rule in characters.
RULE = 80


class Screen(Console):
    """A console without markup that prints control characters as escapes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return text without markup; line breaks stay."""
        return super().render_str(make_visible(text, keep="\n"), **options)


def console() -> Screen:
    """Return a console as wide as COLUMNS or the terminal, without a limit if the output is no terminal.

    A wider table is printed in parts, each with the first column repeated; numbers are never broken.
    """
    asked = os.environ.get("COLUMNS", "")
    width = int(asked) if asked.isdecimal() and int(asked) else None if sys.stdout.isatty() else PIPED
    screen = Screen(width=width)
    screen.push_render_hook(_Fitting(screen))
    return screen


def styled(style: str, text: object, rest: str = "") -> Text:
    """Return a text in a style, followed by text without."""
    return Text.assemble((make_visible(str(text)), style), make_visible(rest))


class _Fitting(RenderHook):
    """Split tables into parts that fit, and shorten rules."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Return what is printed instead of these renderables."""
        return [part for each in renderables for part in self._fitted(each)]

    def _fitted(self, each: RenderableType) -> list[ConsoleRenderable]:
        if isinstance(each, Group):
            return [part for inner in each.renderables for part in self._fitted(inner)]
        if isinstance(each, Table):
            return list(parts(each, self.console))
        if isinstance(each, Rule):
            return [Constrain(each, min(self.console.width, RULE))]
        return [each if isinstance(each, ConsoleRenderable) else self.console.render_str(str(each))]


def parts(table: Table, console: Console) -> list[Table]:
    """Split a table that is too wide by columns.

    The first column and right-aligned columns (numbers) do not wrap; others wrap between words. The title is above the
    first part, the caption below the last.
    """
    columns, options = table.columns, console.options
    sizes = []
    for number, column in enumerate(columns):
        cells = [Measurement.get(console, options, cell) for cell in (column.header, *column.cells)]
        least, most = max(cell.minimum for cell in cells), max(cell.maximum for cell in cells)
        sizes.append((most if number == 0 or column.no_wrap or column.justify == "right" else least, most))
    # A cell has a space on either side and a border after it.
    if table.box is None or sum(most + 3 for _, most in sizes) < console.width:
        return [table]
    groups: list[list[int]] = [[0]]
    for number in range(1, len(columns)):
        if len(groups[-1]) > 1 and sum(sizes[at][0] + 3 for at in (*groups[-1], number)) >= console.width:
            groups.append([0])
        groups[-1].append(number)
    tables = []
    for group in groups:
        part = copy(table)
        widths = _widths([sizes[at] for at in group], console.width)
        part.columns = [
            replace(columns[at], _index=place, width=width, no_wrap=False, overflow="fold")
            for place, (at, width) in enumerate(zip(group, widths, strict=True))
        ]
        part.title = table.title if group is groups[0] else None
        part.caption = table.caption if group is groups[-1] else None
        tables.append(part)
    return tables


def _widths(sizes: Sequence[tuple[int, int]], width: int) -> list[int]:
    """Give each column its minimum width, and share the rest evenly among columns that need more."""
    widths = [least for least, _ in sizes]
    room = width - 1 - sum(least + 3 for least in widths)
    if room < 0:
        return [max(1, widths[0] + room), *widths[1:]]
    wanting = sorted(range(len(sizes)), key=lambda at: sizes[at][1] - sizes[at][0])
    for left, at in enumerate(wanting):
        more = min(sizes[at][1] - sizes[at][0], room // (len(wanting) - left))
        widths[at] += more
        room -= more
    return widths


def show_cards(cards: Mapping[str, Card], data: Path | None = None) -> None:
    """Print the built-in data sets with location, licence and citation."""
    out = console()
    root = data or os.environ.get("STILLMOTION_DATA")
    table = Table("name", "subjects", "Hz", "channels", "classes", "placement", "protocols", "files")
    for name, card in cards.items():
        if not card.layout:
            place = "built in"
        elif root and (folder := Path(root).expanduser() / (card.folder or name)).is_dir():
            place = str(folder)
        else:
            place = "not found" if root else "no --data"
        table.add_row(
            styled("bold", name),
            str(card.subjects),
            f"{card.spec.rate:g}",
            str(len(card.spec.channels)),
            str(len(card.spec.classes)),
            card.placement,
            ", ".join(card.protocols),
            place,
        )
    out.print(table)
    for name, card in cards.items():
        same = f" Same subjects as {', '.join(card.same_subjects_as)}." if card.same_subjects_as else ""
        out.print(styled("bold", name, f": {card.citation} Licence: {card.licence}. {card.url}{same}"))


class ProgressLine:
    """A progress bar on standard error, so that standard output stays clean."""

    def __init__(self, bar: Progress) -> None:
        self.bar = bar
        self.task = bar.add_task("", total=None)

    def step(self, text: str) -> None:
        """Show the current step."""
        self.bar.update(self.task, description=make_visible(text), completed=0, total=None)

    def bytes(self, done: int, total: int) -> None:
        """Show the number of bytes done and in total (0: unknown)."""
        self.bar.update(self.task, completed=done, total=total or None)


@contextmanager
def progress() -> Iterator[ProgressLine]:
    """Show a progress bar, removed at the end."""
    words = TextColumn("{task.description}", markup=False)
    columns = (words, BarColumn(), DownloadColumn(), TimeRemainingColumn())
    errors = Screen(stderr=True)
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        yield ProgressLine(bar)


def show_fetched(fetched: Fetched) -> None:
    """Print location, verification and counts of a fetched data set."""
    out = console()
    out.print(
        styled("bold", fetched.name, f": {fetched.files} files, {fetched.size / 1e6:,.1f} MB in {fetched.folder}")
    )
    if fetched.verified:
        out.print(f"{fetched.verified} files match the known checksums.")
    out.print("Counted: " + ", ".join(f"{what} {count:,}" for what, count in fetched.counts.items()))
    for remark in fetched.remarks:
        out.print(_marked("note", remark))


def show_proposal(proposal: Proposal) -> None:
    """Print the proposed mapping of a table and what to check."""
    out = console()
    out.print(styled("bold", proposal.path, " has no mapping. Proposed mapping, to check and save (--save):"))
    out.print(as_toml(proposal.values), highlight=False)
    for remark in proposal.remarks:
        out.print(_marked("error" if remark in proposal.missing else "note", remark))


def show_quality(quality: Quality) -> None:
    """Print a row for each subject, then the findings."""
    out = console()
    table = Table(title=f"{quality.name}: {quality.samples:,} samples, {len(quality.subjects)} subjects")
    for heading in ("subject", "sessions", "parts", "minutes", "Hz", "jitter %", "gaps", "missing", "labels %"):
        table.add_column(heading, justify="right")
    sensors = list(dict.fromkeys(name for subject in quality.subjects for name in subject.gravity))
    for sensor in sensors:
        table.add_column(sensor, justify="right")
    for subject in quality.subjects:
        labelled = 1 - subject.labelled["(none)"] / max(subject.seconds, 1e-9)
        table.add_row(
            subject.subject,
            str(subject.sessions),
            str(subject.recordings),
            f"{subject.seconds / 60:.1f}",
            f"{subject.rate:.1f}",
            f"{100 * subject.jitter:.0f}",
            str(subject.gaps),
            str(subject.missing),
            f"{100 * labelled:.0f}",
            *(f"{subject.gravity[sensor]:.2f}" for sensor in sensors),
        )
    out.print(table)
    totals: dict[str, float] = {}
    for subject in quality.subjects:
        for name, seconds in subject.labelled.items():
            totals[name] = totals.get(name, 0.0) + seconds
    out.print("Minutes: " + ", ".join(f"{name} {seconds / 60:.1f}" for name, seconds in totals.items()))
    by_kind: dict[tuple[str, str], list[str]] = {}
    for finding in quality.findings:
        by_kind.setdefault((finding.severity, finding.kind), []).append(finding.text)
    _findings(out, by_kind)
    out.print("Ready for training." if quality.usable else styled("red", "Fix the errors before training."))


def show_audit(audit: Audit) -> None:
    """Print what was checked, the findings and the verdict of an audit."""
    out = console()
    checked = ", ".join(f"{what} {count:,}" for what, count in audit.checked.items())
    out.print(styled("bold", audit.dataset, " under ") + styled("bold", audit.protocol, f". Checked: {checked}."))
    by_kind: dict[tuple[str, str], list[str]] = {}
    for finding in audit.findings:
        where = "" if finding.fold is None else f"fold {finding.fold}: "
        by_kind.setdefault((finding.severity, finding.kind), []).append(f"{finding.kind}: {where}{finding.evidence}")
    _findings(out, by_kind)
    if audit.clean:
        out.print(
            styled("green", "Clean", ": train, validation and test share no sample, no subject and no statistic.")
        )
    else:
        out.print(styled("red", "Not clean", ": scores under this split say little about new subjects."))
    out.print(audit.unseen)


def show_rows(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows with the same keys as a table."""
    headings = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(title=title)
    for heading in headings:
        numeric = all(isinstance(row.get(heading, 0), int | float) for row in rows)
        table.add_column(heading.replace("_", " "), justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(_cell(row.get(heading, "")) for heading in headings))
    console().print(table)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"
    return str(value)


def _findings(out: Console, by_kind: Mapping[tuple[str, str], Sequence[str]]) -> None:
    for severity in MARKS:
        for (level, kind), texts in by_kind.items():
            if level != severity:
                continue
            for text in texts[:SHOWN]:
                out.print(_marked(severity, text))
            if len(texts) > SHOWN:
                out.print(_marked(severity, f"{kind}: … and {len(texts) - SHOWN} more; --json lists all"))


def _marked(severity: str, text: str) -> Text:
    return styled(MARKS[severity], severity, f" {text}")
