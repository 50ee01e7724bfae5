"""`still demo`: train, compare and choose on real subjects, or on simulated ones where their recordings are missing."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserError
from ..formatting import format_duration, format_kib, format_list, format_percent, format_score, format_several
from ..signals.catalog import find_folder
from ..studies import Results, Runner, read_study
from .figure import Figure, Marks, bare
from .palette import MARKERS, colours
from .report import write_report
from .results import show_results, write_results
from .screen import console

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet

    from ..windows import Windows


#: The demo without the recordings of real subjects.
SIMULATED = ("data.name=simulated", "data.sensors=wrist.acc,wrist.gyr", "split.folds=1")


def demo(out: Path) -> Results:
    """Run the ``demo`` study, print its results and write its report; runs that are already there are kept."""
    screen = console()
    study = read_study("demo")
    screen.rule("Data")
    try:
        find_folder(study.data.name)
    except UserError as problem:
        screen.print(f"{problem} The subjects of this demo are simulated.")
        study = read_study("demo", *SIMULATED)
    with Runner(study, out) as runner:
        index = runner.planner.index
        spec, name = index.spec, study.data.name
        screen.print(
            f"{name}: {len(index.subjects)} {'simulated' if name == 'simulated' else 'real'} subjects, {len(index):,} "
            f"windows of {spec.seconds:g} s at {spec.rate:g} Hz from {', '.join(spec.groups)}, {len(spec.classes)} "
            f"classes."
        )
        tests = [len(fold.test_subjects) for fold in index.folds]
        screen.print(
            f"{format_several(len(tests), 'fold')} with {format_list(list(map(str, tests)))} test subjects; "
            f"{'the protocol leaks' if index.leaks else 'no leak between them and the others (audited)'}."
        )
        screen.rule("Training")
        results = runner.run(score_test=True)
    screen.rule("Results")
    show_results(results)
    written = write_results(results, out)
    scores_figure(results).save(out)
    page = write_report(out)
    screen.print(f"Trained for {format_duration(results.seconds)}. Table: {written[1]}; figure:")
    screen.print(f"{out / 'scores.svg'} (and .png, .csv);")
    screen.print(f"models: {out / 'models'} (best: selected on validation subjects); all runs: {runner.store.path}.")
    screen.print(f"Report, to open in a browser: {page}")
    screen.rule("Onto the device")
    screen.print(_export_best(out, runner.study_data.windows), highlight=False)
    return results


def _export_best(out: Path, windows: Windows) -> str:
    """Write the recommended model as C in integers, and run it here on the windows of one subject."""
    from ..bundles import Bundle
    from ..deploy import export_c, run_on_host

    bundle, folder = Bundle.open(out / "models" / "best"), out / "c"
    if folder.exists():
        shutil.rmtree(folder)
    export = export_c(bundle, folder, int8=True)
    lines = [
        f"{folder}: {bundle.provenance['variant']} as int8 C, {format_kib(export.constant_bytes)} KiB of constants and "
        f"{format_kib(export.arena_bytes + export.state_bytes)} KiB of static memory; code and stack are measured by:",
        f"  still export {shlex.quote(str(bundle.path))} --to c --int8 --evidence --out DIR",
    ]
    subject = windows.subjects[0]
    values = windows.values(windows.subject_codes == 0)
    try:
        logits = run_on_host(export, values)
    except UserError as problem:
        return "\n".join([*lines, f"It was not run here: {problem}"])
    assert export.counts is not None
    equal = np.array_equal(logits, export.program.run(export.counts.of(values)))
    agreement = float((logits.argmax(1) == bundle.logits(values, windows.spec).argmax(1)).mean())
    lines.append(
        f"Compiled and run here on {len(values)} windows of subject {subject}, its logits are "
        f"{'the same as' if equal else 'NOT those of'} Python's integers, bit for bit, and its class is that of the "
        f"float model on {format_percent(agreement)} %."
    )
    return "\n".join(lines)


def scores_figure(results: Results) -> Figure:
    """Return a figure of the test score of every row with its interval."""
    rows = [(row, row.macro_f1) for row in results.rows if row.macro_f1 is not None]
    shades = colours(results.rows)
    least = min((score.low or score.score for row, score in rows if row.kind != "baseline"), default=0.0)

    def draw(sheet: Sheet, mark: Marks) -> None:
        panel = bare(sheet.subplots(), grid="x")
        for number, (row, score) in enumerate(rows):
            colour = shades[row.variant]
            if row.kind == "baseline" and score.score < least - 0.1:
                # The majority class, far to the left, would compress the rest of the scale.
                text = f"◂ {format_percent(score.score)}, off the scale"
                panel.text(100 * least, number, text, color=colour, fontsize=8, va="center")
                continue
            if score.low is not None and score.high is not None:
                panel.plot([100 * score.low, 100 * score.high], [number] * 2, color=colour, linewidth=2, alpha=0.5)
            (point,) = panel.plot(100 * score.score, number, MARKERS[row.kind], color=colour, markersize=7)
            mark(point, row.variant, f"{row.variant}: {format_score(score)}")
        sizes = [
            row.size or row.title if row.parameters is None else f"{row.parameters:,} parameters" for row, _ in rows
        ]
        labels = [f"{row.variant}  ({size})" for (row, _), size in zip(rows, sizes, strict=True)]
        panel.set_yticks(range(len(rows)), labels)
        panel.invert_yaxis()
        panel.set_xlabel(f"macro-F1 on {results.subjects} test subjects, percent, with 95 % interval")

    keys = ("variant", "kind", "parameters", "bytes", "macro_f1", "low", "high")
    values = [row.to_dict() for row, _ in rows]
    return Figure(
        "scores",
        f"Macro-F1 on {results.subjects} test subjects",
        "; ".join(f"{row.variant} {format_score(score)}" for row, score in rows) + ".",
        [{key: value[key] for key in keys} for value in values],
        draw,
        (8.0, 0.42 * len(rows) + 1.3),
    )
