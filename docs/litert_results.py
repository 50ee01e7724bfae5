"""Tables of the guide to LiteRT: what students lose in int8, and the same models by other runtimes."""

from __future__ import annotations

from math import sqrt
from statistics import fmean, stdev

from stillmotion.formatting import MISSING, format_count, format_number, format_percent


def int8_students(rows: list[dict[str, str]]) -> str:
    """Write the table of what students lose in int8, taught and alone."""
    lines = ["| network | pairs | alone | taught | taught − alone ± standard error | agreement, alone | taught |"]
    lines.append(f"|---|{'--:|' * 6}")
    for row in rows:
        shares = (format_percent(float(row[f"agreement_{kind}"])) for kind in ("alone", "taught"))
        lost = (format_number(float(row[f"difference_{kind}"]), "+.2f") for kind in ("alone", "taught"))
        more = f"{format_number(float(row['taught_minus_alone']), '+.2f')} ± {float(row['standard_error']):.2f}"
        cells = (f"`{row['network']}`", row["pairs"], *lost, more, *shares)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def int8_training(rows: list[dict[str, str]]) -> str:
    """Write the table of what int8 loses after training, and after training on with rounding."""
    lines = ["| variant | n | float32 | int8 | trained on, int8 | gain | agreement, before | after |"]
    lines.append(f"|---|{'--:|' * 7}")
    for name in dict.fromkeys(row["variant"] for row in rows):
        own = [row for row in rows if row["variant"] == name]
        scores, lost, left, before, after = (
            [float(row[column]) for row in own]
            for column in ("macro_f1_float", "difference", "difference_retrained", "agreement", "agreement_retrained")
        )
        gains = [more - less for more, less in zip(left, lost, strict=True)]
        cells = (f"`{name}`", str(len(own)), format_percent(fmean(scores)), *map(_with_error, (lost, left, gains)))
        lines.append(f"| {' | '.join((*cells, *(format_percent(fmean(each)) for each in (before, after))))} |")
    return "\n".join(lines)


def _with_error(values: list[float]) -> str:
    """Format the mean of differences in points with its standard error."""
    return f"{format_number(fmean(values), '+.2f')} ± {stdev(values) / sqrt(len(values)):.2f}"


def host(rows: list[dict[str, str]]) -> str:
    """Write the table of one model by several runtimes on the host."""
    lines = ["| shape | network | contender | bytes | memory | µs a window | times ours | equal |"]
    lines.append(f"|---|---|---|{'--:|' * 5}")
    for row in rows:
        numbers = (format_count(int(row[name])) if row[name] else MISSING for name in ("bytes", "memory"))
        times = (row[name] or MISSING for name in ("microseconds", "ratio"))
        equal = f"{row['equal']} of {row['windows']}" if row["equal"] else MISSING
        cells = (row["shape"], f"`{row['network']}`", row["contender"], *numbers, *times, equal)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
