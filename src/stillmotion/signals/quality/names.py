"""Findings about names: classes that are almost spelt alike, subjects under two spellings."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

import numpy as np

from ..findings import Finding, list_names
from ..recording import Dataset
from .subject import SubjectQuality

#: A class with at most this share of another's samples, and a name at least this similar, may be misspelt.
MISSPELT_SHARE, MISSPELT_LIKENESS = 0.1, 0.8


def find_misspelt(dataset: Dataset, subjects: Sequence[SubjectQuality]) -> Iterator[Finding]:
    """Find pairs of classes whose names differ by a letter or by separators: probably one class.

    A pair is reported if one of the two is rare, or if no source (a file, a session of a subject) has both: then one
    person or file spells it differently.
    """
    totals = {name: sum(subject.labelled[name] for subject in subjects) for name in dataset.spec.classes}
    sources = _sources_of_classes(dataset)
    for rare, common in itertools.combinations(sorted(totals, key=lambda name: totals[name]), 2):
        if not totals[rare] or not _are_alike(rare, common):
            continue
        apart = len(sources[common]) > 1 and not sources[rare] & sources[common]
        if totals[rare] > MISSPELT_SHARE * totals[common] and not apart:
            continue
        where = f", only in {list_names(sorted(sources[rare]), 3)}" if apart else ""
        text = (
            f"class {rare} ({totals[rare]:.0f} s{where}) has almost the same name as {common} ({totals[common]:.0f} s)"
        )
        owners = [each.subject for each in subjects if each.labelled[rare] > 0]
        subject = owners[0] if len(owners) == 1 else ""
        yield Finding("warning", "spelling", f"{text}: rename it if they are the same", subject, column=rare)


def _are_alike(one: str, other: str) -> bool:
    if one.isdigit() or other.isdigit():
        return False
    plain, other_plain = (re.sub(r"[\W_]+", "", name).casefold() for name in (one, other))
    if plain == other_plain:
        return True
    numbered = any(letter.isdigit() for letter in one + other)
    if numbered or abs(len(plain) - len(other_plain)) > 1 or min(len(plain), len(other_plain)) < 3:
        return False
    return SequenceMatcher(None, one.lower(), other.lower()).ratio() >= MISSPELT_LIKENESS


def _sources_of_classes(dataset: Dataset) -> dict[str, set[str]]:
    sources: dict[str, set[str]] = {name: set() for name in dataset.spec.classes}
    for recording in dataset.recordings:
        for code in np.unique(recording.labels).tolist():
            if code >= 0:
                sources[dataset.spec.classes[code]].add(recording.source)
    return sources


def find_double_subjects(dataset: Dataset) -> Iterator[Finding]:
    """Find subjects whose names differ only in case, leading zeros or separators: probably one subject."""
    alike: dict[str, list[str]] = {}
    for name in dataset.subjects:
        alike.setdefault(reduce_subject(name), []).append(name)
    for names in alike.values():
        if len(names) > 1:
            text = (
                f"subjects {' and '.join(names)} are probably one, who would be both trained and tested on; rename "
                f"one with rename-subject in a mapping, or give them different names"
            )
            yield Finding("warning", "subjects", text, names[0], count=len(names))


def reduce_subject(name: str) -> str:
    """Reduce a subject's name to what two spellings of it share."""
    parts = re.findall(r"\d+|[^\W\d_]+", name.casefold())
    return " ".join(part.lstrip("0") or "0" if part.isdigit() else part for part in parts) or name
