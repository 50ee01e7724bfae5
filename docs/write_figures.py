"""Write tables into README and docs, from the files in ``results/``.

python docs/write_figures.py          # replaces the text between <!-- figures: NAME --> and <!-- end -->
python docs/write_figures.py --check  # exits with 1 when a page differs from the files
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from method_results import estimate, gain_of, score_of

from stillmotion.formatting import (
    format_count,
    format_gain,
    format_interval,
    format_kib,
    format_kilo,
    format_percent,
    format_points,
    format_score,
)

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
PAGES = ("README.md", "docs/performance.md", "docs/results.md", "docs/guides/decoding.md")
SHAPES = {"wisdm": "20 × 3", "opportunity": "30 × 45", "shoaib": "50 × 45", "user-model": "100 × 6"}


def training() -> str:
    """Write the table of milliseconds per model and step, with how many times faster ours is."""
    rows = json.loads((RESULTS / "bench" / "training.json").read_text())["rows"]
    lines = ["| shape | network | task | contender | replicas | ms | ours with 1 is | ours with 16 is | goal |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        if row["task"] == "run" or row["milliseconds"] is None:
            continue
        is_ours = row["contender"] == "stillmotion"
        faster = ["" if is_ours or row.get(key) is None else f"{row[key]:.1f}×" for key in ("ratio", "ratio_16")]
        cells = (
            f"{row['shape']}, {SHAPES[row['shape']]}",
            f"`{row['network']}`",
            row["task"],
            row["contender"],
            str(row["replicas"]),
            f"{row['milliseconds']:.3g}",
            *faster,
            "" if is_ours else row["goal"],
        )
        lines.append(f"| {' | '.join(cells)} |")
    (run,) = (row for row in rows if row["task"] == "run")
    lines += [
        "",
        f"Validation, early stopping, bookkeeping and checkpoints added {100 * (run['ratio'] - 1):.1f} % to the bare "
        f"epochs of {run['replicas']} replicas (goal: 10 %).",
    ]
    return "\n".join(lines)


def methods() -> str:
    """Write the table of each method's step time over that of plain training, one column for each pair."""
    rows = json.loads((RESULTS / "bench" / "methods.json").read_text())["rows"]
    pairs = list(dict.fromkeys((row["student"], row["teacher"]) for row in rows))
    lines = [f"| method | {' | '.join(f'`{student}` from `{teacher}`' for student, teacher in pairs)} | goal |"]
    lines.append(f"|---|{'--:|' * len(pairs)}---|")
    for name in dict.fromkeys(row["method"] for row in rows):
        by_pair = {(row["student"], row["teacher"]): row for row in rows if row["method"] == name}
        goal = next((row["goal"] for row in by_pair.values() if "goal" in row), "–")
        lines.append(f"| `{name}` | {' | '.join(cost(by_pair.get(pair)) for pair in pairs)} | {goal} |")
    plain = [next(row["plain"] for row in rows if (row["student"], row["teacher"]) == pair) for pair in pairs]
    lines.append(f"| a step of `lm`, ms | {' | '.join(f'{time:.3g}' for time in plain)} | |")
    missed = sum(row.get("met") == "no" for row in rows)
    lines += ["", f"{sum('met' in row for row in rows) - missed} goals of {sum('met' in row for row in rows)} are met."]
    return "\n".join(lines)


def cost(row: dict[str, Any] | None) -> str:
    """Format a ratio with its quartiles, bold where it misses its goal."""
    if row is None:
        return ""
    if "note" in row:
        return "refused"
    ratio = f"{row['ratio']:.2f}"
    return f"{f'**{ratio}**' if row.get('met') == 'no' else ratio} [{row['low']:.2f}, {row['high']:.2f}]"


def study(name: str) -> str:
    """Write a study's table and its training time."""
    results = json.loads((RESULTS / name / "results.json").read_text())
    return table(results) + f"\n\n*Trained in {results['seconds'] / 60:.0f} minutes on two cores; `results/{name}/`.*"


def demo() -> str:
    """Write the demo's table: scores on test subjects, and bytes on the device; the recommended model is bold."""
    results = json.loads((RESULTS / "demo" / "results.json").read_text())
    lines = ["| model | kind | macro-F1, % | parameters | KiB on the device |", "|---|---|--:|--:|--:|"]
    for row in results["rows"]:
        name = f"`{row['variant']}`" if row["kind"] != "teacher" else f"teacher: {row['variant']}"
        cells = (
            f"**{name}**, recommended" if row["variant"] == results["recommended"] else name,
            row["kind"],
            format_interval(score_of(row)),
            format_count(row["parameters"]),
            format_kib(row["bytes_int8"]),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def arena() -> str:
    """Write the table of HAPT as WHAR Arena cuts it."""
    with (RESULTS / "arena-hapt" / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = ["| model | parameters | KiB, int8 | mean of folds | pooled | six basic | transitions | groupings |"]
    lines.append("|---|--:|--:|--:|--:|--:|--:|--:|")
    for row in rows:
        low, high = (float(row[end]) for end in ("low", "high"))
        cells = (
            f"`{row['model']}`",
            format_count(int(row["parameters"])) if row["parameters"] else "–",
            format_kib(float(row["bytes_int8"])),
            f"{float(row['macro_f1_folds']):.3f}",
            f"{float(row['macro_f1_pooled']):.3f} [{low:.3f}, {high:.3f}]",
            f"{float(row['basic']):.3f}",
            f"{float(row['transitions']):.3f}",
            f"{row['groupings']} × {row['seeds']} seeds",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def decoding() -> str:
    """Write the table of windows alone and in sequence on HAPT, with transitions and the other classes apart."""
    with (RESULTS / "decoding-hapt" / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = ["| model | parameters | in sequence | windows late | macro-F1 | six basic | transitions |"]
    lines.append("|---|--:|---|--:|--:|--:|--:|")
    for row in rows:
        score, low, high, basic, transitions = (
            f"{float(row[name]):.3f}" for name in ("macro_f1", "low", "high", "basic", "transitions")
        )
        first = row["decoder"] == "none"
        cells = (
            f"`{row['model']}`" if first else "",
            format_count(int(row["parameters"])) if first else "",
            "window alone" if first else row["decoder"],
            row["delay"],
            f"{score} [{low}, {high}]",
            basic,
            transitions,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def co_trained(name: str) -> str:
    """Write the scores of co-trained teachers, and the weights of stages in the ensemble."""
    lines = []
    for teacher in json.loads((RESULTS / name / "results.json").read_text())["co_trained_teachers"]:
        text = f"- `{teacher['teacher']}` co-trained with the students of `{teacher['variant']}`: "
        text += format_score(estimate(teacher["score"]))
        if teacher["change"] is not None:
            alone, change = format_score(estimate(teacher["alone"])), format_points(estimate(teacher["change"]))
            text += f"; trained alone {alone}, a change of {change}"
        lines.append(text)
        if teacher["learnt"]:
            weights = ", ".join(f"{stage} {format_percent(mean)} %" for stage, (mean, _) in teacher["learnt"].items())
            lines.append(f"- weights in the ensemble of `{teacher['variant']}`: {weights}")
    return "\n".join(lines)


def table(results: dict[str, Any]) -> str:
    """Write the table of variants with test scores, gains and verdicts, below the teacher gaps."""
    lines = [teacher_gap(gap) for gap in results["teacher_gaps"]]
    lines += ["", "| variant | parameters | KiB | kFLOPs | trials | macro-F1, % | gain on `lm`, points | verdict |"]
    lines.append("|---|--:|--:|--:|--:|--:|--:|---|")
    for row in results["rows"]:
        cells = (
            f"`{row['variant']}`" if row["kind"] != "teacher" else f"teacher: {row['variant']}",
            format_count(row["parameters"]),
            format_kib(row["bytes"]),
            format_kilo(row["flops"]),
            format_count(None if row["kind"] == "teacher" else row["trials"]),
            format_interval(score_of(row)),
            format_gain(gain_of(row)),
            row["verdict"],
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def teacher_gap(gap: dict[str, Any]) -> str:
    """Write the difference of a teacher to the student trained alone, on validation subjects."""
    difference = estimate(gap["difference"])
    shown = "" if difference.low is not None and difference.low > 0 else ": not shown to be above 0"
    return f"- {gap['teacher']} − `lm` on validation subjects: {format_points(difference)}{shown}"


def protocols(name: str) -> str:
    """Write the table of variants under two split protocols, with the differences."""
    compared = json.loads((RESULTS / name / "beside.json").read_text())["beside"]
    first, second = compared["protocol"], compared["other_protocol"]
    lines = [
        f"| variant | `{first}`, macro-F1, % | `{second}`, macro-F1, % | difference, points |",
        "|---|---|---|---|",
    ]
    for row in compared["rows"]:
        cells = (
            f"`{row['variant']}`",
            format_percent(row["score"]),
            format_percent(row["other"]),
            format_gain(estimate(row["difference"])),
        )
        lines.append(f"| {' | '.join(cells)} |")
    tested = f"{compared['windows']:,} windows under `{first}`, {compared['other_windows']:,} under `{second}`"
    note = f"The same {compared['subjects']} subjects, {tested}, {compared['seeds']} seeds; {compared['interval']}."
    return "\n".join([*lines, "", note])


SECTIONS: dict[str, Callable[[], str]] = {
    "demo": demo,
    "arena-hapt": arena,
    "decoding-hapt": decoding,
    "training": training,
    "methods": methods,
    "hapt": lambda: study("attention-distillation-hapt"),
    "mutual-hapt": lambda: study("mutual-distillation-hapt"),
    "mutual-hapt-co-trained": lambda: co_trained("mutual-distillation-hapt"),
    "mutual-hapt-small": lambda: study("mutual-distillation-hapt-small"),
    "mutual-hapt-small-co-trained": lambda: co_trained("mutual-distillation-hapt-small"),
    "protocols-hapt": lambda: protocols("protocols-hapt"),
    "protocols-wisdm-2019": lambda: protocols("protocols-wisdm-2019"),
}


def fill(page: str) -> str:
    """Replace every table of a page by the current one."""

    def section(mark: re.Match[str]) -> str:
        return f"<!-- figures: {mark[1]} -->\n{SECTIONS[mark[1]]()}\n<!-- end -->"

    return re.sub(r"<!-- figures: ([a-z0-9-]+) -->\n.*?<!-- end -->", section, page, flags=re.DOTALL)


def main() -> int:
    check, stale = "--check" in sys.argv[1:], []
    for name in PAGES:
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        current = fill(text)
        if current != text:
            stale.append(name)
            if not check:
                path.write_text(current, encoding="utf-8")
    if stale:
        print(f"{'stale' if check else 'written'}: {', '.join(stale)}")
    return int(check and bool(stale))


if __name__ == "__main__":
    raise SystemExit(main())
