"""Which student to take, and how sure that is, in words that the numbers allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .evidence import Evidence, Line
from .wording import amount, interval, listed, percent, several


@dataclass(frozen=True)
class Advice:
    """What a reader should do.

    Args:
        line: the student to take, None where there is none.
        take: that in a sentence.
        sure: ``shown``, ``not shown`` or ``unknown``.
        why: what it rests on, a sentence each.
        without: what scores as high without any network, in a sentence; nothing where nothing does.
    """

    line: Line | None
    take: str
    sure: str
    why: tuple[str, ...]
    without: str = ""


def advise(evidence: Evidence) -> Advice:
    """Take what was shown to be better; among those the best. Else the cheapest that was not shown to be worse."""
    students = [line for line in evidence.students if line.cost]
    if not students:
        return Advice(None, "Nothing can be said yet: no student has a score.", "unknown", ())
    base = evidence.reference
    if base is None or base.cost is None or len(students) == 1:
        line = min(students, key=_price)
        only = len(students) == 1
        take = (
            f"{line.name} is the only student that has a score." if only else f"Take {line.name}: it is the cheapest."
        )
        why = ("There is nothing to compare it with.", *_limits(evidence))
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
        take = f"Take {line.name}: it costs less than {base.name} and is not worse by more than a point."
        why = (_difference(line, base), *_limits(evidence))
        return Advice(line, take, "shown", why, _without_network(evidence, line))
    return _not_shown(evidence, base, students)


def front(lines: Sequence[Line]) -> list[Line]:
    """Those that nothing beats at no more cost, cheapest first; of equal ones the first."""
    found: list[Line] = []
    for line in sorted(lines, key=lambda each: (_price(each), -(each.f1.score if each.f1 else 0.0))):
        if line.f1 and (not found or (found[-1].f1 is not None and line.f1.score > found[-1].f1.score)):
            found.append(line)
    return found


def front_words(evidence: Evidence) -> list[str]:
    """The front, a sentence a step."""
    steps = front([line for line in evidence.scored if line.cost])
    said = []
    for number, line in enumerate(steps):
        if line.cost is None or line.f1 is None:
            continue
        text = f"{line.name}: {interval(line.f1)} % for {amount(line.cost.flops)}FLOPs a window"
        text += f" and {amount(line.cost.params)} parameters"
        before = steps[number - 1] if number else None
        if before and before.cost and before.f1:
            more = line.cost.flops / before.cost.flops
            factor = f"{more:.0f} times" if more >= 2 else f"{100 * (more - 1):.1f} % above"
            text += f"; {100 * (line.f1.score - before.f1.score):+.1f} points over {before.name} at {factor} its cost"
            if line.role != "teacher" and not (line.comparison and line.comparison.verdict.startswith("better")):
                text += ", not shown to be a gain"
        said.append(text + (" (a teacher, not for a device)" if line.role == "teacher" else "") + ".")
    return said


def _shown(evidence: Evidence, line: Line, base: Line, better: list[Line]) -> Advice:
    one_run = bool(line.comparison and line.comparison.verdict.endswith("run"))
    sure = f"shown on {evidence.subjects}" if not one_run else "shown for one training run of each"
    why = [_difference(line, base), _price_words(line, base)]
    if len(better) > 1:
        others = [each.name for each in better if each is not line]
        why.append(f"Also better than {base.name}: {listed(others)}. Which of these is best was not tested.")
    rival = max(
        (each for each in evidence.students if each.role == "control" and each.f1),
        key=lambda each: each.f1.score if each.f1 else 0.0,
        default=None,
    )
    if line.role != "control" and rival and rival.f1 and line.f1 and rival.f1.score >= line.f1.score:
        why.append(
            f"{rival.name}, a control, scores as high ({percent(rival.f1.score)} %): the teacher may not be why."
        )
    if line.role == "control":
        why.append(f"{line.name} is a control: what was gained did not come from the way of teaching under test.")
    take = f"Take {line.name}: better than {base.name}, {sure}."
    return Advice(line, take, "shown", (*why, *_limits(evidence)), _without_network(evidence, line))


def _not_shown(evidence: Evidence, base: Line, students: list[Line]) -> Advice:
    line = min((each for each in students if not _worse(each)), key=_price, default=base)
    if _price(line) == _price(base):
        line = base
    able = [each for each in students if each is not line and each.comparison and not _worse(each)]
    # Controls are not what is on trial, unless there is nothing else.
    rivals = [each for each in able if each.role == "variant"] or able
    ends = [each.comparison.difference for each in rivals if each.comparison]
    high = max((each.high for each in ends if each.high is not None), default=None)
    low = min((each.low for each in ends if each.low is not None), default=None)
    take = f"Take {line.name}, the {'plain student and the ' if line is base else ''}cheapest: no gain was shown for "
    take += "any other student."
    why = []
    if high is not None and low is not None:
        small = ", so the study is too small to tell" if max(-low, high) > 0.01 else ""
        text = f"Equal to {base.name} they are not shown to be: the 95 % intervals of their differences to it lie "
        why.append(f"{text}between {100 * low:+.0f} and {100 * high:+.0f} points{small}.".replace("-", "−"))
    top = max(students, key=lambda each: each.f1.score if each.f1 else 0.0)
    if top is not line and top.comparison:
        gain = f"{interval(top.comparison.difference, sign='+')} points against {base.name}"
        why.append(f"The student with the highest score is {top.name}: {gain}, {top.comparison.verdict}.")
    return Advice(line, take, "not shown", (*why, *_limits(evidence)), _without_network(evidence, line))


def _limits(evidence: Evidence) -> tuple[str, ...]:
    """What the study cannot say, a sentence each."""
    results, said = evidence.results, []
    if results.leaks:
        said.append(
            f"The protocol {results.protocol} leaks: the same subjects, or parts of their recordings, were trained on. "
            "None of this says how a new subject fares."
        )
    if not evidence.tested:
        said.append(
            "Scores are of validation subjects, on whom settings and epochs were chosen: they flatter. Score the test "
            "subjects with still study … --score-test."
        )
    if evidence.tally is not None and len(evidence.tally.subjects) == 1:
        said.append("One subject was scored: how far others would differ is unknown, so there is no interval.")
    if not results.complete:
        said.append("The study is not finished; more runs may change this.")
    if evidence.record.study.seeds == 1:
        said.append("One seed: another training run may come out elsewhere.")
    return tuple(said)


def _without_network(evidence: Evidence, line: Line) -> str:
    """Said where a classifier of window features scores as high as the student to take."""
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
        f"Higher, without any network: {listed(as_high)}. They classify standard features of windows, had as many "
        "trials, and are no students: no code for devices is made for them."
    )


def _difference(line: Line, base: Line) -> str:
    found = line.comparison
    if found is None:
        return ""
    p = "" if found.p_adjusted is None else f", p = {found.p_adjusted:.2g} after the max-statistic correction"
    subjects = several(found.difference.subjects, "subject", "subjects")
    text = f"{interval(found.difference, sign='+')} points of macro-F1 against {base.name}{p}"
    return f"{text}, over {subjects} and {several(found.seeds, 'seed')}."


def _price_words(line: Line, base: Line) -> str:
    if line.cost is None or base.cost is None:
        return ""
    more = 100 * (line.cost.flops / base.cost.flops - 1)
    params = 100 * (line.cost.params / base.cost.params - 1)
    return f"It costs {more:+.0f} % FLOPs and {params:+.0f} % parameters.".replace("-", "−")


def _price(line: Line) -> tuple[int, int]:
    return (line.cost.flops, line.cost.params) if line.cost else (0, 0)


def _worse(line: Line) -> bool:
    return bool(line.comparison and line.comparison.verdict.startswith("worse"))
