"""What failed, and what is needed to make a study again."""

from __future__ import annotations

import time

from .evidence import Evidence
from .markup import Html, items, joined, table, tag
from .wording import several


def failed(evidence: Evidence) -> Html:
    """Runs that failed with their reasons, and what has not been trained."""
    record = evidence.record
    reasons: dict[str, int] = {}
    for each in record.ended.values():
        if each.status == "failed":
            reasons[each.reason] = reasons.get(each.reason, 0) + 1
    said = [f"{several(count, 'run')}: {reason or 'no reason was kept'}" for reason, count in reasons.items()]
    waiting = record.store.unfinished()
    if waiting:
        runs = sum(len(squad.runs) for squad in waiting)
        said.append(f"{several(runs, 'run')} in {several(len(waiting), 'fleet')} are planned and have not ended.")
    missing = [line.name for line in evidence.lines if line.state in ("not trained", "partly")]
    if missing:
        said.append(f"Not trained, or not all of it: {', '.join(missing)}. Going on with the study trains only that.")
    if not said:
        return tag("p", "Nothing: every run came to its end.")
    return items(said)


def reproduce(evidence: Evidence) -> Html:
    """Command, specification, versions, fingerprints, looks at test subjects."""
    record, study = evidence.record, evidence.record.study
    scored = " --score-test" if evidence.tested and not study.score_test else ""
    command = f"still study study.toml --out {study.name}{scored}"
    if study.data.name != "simulated":
        command += " --data DIR"
    versions = record.store.versions()
    windows = record.ground.windows
    facts: list[tuple[str, object]] = [
        ("Data", f"{study.data.name}, fingerprint {record.ground.fingerprint}"),
        ("Windows", f"{len(windows):,}, fingerprint {windows.fingerprint}"),
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
            ", ".join(f"{k} {v:.3g}" for k, v in choice.trial.hyperparameters.items()) or "defaults",
            choice.trial.attention or "–",
        )
        for (name, fold), choice in sorted(record.choices.items())
        if choice is not None
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
        for (name, fold), each in sorted(record.finals.items())
        if name == line.name
        for run in dict.fromkeys(each)
    ]
    looks = []
    for at, count, subjects, why in record.store.looks():
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(at))
        looks.append(f"{when} UTC: {several(count, 'run')}, {several(subjects, 'subject', 'subjects')} ({why})")
    return joined(
        tag("p", "With the specification below in study.toml:"),
        tag("pre", command, tabindex="0"),
        tag("dl", *(joined(tag("dt", name), tag("dd", tag("code", value))) for name, value in facts)),
        tag("h3", "Looks at test subjects") if looks else "",
        items(looks),
        tag("h3", "Settings taken, by fold") if settings else "",
        table("Settings", ("variant", "fold", "hyperparameters", "attention"), settings) if settings else "",
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
                tag("p", f"Fold {number}: {side} {', '.join(fold.subjects(side))}")
                for number, fold in enumerate(record.ground.folds)
                for side in ("train", "validation", "test")
            ),
        ),
    )
