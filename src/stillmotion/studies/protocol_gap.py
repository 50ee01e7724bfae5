"""Compare a study under two protocols, such as a subject-wise and a leaky one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..evaluation import ConfusionMatrices, Interval, compare_variants
from ..evaluation.metrics import macro_f1
from ..windows.splits import resolve_protocol
from .folder import differences
from .results import compute_results
from .spec import Study
from .state import StudyState, read_study_state

#: Keys that may differ between the two studies.
FREE = ("name", "split.protocol", "score-test")


@dataclass(frozen=True)
class VariantGap:
    """A variant under both protocols.

    Args:
        variant: its name.
        kind: as in the table of results.
        score: macro-F1 under the protocol of the study, on the subjects that both protocols test.
        other: macro-F1 under the other protocol.
        difference: other minus score, with its interval over subjects and training runs; both are of the same
            subjects, but not of the same windows.
    """

    variant: str
    kind: str
    score: float
    other: float
    difference: Interval


@dataclass(frozen=True)
class ProtocolGap:
    """The comparison of two studies that differ only in the protocol.

    Args:
        data: name of the data set.
        protocol, other_protocol: of the two studies.
        leaks, other_leaks: whether subjects, or parts of their recordings, are in both train and test.
        subjects: number of subjects that both protocols test; all scores are of them.
        windows, other_windows: number of their test windows.
        seeds: training runs per variant and fold.
        rows: a row for each variant, in the order of the table.
        left_out: variants without a score under one of the protocols.
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


#: Explanation of the intervals.
INTERVAL = (
    "95 % intervals of the difference over subjects and training runs: subjects and seeds are resampled, each subject "
    "with its test windows under both protocols; the windows differ, so there is no significance test"
)


def compare_protocols(own: StudyState, other: StudyState) -> ProtocolGap:
    """Compare two studies that differ only in the protocol; both must have evaluated their test subjects.

    Differences are of confusion matrices pooled over the subjects that both protocols test. The bootstrap is paired:
    a subject is drawn with its matrices under both protocols, a seed with the runs of both. Subjects are drawn within
    the folds of the protocol with more folds.

    Args:
        own: the study to compare with, such as under ``subjects:5``.
        other: the other study, such as under ``published``.

    Returns:
        Scores under both protocols and their differences, a row for each variant.

    Raises:
        UserError: the studies differ in more than the protocol, or one has not evaluated its test subjects.

    Example:
        After the example of ``read_protocol_gap``; a state also serves what its results do not hold:

        >>> from stillmotion.studies import compare_protocols, read_study_state
        >>> with read_study_state("tiny") as own, read_study_state("leaky") as leaky:
        ...     gap = compare_protocols(own, leaky)
        ...     print(leaky.index.leaks != (), gap.leaks, gap.other_leaks)
        True False True
    """
    _require_alike(own, other)
    matrices = [_test_matrices(each) for each in (own, other)]
    subjects = [name for name in matrices[0].subjects if name in matrices[1].subjects]
    if not subjects:
        raise UserError(f"{own.folder} and {other.folder} have no test subject in common.")
    finer = max(matrices, key=lambda each: len(set(each.folds)))
    folds = tuple(finer.folds[finer.subjects.index(name)] for name in subjects)
    kinds = {row.variant: row.kind for row in compute_results(own).rows if row.kind != "teacher"}
    rows, left_out = [], []
    for name in kinds:
        tables = [_counts_of(each, name, subjects) for each in matrices if name in each.variants]
        if len(tables) < 2 or not all((table.sum((-2, -1)) > 0).all() for table in tables):
            left_out.append(name)
            continue
        pair = ConfusionMatrices(
            ("own", "other"), matrices[0].seeds, tuple(subjects), folds, matrices[0].classes, np.stack(tables)
        )
        score, other_score = (float(macro_f1(table.sum(1)).mean()) for table in tables)
        difference = compare_variants(pair, against="own").comparisons[0].difference
        rows.append(VariantGap(name, kinds[name], score, other_score, difference))
    if not rows:
        raise UserError(f"No variant has scores of the same subjects in both {own.folder} and {other.folder}.")
    tested = [int(_counts_of(each, rows[0].variant, subjects)[0].sum()) for each in matrices]
    return ProtocolGap(
        data=own.study.data.name,
        protocol=own.study.split.protocol,
        other_protocol=other.study.split.protocol,
        leaks=bool(own.index.leaks),
        other_leaks=bool(other.index.leaks),
        subjects=len(subjects),
        windows=tested[0],
        other_windows=tested[1],
        seeds=own.study.seeds,
        rows=tuple(rows),
        left_out=tuple(left_out),
    )


def read_protocol_gap(folder: str | Path, other: str | Path) -> ProtocolGap:
    """Open the folders of two studies and compare them; see ``compare_protocols``.

    Args:
        folder: of the study to compare with.
        other: folder of the other study.

    Returns:
        Scores under both protocols and their differences, a row for each variant.

    Raises:
        UserError: a folder holds no study, or the two cannot be compared.

    Example:
        After the example of ``run_study``:

        >>> from dataclasses import replace
        >>> from stillmotion.studies import Split, read_protocol_gap, run_study
        >>> for each in (study, replace(study, name="leaky", split=Split("random", folds=1))):
        ...     results = run_study(each, each.name, data=data, score_test=True, quiet=True)
        >>> gap = read_protocol_gap("tiny", "leaky")
        >>> gap.protocol, gap.other_protocol, gap.subjects
        ('subjects:3', 'random', 2)
        >>> [row.variant for row in gap.rows if row.difference.low is not None]
        ['lm', 'majority']
    """
    with read_study_state(folder) as own, read_study_state(other) as other_state:
        return compare_protocols(own, other_state)


def differing(own: Study, other: Study) -> dict[str, tuple[Any, Any]]:
    """Return the keys in which two specifications must not differ but do, with both values."""
    return {key: values for key, values in differences(own, other).items() if key not in FREE}


def _require_alike(own: StudyState, other: StudyState) -> None:
    differs = differing(own.study, other.study)
    if differs:
        keys = "; ".join(f"{key} is {first!r} and {second!r}" for key, (first, second) in differs.items())
        raise UserError(f"{own.folder} and {other.folder} must differ only in the protocol, but {keys}.")
    if resolve_protocol(own.study.split.protocol) == resolve_protocol(other.study.split.protocol):
        raise UserError(f"{own.folder} and {other.folder} have the same protocol, {own.study.split.protocol}.")
    if own.index.fingerprint != other.index.fingerprint:
        raise UserError(f"{own.folder} and {other.folder} were made from different windows.")


def _test_matrices(state: StudyState) -> ConfusionMatrices:
    matrices = state.confusion("test") if state.tested else None
    if matrices is None:
        raise UserError(
            f"The test subjects of {state.folder} have not been evaluated: run still study … --score-test first."
        )
    return matrices


def _counts_of(matrices: ConfusionMatrices, name: str, subjects: list[str]) -> Any:
    """Return the counts (S, P, C, C) of a variant on these subjects."""
    at = [matrices.subjects.index(each) for each in subjects]
    return matrices.counts[matrices.number(name)][:, at]
