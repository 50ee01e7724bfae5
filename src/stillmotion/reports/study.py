"""A study's results: on the screen, and as files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from ..escaping import escape_markdown, write_csv
from ..evaluation import Interval
from ..files import atomic_write
from ..studies import Results, Row
from ..studies.estimate import Line, total
from .screen import console, styled

COLUMNS = (
    "variant",
    "what",
    "params",
    "kFLOPs",
    "trials",
    "validation",
    "test F1",
    "± seeds",
    "gain, points",
    "verdict",
)


def show_results(results: Results) -> None:
    """First whether the teachers have something to teach, then a row a variant."""
    out = console()
    for lead in results.leads:
        out.print(str(lead), style="" if lead.shown else "yellow", highlight=False)
    table = Table(title=title(results), caption=caption(results), caption_justify="left")
    for number, heading in enumerate(COLUMNS):
        table.add_column(heading, justify="left" if number in (0, 1, 9) else "right", overflow="fold")
    role = ""
    for row in results.rows:
        if role and row.role in ("teacher", "control", "baseline") and row.role != role:
            table.add_section()
        role = row.role
        table.add_row(*_cells(row))
    out.print(table)
    for partner in results.partners:
        out.print(str(partner), highlight=False)
    for row in results.rows:
        if row.failed:
            out.print(styled("red", row.variant, f": {row.failed} of its runs failed; runs.sqlite says why."))
    if results.leaks:
        text = ": subjects, or parts of their recordings, are on both sides of the split."
        out.print(styled("red", "Leaky protocol", text))


def title(results: Results) -> str:
    """What was compared, in a line."""
    return f"{results.name} on {results.data}, {results.protocol}"


def caption(results: Results) -> str:
    """How it was measured."""
    tested = (
        f"macro-F1 in percent, pooled over {results.subjects} test subjects, mean over seeds, 95 % interval over "
        f"subjects and seeds; gain against {results.reference}; looks at test subjects: {results.looks}."
        if results.compared
        else "macro-F1 in percent on validation subjects; test subjects have not been scored (--score-test)."
    )
    return f"{tested} Training took {clock(results.seconds)}.{'' if results.complete else ' NOT FINISHED.'}"


def write_results(results: Results, folder: Path) -> list[Path]:
    """``results.json``, ``results.csv`` and ``results.md`` in ``folder``, each whole or not at all."""
    texts = {
        "results.json": json.dumps(results.to_dict(), indent=1, ensure_ascii=False) + "\n",
        "results.csv": write_csv(CSV, [_flat(row) for row in results.rows]),
        "results.md": markdown(results),
    }
    for name, text in texts.items():
        atomic_write(folder / name, text)
    return [folder / name for name in texts]


CSV = [
    "variant",
    "role",
    "trials",
    "seeds",
    "params",
    "flops",
    "validation",
    "test",
    "test_low",
    "test_high",
    "accuracy",
    "ece",
    "seed_spread",
    "gain",
    "gain_low",
    "gain_high",
    "p",
    "verdict",
    "epochs",
    "seconds",
    "failed",
    "size",
    "settings",
]


def _flat(row: Row) -> list[str | int | float | None]:
    def ends(given: Interval | None) -> tuple[float | None, float | None, float | None]:
        return (None, None, None) if given is None else (given.score, given.low, given.high)

    start = (row.variant, row.role, row.trials, row.seeds, row.params, row.flops, row.validation)
    middle = (*ends(row.test), row.accuracy, row.ece, row.seed_spread, *ends(row.gain), row.p)
    return [
        *start,
        *middle,
        row.verdict,
        row.epochs,
        round(row.seconds, 1),
        row.failed,
        row.size,
        "; ".join(row.settings),
    ]


def markdown(results: Results) -> str:
    """The table for a page."""
    leads = [escape_markdown(lead.teacher) + str(lead).removeprefix(lead.teacher) for lead in results.leads]
    lines = [f"## {escape_markdown(title(results))}", "", *(f"- {lead}" for lead in leads)]
    lines += ["", f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    for row in results.rows:
        # Names and titles are users' own; the rest is numbers, whose brackets need no marks.
        name, what, *numbers = _cells(row)
        lines.append(f"| {' | '.join((escape_markdown(name), escape_markdown(what), *numbers))} |")
    return "\n".join([*lines, "", escape_markdown(caption(results)), *_partners(results), ""])


def _partners(results: Results) -> list[str]:
    """What became of teachers that learnt too, and what their ensembles weigh, for a page."""
    if not results.partners:
        return []
    lines = [
        "",
        "### What became of teachers that learnt too",
        "",
        "| variant | teacher | beside its students | alone | change, points |",
    ]
    lines.append("|---|---|--:|--:|--:|")
    for one in results.partners:
        cells = (_interval(one.score), _interval(one.alone), _interval(one.change, sign="+"))
        lines.append(f"| {escape_markdown(one.variant)} | {escape_markdown(one.teacher)} | {' | '.join(cells)} |")
    taught = [one for one in results.partners if one.learnt]
    if taught:
        lines += [
            "",
            "### What stages weigh in the ensemble, in percent",
            "",
            "| variant | stage | weight | ± runs |",
            "|---|---|--:|--:|",
        ]
    for one in taught:
        lines += [
            f"| {escape_markdown(one.variant)} | {name} | {100 * mean:.1f} | {100 * spread:.1f} |"
            for name, (mean, spread) in one.learnt.items()
        ]
    return lines


def show_plan(lines: Sequence[Line]) -> None:
    """The fleets of a plan with the time they take."""
    table = Table(title="The plan", caption_justify="left")
    for heading in ("phase", "what", "runs", "together", "steps", "at most"):
        table.add_column(heading, justify="left" if heading in ("phase", "what") else "right")
    for line in lines:
        table.add_row(line.phase, line.what, f"{line.runs:,}", str(line.size), f"{line.steps:,}", clock(line.seconds))
    out = console()
    out.print(table)
    runs = sum(line.runs for line in lines)
    out.print(
        f"{runs:,} runs in {len(lines)} fleets: at most {clock(total(lines))} on this machine, if no run stops early "
        f"(measured on a few steps of each kind)."
    )


def clock(seconds: float) -> str:
    """A duration in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.variant,
        f"{row.title}: {row.size}" if row.size else row.title,
        "–" if row.params is None else f"{row.params:,}",
        "–" if row.flops is None else f"{row.flops / 1000:,.0f}",
        "" if row.role == "teacher" else str(row.trials),
        _percent(row.validation),
        _interval(row.test),
        "" if row.seed_spread is None else f"{100 * row.seed_spread:.1f}",
        _interval(row.gain, sign="+"),
        row.verdict,
    )


def _percent(score: float | None) -> str:
    return "–" if score is None else f"{100 * score:.1f}"


def _interval(given: Interval | None, *, sign: str = "") -> str:
    return "" if given is None else given.in_percent(sign)
