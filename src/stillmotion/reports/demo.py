"""`still demo`: the five variants on simulated subjects, from recordings to a report."""

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
    """Train what is missing of the ``demo`` study, show what came out, draw it; again in seconds once it is there."""
    screen = console()
    study = read_study("demo")
    screen.rule("Who moves")
    with Runner(study, out) as runner:
        ground = runner.ground
        spec = ground.windows.spec
        screen.print(
            f"{len(ground.windows.subjects)} simulated subjects, {len(ground.windows):,} windows of {spec.seconds:g} "
            f"s at {spec.rate:g} Hz from {', '.join(spec.groups)}, {len(spec.classes)} classes."
        )
        (fold,) = ground.folds
        screen.print(
            f"{len(fold.train_subjects)} subjects train, {len(fold.validation_subjects)} others choose, "
            f"{len(fold.test_subjects)} others test; nothing crosses (audited)."
        )
        screen.rule("Teachers and students")
        results = runner.run(score_test=True)
    screen.rule("What came out")
    show_results(results)
    written = write_results(results, out)
    figure = draw_scores(results, out / "scores.svg")
    page = write_report(out)
    screen.print(f"Trained for {clock(results.seconds)}. Table: {written[1]}; figure: {figure} (and .png);")
    screen.print(
        f"models to use: {out / 'models'} (best: chosen on validation subjects); every run: {runner.store.path}."
    )
    screen.print(f"The report, to be opened in a browser: {page}")
    return results


def draw_scores(results: Results, path: Path) -> Path:
    """Test score of every variant against its FLOPs, with intervals, as SVG and PNG."""
    import matplotlib as mpl

    # Fixed salt and no date: the same results give the same file. Names are no formulas.
    with mpl.rc_context({"svg.hashsalt": "stillmotion", "text.parse_math": False}):
        figure = _draw_scores(results)
        with atomic_path(path) as own:
            figure.savefig(own, format="svg", metadata={"Date": None})
        with atomic_path(path.with_suffix(".png")) as own:
            figure.savefig(own, format="png", dpi=110)
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
            # The majority class, far to the left, would squeeze all that is of interest.
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
    panel.set_xlabel(f"macro-F1 on {results.subjects} subjects never seen, percent, with 95 % interval", fontsize=8)
    panel.grid(axis="x", alpha=0.3)
    panel.tick_params(axis="x", labelsize=8)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    return figure
