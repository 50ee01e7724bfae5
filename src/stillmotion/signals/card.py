"""Data set cards: source, licence, signal contract, published counts and known irregularities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .spec import SignalSpec


@dataclass(frozen=True)
class Card:
    """Describe a data set.

    Args:
        name: lower-case, with hyphens; also the name of its folder.
        title, authors, year, citation, licence, url: as its publisher states them.
        subjects: number of subjects in the whole set.
        placement: where the devices were worn, in words.
        spec: the signal as published, with the window used in its papers.
        layout: the publisher's files, as patterns below the folder.
        counts: published counts, checked by ``fetch`` (``samples``, ``windows`` … or class names).
        official_test: test subjects of the official split (empty: no official split).
        same_subjects_as: other data sets recorded from the same subjects.
        transitions: classes that are transitions between others, whose scores are shown apart.
        devices: positions that are read one at a time, the first by default (empty: all at once).
        quirks: irregularities of the files, one sentence each.
        download: address of the publisher's archive (empty: none).
        folder: name of the folder that holds the files, when it is not the data set's own.
        package: requirement of the Python package that carries the files (empty: none does).
        package_folder: their folder in it, from the package's name on.
    """

    name: str
    title: str
    authors: str
    year: int
    citation: str
    licence: str
    url: str
    subjects: int
    placement: str
    spec: SignalSpec
    layout: tuple[str, ...]
    counts: Mapping[str, int] = field(default_factory=dict)
    official_test: tuple[str, ...] = ()
    same_subjects_as: tuple[str, ...] = ()
    transitions: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    quirks: tuple[str, ...] = ()
    download: str = ""
    folder: str = ""
    package: str = ""
    package_folder: str = ""

    @property
    def protocols(self) -> tuple[str, ...]:
        """Protocols that this data set offers."""
        return ("random", *(("official",) if self.official_test else ()), "subjects:k", "loso")
