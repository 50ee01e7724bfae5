"""Expected best validation score by number of trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...evaluation import ExpectedBest, expected_best
from ...formatting import format_percent
from ..evidence import Evidence
from ..figure import Figure, Marks, Value, bare
from ..palette import colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet


def trials(evidence: Evidence) -> list[Figure]:
    """Draw one figure, a line for each variant (mean over folds); none if each had one trial."""
    expected: dict[str, list[ExpectedBest]] = {}
    searched = {row.variant for row in evidence.rows if row.trials > 1}
    for (name, _), tried in sorted(evidence.record.trials.items()):
        scores = [score for trial in tried if (score := evidence.record.score(trial)) is not None]
        if name in searched and len(scores) > 1:
            expected.setdefault(name, []).append(expected_best(scores))
    if not expected:
        return []
    shades = colours(evidence.rows)
    length = {name: min(len(curve.expected) for curve in each) for name, each in expected.items()}
    means = {
        name: {
            part: np.mean([getattr(curve, part)[: length[name]] for curve in each], axis=0)
            for part in ("expected", "low", "high")
        }
        for name, each in expected.items()
    }

    def draw(sheet: Sheet, mark: Marks) -> None:
        from matplotlib.ticker import MaxNLocator

        panel = bare(sheet.subplots())
        for name, mean in means.items():
            numbers = np.arange(1, length[name] + 1)
            band = panel.fill_between(
                numbers, 100 * mean["low"], 100 * mean["high"], color=shades[name], alpha=0.1, linewidth=0
            )
            mark(band, name)
            (line,) = panel.plot(numbers, 100 * mean["expected"], color=shades[name], label=name, marker=".")
            mark(line, name, f"{name}: {format_percent(mean['expected'][-1])} % from {length[name]} trials")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.set_xlabel("trials")
        panel.set_ylabel("best validation score, percent")
        sheet.legend(loc="outside lower center", ncols=2)

    rows: list[dict[str, Value]] = [
        {"variant": name, "trials": n + 1, **{part: float(values[n]) for part, values in mean.items()}}
        for name, mean in means.items()
        for n in range(length[name])
    ]
    ends = "; ".join(
        f"{name} {format_percent(mean['expected'][-1])} % from {length[name]}" for name, mean in means.items()
    )
    learning = evidence.record.study.search.sampler == "tpe"
    note = "Shaded: 5 to 95 % quantiles. Compare variants at the same number of trials."
    if learning:
        note += " The sampler learned from earlier trials, so these curves are too low at few trials."
    return [
        Figure(
            "trials",
            "Expected best validation score by number of trials",
            f"Expected best score at all trials: {ends}.",
            rows,
            draw,
            (5.0, 3.2 + 0.1 * len(expected)),
            note,
        )
    ]
