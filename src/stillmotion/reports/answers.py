"""The top of the report: the recommendation, and what was compared."""

from __future__ import annotations

from collections.abc import Sequence

from ..formatting import (
    format_count,
    format_duration,
    format_kib,
    format_list,
    format_percent,
    format_score,
    format_several,
)
from ..signals import SignalSpec
from ..studies.teacher_gap import NO_GAP
from ..windows import Fold
from .advice import advise
from .evidence import Evidence
from .markup import Html, items, joined, tag
from .teaching import describe_teaching

SURE = {
    "shown": ("good", "Evidence: shown, at a family-wise error rate of 5 %."),
    "not shown": ("unsure", "Evidence: differences in score were not shown; it is chosen by its cost."),
    "unknown": ("unsure", "Evidence: none, there is nothing to compare."),
    "selected": ("good", "Selected on validation subjects; its score on test subjects had no part in the choice."),
}


def headline(evidence: Evidence) -> Html:
    """Return the title, a summary and warning badges."""
    results = evidence.results
    badges = []
    if results.leaks:
        badges.append(tag("span", "Leaky protocol", class_="badge bad"))
    if not results.complete:
        badges.append(tag("span", "Not finished", class_="badge unsure"))
    if not evidence.tested:
        badges.append(tag("span", "Test subjects not scored", class_="badge unsure"))
    if any(not gap.shown for gap in results.teacher_gaps):
        badges.append(tag("span", "No teacher gap shown", class_="badge unsure"))
    if any(each.status == "failed" for each in evidence.record.ended.values()):
        badges.append(tag("span", "Runs failed", class_="badge bad"))
    return joined(
        tag("h1", f"{results.name}: distillation on {results.data}"),
        tag("p", _summary(evidence), class_="quiet"),
        tag("p", _terms(evidence), class_="quiet"),
        tag("p", *badges) if badges else "",
    )


def answer(evidence: Evidence) -> Html:
    """Return the recommended student with the evidence for it."""
    advice = advise(evidence)
    colour, sure = SURE[advice.sure]
    score, row = "", advice.row
    if row is not None:
        cost = evidence.costs.get(row.variant)
        stored = f"{format_kib(row.bytes)} KiB" + (" without a network" if cost is None else " of weights as float32")
        if cost is not None:
            stored = (
                f"{format_count(row.parameters)} parameters ({stored}, {format_kib(cost.weight_bytes_int8)} as int8) "
                f"and {cost.flops:,} FLOPs per window of {evidence.record.index.spec.seconds:.3g} s"
            )
        score = (
            f"{row.variant} reaches a macro-F1 of {format_score(row.macro_f1)} on {evidence.subjects} with {stored}."
        )
        if row.macro_f1 and row.macro_f1.low is not None:
            score += " In brackets the 95 % confidence interval, over subjects and training runs."
    leaky = evidence.results.leaks
    kind = " leaky" if leaky else " shown" if advice.sure == "shown" else ""
    return tag(
        "div",
        tag("p", advice.take),
        tag(
            "p",
            "The protocol leaks: these scores say little about new subjects." if leaky else sure,
            class_=f"sure {'bad' if leaky else colour}",
        ),
        tag("p", advice.without, class_="sure unsure") if advice.without else "",
        tag("p", score, _scale(evidence)) if score else "",
        items(advice.why),
        class_=f"answer{kind}",
        id="answer",
        role="region",
        aria_label="Recommendation",
    )


def compared(evidence: Evidence) -> Html:
    """List data, protocol, subjects, seeds, trials and teachers."""
    results, index, study = evidence.results, evidence.record.index, evidence.record.study
    spec = index.spec
    names = [row.variant for row in evidence.rows if row.kind in ("reference", "variant")]
    controls = [row.variant for row in evidence.rows if row.kind == "control"]
    baselines = [row.variant for row in evidence.rows if row.kind == "baseline"]
    if not results.leaks:
        audit = "no subject is in more than one of train, validation and test (audited)"
    else:
        audit = "LEAKY: subjects, or parts of their recordings, are in both train and test"
    seen = index.teacher_spec
    classes = format_several(len(spec.classes), "class", "classes")
    folds, most = index.folds, max((row.trials for row in evidence.rows), default=1)
    tests = format_several(len(index.subjects_of("test")), "test subject")
    others = f"{_counts(folds, 'train')} train, {_counts(folds, 'validation')} validation (choice of hyperparameters)"
    where = "" if len(folds) == 1 else "in each fold "
    protocol = f"{results.protocol}, {format_several(len(folds), 'fold')}: {audit}"
    each = "per variant and fold"
    budget = f"{format_several(study.seeds, 'seed')} {each}; {format_several(most, 'trial')} {each}"
    teaching = describe_teaching(evidence.record)
    evaluations = (
        format_several(results.test_evaluations, "test-set evaluation")
        if results.test_evaluations
        else "not evaluated: all scores are of validation subjects"
    )
    facts = [
        ("Data", f"{results.data}: {len(index):,} windows of {spec.describe_window()}, at {spec.rate:g} Hz"),
        ("Signal", f"{_signal(spec)}, {classes}"),
        *([("Teachers see", f"{_signal(seen)}, {seen.seconds:.3g} s at {seen.rate:g} Hz")] if seen else []),
        ("Protocol", tag("span", protocol, class_="bad" if results.leaks else None)),
        ("Subjects", f"{tests}; {where}{others}"),
        ("Variants", format_list(names)),
        *([("Controls", f"{format_list(controls)}: without a teacher, or with a part left out")] if controls else []),
        *([("Baselines", f"{format_list(baselines)}: no network, no device code")] if baselines else []),
        ("Networks", f"student {study.networks.student}; teacher {format_list(study.networks.teacher)}"),
        *([("Teaching", "; ".join(teaching))] if teaching else []),
        ("Seeds, trials", f"{budget}, selected on validation subjects"),
        ("Test subjects", evaluations),
        ("Training", f"{format_duration(results.seconds)} in total"),
    ]
    listing = tag("dl", *(joined(tag("dt", name), tag("dd", value)) for name, value in facts))
    leaks = Html("")
    if results.leaks:
        shown = list(index.leaks[:5])
        more = [f"… and {len(index.leaks) - 5} more (still audit lists all)"] if len(index.leaks) > 5 else []
        text = tag("p", tag("strong", "This protocol leaks", class_="bad"), ". Scores say little about new subjects:")
        leaks = tag("div", text, items([*shown, *more]), class_="leaky-box")
    found = Html("")
    if results.findings:
        shown = list(results.findings[:10])
        more = [f"… and {len(results.findings) - 10} more"] if len(results.findings) > 10 else []
        accepted = " Their errors were accepted (accept-findings)." if study.data.accept_findings else ""
        title = tag("p", tag("strong", "What still inspect finds in the recordings."), accepted)
        found = tag("div", title, items([*shown, *more]), class_="findings")
    gaps = [
        joined(
            str(gap).removesuffix(f": {NO_GAP}"),
            joined(": ", tag("strong", NO_GAP, class_="unsure")) if not gap.shown else "",
        )
        for gap in results.teacher_gaps
    ]
    heading = tag("h3", "Teacher gap: are the teachers better than the plain student?") if gaps else ""
    return joined(leaks, listing, found, heading, items(gaps))


def _summary(evidence: Evidence) -> str:
    results, study = evidence.results, evidence.record.study
    variants = sum(row.kind in ("reference", "variant") for row in evidence.rows)
    return (
        f"{format_several(variants, 'variant')} of {study.networks.student} compared under the protocol "
        f"{results.protocol}, {format_several(results.subjects, 'test subject')}, "
        f"{format_several(study.seeds, 'seed')}, "
        f"{format_several(max((row.trials for row in evidence.rows), default=1), 'trial')} each."
    )


def _terms(evidence: Evidence) -> str:
    """Explain student, teacher and reference."""
    networks = evidence.record.study.networks
    alone = "" if "lm" not in evidence.record.study.all_variants else "; lm is the student trained on labels alone"
    teachers = f"teachers are larger networks that it learns from (here {format_list(networks.teacher)})"
    return f"The student is the small network for the device (here {networks.student}); {teachers}{alone}."


def _scale(evidence: Evidence) -> str:
    """Give the scores of the best teacher and of the majority class."""
    teachers = [row for row in evidence.scored if row.kind == "teacher" and row.macro_f1]
    best = max(teachers, key=lambda row: row.macro_f1.score if row.macro_f1 else 0.0, default=None)
    majority = next((row for row in evidence.scored if row.variant == "majority"), None)
    named = ((best, "the teacher {} reaches"), (majority, "predicting the majority class"))
    scores = [
        f"{text.format(row.variant)} {format_percent(row.macro_f1.score)} %"
        for row, text in named
        if row and row.macro_f1
    ]
    return f" For comparison: {', '.join(scores)}." if scores else ""


def _signal(spec: SignalSpec) -> str:
    return f"{format_several(len(spec.channels), 'channel')} ({', '.join(spec.groups)})"


def _counts(folds: Sequence[Fold], split: str) -> str:
    counts = sorted({len(fold.subjects(split)) for fold in folds})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
