"""Markdown sections on what was measured of a method: the cost of a training step, and scores in studies on HAPT."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from stillmotion.formatting import Estimate, format_gain, format_interval, format_points, format_score
from stillmotion.methods import METHODS, Method

RESULTS = Path(__file__).parents[1] / "results"
#: Studies of all methods on HAPT, one for each pair of networks.
STUDIES = "mutual-distillation-hapt*"

Row = dict[str, Any]


def list_costs(method: Method) -> list[Row]:
    """List the rows of ``python benchmarks/run.py methods`` for a method, or for another with the same objective."""
    rows = _read_benchmark()
    exact = [row for row in rows if row["method"] == method.name]
    same_objective = [row for row in rows if METHODS[row["method"]].objective is method.objective]
    return [] if not method.teacher_taps else exact or same_objective


def cost(method: Method) -> list[str]:
    """Write the section on the cost of a training step; nothing where it was not measured."""
    rows = list_costs(method)
    if not rows:
        return []
    against = "`lm` of both" if method.trains_teacher else "`lm`"
    lines = [f"| student | teacher | ms | {against}, ms | ratio | goal |", "|---|---|--:|--:|--:|---|"]
    for row in rows:
        if "note" in row:
            cells = ["", "", "refused", ""]
        else:
            cells = [f"{row['milliseconds']:.3g}", f"{row['plain']:.3g}", ratio(row), goal(row)]
        lines.append(f"| `{row['student']}` | `{row['teacher']}` | {' | '.join(cells)} |")
    name = rows[0]["method"]
    same = "" if name == method.name else f" The objective is that of `{name}`, which was measured."
    text = (
        "Compared with a step of plain training of the same student"
        f"{' and one of the teacher' if method.trains_teacher else '; the teacher was evaluated before'}. Quartiles of "
        f"the ratio in brackets ([how it was measured](../performance.md)).{same}"
    )
    return ["## Cost of a step", text, "\n".join(lines)]


def measured(method: Method) -> list[str]:
    """Write the section on results of studies on HAPT; nothing where there is no study."""
    parts = []
    for results, pair in studies():
        rows = [row for row in results["rows"] if row["kind"] != "teacher" and method_of(row["variant"]) == method.name]
        if not rows:
            continue
        lines = ["| variant | macro-F1, % | difference to `lm`, points | verdict |", "|---|--:|--:|---|"]
        for row in rows:
            verdict = "failed" if row["failed"] and row["macro_f1"] is None else row["verdict"]
            score, gain = format_interval(score_of(row)), format_gain(gain_of(row))
            lines.append(f"| `{row['variant']}` | {score} | {gain} | {verdict} |")
        parts += [f"{pair}, protocol `{results['protocol']}`, {results['subjects']} test subjects:", "\n".join(lines)]
        variants = {row["variant"] for row in rows}
        parts += [
            co_trained(teacher) for teacher in results.get("co_trained_teachers", ()) if teacher["variant"] in variants
        ]
    return (
        ["## Measured on HAPT", "Intervals are 95 % confidence intervals over subjects and seeds.", *parts]
        if parts
        else []
    )


def co_trained(teacher: Row) -> str:
    """Describe the score of a teacher that was trained with its students."""
    score, alone, change = (estimate(teacher[key]) for key in ("score", "alone", "change"))
    text = f"`{teacher['teacher']}`, co-trained with the students of `{teacher['variant']}`: {format_score(score)}"
    if alone is None or change is None:
        return f"{text}."
    return f"{text}; trained alone {format_score(alone)}, a change of {format_points(change)}."


def overview() -> str:
    """Write the table of all methods: what each is, what a training step costs, what it scored."""
    lines = ["| method | what it is | step, × `lm` |" + "".join(f" {pair} |" for _, pair in studies())]
    lines.append("|---|---|---|" + "--:|" * len(studies()))
    for method in METHODS.values():
        ratios = [row["ratio"] for row in list_costs(method) if "ratio" in row]
        span = " – ".join(dict.fromkeys(f"{end:.2f}" for end in (min(ratios), max(ratios)))) if ratios else ""
        both = " of both" if ratios and method.trains_teacher else ""
        cells = [f"[`{method.name}`]({method.name}.md)", method.title, span + both]
        for results, _ in studies():
            (row,) = [row for row in results["rows"] if row["variant"] == method.name] or [None]
            gain = None if row is None else gain_of(row)
            cells.append("" if row is None else format_gain(gain) if gain else format_interval(score_of(row)))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


@cache
def studies() -> tuple[tuple[Row, str], ...]:
    """Read the results of each study, with its pair of networks in words."""
    pairs = []
    for folder in sorted(RESULTS.glob(STUDIES)):
        if (folder / "results.json").exists() and (folder / "study.toml").exists():
            networks = tomllib.loads((folder / "study.toml").read_text(encoding="utf-8"))["networks"]
            teachers = networks["teacher"] if isinstance(networks["teacher"], list) else [networks["teacher"]]
            pair = f"`{networks['student']}` from {' and '.join(f'`{name}`' for name in teachers)}"
            pairs.append((json.loads((folder / "results.json").read_text(encoding="utf-8")), pair))
    return tuple(pairs)


def method_of(variant: str) -> str:
    """Return the method of a study's variant, such as ``hmkd`` for the ablation ``hmkd-output``."""
    candidates = [name for name in METHODS if variant == name or variant.startswith(f"{name}-")]
    return max(candidates, key=len, default="")


def estimate(values: Row | None) -> Estimate | None:
    """Return a stored score with its interval."""
    return None if values is None else SimpleNamespace(**values)


def score_of(row: Row) -> Estimate | None:
    """Return the score of a stored row."""
    return None if row["macro_f1"] is None else SimpleNamespace(score=row["macro_f1"], low=row["low"], high=row["high"])


def gain_of(row: Row) -> Estimate | None:
    """Return the difference of a stored row to the reference."""
    if row["gain"] is None:
        return None
    return SimpleNamespace(score=row["gain"], low=row["gain_low"], high=row["gain_high"])


def ratio(row: Row) -> str:
    """Format a ratio of times with its quartiles."""
    return f"{row['ratio']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def goal(row: Row) -> str:
    """Format a goal, and whether it is missed."""
    return f"{row['goal']}{': missed' if row.get('met') == 'no' else ''}"


@cache
def _read_benchmark() -> list[Row]:
    path = RESULTS / "bench" / "methods.json"
    rows: list[Row] = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    return rows
