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
from functools import partial
from pathlib import Path
from typing import Any

from gpu_results import gpu
from litert_results import host, int8_students, int8_training
from method_results import estimate, gain_of, score_of

from stillmotion.evaluation import Interval
from stillmotion.formatting import (
    MISSING,
    format_amount,
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
DECODED = ("hapt", "wisdm-2019", "simulated")
GUIDES = ("adaptation", "decoding", "device", "litert")
PAGES = ("README.md", "docs/performance.md", "docs/results.md", *(f"docs/guides/{name}.md" for name in GUIDES))
FLASH, RAM = ("flash_constants", "flash_code"), ("ram", "stack")
#: What a way of training a student is compared with.
AGAINST = ("from_plain", "from_smoothing")
SHAPES = {"wisdm": "20 × 3", "opportunity": "30 × 45", "shoaib": "50 × 45", "hapt": "128 × 6", "user-model": "100 × 6"}


def bench(name: str) -> list[dict[str, Any]]:
    """Read the rows of a benchmark."""
    rows: list[dict[str, Any]] = json.loads((RESULTS / "bench" / f"{name}.json").read_text())["rows"]
    return rows


def training() -> str:
    """Write the table of milliseconds per model and step in all shapes but HAPT's, and what a whole run adds."""
    rows = bench("training")
    (run,) = (row for row in rows if row["task"] == "run")
    added = (
        f"Validation, early stopping, bookkeeping and checkpoints added {100 * (run['ratio'] - 1):.1f} % to the bare "
        f"epochs of {run['replicas']} replicas (goal: 10 %)."
    )
    return f"{contests([row for row in rows if row['shape'] != 'hapt'])}\n\n{added}"


def training_hapt() -> str:
    """Write the table of training at HAPT's shape, and which settings were fastest for PyTorch."""
    rows = [row for row in bench("training") if row["shape"] == "hapt"]
    if not rows:
        return "*No rows in `results/bench/training.json` yet.*"
    loops = [row for row in rows if row["contender"] == "pytorch" and row["milliseconds"] is not None]
    chosen = [f"`{row['network']}` {row['note']}" for row in loops]
    return f"{contests(rows)}\n\nFastest settings of PyTorch: {'; '.join(chosen)}."


def contests(rows: list[dict[str, Any]]) -> str:
    """Write a table of milliseconds per model and step, with how many times faster ours is."""
    lines = ["| shape | network | task | contender | replicas | ms | ours with 1 is | with 8 or 16 | goal |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        if row["task"] == "run" or row["milliseconds"] is None:
            continue
        is_ours = row["contender"] == "stillmotion"
        ratios = (row.get("ratio"), row.get("ratio_16", row.get("ratio_8")))
        faster = ["" if is_ours or ratio is None else f"{ratio:.1f}×" for ratio in ratios]
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
    return "\n".join(lines)


def memory() -> str:
    """Write the table of the memory that a fleet takes on overlapping windows."""
    rows = bench("memory")
    lines = ["| what | MB | against | MB | ratio | goal |", "|---|--:|---|--:|--:|--:|"]
    for row in rows:
        ours, other = (f"{row[name]:,.0f}" for name in ("ours", "other"))
        cells = (row["what"], ours, row["against"], other, f"{row['ratio']:.1f}×", row["goal"])
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def methods() -> str:
    """Write the table of each method's step time over that of plain training, one column for each pair."""
    rows = bench("methods")
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


def read_table(name: str, file_name: str = "table.csv") -> list[dict[str, str]]:
    """Read the rows of a table in a folder of results."""
    with (RESULTS / name / file_name).open(newline="") as file:
        return list(csv.DictReader(file))


def arena() -> str:
    """Write the table of HAPT as WHAR Arena cuts it."""
    rows = read_table("arena-hapt")
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


def students() -> str:
    """Write the table of students within 8 kB and the best feature classifier of any size."""
    lines = ["| recordings | student | bytes, int8 | macro-F1 | best classifier | its macro-F1 | difference, points |"]
    lines.append("|---|---|--:|--:|---|--:|--:|")
    for row in read_table("students"):
        cells = (
            row["data"],
            f"`{row['student']}`",
            format_count(int(row["bytes_int8"])),
            three_of(row, "macro_f1", "low", "high"),
            f"`{row['classifier']}`",
            f"{float(row['classifier_macro_f1']):.3f}",
            points_of(row, "difference", "difference_low", "difference_high"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def distillation() -> str:
    """Write the table of what a teacher adds to a student on features."""
    lines = ["| recordings | training | macro-F1 | over plain, points | over label smoothing, points | ± seeds |"]
    lines.append("|---|---|--:|--:|--:|--:|")
    for row in read_table("students", "distillation.csv"):
        cells = (
            row["data"],
            row["variant"] if row["title"] == "teacher" else row["title"],
            three_of(row, "macro_f1", "low", "high"),
            *(points_of(row, *(f"{kind}_{end}" for end in ("score", "low", "high"))) for kind in AGAINST),
            f"{float(row['seed_std']):.3f}" if row["seed_std"] else MISSING,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def recipes() -> str:
    """Write the table of recipes for convolutions and features."""
    lines = ["| recordings | recipe | validation subjects | test subjects | ± seeds |", "|---|---|--:|--:|--:|"]
    for row in read_table("hybrid-recipes"):
        scores = (f"{float(row['validation']):.3f}", three_of(row, "macro_f1", "low", "high"))
        lines.append(f"| {row['data']} | `{row['recipe']}` | {' | '.join(scores)} | {float(row['seed_std']):.3f} |")
    return "\n".join(lines)


def three_of(row: dict[str, str], score: str, low: str, high: str) -> str:
    """Write a score of a table with its interval, three digits each."""
    return f"{float(row[score]):.3f} [{float(row[low]):.3f}, {float(row[high]):.3f}]"


def points_of(row: dict[str, str], score: str, low: str, high: str) -> str:
    """Write a difference of a table in points with its interval."""
    if not row[score]:
        return MISSING
    return format_gain(estimate({"score": float(row[score]), "low": float(row[low]), "high": float(row[high])}))


def decoding(name: str) -> str:
    """Write the table of windows alone and in sequence; where there are transitions, they and the others apart."""
    rows = read_table(name)
    halves = [half for half in ("basic", "transitions") if rows[0][half]]
    heads = ["model", "parameters", "in sequence", "windows late", "macro-F1", *halves]
    lines = [f"| {' | '.join(heads)} |", f"|---|--:|---|{'--:|' * (len(heads) - 3)}"]
    for row in rows:
        score, low, high = (f"{float(row[name]):.3f}" for name in ("macro_f1", "low", "high"))
        first = row["decoder"] == "none"
        cells = (
            f"`{row['model']}`" if first else "",
            format_count(int(row["parameters"])) if first else "",
            "window alone" if first else row["decoder"],
            row["delay"],
            f"{score} [{low}, {high}]",
            *(f"{float(row[half]):.3f}" for half in halves),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def unknown() -> str:
    """Write the table of windows answered unknown, of the recommended model of each data set."""
    heads = ["data set", "answer", "rejected", "macro-F1 of all", "of the accepted", "false activations", "rejecting"]
    lines = [f"| {' | '.join(heads)} |", f"|---|---|{'--:|' * (len(heads) - 2)}"]
    for name in DECODED:
        chosen = next(row["model"] for row in read_table(f"decoding-{name}") if row["recommended"] == "yes")
        for row in read_table(f"decoding-{name}", "unknown.csv"):
            if row["variant"] == chosen and row["delay"] in ("alone", "0", "offline"):
                rates = (row["activations_of_all"], row["activations"])
                cells = (
                    f"`{name}`, `{chosen}`" if row["delay"] == "alone" else "",
                    {"alone": "window alone", "0": "causal"}.get(row["delay"], row["delay"]),
                    f"{100 * float(row['rejected']):.1f} %",
                    f"{float(row['macro_f1']):.3f}",
                    f"{float(row['macro_f1_accepted']):.3f}",
                    *(f"{float(each):,.0f} / h" if each else MISSING for each in rates),
                )
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def adaptation() -> str:
    """Write the table of macro-F1 against seconds of a subject's own labelled signal."""
    lines = ["| data set | seconds a class | windows a class | macro-F1 | gain, points |", "|---|--:|--:|--:|--:|"]
    for name in ("hapt", "wisdm-2019"):
        for row in read_table(f"adaptation-{name}"):
            score, low, high = (f"{float(row[end]):.3f}" for end in ("macro_f1", "low", "high"))
            ends = [float(row[end]) for end in ("gain", "gain_low", "gain_high") if row[end]]
            cells = (
                f"`{name}`" if row["seconds"] == "0" else "",
                row["seconds"],
                row["windows"],
                f"{score} [{low}, {high}]",
                format_gain(Interval(*ends, 0, 0.95)) if ends else MISSING,
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def device(rows: list[dict[str, str]]) -> str:
    """Write the table of bytes and instructions in int8, what did not fit, and how many windows were equal."""
    rows = [row for row in rows if place(row) not in with_peers(rows)]
    lines, notes = by_machine([row for row in rows if row["contender"] == "stillmotion-int8"], show_contender=False)
    measured = [row for row in rows if row["windows"]]
    windows, equal = (sum(int(row[name]) for row in measured) for name in ("windows", "equal"))
    lines += ["", f"{equal:,} of {windows:,} windows, float32 included, equal the reference byte for byte."]
    return "\n".join(lines + notes)


def device_of_demo(rows: list[dict[str, str]]) -> str:
    """Write a sentence on the demo's recommended model as C in integers, measured at the demo's shape."""
    name = json.loads((RESULTS / "demo" / "results.json").read_text())["recommended"]
    wanted = ("spar", name, "stillmotion-int8")
    parts = []
    for row in (row for row in rows if (*place(row), row["contender"]) == wanted):
        flash, ram = (int(row[one]) + int(row[two]) for one, two in (FLASH, RAM))
        instructions = format_amount(float(row["instructions"]))
        parts.append(
            f"on an emulated {row['machine'].capitalize().replace('-m', '-M')} {format_count(flash)} bytes of flash, "
            f"{format_count(ram)} bytes of RAM with the stack and {instructions} instructions a window"
        )
    return f"As C in integers, `{name}` with its features takes {'; '.join(parts)}."


def device_peers(rows: list[dict[str, str]]) -> str:
    """Write the table of models that emlearn can run too."""
    lines, notes = by_machine([row for row in rows if place(row) in with_peers(rows)], show_contender=True)
    return "\n".join(lines + notes)


def place(row: dict[str, str]) -> tuple[str, str]:
    """Return the shape and the network of a row."""
    return row["shape"], row["network"]


def with_peers(rows: list[dict[str, str]]) -> set[tuple[str, str]]:
    """Return the places that a contender of others shares."""
    return {place(row) for row in rows if not row["contender"].startswith("stillmotion")}


def by_machine(rows: list[dict[str, str]], *, show_contender: bool) -> tuple[list[str], list[str]]:
    """Return the lines of a table of M0 and M4 side by side, and paragraphs on what was not measured."""
    machines = {"cortex-m0": "M0", "cortex-m4": "M4"}
    heads = [f"{short} {what}" for short in machines.values() for what in ("flash, B", "RAM, B", "instructions")]
    second = ["contender", "equal"] if show_contender else ["parameters"]
    lines = [f"| shape | network | {' | '.join([*second, *heads])} |"]
    lines.append(f"|---|---|{'---|' if show_contender else ''}{'--:|' * (1 + len(heads))}")
    notes: dict[str, list[str]] = {}
    for shape, network, contender in dict.fromkeys((*place(row), row["contender"]) for row in rows):
        own = {row["machine"]: row for row in rows if (*place(row), row["contender"]) == (shape, network, contender)}
        first = own["cortex-m0"]
        cells = [shape, network if "," in network else f"`{network}`"]
        if show_contender:
            cells += [contender, f"{first['equal']} of {first['windows']}" if first["windows"] else MISSING]
        else:
            cells.append(format_count(int(first["parameters"])))
        for machine, short in machines.items():
            row = own[machine]
            if row["note"]:
                notes.setdefault(row["note"], []).append(f"{network} at {shape}, {contender}, {short}")
                cells += [MISSING] * 3
                continue
            flash, ram = (int(row[one]) + int(row[two]) for one, two in (FLASH, RAM))
            cells += [format_count(flash), format_count(ram), format_amount(float(row["instructions"]))]
        lines.append(f"| {' | '.join(cells)} |")
    return lines, [f"\nNot measured: {'; '.join(where)}: {note}" for note, where in notes.items()]


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
    "students": students,
    "distillation": distillation,
    "hybrid-recipes": recipes,
    **{f"decoding-{name}": partial(decoding, f"decoding-{name}") for name in DECODED},
    "unknown": unknown,
    "adaptation": adaptation,
    "device": lambda: device(read_table("device")),
    "device-of-demo": lambda: device_of_demo(read_table("device")),
    "device-peers": lambda: device_peers(read_table("device")),
    "host": lambda: host(read_table("host")),
    "int8-students": lambda: int8_students(read_table("int8-students", "summary.csv")),
    "int8-training": lambda: int8_training(read_table("int8-training", "table.csv")),
    "training": training,
    "training-hapt": training_hapt,
    "gpu": lambda: gpu(bench("gpu"), SHAPES),
    "gpu-tf32": lambda: gpu(bench("gpu-tf32"), SHAPES),
    "memory": memory,
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
