"""Findings about classes: which occur where, how often, and how long they last against the window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..durations import RARE, WindowFit
from ..findings import Finding
from ..recording import Dataset
from ..spec import describe_length
from .subject import SubjectQuality

#: The imbalance is reported if the rarest class has a smaller share than this of the majority class.
IMBALANCE = 0.02
#: Labelled subjects of whom less than this share of the time has a class, where others have more than half.
UNLABELLED = 0.01


def find_imbalance(dataset: Dataset, subjects: Sequence[SubjectQuality]) -> Iterator[Finding]:
    """Find classes that are absent, that one subject alone has, or that are very rare."""
    totals = {name: sum(subject.labelled[name] for subject in subjects) for name in dataset.spec.classes}
    subjects_of = {name: [row.subject for row in subjects if row.labelled[name] > 0] for name in dataset.spec.classes}
    absent = [name for name, having in subjects_of.items() if not having]
    if absent:
        text = f"{len(absent)} of {len(subjects_of)} classes do not occur: {', '.join(absent)}"
        yield Finding("warning", "class", text)
    for name, having in subjects_of.items():
        if len(having) == 1 and len(subjects) > 1:
            text = f"class {name} occurs in one subject only ({having[0]}): it cannot be tested on a new subject"
            yield Finding("warning", "class", text, having[0])
    present = {name: total for name, total in totals.items() if total > 0}
    if len(present) > 1:
        rare, common = min(present, key=present.__getitem__), max(present, key=present.__getitem__)
        if present[rare] < IMBALANCE * present[common]:
            text = (
                f"{rare} has {present[rare]:.0f} s, {common} {present[common]:.0f} s: macro-F1 depends on few samples"
            )
            yield Finding("note", "balance", text)
    elif len(dataset.spec.classes) == 1 and present:
        text = f"there is one class only ({next(iter(present))}): nothing can be told apart"
        yield Finding("error", "class", text)
    if present and len(subjects) > 1:
        for row in subjects:
            labelled = sum(row.labelled[name] for name in present)
            if labelled < UNLABELLED * row.seconds:
                text = f"subject {row.subject}: {labelled:.1f} of {row.seconds:.0f} s have a label"
                yield Finding("warning", "unlabelled", text, row.subject)


def find_swallowed(fit: WindowFit) -> Iterator[Finding]:
    """Find classes most of whose stretches are shorter than the window."""
    if not fit.swallowed:
        return
    total = sum(each.total for each in fit.classes)
    listed = ", ".join(f"{each.name} (median {each.median:.2g} s)" for each in fit.swallowed[:6])
    more = f" and {len(fit.swallowed) - 6} more" if len(fit.swallowed) > 6 else ""
    common = [each for each in fit.swallowed if each.total >= RARE * total]
    proposal = (
        f"; take a window of {describe_length(fit.proposed_window, fit.rate)} with a hop of "
        f"{describe_length(fit.proposed_hop, fit.rate)}"
        if fit.proposed_window < fit.window
        else ""
    )
    text = (
        f"a window of {describe_length(fit.window, fit.rate)} is longer than most stretches of {listed}{more}{proposal}"
    )
    yield Finding("warning" if common else "note", "window", text, count=len(fit.swallowed))
