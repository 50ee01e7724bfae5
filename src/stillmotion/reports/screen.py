"""Print tables to the terminal.

Markup is off, so that a name with ``[red]`` or ``:smile:`` in it is printed as it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from rich.table import Table as RichTable
from rich.text import Text

from ..errors import UserError
from ..formatting import format_number
from ..names import make_visible
from ..signals.card import Card
from ..signals.catalog import find_folder
from ..signals.durations import WindowFit
from ..signals.fetching import Fetched
from ..signals.findings import Finding
from ..signals.quality import Quality, SubjectQuality
from ..signals.spec import SignalSpec, describe_length
from ..signals.tables import Proposal
from ..signals.tables.mapping import as_toml
from ..windows.findings import Audit
from .table import Column, Table, make_count, make_percent, make_text, tabulate

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
        if isinstance(each, RichTable):
            return list(parts(each, self.console))
        if isinstance(each, Rule):
            return [Constrain(each, min(self.console.width, RULE))]
        return [each if isinstance(each, ConsoleRenderable) else self.console.render_str(str(each))]


def parts(table: RichTable, console: Console) -> list[RichTable]:
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

    def locate(name: str, card: Card) -> str:
        if not card.layout:
            return "built in"
        try:
            return str(find_folder(name, data))
        except UserError:
            return "not installed" if card.package else "not found" if root else "no --data"

    columns: list[Column[tuple[str, Card]]] = [
        make_text("name", lambda row: row[0], style=lambda row: "bold"),
        make_count("subjects", lambda row: row[1].subjects),
        Column("rate", lambda row: row[1].spec.rate, "Hz", "{:g}".format),
        make_count("channels", lambda row: len(row[1].spec.channels)),
        make_count("classes", lambda row: len(row[1].spec.classes)),
        make_text("placement", lambda row: row[1].placement),
        make_text("protocols", lambda row: ", ".join(row[1].protocols)),
        make_text("files", lambda row: locate(*row)),
    ]
    out.print(Table("", columns, list(cards.items())).to_terminal())
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

    def show(self, text: str, done: int, total: int) -> None:
        """Show the current step with the number of bytes done and in total (0: unknown)."""
        self.bar.update(self.task, description=make_visible(text), completed=done, total=total or None)


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
    title = f"{quality.name}: {quality.samples:,} samples, {len(quality.subjects)} subjects"
    out.print(Table(title, _quality_columns(quality), quality.subjects).to_terminal())
    totals: dict[str, float] = {}
    for subject in quality.subjects:
        for name, seconds in subject.labelled.items():
            totals[name] = totals.get(name, 0.0) + seconds
    out.print("Minutes: " + ", ".join(f"{name} {seconds / 60:.1f}" for name, seconds in totals.items()))
    _show_fit(out, quality.fit)
    _show_findings(out, quality.findings)
    out.print(
        "Fit to train on."
        if quality.usable
        else styled("red", "Not fit to train on", ": studies refuse it without --accept-findings.")
    )


def _show_fit(out: Console, fit: WindowFit) -> None:
    """Print the window, and how long the classes last against it."""
    rate = fit.rate
    window = f"{describe_length(fit.window, rate)}, hop {describe_length(fit.hop, rate)}"
    out.print(f"Window: {window}.", highlight=False)
    if fit.classes:
        listed = ", ".join(f"{each.name} {each.median:.3g} s" for each in fit.classes)
        out.print(f"Median stretch: {listed}.", highlight=False)
    if fit.proposed_window < fit.window:
        proposed = describe_length(fit.proposed_window, rate)
        seconds = f"{fit.proposed_window / rate:.3g}"
        out.print(
            f"Proposed window: {proposed}, hop {describe_length(fit.proposed_hop, rate)} (window = {seconds} in a "
            f"mapping, --set data.window={seconds}s in a study).",
            highlight=False,
        )


def _show_findings(out: Console, findings: Iterable[Finding]) -> None:
    by_kind: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        by_kind.setdefault((finding.severity, finding.kind), []).append(finding.text)
    _findings(out, by_kind)


def show_audit(audit: Audit, spec: SignalSpec, quality: Quality) -> None:
    """Print what was checked, the findings and the verdict of an audit, and what is wrong in the recordings."""
    out = console()
    out.print(f"Windows: {spec.describe_window()}.", highlight=False)
    _show_findings(out, quality.problems)
    if not quality.usable:
        out.print(styled("red", "Not fit to train on", ": see the errors above."))
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
    """Print rows of named values as a table."""
    console().print(tabulate(title, rows).to_terminal())


def _quality_columns(quality: Quality) -> list[Column[SubjectQuality]]:
    def measure_gravity(sensor: str) -> Column[SubjectQuality]:
        return Column(sensor, lambda each: each.gravity[sensor], sensor, lambda value: format_number(value, ".2f"))

    return [
        make_text("subject", lambda each: each.subject),
        make_count("sessions", lambda each: each.sessions),
        make_count("parts", lambda each: each.recordings),
        Column("minutes", lambda each: each.seconds / 60, "minutes", format_number),
        Column("rate", lambda each: each.rate, "Hz", format_number),
        make_percent("jitter", lambda each: each.jitter, "jitter, %"),
        make_count("gaps", lambda each: each.gaps),
        make_count("missing", lambda each: each.missing),
        make_count("lost", lambda each: each.lost_rows, "rows lost"),
        Column("lost_minutes", lambda each: each.lost_rows / each.rate / 60, "minutes lost", format_number),
        make_percent("labels", lambda each: 1 - each.labelled["(none)"] / max(each.seconds, 1e-9), "labels, %"),
        *map(measure_gravity, dict.fromkeys(name for each in quality.subjects for name in each.gravity)),
    ]


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
