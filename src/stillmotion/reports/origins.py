"""Failed runs, and what is needed to reproduce a study."""

from __future__ import annotations

import time

from ..formatting import format_several
from .evidence import Evidence
from .markup import Html, items, joined, tag
from .table import tabulate


def failed(evidence: Evidence) -> Html:
    """List failed runs with their reasons, and what has not been trained."""
    record = evidence.record
    reasons: dict[str, int] = {}
    for each in record.ended.values():
        if each.status == "failed":
            reasons[each.reason] = reasons.get(each.reason, 0) + 1
    sentences = [
        f"{format_several(count, 'run')}: {reason or 'no reason was recorded'}" for reason, count in reasons.items()
    ]
    waiting = record.store.unfinished()
    if waiting:
        runs = sum(len(fleet.runs) for fleet in waiting)
        sentences.append(
            f"{format_several(runs, 'run')} in {format_several(len(waiting), 'fleet')} are planned and not finished."
        )
    missing = [row.variant for row in evidence.rows if evidence.states[row.variant] in ("not trained", "partly")]
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
        {
            "variant": name,
            "fold": fold,
            "hyperparameters": ", ".join(f"{k} {v:.3g}" for k, v in trial.hyperparameters.items()) or "defaults",
            "attention": trial.attention or None,
        }
        for (name, fold), trial in sorted(record.selected.items())
        if trial is not None
    ]
    runs = [
        {
            "variant": name,
            "fold": fold,
            "seed": run.seed,
            "run": run.id,
            "validation": record.ended[run.id].validation,
            "best_epoch": record.ended[run.id].best_epoch,
            "epochs": record.ended[run.id].epochs,
        }
        for row in evidence.rows
        for (name, fold), each in sorted(record.reported.items())
        if name == row.variant
        for run in dict.fromkeys(each)
    ]
    evaluations = []
    for at, count, subjects, why in record.store.test_evaluations():
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(at))
        evaluations.append(
            f"{when} UTC: {format_several(count, 'run')}, {format_several(subjects, 'subject', 'subjects')} ({why})"
        )
    return joined(
        tag("p", "Save the specification below as study.toml, then run:"),
        tag("pre", command, tabindex="0"),
        tag("dl", *(joined(tag("dt", name), tag("dd", tag("code", value))) for name, value in facts)),
        tag("h3", "Test-set evaluations") if evaluations else "",
        items(evaluations),
        tag("h3", "Selected hyperparameters, by fold") if settings else "",
        tabulate("Selected hyperparameters", settings).to_html() if settings else "",
        tag("details", tag("summary", "Reported runs"), tabulate("Runs", runs).to_html()) if runs else "",
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
