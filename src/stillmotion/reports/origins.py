"""Failed runs, and what is needed to reproduce a study."""

from __future__ import annotations

import time

from .evidence import Evidence
from .markup import Html, items, joined, table, tag
from .wording import several


def failed(evidence: Evidence) -> Html:
    """List failed runs with their reasons, and what has not been trained."""
    record = evidence.record
    reasons: dict[str, int] = {}
    for each in record.ended.values():
        if each.status == "failed":
            reasons[each.reason] = reasons.get(each.reason, 0) + 1
    sentences = [f"{several(count, 'run')}: {reason or 'no reason was recorded'}" for reason, count in reasons.items()]
    waiting = record.store.unfinished()
    if waiting:
        runs = sum(len(fleet.runs) for fleet in waiting)
        sentences.append(f"{several(runs, 'run')} in {several(len(waiting), 'fleet')} are planned and not finished.")
    missing = [line.name for line in evidence.lines if line.state in ("not trained", "partly")]
    if missing:
        sentences.append(
            f"Not or only partly trained: {', '.join(missing)}. Run the study again to train what is missing."
        )
    if not sentences:
        return tag("p", "No run failed, and none is missing.")
    return items(sentences)


def reproduce(evidence: Evidence) -> Html:
    """List command, specification, versions, fingerprints and test-set evaluations."""
    record, study = evidence.record, evidence.record.study
    scored = " --score-test" if evidence.tested and not study.score_test else ""
    command = f"still study study.toml --out {study.name}{scored}"
    if study.data.name != "simulated":
        command += " --data DIR"
    versions = record.store.versions()
    facts: list[tuple[str, object]] = [
        ("Data", f"{study.data.name}, {len(record.index):,} windows, fingerprint {record.index.fingerprint}"),
        ("Split", f"{study.split.protocol}, seed {study.split.seed}"),
        *(
            (f"Versions{f' {number + 1}' if len(versions) > 1 else ''}", ", ".join(f"{k} {v}" for k, v in each.items()))
            for number, each in enumerate(versions)
        ),
    ]
    settings = [
        (
            name,
            fold,
            ", ".join(f"{k} {v:.3g}" for k, v in trial.hyperparameters.items()) or "defaults",
            trial.attention or "–",
        )
        for (name, fold), trial in sorted(record.selected.items())
        if trial is not None
    ]
    runs = [
        (
            line.name,
            fold,
            run.seed,
            run.id,
            f"{100 * record.ended[run.id].validation:.1f}",
            record.ended[run.id].best_epoch,
            record.ended[run.id].epochs,
        )
        for line in evidence.lines
        for (name, fold), each in sorted(record.reported.items())
        if name == line.name
        for run in dict.fromkeys(each)
    ]
    evaluations = []
    for at, count, subjects, why in record.store.test_evaluations():
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(at))
        evaluations.append(f"{when} UTC: {several(count, 'run')}, {several(subjects, 'subject', 'subjects')} ({why})")
    return joined(
        tag("p", "Save the specification below as study.toml, then run:"),
        tag("pre", command, tabindex="0"),
        tag("dl", *(joined(tag("dt", name), tag("dd", tag("code", value))) for name, value in facts)),
        tag("h3", "Test-set evaluations") if evaluations else "",
        items(evaluations),
        tag("h3", "Selected hyperparameters, by fold") if settings else "",
        table("Selected hyperparameters", ("variant", "fold", "hyperparameters", "attention"), settings)
        if settings
        else "",
        tag(
            "details",
            tag("summary", "Reported runs"),
            table(
                "Runs",
                ("variant", "fold", "seed", "run", "validation %", "best epoch", "epochs"),
                runs,
                variants=[row[0] for row in runs],
            ),
        )
        if runs
        else "",
        tag(
            "details",
            tag("summary", "Specification (study.toml)"),
            tag("pre", study.to_toml(), tabindex="0"),
            open=True,
        ),
        tag(
            "details",
            tag("summary", "Subjects of each fold"),
            *(
                tag("p", f"Fold {number}: {split} {', '.join(fold.subjects(split))}")
                for number, fold in enumerate(record.index.folds)
                for split in ("train", "validation", "test")
            ),
        ),
    )
