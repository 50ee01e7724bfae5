"""Show and write the table of a study's results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..escaping import escape_markdown
from ..files import atomic_write
from ..formatting import format_duration, format_kib, format_kilo, format_score
from ..studies import CoTrainedTeacher, RefitScore, Results, Row, recommend
from .screen import console, styled
from .sequences import sequence_tables
from .table import Column, Table, make_count, make_gain, make_interval, make_p, make_percent, make_text, tabulate

#: Columns of the terminal, Markdown and LaTeX; the page shows all.
SHORT = (
    "variant",
    "macro_f1",
    "gain",
    "p",
    "verdict",
    "parameters",
    "kib",
    "flops",
    "trials",
    "validation",
    "seed_std",
    "description",
)
#: How the verdict of a row is shown that is not done.
STATES = {"partly": "not finished", "not trained": "not trained yet", "failed": "failed", "not scored": "not scored"}
#: Styles of verdicts on the terminal, by their first word.
COLOURS = {"better": "green", "worse": "red", "failed": "red"}


def results_columns(states: Mapping[str, str] | None = None) -> tuple[Column[Row], ...]:
    """Return the columns of the table of results.

    Args:
        states: state of rows that are not ``done``, by name.

    Returns:
        The columns, by which a ``Table`` of rows is made.

    Example:
        >>> from stillmotion.reports import results_columns
        >>> [column.key for column in results_columns()][:4]
        ['variant', 'macro_f1', 'gain', 'p']
    """

    def verdict(row: Row) -> str:
        state = STATES.get((states or {}).get(row.variant, ""), "")
        return ", ".join(dict.fromkeys(each for each in (state, row.verdict, row.warning) if each))

    return (
        make_text("variant", lambda row: row.variant),
        make_interval("macro_f1", lambda row: row.macro_f1, "macro-F1, %"),
        make_gain("gain", lambda row: row.gain, "gain, points"),
        make_p("p", lambda row: row.p, "p adjusted"),
        make_text("verdict", verdict, style=style_verdict),
        make_text("kind", lambda row: row.kind),
        make_count("parameters", lambda row: row.parameters),
        Column("kib", lambda row: row.bytes, "KiB", format_kib),
        Column("flops", lambda row: row.flops, "kFLOPs", format_kilo),
        make_count("trials", lambda row: None if row.kind == "teacher" else row.trials),
        make_percent("validation", lambda row: row.validation, "validation, %"),
        make_percent("accuracy", lambda row: row.accuracy, "accuracy, %"),
        make_percent("ece", lambda row: row.ece, "ECE, %"),
        make_percent("seed_std", lambda row: row.seed_std, "± seeds"),
        make_text("description", lambda row: row.description),
    )


def results_table(results: Results) -> Table[Row]:
    """Return the table of results, a row for each variant and teacher.

    Args:
        results: of a study.

    Returns:
        The table with all its columns.

    Example:
        >>> from stillmotion.evaluation import Interval
        >>> from stillmotion.studies import Results, Row
        >>> row = Row("lm", "student alone", "reference", macro_f1=Interval(0.636, 0.522, 0.736, 9, 0.95))
        >>> results = Results("mine", "hapt", "lm", "official", False, 9, rows=(row,))
        >>> from stillmotion.reports import results_table
        >>> results_table(results).select("variant", "macro_f1").cells()
        [['lm', '63.6 [52.2, 73.6]']]
    """
    title = f"{results.name} on {results.data}, {results.protocol}"
    return Table(title, results_columns(), results.rows, caption(results), lambda row: _GROUPS.get(row.kind, row.kind))


_GROUPS = {"reference": "variant"}


def style_verdict(row: object) -> str:
    """Return the style of a verdict on the terminal."""
    verdict = str(getattr(row, "verdict", ""))
    return COLOURS.get(verdict.partition(" ")[0], "yellow" if verdict else "")


def caption(results: Results) -> str:
    """Describe scores, subjects, recommendation and training time."""
    if results.compared:
        text = (
            f"Macro-F1 pooled over {results.subjects} test subjects, mean over seeds, 95 % interval over subjects and "
            f"seeds; gain against {results.reference}; test-set evaluations: {results.test_evaluations}."
        )
    else:
        text = "Macro-F1 of validation subjects; test subjects have not been evaluated (--score-test)."
    windows = f" Windows: {results.windows}." if results.windows else ""
    recommended = f" Recommended: {results.recommended}." if results.recommended else _withheld(results)
    unfinished = "" if results.complete else " NOT FINISHED."
    return f"{text}{windows}{recommended} Training took {format_duration(results.seconds)}.{unfinished}"


def _withheld(results: Results) -> str:
    """Say why there is no recommendation, if it is withheld."""
    if not results.compared:
        return ""
    recommendation = recommend(results.rows, budget=results.budget)
    if recommendation.reason == "too wide" and recommendation.student:
        return f" No recommendation: {describe_too_wide(recommendation.student)}."
    if recommendation.reason == "collapsed":
        return " No recommendation: half or more of the trainings of every network predict one class only."
    return ""


def describe_too_wide(row: Row) -> str:
    """Say in words that the interval of a row's score is too wide for a recommendation."""
    return (
        f"the interval of {row.variant}, {format_score(row.macro_f1)} %, covers more than half of the range; more test "
        f"subjects are needed (split.protocol=loso tests on all)"
    )


def show_results(results: Results) -> None:
    """Print the teacher gaps, then a row for each variant.

    Args:
        results: of a study.

    Example:
        >>> from stillmotion.evaluation import Interval
        >>> from stillmotion.studies import Results, Row
        >>> row = Row("lm", "student alone", "reference", macro_f1=Interval(0.636, 0.522, 0.736, 9, 0.95))
        >>> results = Results("mine", "hapt", "lm", "official", False, 9, rows=(row,))
        >>> from stillmotion.reports import show_results
        >>> show_results(results)
        mine on hapt, official
        ...
        │ lm │ 63.6 [52.2, 73.6] │ – │ ...
    """
    out = console()
    for gap in results.teacher_gaps:
        out.print(str(gap), style="" if gap.shown else "yellow", highlight=False)
    out.print(results_table(results).select(*SHORT).to_terminal())
    for table in sequence_tables(results):
        out.print(table.to_terminal())
    for each in (*results.co_trained_teachers, *results.refits):
        out.print(str(each), highlight=False)
    for finding in results.findings:
        out.print(styled("yellow", "recordings", f": {finding}"))
    for row in results.rows:
        if row.warning:
            text = ": they never left the majority class, and none of them is shipped."
            out.print(styled("red", row.variant, f": {row.warning}{text}"))
        if row.failed:
            out.print(styled("red", row.variant, f": {row.failed} of its runs failed; still report lists the reasons."))
    if results.leaks:
        text = ": subjects, or parts of their recordings, are in both train and test."
        out.print(styled("red", "Leaky protocol", text))


def write_results(results: Results, folder: Path) -> list[Path]:
    """Write ``results.json``, ``results.csv`` and ``results.md`` to ``folder``, each atomically.

    A study that decodes windows in a row also has ``sequences.csv``.

    Args:
        results: of a study.
        folder: existing or new.

    Returns:
        Paths of the files.

    Example:
        >>> from stillmotion.evaluation import Interval
        >>> from stillmotion.studies import Results, Row
        >>> row = Row("lm", "student alone", "reference", macro_f1=Interval(0.636, 0.522, 0.736, 9, 0.95))
        >>> results = Results("mine", "hapt", "lm", "official", False, 9, rows=(row,))
        >>> from pathlib import Path
        >>> from stillmotion.reports import write_results
        >>> [path.name for path in write_results(results, Path("out"))]
        ['results.json', 'results.csv', 'results.md']
    """
    texts = {
        "results.json": json.dumps(results.to_dict(), indent=1, ensure_ascii=False) + "\n",
        "results.csv": tabulate(results.name, [row.to_dict() for row in results.rows]).to_csv(),
        "results.md": to_markdown(results),
    }
    if results.sequences:
        texts["sequences.csv"] = tabulate(results.name, [_flat(row.to_dict()) for row in results.sequences]).to_csv()
    for name, text in texts.items():
        atomic_write(folder / name, text)
    return [folder / name for name in texts]


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten the event scores of a row to columns such as ``events_seen``."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= {f"{key}_{name}": each for name, each in value.items()} if isinstance(value, dict) else {key: value}
    return flat


def to_markdown(results: Results) -> str:
    """Return the teacher gaps and the tables of a study in Markdown.

    Args:
        results: of a study.

    Returns:
        The text.

    Example:
        >>> from stillmotion.evaluation import Interval
        >>> from stillmotion.studies import Results, Row
        >>> row = Row("lm", "student alone", "reference", macro_f1=Interval(0.636, 0.522, 0.736, 9, 0.95))
        >>> results = Results("mine", "hapt", "lm", "official", False, 9, rows=(row,))
        >>> from stillmotion.reports import to_markdown
        >>> to_markdown(results).splitlines()[5].split(" | ")[1]
        '63.6 [52.2, 73.6]'
    """
    table = results_table(results).select(*SHORT)
    gaps = [escape_markdown(gap.teacher) + str(gap).removeprefix(gap.teacher) for gap in results.teacher_gaps]
    lines = [f"## {escape_markdown(table.title)}", "", *(f"- {gap}" for gap in gaps)]
    lines += ["", table.to_markdown(), escape_markdown(table.caption)]
    for each in (*sequence_tables(results), *refit_tables(results), *co_trained_tables(results)):
        lines += ["", f"### {each.title}", "", each.to_markdown().rstrip()]
        lines += ["", escape_markdown(each.caption)] if each.caption else []
    return "\n".join([*lines, ""])


def to_latex(results: Results) -> str:
    """Return the table of results in LaTeX; it needs the packages booktabs and graphicx.

    Args:
        results: of a study.

    Returns:
        The text.

    Example:
        >>> from stillmotion.evaluation import Interval
        >>> from stillmotion.studies import Results, Row
        >>> row = Row("lm", "student alone", "reference", macro_f1=Interval(0.636, 0.522, 0.736, 9, 0.95))
        >>> results = Results("mine", "hapt", "lm", "official", False, 9, rows=(row,))
        >>> from stillmotion.reports import to_latex
        >>> "lm & 63.6 {[}52.2, 73.6] &" in to_latex(results)
        True
    """
    return results_table(results).select(*SHORT).to_latex(results.name)


def refit_tables(results: Results) -> Iterator[Table[RefitScore]]:
    """Yield the table of refits on training and validation subjects, if there are any."""
    if results.refits:
        columns: list[Column[RefitScore]] = [
            make_text("variant", lambda each: each.variant),
            make_interval("macro_f1", lambda each: each.macro_f1, "refit, %"),
            make_interval("without", lambda each: each.without, "before, %"),
            make_gain("change", lambda each: each.change, "change, points"),
        ]
        yield Table("Refit on training and validation subjects", columns, results.refits)


def co_trained_tables(results: Results) -> Iterator[Table[CoTrainedTeacher] | Table[tuple[str, str, float, float]]]:
    """Yield the tables of co-trained teachers and of the learned weights in their ensembles, if there are any."""
    teachers = results.co_trained_teachers
    if teachers:
        columns: list[Column[CoTrainedTeacher]] = [
            make_text("variant", lambda each: each.variant),
            make_text("teacher", lambda each: each.teacher),
            make_interval("score", lambda each: each.score, "co-trained, %"),
            make_interval("alone", lambda each: each.alone, "alone, %"),
            make_gain("change", lambda each: each.change, "change, points"),
        ]
        yield Table("Co-trained teachers", columns, teachers)
    weights = [(each.variant, name, *values) for each in teachers for name, values in each.learnt.items()]
    if weights:
        yield Table(
            "Learned weights of the stages in the ensemble",
            [
                make_text("variant", lambda row: row[0]),
                make_text("stage", lambda row: row[1]),
                make_percent("weight", lambda row: row[2], "weight, %"),
                make_percent("deviation", lambda row: row[3], "± runs"),
            ],
            weights,
        )
