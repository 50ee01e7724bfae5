"""One study under two protocols, side by side: how much a protocol flatters."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..evaluation import ConfusionMatrices, Interval, compare_variants
from ..evaluation.metrics import macro_f1
from .folder import differences
from .spec import Study
from .state import StudyState, read_study_state

#: What may differ between two studies that stand side by side.
FREE = ("name", "split.protocol", "score-test")


@dataclass(frozen=True)
class VariantGap:
    """A variant under both protocols.

    Args:
        variant: its name.
        role: as in the study's table.
        score: macro-F1 under the study's own protocol, of the subjects whom both tested.
        other: the same under the other protocol.
        difference: other minus own, with its interval over subjects and training runs; the subjects are the same on
        both
            sides, their windows are not.
    """

    variant: str
    role: str
    score: float
    other: float
    difference: Interval


@dataclass(frozen=True)
class ProtocolGap:
    """Two studies that differ in the protocol alone.

    Args:
        data: what both are about.
        protocol, other_protocol: of the study, and of the one beside it.
        leaks, other_leaks: whether subjects, or parts of their recordings, are on both sides of its split.
        subjects: how many subjects both tested; all scores here are of them.
        windows, other_windows: how many windows of theirs were tested.
        seeds: training runs of each variant and fold.
        rows: a variant each, in the table's order.
        left_out: variants without a score on one of the sides.
    """

    data: str
    protocol: str
    other_protocol: str
    leaks: bool
    other_leaks: bool
    subjects: int
    windows: int
    other_windows: int
    seeds: int
    rows: tuple[VariantGap, ...]
    left_out: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"interval": INTERVAL}


#: What the intervals are of, in a sentence.
INTERVAL = (
    "95 % intervals of the difference over other subjects and other training runs: subjects and seeds are redrawn, "
    "each subject with the windows that either protocol tested of them; the windows differ, so no test is made"
)


def compare_protocols(own: StudyState, other: StudyState) -> ProtocolGap:
    """A study beside one that differs in the protocol alone; both have scored their test subjects.

    Differences are of confusion counts pooled over the subjects whom both protocols tested. Each subject is drawn with
    the counts of both sides, and each seed with the runs of both, so what is hard about a subject does not widen the
    interval. Subjects are drawn within the folds of the protocol that has more of them, who share a model.

    Args:
        own: what the other is compared with, such as ``subjects:5``.
        other: such as ``published``.
    """
    _require_alike(own, other)
    sides = [_tested(each) for each in (own, other)]
    subjects = [name for name in sides[0].subjects if name in sides[1].subjects]
    if not subjects:
        raise UserError(f"{own.folder} and {other.folder} tested no subject in common.")
    finer = max(sides, key=lambda side: len(set(side.folds)))
    folds = tuple(finer.folds[finer.subjects.index(name)] for name in subjects)
    roles = {row.variant: row.role for row in own.results.rows if row.role != "teacher"}
    rows, left_out = [], []
    for name in roles:
        tables = [_of(side, name, subjects) for side in sides if name in side.variants]
        if len(tables) < 2 or not all((table.sum((-2, -1)) > 0).all() for table in tables):
            left_out.append(name)
            continue
        pair = ConfusionMatrices(
            ("own", "other"), sides[0].seeds, tuple(subjects), folds, sides[0].classes, np.stack(tables)
        )
        score, its = (float(macro_f1(table.sum(1)).mean()) for table in tables)
        found = compare_variants(pair, against="own").comparisons[0].difference
        rows.append(VariantGap(name, roles[name], score, its, found))
    if not rows:
        raise UserError(f"No variant has a score of the same subjects in {own.folder} and in {other.folder}.")
    tested = [int(_of(side, rows[0].variant, subjects)[0].sum()) for side in sides]
    return ProtocolGap(
        data=own.study.data.name,
        protocol=own.study.split.protocol,
        other_protocol=other.study.split.protocol,
        leaks=own.results.leaks,
        other_leaks=other.results.leaks,
        subjects=len(subjects),
        windows=tested[0],
        other_windows=tested[1],
        seeds=own.study.seeds,
        rows=tuple(rows),
        left_out=tuple(left_out),
    )


def read_protocol_gap(folder: str | Path, other: str | Path, *, data: str | Path | None = None) -> ProtocolGap:
    """Two studies' folders, opened and put side by side; see ``beside``."""
    own = read_study_state(folder, data=data)
    try:
        its = read_study_state(other, data=data)
        try:
            return compare_protocols(own, its)
        finally:
            its.store.close()
    finally:
        own.store.close()


def differing(own: Study, other: Study) -> dict[str, tuple[Any, Any]]:
    """Keys of two specifications that differ, with both values; what may differ is left out."""
    return {key: values for key, values in differences(own, other).items() if key not in FREE}


def _require_alike(own: StudyState, other: StudyState) -> None:
    differs = differing(own.study, other.study)
    if differs:
        said = "; ".join(f"{key} is {mine!r} and {its!r}" for key, (mine, its) in differs.items())
        raise UserError(f"{own.folder} and {other.folder} must differ in the protocol alone, but {said}.")
    if own.study.split.protocol == other.study.split.protocol:
        raise UserError(f"{own.folder} and {other.folder} have the same protocol, {own.study.split.protocol}.")
    if own.study_data.fingerprint != other.study_data.fingerprint:
        raise UserError(f"{own.folder} and {other.folder} were made from different windows.")


def _tested(record: StudyState) -> ConfusionMatrices:
    if record.results.compared is None:
        raise UserError(f"{record.folder} has not scored its test subjects: still study … --score-test.")
    found = record.confusion("test")
    assert found is not None
    return found


def _of(side: ConfusionMatrices, name: str, subjects: list[str]) -> Any:
    """(S, P, C, C) counts of a variant on these subjects."""
    at = [side.subjects.index(each) for each in subjects]
    return side.counts[side.number(name)][:, at]
