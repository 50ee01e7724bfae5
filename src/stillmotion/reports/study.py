"""Print and write the results of a study."""

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
    "description",
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
    """Print the teacher gaps, then a row for each variant."""
    out = console()
    for gap in results.leads:
        out.print(str(gap), style="" if gap.shown else "yellow", highlight=False)
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
    for teacher in results.partners:
        out.print(str(teacher), highlight=False)
    for row in results.rows:
        if row.failed:
            out.print(styled("red", row.variant, f": {row.failed} of its runs failed; still report lists the reasons."))
    if results.leaks:
        text = ": subjects, or parts of their recordings, are in both train and test."
        out.print(styled("red", "Leaky protocol", text))


def title(results: Results) -> str:
    """Return the study, its data set and its protocol."""
    return f"{results.name} on {results.data}, {results.protocol}"


def caption(results: Results) -> str:
    """Describe scores, subjects and training time."""
    tested = (
        f"macro-F1 in percent, pooled over {results.subjects} test subjects, mean over seeds, 95 % interval over "
        f"subjects and seeds; gain against {results.reference}; test-set evaluations: {results.looks}."
        if results.compared
        else "macro-F1 in percent on validation subjects; test subjects have not been evaluated (--score-test)."
    )
    return f"{tested} Training took {clock(results.seconds)}.{'' if results.complete else ' NOT FINISHED.'}"


def write_results(results: Results, folder: Path) -> list[Path]:
    """Write ``results.json``, ``results.csv`` and ``results.md`` to ``folder``, each atomically."""
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
    def with_ends(score: Interval | None) -> tuple[float | None, float | None, float | None]:
        return (None, None, None) if score is None else (score.score, score.low, score.high)

    start = (row.variant, row.role, row.trials, row.seeds, row.params, row.flops, row.validation)
    middle = (*with_ends(row.test), row.accuracy, row.ece, row.seed_spread, *with_ends(row.gain), row.p)
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
    """Return the results as Markdown."""
    gaps = [escape_markdown(gap.teacher) + str(gap).removeprefix(gap.teacher) for gap in results.leads]
    lines = [f"## {escape_markdown(title(results))}", "", *(f"- {gap}" for gap in gaps)]
    lines += ["", f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    for row in results.rows:
        # Names and titles come from users and are escaped; the other cells are numbers.
        name, description, *numbers = _cells(row)
        lines.append(f"| {' | '.join((escape_markdown(name), escape_markdown(description), *numbers))} |")
    return "\n".join([*lines, "", escape_markdown(caption(results)), *_co_trained_teachers(results), ""])


def _co_trained_teachers(results: Results) -> list[str]:
    """Return the tables of co-trained teachers and of ensemble weights as Markdown."""
    if not results.partners:
        return []
    lines = [
        "",
        "### Co-trained teachers",
        "",
        "| variant | teacher | co-trained | alone | change, points |",
    ]
    lines.append("|---|---|--:|--:|--:|")
    for each in results.partners:
        cells = (_interval(each.score), _interval(each.alone), _interval(each.change, sign="+"))
        lines.append(f"| {escape_markdown(each.variant)} | {escape_markdown(each.teacher)} | {' | '.join(cells)} |")
    with_weights = [each for each in results.partners if each.learnt]
    if with_weights:
        lines += [
            "",
            "### Learned weights of the stages in the ensemble, in percent",
            "",
            "| variant | stage | weight | ± runs |",
            "|---|---|--:|--:|",
        ]
    for each in with_weights:
        lines += [
            f"| {escape_markdown(each.variant)} | {name} | {100 * mean:.1f} | {100 * deviation:.1f} |"
            for name, (mean, deviation) in each.learnt.items()
        ]
    return lines


def show_plan(lines: Sequence[Line]) -> None:
    """Print the fleets of a plan with the time they take."""
    table = Table(title="Plan", caption_justify="left")
    for heading in ("phase", "fleet", "runs", "at a time", "steps", "time at most"):
        table.add_column(heading, justify="left" if heading in ("phase", "fleet") else "right")
    for line in lines:
        table.add_row(line.phase, line.what, f"{line.runs:,}", str(line.size), f"{line.steps:,}", clock(line.seconds))
    out = console()
    out.print(table)
    runs = sum(line.runs for line in lines)
    out.print(
        f"{runs:,} runs in {len(lines)} fleets: at most {clock(total(lines))} on this machine if no run stops early "
        f"(estimated from a few steps of each kind)."
    )


def clock(seconds: float) -> str:
    """Format a duration."""
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
