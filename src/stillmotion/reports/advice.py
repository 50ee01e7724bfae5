"""Recommend a student from the results of a study, with the evidence for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .evidence import Evidence, Line
from .wording import amount, interval, listed, percent, several


@dataclass(frozen=True)
class Advice:
    """A recommendation.

    Args:
        line: the recommended student, or None.
        take: the recommendation, a sentence.
        sure: whether a gain was ``shown``, ``not shown`` or is ``unknown``.
        why: the evidence, a sentence each.
        without: baselines that score as high without a network, a sentence; empty if none does.
    """

    line: Line | None
    take: str
    sure: str
    why: tuple[str, ...]
    without: str = ""


def advise(evidence: Evidence) -> Advice:
    """Recommend the best student that was shown to be better, else the cheapest that was not shown to be worse."""
    students = [line for line in evidence.students if line.cost]
    if not students:
        return Advice(None, "No recommendation yet: no student has a score.", "unknown", ())
    base = evidence.reference
    if base is None or base.cost is None or len(students) == 1:
        line = min(students, key=_price)
        only = len(students) == 1
        take = f"{line.name} is the only student with a score." if only else f"Take {line.name}: it is the cheapest."
        why = ("There is no other student to compare it with.", *_limits(evidence))
        return Advice(line, take, "unknown", why, _without_network(evidence, line))
    better = [line for line in students if line.comparison and line.comparison.verdict.startswith("better")]
    if better:
        line = max(better, key=lambda each: each.f1.score if each.f1 else 0.0)
        return _shown(evidence, line, base, better)
    cheaper = [
        line for line in students if line.comparison and line.comparison.not_inferior and _price(line) < _price(base)
    ]
    if cheaper:
        line = min(cheaper, key=_price)
        assert line.comparison is not None
        take = f"Take {line.name}: it costs less than {base.name} and is not inferior to it (margin: one point)."
        why = (_difference(line, base), *_limits(evidence))
        return Advice(line, take, "shown", why, _without_network(evidence, line))
    return _not_shown(evidence, base, students)


def pareto_front(lines: Sequence[Line]) -> list[Line]:
    """Return the Pareto front of macro-F1 against FLOPs, cheapest first; of equal lines the first."""
    front: list[Line] = []
    for line in sorted(lines, key=lambda each: (_price(each), -(each.f1.score if each.f1 else 0.0))):
        if line.f1 and (not front or (front[-1].f1 is not None and line.f1.score > front[-1].f1.score)):
            front.append(line)
    return front


def describe_front(evidence: Evidence) -> list[str]:
    """Describe the Pareto front, a sentence for each of its lines."""
    steps = pareto_front([line for line in evidence.scored if line.cost])
    sentences = []
    for number, line in enumerate(steps):
        if line.cost is None or line.f1 is None:
            continue
        text = f"{line.name}: {interval(line.f1)} % for {amount(line.cost.flops)}FLOPs per window"
        text += f" and {amount(line.cost.params)} parameters"
        before = steps[number - 1] if number else None
        if before and before.cost and before.f1:
            more = line.cost.flops / before.cost.flops
            factor = f"{more:.0f} times the" if more >= 2 else f"{100 * (more - 1):.1f} % more"
            text += f"; {100 * (line.f1.score - before.f1.score):+.1f} points over {before.name} at {factor} FLOPs"
            if line.role != "teacher" and not (line.comparison and line.comparison.verdict.startswith("better")):
                text += ", a gain that was not shown"
        sentences.append(text + (" (a teacher, not for a device)" if line.role == "teacher" else "") + ".")
    return sentences


def _shown(evidence: Evidence, line: Line, base: Line, better: list[Line]) -> Advice:
    one_run = bool(line.comparison and line.comparison.verdict.endswith("run"))
    sure = f"shown on {evidence.subjects}" if not one_run else "shown for one training run of each"
    why = [_difference(line, base), _price_words(line, base)]
    if len(better) > 1:
        others = [each.name for each in better if each is not line]
        why.append(f"Also better than {base.name}: {listed(others)}. They were not tested against each other.")
    rival = max(
        (each for each in evidence.students if each.role == "control" and each.f1),
        key=lambda each: each.f1.score if each.f1 else 0.0,
        default=None,
    )
    if line.role != "control" and rival and rival.f1 and line.f1 and rival.f1.score >= line.f1.score:
        why.append(
            f"{rival.name}, a control, scores as high ({percent(rival.f1.score)} %), so the gain may not come from the "
            "teacher."
        )
    if line.role == "control":
        why.append(f"{line.name} is a control: the gain did not come from the distillation method under test.")
    take = f"Take {line.name}: better than {base.name}, {sure}."
    return Advice(line, take, "shown", (*why, *_limits(evidence)), _without_network(evidence, line))


def _not_shown(evidence: Evidence, base: Line, students: list[Line]) -> Advice:
    line = min((each for each in students if not _worse(each)), key=_price, default=base)
    if _price(line) == _price(base):
        line = base
    able = [each for each in students if each is not line and each.comparison and not _worse(each)]
    # Controls are not under test, unless there is nothing else.
    rivals = [each for each in able if each.role == "variant"] or able
    ends = [each.comparison.difference for each in rivals if each.comparison]
    high = max((each.high for each in ends if each.high is not None), default=None)
    low = min((each.low for each in ends if each.low is not None), default=None)
    take = f"Take {line.name}, the {'plain student and the ' if line is base else ''}cheapest: no other student was "
    take += "shown to be better."
    why = []
    if high is not None and low is not None:
        small = ": too wide to show that they are equal to it" if max(-low, high) > 0.01 else ""
        text = f"The 95 % intervals of their differences to {base.name} lie between"
        why.append(f"{text} {100 * low:+.0f} and {100 * high:+.0f} points{small}.".replace("-", "−"))
    top = max(students, key=lambda each: each.f1.score if each.f1 else 0.0)
    if top is not line and top.comparison:
        gain = f"{interval(top.comparison.difference, sign='+')} points against {base.name}"
        why.append(f"The student with the highest score is {top.name}: {gain}, {top.comparison.verdict}.")
    return Advice(line, take, "not shown", (*why, *_limits(evidence)), _without_network(evidence, line))


def _limits(evidence: Evidence) -> tuple[str, ...]:
    """List the limits of the study, a sentence each."""
    results, sentences = evidence.results, []
    if results.leaks:
        sentences.append(
            f"The protocol {results.protocol} leaks: test subjects, or parts of their recordings, are in the training "
            "set. The scores say little about new subjects."
        )
    if not evidence.tested:
        sentences.append(
            "Scores are of the validation subjects, on which hyperparameters and epochs were chosen, so they are "
            "optimistic. Evaluate on the test subjects with still study … --score-test."
        )
    if evidence.confusion is not None and len(evidence.confusion.subjects) == 1:
        sentences.append("Only one subject was scored, so there is no confidence interval over subjects.")
    if not results.complete:
        sentences.append("The study is not finished; further runs may change this.")
    if evidence.record.study.seeds == 1:
        sentences.append("One seed: the variation between training runs is unknown.")
    return tuple(sentences)


def _without_network(evidence: Evidence, line: Line) -> str:
    """Name the baselines that score as high as the recommended student; empty if none does."""
    as_high = []
    for each in evidence.students:
        if each.role != "baseline" or not each.f1 or not line.f1 or each.f1.score < line.f1.score:
            continue
        words = f"{each.name} {percent(each.f1.score)} %"
        base = evidence.reference
        if each.comparison and base:
            gap = f"{interval(each.comparison.difference, sign='+')} points against {base.name}"
            words += f" ({gap}: {each.comparison.verdict})"
        as_high.append(words)
    if not as_high:
        return ""
    return (
        f"Baselines without a network that score as high: {listed(as_high)}. They classify standard features of the "
        "windows and had as many trials; no device code is generated for them."
    )


def _difference(line: Line, base: Line) -> str:
    comparison = line.comparison
    if comparison is None:
        return ""
    p = comparison.p_adjusted
    corrected = "" if p is None else f", p = {p:.2g} after the max-statistic correction"
    subjects = several(comparison.difference.subjects, "subject", "subjects")
    text = f"{interval(comparison.difference, sign='+')} points of macro-F1 against {base.name}{corrected}"
    return f"{text}, over {subjects} and {several(comparison.seeds, 'seed')}."


def _price_words(line: Line, base: Line) -> str:
    if line.cost is None or base.cost is None:
        return ""
    more = 100 * (line.cost.flops / base.cost.flops - 1)
    params = 100 * (line.cost.params / base.cost.params - 1)
    return f"Its cost against {base.name}: {more:+.0f} % FLOPs and {params:+.0f} % parameters.".replace("-", "−")


def _price(line: Line) -> tuple[int, int]:
    return (line.cost.flops, line.cost.params) if line.cost else (0, 0)


def _worse(line: Line) -> bool:
    return bool(line.comparison and line.comparison.verdict.startswith("worse"))
