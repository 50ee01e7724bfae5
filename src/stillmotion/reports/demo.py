"""`still demo`: train, evaluate and compare the five variants on simulated subjects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..files import atomic_path
from ..studies import Results, Runner, read_study
from .report import write_report
from .screen import console
from .study import clock, show_results, write_results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet


def demo(out: Path) -> Results:
    """Run the ``demo`` study, print its results and write its report; runs that are already there are kept."""
    screen = console()
    study = read_study("demo")
    screen.rule("Data")
    with Runner(study, out) as runner:
        index = runner.planner.index
        spec = index.spec
        screen.print(
            f"{len(index.subjects)} simulated subjects, {len(index):,} windows of "
            f"{spec.seconds:g} s at {spec.rate:g} Hz from {', '.join(spec.groups)}, {len(spec.classes)} classes."
        )
        (fold,) = index.folds
        screen.print(
            f"{len(fold.train_subjects)} train subjects, {len(fold.validation_subjects)} validation subjects, "
            f"{len(fold.test_subjects)} test subjects; no leak between them (audited)."
        )
        screen.rule("Training")
        results = runner.run(score_test=True)
    screen.rule("Results")
    show_results(results)
    written = write_results(results, out)
    figure = draw_scores(results, out / "scores.svg")
    page = write_report(out)
    screen.print(f"Trained for {clock(results.seconds)}. Table: {written[1]}; figure: {figure} (and .png);")
    screen.print(f"models: {out / 'models'} (best: selected on validation subjects); all runs: {runner.store.path}.")
    screen.print(f"Report, to open in a browser: {page}")
    return results


def draw_scores(results: Results, path: Path) -> Path:
    """Draw the test score of every variant with its interval, as SVG and PNG."""
    import matplotlib as mpl

    # Fixed salt and no date: the same results give the same file. Dollar signs in names are not formulas.
    with mpl.rc_context({"svg.hashsalt": "stillmotion", "text.parse_math": False}):
        figure = _draw_scores(results)
        with atomic_path(path) as draft:
            figure.savefig(draft, format="svg", metadata={"Date": None})
        with atomic_path(path.with_suffix(".png")) as draft:
            figure.savefig(draft, format="png", dpi=110)
    return path


def _draw_scores(results: Results) -> Sheet:
    from matplotlib.figure import Figure as Sheet

    rows = [row for row in results.rows if row.test is not None]
    colours = {
        "reference": "#000000",
        "variant": "#0072b2",
        "control": "#999999",
        "baseline": "#009e73",
        "teacher": "#d55e00",
    }
    figure = Sheet(figsize=(8, 0.42 * len(rows) + 1.3), layout="constrained")
    panel = figure.subplots()
    least = min(
        (100 * (row.test.low or row.test.score) for row in rows if row.test and row.role != "baseline"), default=0
    )
    for number, row in enumerate(rows):
        assert row.test is not None
        low, high = row.test.low, row.test.high
        if row.role == "baseline" and 100 * row.test.score < least - 10:
            # The majority class, far to the left, would compress the rest of the scale.
            text = f"◂ {100 * row.test.score:.1f}, off the scale"
            panel.text(least, number, text, color=colours[row.role], fontsize=8, va="center")
            continue
        if low is not None and high is not None:
            panel.plot([100 * low, 100 * high], [number, number], color=colours[row.role], linewidth=2, alpha=0.5)
        panel.plot(100 * row.test.score, number, "o", color=colours[row.role], markersize=7)
    sizes = [row.size or row.title if row.params is None else f"{row.params:,} parameters" for row in rows]
    labels = [f"{row.variant}  ({size})" for row, size in zip(rows, sizes, strict=True)]
    panel.set_yticks(range(len(rows)), labels, fontsize=8)
    panel.invert_yaxis()
    panel.set_xlabel(f"macro-F1 on {results.subjects} test subjects, percent, with 95 % interval", fontsize=8)
    panel.grid(axis="x", alpha=0.3)
    panel.tick_params(axis="x", labelsize=8)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    return figure
