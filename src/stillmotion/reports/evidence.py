"""What a report rests on: a study's results, costs and counts, brought together once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..evaluation import (
    ComparedVariants,
    Comparison,
    ConfusionMatrices,
    Interval,
    Reliability,
    accuracy,
    compare_variants,
)
from ..networks import Cost, network_cost
from ..studies import Results, Row, StudyState
from ..studies.protocol_gap import ProtocolGap
from ..studies.runs import Run
from ..studies.scoring import pooled_reliability
from ..studies.teachers import model_of


@dataclass(frozen=True)
class Line:
    """A variant or a teacher as the report shows it.

    Args:
        row: of the study's table.
        f1: macro-F1 of test subjects, or of validation subjects while nobody has been tested; its interval where there
        is
            one.
        accuracy: of the same subjects.
        cost: of its network, None where it was not trained or there is none (baselines).
        comparison: with the reference.
        state: ``done``, ``partly``, ``failed`` or ``not trained``.
    """

    row: Row
    f1: Interval | None
    accuracy: float | None
    cost: Cost | None
    comparison: Comparison | None
    state: str

    @property
    def name(self) -> str:
        """Of the variant or the teacher."""
        return self.row.variant

    @property
    def role(self) -> str:
        """``reference``, ``variant``, ``control``, ``baseline`` or ``teacher``."""
        return self.row.role


@dataclass(frozen=True, eq=False)
class Evidence:
    """A study's record with everything that figures and words need.

    Args:
        record: the study's folder, opened.
        published: whether the sources' published figures are shown beside ours.
        beside: the same study under another protocol, if one stands beside it.
    """

    record: StudyState
    published: bool = False
    beside: ProtocolGap | None = None

    @property
    def results(self) -> Results:
        """The study's table."""
        return self.record.results

    @property
    def tested(self) -> bool:
        """Whether test subjects have been scored."""
        return self.results.compared is not None

    @property
    def subjects(self) -> str:
        """Who the scores are of, in words."""
        return f"{self.results.subjects} test subjects" if self.tested else "validation subjects"

    @cached_property
    def tally(self) -> ConfusionMatrices | None:
        """Counts of test subjects, or of validation subjects while nobody has been tested."""
        return self.record.tally("test" if self.tested else "validation")

    @cached_property
    def compared(self) -> ComparedVariants | None:
        """The statistics on the same subjects."""
        if self.results.compared is not None or self.tally is None:
            return self.results.compared
        reference = self.results.reference
        against = reference if reference in self.tally.variants else None
        return compare_variants(self.tally, against=against, apart=self.record.study.baselines)

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Every variant and teacher, in the table's order."""
        return tuple(self._line(row) for row in self.results.rows)

    @property
    def students(self) -> tuple[Line, ...]:
        """The variants and baselines that have a score."""
        return tuple(line for line in self.lines if line.role != "teacher" and line.f1 is not None)

    @property
    def scored(self) -> tuple[Line, ...]:
        """Variants and teachers that have a score."""
        return tuple(line for line in self.lines if line.f1 is not None)

    @property
    def reference(self) -> Line | None:
        """What variants are compared with, if it has a score."""
        return next((line for line in self.students if line.name == self.results.reference), None)

    @cached_property
    def first_runs(self) -> Mapping[str, Run]:
        """A run of each variant and teacher that is a network, of its first fold."""
        found: dict[str, Run] = {}
        for (name, _), runs in sorted(self.record.finals.items(), key=lambda item: item[0][1]):
            if runs and not runs[0].classical:
                found.setdefault(name, runs[0])
        for name, members in self.record.teachers.items():
            found.setdefault(name, members[min(members)][0])
        return found

    @cached_property
    def histories(self) -> Mapping[str, list[list[dict[str, float]]]]:
        """Loss terms and validation scores by epoch, of every reported network of each variant and teacher."""
        store = self.record.store
        found: dict[str, list[list[dict[str, float]]]] = {}
        for (name, _), runs in self.record.finals.items():
            found.setdefault(name, []).extend(store.history(run.id) for run in runs if not run.classical)
        for name, members in self.record.teachers.items():
            every = dict.fromkeys(run for runs in members.values() for run in runs)
            found[name] = [store.history(run.id) for run in every]
        return {name: rows for name, each in found.items() if (rows := [row for row in each if row])}

    @cached_property
    def reliabilities(self) -> Mapping[str, Reliability]:
        """How far the confidence of each variant and lone teacher held, its reported runs and all subjects together."""
        counts = self.record.store.counts("test-confidence" if self.tested else "validation-confidence")
        found: dict[str, list[Run]] = {}
        for (name, _), runs in self.record.finals.items():
            found.setdefault(name, []).extend(runs)
        for name, members in self.record.teachers.items():
            found[name] = [run for runs in members.values() for run in runs]
        return {
            name: pooled_reliability(table for run in runs for table in counts[run.id].values())
            for name, runs in found.items()
            if runs and all(run.id in counts for run in runs)
        }

    def _line(self, row: Row) -> Line:
        compared = self.compared
        standing = compared and next((one for one in compared.standings if one.variant == row.variant), None)
        comparison = compared and next((one for one in compared.comparisons if one.variant == row.variant), None)
        f1, right = row.test, row.accuracy
        if standing:
            f1, right = standing.macro_f1, standing.accuracy
        elif f1 is None and row.validation is not None and not self.tested:
            f1, right = Interval(row.validation, None, None, 0, 0.95), self._teacher_accuracy(row.variant)
        run = self.first_runs.get(row.variant)
        return Line(
            row,
            f1,
            right,
            None if run is None else network_cost(model_of(run, self.record.ground)),
            comparison or None,
            self._state(row, f1),
        )

    def _teacher_accuracy(self, name: str) -> float | None:
        """On validation subjects, pooled over folds."""
        counts = self.record.store.counts("validation")
        runs = [run for each in self.record.teachers.get(name, {}).values() for run in each]
        if not runs or any(run.id not in counts for run in runs):
            return None
        tables = [table for run in runs for table in counts[run.id].values()]
        return float(accuracy(np.sum(tables, axis=0)))

    def _state(self, row: Row, f1: Interval | None) -> str:
        if row.role == "teacher":
            return "done" if f1 is not None else "not scored"
        wanted = row.seeds * len(self.record.ground.folds)
        there = sum(len(runs) for (name, _), runs in self.record.finals.items() if name == row.variant)
        if there >= wanted and f1 is not None:
            return "done"
        if there:
            return "partly"
        return "failed" if self.record.failures(row.variant) else "not trained"
