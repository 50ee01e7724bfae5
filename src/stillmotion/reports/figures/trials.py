"""What the search bought: the best validation score to expect from so many trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...evaluation import ExpectedBest, expected_best
from ..evidence import Evidence
from ..figure import Figure, Marks, Value, bare
from ..palette import colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet


def trials(evidence: Evidence) -> list[Figure]:
    """One figure, a line a variant (mean over folds); none where each had a single trial."""
    found: dict[str, list[ExpectedBest]] = {}
    searched = {line.name for line in evidence.lines if line.row.trials > 1}
    for (name, _), choice in sorted(evidence.record.choices.items()):
        scores = [score for score in choice.scores if score is not None] if choice and name in searched else []
        if len(scores) > 1:
            found.setdefault(name, []).append(expected_best(scores))
    if not found:
        return []
    shades = colours(evidence.lines)
    length = {name: min(len(curve.expected) for curve in each) for name, each in found.items()}
    means = {
        name: {
            part: np.mean([getattr(curve, part)[: length[name]] for curve in each], axis=0)
            for part in ("expected", "low", "high")
        }
        for name, each in found.items()
    }

    def draw(sheet: Sheet, mark: Marks) -> None:
        from matplotlib.ticker import MaxNLocator

        panel = bare(sheet.subplots())
        for name, mean in means.items():
            hyperparameters = np.arange(1, length[name] + 1)
            band = panel.fill_between(
                hyperparameters, 100 * mean["low"], 100 * mean["high"], color=shades[name], alpha=0.1, linewidth=0
            )
            mark(band, name)
            (line,) = panel.plot(hyperparameters, 100 * mean["expected"], color=shades[name], label=name, marker=".")
            mark(line, name, f"{name}: {100 * mean['expected'][-1]:.1f} % from {length[name]} trials")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.set_xlabel("trials")
        panel.set_ylabel("best validation score, percent")
        sheet.legend(loc="outside lower center", ncols=2)

    rows: list[dict[str, Value]] = [
        {"variant": name, "trials": n + 1, **{part: float(values[n]) for part, values in mean.items()}}
        for name, mean in means.items()
        for n in range(length[name])
    ]
    ends = "; ".join(f"{name} {100 * mean['expected'][-1]:.1f} % from {length[name]}" for name, mean in means.items())
    steered = evidence.record.study.search.sampler == "tpe"
    note = "Shaded: 5 to 95 % of draws. Compare variants at the same number of trials."
    if steered:
        note += " The search learnt from earlier trials, for which these curves are too low at few trials."
    return [
        Figure(
            "trials",
            "Best validation score to expect, by number of trials",
            f"Lines rise with the number of settings tried: {ends}.",
            rows,
            draw,
            (5.0, 3.2 + 0.1 * len(found)),
            note,
        )
    ]
