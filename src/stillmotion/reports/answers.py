"""The top of the report: the recommended student, what was compared, and the table of results."""

from __future__ import annotations

from ..signals import SignalSpec
from ..studies.teacher_gap import NO_GAP
from .advice import advise
from .evidence import Evidence
from .markup import Html, items, joined, table, tag
from .study import clock
from .wording import interval, listed, percent, several

STATES = {"partly": "not finished", "not trained": "not trained yet", "failed": "failed", "not scored": "not scored"}
SURE = {
    "shown": ("good", "Evidence: shown, at a family-wise error rate of 5 %."),
    "not shown": (
        "unsure",
        "Evidence: no student costs less; differences in score were not shown.",
    ),
    "unknown": ("unsure", "Evidence: none, there is nothing to compare."),
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
    if any(not gap.shown for gap in results.leads):
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
    score, line = "", advice.line
    if line is not None and line.f1 is not None and line.cost is not None:
        score = (
            f"{line.name} reaches a macro-F1 of {interval(line.f1)} % on {evidence.subjects} with "
            f"{line.row.params or line.cost.params:,} parameters ({line.cost.weight_bytes / 1024:,.1f} KiB as float32, "
            f"{line.cost.weight_bytes_int8 / 1024:,.1f} as int8) and {line.cost.flops:,} FLOPs per window of "
            f"{evidence.record.index.spec.seconds:.3g} s."
        )
        if line.f1.low is not None:
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
    names = [line.name for line in evidence.lines if line.role in ("reference", "variant")]
    controls = [line.name for line in evidence.lines if line.role == "control"]
    baselines = [line.name for line in evidence.lines if line.role == "baseline"]
    if not results.leaks:
        audit = "no subject is in more than one of train, validation and test (audited)"
    else:
        audit = "LEAKY: subjects, or parts of their recordings, are in both train and test"
    seen = index.teacher_spec
    classes = several(len(spec.classes), "class", "classes")
    folds, most = index.folds, max((line.row.trials for line in evidence.lines), default=1)
    tests = several(len(index.subjects_of("test")), "test subject")
    others = f"{_counts(folds, 'train')} train, {_counts(folds, 'validation')} validation (choice of hyperparameters)"
    where = "" if len(folds) == 1 else "in each fold "
    protocol = f"{results.protocol}, {several(len(folds), 'fold')}: {audit}"
    budget = f"{several(study.seeds, 'seed')} per variant and fold; {several(most, 'trial')} per variant and fold"
    evaluations = (
        several(results.looks, "test-set evaluation")
        if results.looks
        else "not evaluated: all scores are of validation subjects"
    )
    facts = [
        ("Data", f"{results.data}: {len(index):,} windows of {spec.seconds:g} s at {spec.rate:g} Hz"),
        ("Signal", f"{_signal(spec)}, {classes}"),
        *([("Teachers see", f"{_signal(seen)}, {seen.seconds:.3g} s at {seen.rate:g} Hz")] if seen else []),
        ("Protocol", tag("span", protocol, class_="bad" if results.leaks else None)),
        ("Subjects", f"{tests}; {where}{others}"),
        ("Variants", listed(names)),
        *([("Controls", f"{listed(controls)}: without a teacher, or with a part left out")] if controls else []),
        *([("Baselines", f"{listed(baselines)}: no network, no device code")] if baselines else []),
        ("Networks", f"student {study.networks.student}; teacher {listed(study.networks.teacher)}"),
        ("Seeds, trials", f"{budget}, selected on validation subjects"),
        ("Test subjects", evaluations),
        ("Training", f"{clock(results.seconds)} in total"),
    ]
    listing = tag("dl", *(joined(tag("dt", name), tag("dd", value)) for name, value in facts))
    leaks = Html("")
    if results.leaks:
        shown = list(index.leaks[:5])
        more = [f"… and {len(index.leaks) - 5} more (still audit lists all)"] if len(index.leaks) > 5 else []
        text = tag("p", tag("strong", "This protocol leaks", class_="bad"), ". Scores say little about new subjects:")
        leaks = tag("div", text, items([*shown, *more]), class_="leaky-box")
    gaps = [
        joined(
            str(gap).removesuffix(f": {NO_GAP}"),
            joined(": ", tag("strong", NO_GAP, class_="unsure")) if not gap.shown else "",
        )
        for gap in results.leads
    ]
    heading = tag("h3", "Teacher gap: are the teachers better than the plain student?") if gaps else ""
    return joined(leaks, listing, heading, items(gaps))


def results_table(evidence: Evidence) -> Html:
    """Return the sortable table of results, a row for each variant and teacher."""
    headings: tuple[str, ...] = ("variant", "macro-F1 %", "from", "to", "verdict", "parameters", "FLOPs")
    headings += ("validation %", "accuracy %", "ECE %", "± seeds", "trials", "description")
    rows, keys, names = [], [], []
    for line in evidence.lines:
        row, f1 = line.row, line.f1
        scores = (f1.score, f1.low, f1.high) if f1 else (None, None, None)
        more = (row.validation, line.accuracy, row.ece, row.seed_spread)
        verdict = line.comparison.verdict if line.comparison else line.role if line.role != "variant" else ""
        shown = verdict if line.state == "done" else STATES[line.state] + (f", {verdict}" if verdict and f1 else "")
        trials = None if line.role == "teacher" else row.trials
        costs = ["–" if each is None else f"{each:,}" for each in (row.params, row.flops)]
        rows.append(
            (
                line.name,
                *map(percent, scores),
                shown,
                *costs,
                *map(percent, more),
                trials,
                f"{row.title}: {row.size}" if row.size else row.title,
            )
        )
        keys.append((None, *scores, None, row.params, row.flops, *more, trials, None))
        names.append(line.name)
    caption = f"Macro-F1 of {evidence.subjects}, pooled over subjects, mean over seeds, 95 % interval. Headings sort."
    return table("Results", headings, rows, keys=keys, variants=names, caption=caption)


def _summary(evidence: Evidence) -> str:
    results, study = evidence.results, evidence.record.study
    variants = sum(line.role in ("reference", "variant") for line in evidence.lines)
    return (
        f"{several(variants, 'variant')} of {study.networks.student} compared under the protocol "
        f"{results.protocol}, {several(results.subjects, 'test subject')}, "
        f"{several(study.seeds, 'seed')}, "
        f"{several(max((line.row.trials for line in evidence.lines), default=1), 'trial')} each."
    )


def _terms(evidence: Evidence) -> str:
    """Explain student, teacher and reference."""
    networks = evidence.record.study.networks
    alone = "" if "lm" not in evidence.record.study.all_variants else "; lm is the student trained on labels alone"
    teachers = f"teachers are larger networks that it learns from (here {listed(networks.teacher)})"
    return f"The student is the small network for the device (here {networks.student}); {teachers}{alone}."


def _scale(evidence: Evidence) -> str:
    """Give the scores of the best teacher and of the majority class."""
    teachers = [line for line in evidence.scored if line.role == "teacher" and line.f1]
    majority = next((line for line in evidence.scored if line.name == "majority" and line.f1), None)
    best = max(teachers, key=lambda line: line.f1.score if line.f1 else 0.0, default=None)
    scores = [f"the teacher {best.name} reaches {percent(best.f1.score)} %"] if best and best.f1 else []
    scores += [f"predicting the majority class {percent(majority.f1.score)} %"] if majority and majority.f1 else []
    return f" For comparison: {', '.join(scores)}." if scores else ""


def _signal(spec: SignalSpec) -> str:
    return f"{several(len(spec.channels), 'channel')} ({', '.join(spec.groups)})"


def _counts(folds: object, split: str) -> str:
    counts = sorted({len(fold.subjects(split)) for fold in folds})  # type: ignore[attr-defined]
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
