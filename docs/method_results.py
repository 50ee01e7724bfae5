"""What was measured of a method: the cost of its step, and what it came to in the studies on HAPT."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from stillmotion.methods import METHODS, Method

RESULTS = Path(__file__).parents[1] / "results"
#: Studies of all methods on HAPT, one a pair of networks.
STUDIES = "mutual-distillation-hapt*"

Row = dict[str, Any]


def costs(way: Method) -> list[Row]:
    """The rows of ``python benchmarks/run.py methods`` for a method, or for another with the same objective."""
    every = _bench()
    own = [row for row in every if row["method"] == way.name]
    same = [row for row in every if METHODS[row["method"]].objective is way.objective]
    return [] if not way.teacher_taps else own or same


def cost(way: Method) -> list[str]:
    """The section on the cost of a step; nothing where it was not measured."""
    found = costs(way)
    if not found:
        return []
    against = "`lm` of both" if way.trains_teacher else "`lm`"
    lines = [f"| student | teacher | ms | {against}, ms | ratio | goal |", "|---|---|--:|--:|--:|---|"]
    for row in found:
        if "note" in row:
            cells = ["", "", "refused", ""]
        else:
            cells = [f"{row['milliseconds']:.3g}", f"{row['plain']:.3g}", ratio(row), goal(row)]
        lines.append(f"| `{row['student']}` | `{row['teacher']}` | {' | '.join(cells)} |")
    name = found[0]["method"]
    same = "" if name == way.name else f" The objective is that of `{name}`, which was measured."
    text = (
        "Against a step of plain training of the same student"
        f"{', and one of the teacher' if way.trains_teacher else ', the teacher having answered before'}; quartiles of "
        f"the ratio in brackets ([how it was measured](../performance.md)).{same}"
    )
    return ["## Cost of a step", text, "\n".join(lines)]


def measured(way: Method) -> list[str]:
    """The section on what studies on HAPT found; nothing where there is no study."""
    parts = []
    for found, pair in studies():
        rows = [row for row in found["rows"] if row["role"] != "teacher" and method_of(row["variant"]) == way.name]
        if not rows:
            continue
        lines = ["| variant | macro-F1, % | difference to `lm`, points | verdict |", "|---|--:|--:|---|"]
        for row in rows:
            said = "failed" if row["failed"] and row["test"] is None else row["verdict"]
            lines.append(f"| `{row['variant']}` | {score(row['test'])} | {score(row['gain'], '+')} | {said} |")
        parts += [f"{pair}, protocol `{found['protocol']}`, {found['subjects']} test subjects:", "\n".join(lines)]
        parts += [
            partner(each) for each in found.get("partners", ()) if each["variant"] in {row["variant"] for row in rows}
        ]
    return ["## Measured on HAPT", "Intervals are of 95 %, over subjects and seeds.", *parts] if parts else []


def partner(given: Row) -> str:
    """What became of a teacher that learnt too."""
    text = f"`{given['teacher']}`, learning beside the students of `{given['variant']}`: {score(given['score'])} %"
    if given["alone"] is None or given["change"] is None:
        return f"{text}."
    return f"{text}; trained alone {score(given['alone'])} %, a change of {score(given['change'], '+')} points."


def overview() -> str:
    """The table of all methods: what they look at, what a step costs, what came of it."""
    found = studies()
    lines = ["| method | what it is | step, × `lm` |" + "".join(f" {pair} |" for _, pair in found)]
    lines.append("|---|---|---|" + "--:|" * len(found))
    for way in METHODS.values():
        ratios = [row["ratio"] for row in costs(way) if "ratio" in row]
        span = " – ".join(dict.fromkeys(f"{end:.2f}" for end in (min(ratios), max(ratios)))) if ratios else ""
        both = " of both" if ratios and way.trains_teacher else ""
        cells = [f"[`{way.name}`]({way.name}.md)", way.title, span + both]
        for study, _ in found:
            (row,) = [row for row in study["rows"] if row["variant"] == way.name] or [None]
            cells.append("" if row is None else score(row["gain"] or row["test"], "+" if row["gain"] else ""))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


@cache
def studies() -> tuple[tuple[Row, str], ...]:
    """Results of each study, and its pair of networks in words."""
    made = []
    for folder in sorted(RESULTS.glob(STUDIES)):
        if (folder / "results.json").exists() and (folder / "study.toml").exists():
            networks = tomllib.loads((folder / "study.toml").read_text(encoding="utf-8"))["networks"]
            teachers = networks["teacher"] if isinstance(networks["teacher"], list) else [networks["teacher"]]
            pair = f"`{networks['student']}` from {' and '.join(f'`{name}`' for name in teachers)}"
            made.append((json.loads((folder / "results.json").read_text(encoding="utf-8")), pair))
    return tuple(made)


def method_of(variant: str) -> str:
    """The method that a study's variant is, or is a part of: ``hmkd`` of ``hmkd-output``."""
    fitting = [name for name in METHODS if variant == name or variant.startswith(f"{name}-")]
    return max(fitting, key=len, default="")


def score(given: Row | None, sign: str = "") -> str:
    """In percent, with its interval."""
    if given is None:
        return "–"
    middle = f"{100 * given['score']:{sign}.1f}"
    if given["low"] is None:
        return middle
    return f"{middle} [{100 * given['low']:{sign}.1f}, {100 * given['high']:{sign}.1f}]"


def ratio(row: Row) -> str:
    """The ratio with its quartiles."""
    return f"{row['ratio']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def goal(row: Row) -> str:
    """The goal, and whether it is met."""
    return f"{row['goal']}{': missed' if row.get('met') == 'no' else ''}"


@cache
def _bench() -> list[Row]:
    path = RESULTS / "bench" / "methods.json"
    rows: list[Row] = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    return rows
