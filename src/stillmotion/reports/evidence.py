"""The data of a report: results, costs and confusion matrices of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..evaluation import (
    ComparedVariants,
    ConfusionMatrices,
    Interval,
    Reliability,
    accuracy,
    compare_variants,
)
from ..networks import Cost
from ..studies import Results, Row, StudyState
from ..studies.protocol_gap import ProtocolGap
from ..studies.results import compute_results, cost_of, reliability_of
from ..studies.runs import Run
from .results import results_columns, results_table
from .table import Table


@dataclass(frozen=True, eq=False)
class Evidence:
    """A study's folder with everything that figures and text need.

    Args:
        record: the opened folder of the study.
        published: whether the published results of Agac & Incel are shown too.
        beside: the comparison with the same study under another protocol, if there is one.
    """

    record: StudyState
    published: bool = False
    beside: ProtocolGap | None = None

    @cached_property
    def results(self) -> Results:
        """The study's table."""
        return compute_results(self.record)

    @property
    def tested(self) -> bool:
        """Whether the test set has been evaluated."""
        return self.results.compared is not None

    @property
    def subjects(self) -> str:
        """Name the subjects that the scores are of."""
        return f"{self.results.subjects} test subjects" if self.tested else "validation subjects"

    @cached_property
    def confusion(self) -> ConfusionMatrices | None:
        """Confusion matrices of the test subjects, or of the validation subjects before the test set is evaluated."""
        return self.record.confusion("test" if self.tested else "validation")

    @cached_property
    def compared(self) -> ComparedVariants | None:
        """The statistics on the same subjects."""
        if self.results.compared is not None or self.confusion is None:
            return self.results.compared
        reference = self.results.reference
        against = reference if reference in self.confusion.variants else None
        return compare_variants(self.confusion, against=against, apart=self.record.study.baselines)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Every variant and teacher in the table's order; before the test, with scores of the validation subjects."""
        return self.results.rows if self.tested else tuple(self._with_validation(row) for row in self.results.rows)

    @property
    def students(self) -> tuple[Row, ...]:
        """The variants and baselines that have a score."""
        return tuple(row for row in self.scored if row.kind != "teacher")

    @property
    def scored(self) -> tuple[Row, ...]:
        """Variants, baselines and teachers that have a score."""
        return tuple(row for row in self.rows if row.macro_f1 is not None)

    @property
    def networks(self) -> tuple[Row, ...]:
        """Variants and teachers that are networks and have a score."""
        return tuple(row for row in self.scored if row.variant in self.costs)

    @property
    def reference(self) -> Row | None:
        """The variant that others are compared with, if it has a score."""
        return next((row for row in self.students if row.variant == self.results.reference), None)

    @cached_property
    def costs(self) -> Mapping[str, Cost]:
        """Cost of the network of each trained variant and teacher."""
        return {
            row.variant: cost_of(self.record, self.first_runs[row.variant])
            for row in self.rows
            if row.variant in self.first_runs
        }

    @cached_property
    def states(self) -> Mapping[str, str]:
        """State of each row: ``done``, ``partly``, ``failed``, ``not trained`` or, of a teacher, ``not scored``."""
        return {row.variant: self._state(row) for row in self.rows}

    @property
    def table(self) -> Table[Row]:
        """The table of results, with the state of rows that are not done."""
        return replace(results_table(self.results), columns=results_columns(self.states), rows=self.rows)

    @cached_property
    def first_runs(self) -> Mapping[str, Run]:
        """The first run of the first fold of each variant and teacher that is a network."""
        first: dict[str, Run] = {}
        for (name, _), runs in sorted(self.record.reported.items(), key=lambda item: item[0][1]):
            if runs and runs[0].kind == "network":
                first.setdefault(name, runs[0])
        for name, members in self.record.trained_teachers.items():
            networks = [run for run in members[min(members)] if run.kind == "network"]
            if networks:
                first.setdefault(name, networks[0])
        return first

    @cached_property
    def histories(self) -> Mapping[str, list[list[dict[str, float]]]]:
        """Loss terms and validation scores by epoch, of every reported network of each variant and teacher."""
        store = self.record.store
        histories: dict[str, list[list[dict[str, float]]]] = {}
        for (name, _), runs in self.record.reported.items():
            histories.setdefault(name, []).extend(store.history(run.id) for run in runs if run.kind == "network")
        for name, members in self.record.trained_teachers.items():
            every = dict.fromkeys(run for runs in members.values() for run in runs)
            histories[name] = [store.history(run.id) for run in every]
        return {name: rows for name, each in histories.items() if (rows := [row for row in each if row])}

    @cached_property
    def reliabilities(self) -> Mapping[str, Reliability]:
        """Calibration of each variant and single teacher, pooled over its reported runs and all subjects."""
        split = "test" if self.tested else "validation"
        members: dict[str, list[tuple[Run, ...]]] = {}
        for (name, _), runs in self.record.reported.items():
            members.setdefault(name, []).extend((run,) for run in runs)
        for name, by_fold in self.record.trained_teachers.items():
            members[name] = list(by_fold.values())
        reliabilities = {name: reliability_of(self.record, each, split) for name, each in members.items()}
        return {name: each for name, each in reliabilities.items() if each is not None}

    def _with_validation(self, row: Row) -> Row:
        compared = self.compared
        score = compared and next((each for each in compared.standings if each.variant == row.variant), None)
        if not compared or not score:
            if row.validation is None:
                return row
            interval = Interval(row.validation, None, None, 0, 0.95)
            return replace(row, macro_f1=interval, accuracy=self._teacher_accuracy(row.variant))
        row = replace(row, macro_f1=score.macro_f1, accuracy=score.accuracy)
        gap = next((each for each in compared.comparisons if each.variant == row.variant), None)
        if gap is None:
            return row
        tests: dict[str, Any] = {"p": gap.p_adjusted, "verdict": gap.verdict, "not_inferior": gap.not_inferior}
        return replace(row, gain=gap.difference, **tests)

    def _teacher_accuracy(self, name: str) -> float | None:
        """Accuracy of a teacher on the validation subjects, pooled over folds."""
        matrices = (
            self.record.confusion_of_teacher(name, "validation") if name in self.record.trained_teachers else None
        )
        return None if matrices is None else float(accuracy(np.sum(matrices.counts, axis=(0, 1, 2))))

    def _state(self, row: Row) -> str:
        if row.kind == "teacher":
            return "done" if row.macro_f1 is not None else "not scored"
        wanted = row.seeds * len(self.record.index.folds)
        finished = sum(len(runs) for (name, _), runs in self.record.reported.items() if name == row.variant)
        if finished >= wanted and row.macro_f1 is not None:
            return "done"
        if finished:
            return "partly"
        return "failed" if row.failed else "not trained"
