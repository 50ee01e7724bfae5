"""Table of the guide to window features: what dropping features costs and saves."""

from __future__ import annotations

from stillmotion.formatting import MISSING, format_amount, format_count, format_number, format_percent


def features(rows: list[dict[str, str]]) -> str:
    """Write the table of selections: size, work, score on unseen subjects, and the difference to all features."""
    lines = [
        "| data | features | number | parameters | operations | M0 flash, B | M0 instructions | macro-F1 | − all |"
    ]
    lines.append(f"|---|---|{'--:|' * 7}")
    for row in rows:
        counts = (format_count(int(row[name])) for name in ("features", "parameters"))
        flash = format_count(int(row["flash"])) if row["flash"] else MISSING
        work = format_amount(float(row["instructions"])) if row["instructions"] else MISSING
        numbers = (
            *counts,
            format_amount(float(row["operations"])),
            flash,
            work,
            format_percent(float(row["macro_f1"])),
        )
        lines.append(f"| {row['data']} | {row['selection']} | {' | '.join(numbers)} | {_difference(row)} |")
    return "\n".join(lines)


def _difference(row: dict[str, str]) -> str:
    """Format the difference to all features in points with its interval."""
    if not row["difference"]:
        return ""
    score, low, high = (
        format_number(100 * float(row[name]), "+.1f") for name in ("difference", "difference_low", "difference_high")
    )
    return f"{score} [{low}, {high}]"
