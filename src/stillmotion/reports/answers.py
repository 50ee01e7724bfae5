"""The first screen: which student to take and how sure that is; then what was compared, and the table."""

from __future__ import annotations

from ..signals import SignalSpec
from .advice import advise
from .evidence import Evidence
from .markup import Html, items, joined, table, tag
from .study import clock
from .wording import interval, listed, percent, several

STATES = {"partly": "not finished", "not trained": "not trained yet", "failed": "failed", "not scored": "not scored"}
SURE = {
    "shown": ("good", "How sure: shown, with the usual error rate (5 % over all comparisons together)."),
    "not shown": (
        "unsure",
        "How sure: certain about the cost, since no other student costs less; not about the score.",
    ),
    "unknown": ("unsure", "How sure: nothing can be said about that."),
}


def headline(evidence: Evidence) -> Html:
    """What this is, and marks that nobody may miss."""
    results = evidence.results
    badges = []
    if results.leaks:
        badges.append(tag("span", "Leaky protocol", class_="badge bad"))
    if not results.complete:
        badges.append(tag("span", "Not finished", class_="badge unsure"))
    if not evidence.tested:
        badges.append(tag("span", "Test subjects not scored", class_="badge unsure"))
    if any(not lead.shown for lead in results.leads):
        badges.append(tag("span", "A teacher with nothing shown to teach", class_="badge unsure"))
    if any(each.status == "failed" for each in evidence.record.ended.values()):
        badges.append(tag("span", "Runs failed", class_="badge bad"))
    return joined(
        tag("h1", f"{results.name}: distillation on {results.data}"),
        tag("p", _in_a_line(evidence), class_="quiet"),
        tag("p", _terms(evidence), class_="quiet"),
        tag("p", *badges) if badges else "",
    )


def answer(evidence: Evidence) -> Html:
    """Which student, how sure, why."""
    advice = advise(evidence)
    colour, sure = SURE[advice.sure]
    score, line = "", advice.line
    if line is not None and line.f1 is not None and line.cost is not None:
        score = (
            f"{line.name} reaches a macro-F1 of {interval(line.f1)} % on {evidence.subjects} with "
            f"{line.row.params or line.cost.params:,} parameters ({line.cost.weight_bytes / 1024:,.1f} KiB as float32, "
            f"{line.cost.weight_bytes_int8 / 1024:,.1f} as int8) and {line.cost.flops:,} FLOPs a window of "
            f"{evidence.record.ground.windows.spec.seconds:.3g} s."
        )
        if line.f1.low is not None:
            score += " In brackets the 95 % interval, over other subjects and other training runs."
    leaky = evidence.results.leaks
    kind = " leaky" if leaky else " shown" if advice.sure == "shown" else ""
    return tag(
        "div",
        tag("p", advice.take),
        tag(
            "p",
            "Not to be trusted for new subjects: the protocol leaks." if leaky else sure,
            class_=f"sure {'bad' if leaky else colour}",
        ),
        tag("p", advice.without, class_="sure unsure") if advice.without else "",
        tag("p", score, _scale(evidence)) if score else "",
        items(advice.why),
        class_=f"answer{kind}",
        id="answer",
        role="region",
        aria_label="The answer",
    )


def compared(evidence: Evidence) -> Html:
    """Protocol, subjects, seeds, trials, teachers."""
    results, ground, study = evidence.results, evidence.record.ground, evidence.record.study
    spec = ground.windows.spec
    every = {
        side: {subject for fold in ground.folds for subject in fold.subjects(side)}
        for side in ("train", "validation", "test")
    }
    names = [line.name for line in evidence.lines if line.role in ("reference", "variant")]
    controls = [line.name for line in evidence.lines if line.role == "control"]
    baselines = [line.name for line in evidence.lines if line.role == "baseline"]
    if not results.leaks:
        honest = "nobody is on two sides of a split (audited)"
    else:
        honest = "LEAKY: subjects, or parts of their recordings, are on both sides of a split"
    seen = ground.teachers.windows.spec if ground.teachers else None
    told = f"{several(len(spec.classes), 'class', 'classes')}"
    folds, most = ground.folds, max((line.row.trials for line in evidence.lines), default=1)
    tests = several(len(every["test"]), "subject tests", "subjects test")
    others = f"{_each(folds, 'train')} train, and settings and epochs are chosen on {_each(folds, 'validation')}"
    where = "" if len(folds) == 1 else "in each fold "
    split = f"{results.protocol}, {several(len(folds), 'fold')}: {honest}"
    budget = (
        f"{several(study.seeds, 'student')} a fold and variant; {several(most, 'try', 'trials')} a fold for each alike"
    )
    looks = (
        f"looked at {several(results.looks, 'time')}" if results.looks else "not scored: all is of validation subjects"
    )
    facts = [
        ("Data", f"{results.data}: {len(ground.windows):,} windows of {spec.seconds:g} s at {spec.rate:g} Hz"),
        ("Signal", f"{_signal(spec)}, {told}"),
        *([("Teachers see", f"{_signal(seen)}, {seen.seconds:.3g} s at {seen.rate:g} Hz")] if seen else []),
        ("Protocol", tag("span", split, class_="bad" if results.leaks else None)),
        ("Subjects", f"{tests}; {where}{others}"),
        ("Variants", listed(names)),
        *([("Controls", f"{listed(controls)}: no teacher, or a part left out")] if controls else []),
        *([("Baselines", f"{listed(baselines)}: no network, no device code")] if baselines else []),
        ("Networks", f"student {study.networks.student}; teacher {listed(study.networks.teacher)}"),
        ("Seeds, trials", f"{budget}, chosen on validation subjects"),
        ("Test subjects", looks),
        ("Training", f"{clock(results.seconds)} in all"),
    ]
    listing = tag("dl", *(joined(tag("dt", name), tag("dd", value)) for name, value in facts))
    leaks = Html("")
    if results.leaks:
        shown = list(ground.leaks[:5])
        more = [f"… and {len(ground.leaks) - 5} more: still audit lists them"] if len(ground.leaks) > 5 else []
        text = tag("p", tag("strong", "This protocol leaks", class_="bad"), ". Scores say little about new subjects:")
        leaks = tag("div", text, items([*shown, *more]), class_="leaky-box")
    leads = [
        joined(
            str(lead).removesuffix(": nothing shown to teach"),
            joined(": ", tag("strong", "nothing shown to teach", class_="unsure")) if not lead.shown else "",
        )
        for lead in results.leads
    ]
    taught = tag("h3", "Have the teachers anything to teach?") if leads else ""
    return joined(leaks, listing, taught, items(leads))


def results_table(evidence: Evidence) -> Html:
    """A row a variant and teacher, sortable."""
    headings: tuple[str, ...] = ("variant", "macro-F1 %", "from", "to", "verdict", "parameters", "FLOPs")
    headings += ("validation %", "accuracy %", "ECE %", "± seeds", "trials", "what")
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


def _in_a_line(evidence: Evidence) -> str:
    results, study = evidence.results, evidence.record.study
    variants = sum(line.role in ("reference", "variant") for line in evidence.lines)
    return (
        f"{several(variants, 'way', 'ways')} to train {study.networks.student} compared under the protocol "
        f"{results.protocol}, {several(results.subjects, 'test subject', 'test subjects')}, "
        f"{several(study.seeds, 'seed')}, "
        f"{several(max((line.row.trials for line in evidence.lines), default=1), 'try', 'trials')} each."
    )


def _terms(evidence: Evidence) -> str:
    """The words that all else hangs on."""
    networks = evidence.record.study.networks
    alone = "" if "lm" not in evidence.record.study.all_variants else "; lm is the student trained alone, on labels"
    taught = f"teachers are larger ones that it learns from (here {listed(networks.teacher)})"
    return f"The student is the small network for the device (here {networks.student}); {taught}{alone}."


def _scale(evidence: Evidence) -> str:
    """What is reached at the top and at the bottom."""
    teachers = [line for line in evidence.scored if line.role == "teacher" and line.f1]
    majority = next((line for line in evidence.scored if line.name == "majority" and line.f1), None)
    best = max(teachers, key=lambda line: line.f1.score if line.f1 else 0.0, default=None)
    said = [f"the teacher {best.name} reaches {percent(best.f1.score)} %"] if best and best.f1 else []
    said += [f"always naming the majority class {percent(majority.f1.score)} %"] if majority and majority.f1 else []
    return f" For scale: {', '.join(said)}." if said else ""


def _signal(spec: SignalSpec) -> str:
    return f"{several(len(spec.channels), 'channel')} ({', '.join(spec.groups)})"


def _each(folds: object, side: str) -> str:
    counts = sorted({len(fold.subjects(side)) for fold in folds})  # type: ignore[attr-defined]
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
