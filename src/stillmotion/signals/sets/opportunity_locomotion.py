"""Opportunity with locomotion labels (stand, walk, sit, lie), from the same files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..recording import Dataset
from . import opportunity

#: Code in column 244 to posture; there is no 3.
POSTURES = {1: "stand", 2: "walk", 4: "sit", 5: "lie"}

CARD = replace(
    opportunity.CARD,
    name="opportunity-locomotion",
    title="OPPORTUNITY Activity Recognition, locomotion",
    spec=opportunity.make_spec(tuple(POSTURES.values())),
    same_subjects_as=("opportunity",),
    quirks=(
        "Same files, units and missing samples as `opportunity`; only the labels come from another column.",
        *opportunity.CARD.quirks[:-1],
    ),
    folder="opportunity",
)
VERSION = opportunity.VERSION
files = opportunity.files
counts = opportunity.counts


def read(folder: Path, device: str = "") -> Dataset:
    """Read the five units with locomotion as labels."""
    codes = {code: number for number, code in enumerate(POSTURES)}
    return opportunity.read_labelled(folder, CARD, opportunity.LOCOMOTION, codes)
