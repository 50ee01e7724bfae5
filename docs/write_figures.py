"""Put the current figures into README and docs, from the files in ``results/``.

python docs/write_figures.py          # writes what stands between <!-- figures: NAME --> and <!-- end -->
python docs/write_figures.py --check  # exit 1 when a page does not say what the files say
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
PAGES = ("README.md", "docs/performance.md", "docs/results.md")
SHAPES = {"wisdm": "20 × 3", "opportunity": "30 × 45", "shoaib": "50 × 45", "user-model": "100 × 6"}


def training() -> str:
    """Milliseconds per model and step, and how many times faster ours is."""
    rows = json.loads((RESULTS / "bench" / "training.json").read_text())["rows"]
    lines = ["| shape | network | task | contender | replicas | ms | ours with 1 is | ours with 16 is | goal |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        if row["task"] == "run" or row["milliseconds"] is None:
            continue
        mine = row["contender"] == "stillmotion"
        faster = ["" if mine or row.get(key) is None else f"{row[key]:.1f}×" for key in ("ratio", "ratio_16")]
        cells = (
            f"{row['shape']}, {SHAPES[row['shape']]}",
            f"`{row['network']}`",
            row["task"],
            row["contender"],
            str(row["replicas"]),
            f"{row['milliseconds']:.3g}",
            *faster,
            "" if mine else row["goal"],
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
    """How many times as long as plain training each method's step takes, a column a pair."""
    rows = json.loads((RESULTS / "bench" / "methods.json").read_text())["rows"]
    pairs = list(dict.fromkeys((row["student"], row["teacher"]) for row in rows))
    lines = [f"| method | {' | '.join(f'`{student}` from `{teacher}`' for student, teacher in pairs)} | goal |"]
    lines.append(f"|---|{'--:|' * len(pairs)}---|")
    for name in dict.fromkeys(row["method"] for row in rows):
        here = {(row["student"], row["teacher"]): row for row in rows if row["method"] == name}
        goal = next((row["goal"] for row in here.values() if "goal" in row), "–")
        lines.append(f"| `{name}` | {' | '.join(cost(here.get(pair)) for pair in pairs)} | {goal} |")
    plain = [next(row["plain"] for row in rows if (row["student"], row["teacher"]) == pair) for pair in pairs]
    lines.append(f"| a step of `lm`, ms | {' | '.join(f'{each:.3g}' for each in plain)} | |")
    missed = sum(row.get("met") == "no" for row in rows)
    lines += ["", f"{sum('met' in row for row in rows) - missed} goals of {sum('met' in row for row in rows)} are met."]
    return "\n".join(lines)


def cost(row: dict[str, Any] | None) -> str:
    """A ratio with its quartiles, bold where it misses its goal."""
    if row is None:
        return ""
    if "note" in row:
        return "refused"
    middle = f"{row['ratio']:.2f}"
    return f"{f'**{middle}**' if row.get('met') == 'no' else middle} [{row['low']:.2f}, {row['high']:.2f}]"


def study(name: str) -> str:
    """A study's table."""
    found = json.loads((RESULTS / name / "results.json").read_text())
    return table(found) + f"\n\n*Trained in {found['seconds'] / 60:.0f} minutes on two cores; `results/{name}/`.*"


def partners(name: str) -> str:
    """What became of teachers that learnt too, and what stages weigh in the ensemble."""
    found = json.loads((RESULTS / name / "results.json").read_text())["partners"]
    lines = []
    for one in found:
        said = f"- `{one['teacher']}` beside the students of `{one['variant']}`: {ends(one['score'], '')}"
        if one["change"] is not None:
            said += f"; trained alone {ends(one['alone'], '')}, a change of {ends(one['change'], '+')} points"
        lines.append(said)
        if one["learnt"]:
            weights = ", ".join(f"{stage} {100 * mean:.0f} %" for stage, (mean, _) in one["learnt"].items())
            lines.append(f"- weights in the ensemble of `{one['variant']}`: {weights}")
    return "\n".join(lines)


def table(found: dict[str, Any]) -> str:
    """Variants with scores of test subjects, gains and verdicts."""
    lines = [lead(each) for each in found["leads"]]
    lines += ["", "| variant | parameters | kFLOPs | trials | macro-F1, % | gain on `lm`, points | verdict |"]
    lines.append("|---|---|---|---|---|---|---|")
    for row in found["rows"]:
        test, gain = row["test"], row["gain"]
        cells = (
            f"`{row['variant']}`" if row["role"] != "teacher" else f"teacher: {row['variant']}",
            "–" if row["params"] is None else f"{row['params']:,}",
            "–" if row["flops"] is None else f"{row['flops'] / 1000:,.0f}",
            str(row["trials"]) if row["role"] != "teacher" else "",
            "–" if test is None else ends(test, ""),
            "" if gain is None else ends(gain, "+"),
            row["verdict"],
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def ends(given: dict[str, Any], sign: str) -> str:
    """A score in percent with its interval."""
    score = f"{100 * given['score']:{sign}.1f}"
    return (
        score if given["low"] is None else f"{score} [{100 * given['low']:{sign}.1f}, {100 * given['high']:{sign}.1f}]"
    )


def lead(given: dict[str, Any]) -> str:
    """Teacher minus student."""
    low = given["difference"]["low"]
    said = "" if low is not None and low > 0 else ": nothing shown to teach"
    return f"- {given['teacher']} − `lm` on validation subjects: {ends(given['difference'], '+')} points{said}"


def protocols(name: str) -> str:
    """The same variants under two protocols, with what is gained under the second."""
    found = json.loads((RESULTS / name / "beside.json").read_text())["beside"]
    own, other = found["protocol"], found["other_protocol"]
    lines = [f"| variant | `{own}`, macro-F1 % | `{other}`, macro-F1 % | difference, points |", "|---|---|---|---|"]
    for row in found["rows"]:
        cells = (
            f"`{row['variant']}`",
            f"{100 * row['score']:.1f}",
            f"{100 * row['other']:.1f}",
            ends(row["difference"], "+"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    tested = f"{found['windows']:,} windows under `{own}`, {found['other_windows']:,} under `{other}`"
    said = f"The same {found['subjects']} subjects, {tested}, {found['seeds']} seeds; {found['interval']}."
    return "\n".join([*lines, "", said])


MAKERS: dict[str, Callable[[], str]] = {
    "training": training,
    "methods": methods,
    "hapt": lambda: study("attention-distillation-hapt"),
    "mutual-hapt": lambda: study("mutual-distillation-hapt"),
    "mutual-hapt-partners": lambda: partners("mutual-distillation-hapt"),
    "mutual-hapt-small": lambda: study("mutual-distillation-hapt-small"),
    "mutual-hapt-small-partners": lambda: partners("mutual-distillation-hapt-small"),
    "protocols-hapt": lambda: protocols("protocols-hapt"),
    "protocols-wisdm-2019": lambda: protocols("protocols-wisdm-2019"),
}


def written(text: str) -> str:
    """A page with its figures in place."""

    def fill(found: re.Match[str]) -> str:
        return f"<!-- figures: {found[1]} -->\n{MAKERS[found[1]]()}\n<!-- end -->"

    return re.sub(r"<!-- figures: ([a-z0-9-]+) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def main() -> int:
    check, stale = "--check" in sys.argv[1:], []
    for name in PAGES:
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        made = written(text)
        if made != text:
            stale.append(name)
            if not check:
                path.write_text(made, encoding="utf-8")
    if stale:
        print(f"{'stale' if check else 'written'}: {', '.join(stale)}")
    return int(check and bool(stale))


if __name__ == "__main__":
    raise SystemExit(main())
