"""What became of teachers that learnt beside their students, and what was learnt beside both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..evaluation import Interval, Tally, compare
from ..methods import Method, method
from ..networks import build
from ..training.functional import Functional
from ..training.lesson import Beside, teacher_network
from .leads import teachers_by_fold
from .plan import Planner
from .runs import Run
from .scoring import Counts, by_person
from .selection import Choice, Key
from .store import Store
from .teachers import model_of

#: Marks the counts of a run's teacher: ``validation/teacher`` beside ``validation``.
TEACHER = "/teacher"


@dataclass(frozen=True)
class Partner:
    """A teacher that learnt beside the students of a variant, on the people who are reported.

    Args:
        variant: of the students.
        teacher: the network.
        score: its macro-F1 after that, pooled over people, mean over seeds.
        alone: of the same network trained alone, as other variants' teacher; None where it is not one run a fold.
        change: the first minus the second.
        learnt: what was learnt beside both networks, by name: mean over runs and standard deviation.
    """

    variant: str
    teacher: str
    score: Interval
    alone: Interval | None
    change: Interval | None
    learnt: Mapping[str, tuple[float, float]]

    def __str__(self) -> str:
        said = f"{self.variant}: {self.teacher} beside its students {_words(self.score)}"
        if self.alone is None or self.change is None:
            return said
        return f"{said}, trained alone {_words(self.alone)}: {_words(self.change, sign='+')} points"


def partners_of(
    planner: Planner,
    store: Store,
    choices: Mapping[Key, Choice | None],
    finals: Mapping[Key, Sequence[Run]],
    side: str,
) -> list[Partner]:
    """The teacher of every variant in which both learn, on the people of ``side``."""
    after, before, learnt = store.counts(side + TEACHER), store.counts(side), store.learnt()
    found = []
    for name, variant in planner.study.all_variants.items():
        runs = {fold: each for (own, fold), each in finals.items() if own == name}
        every = [run for each in runs.values() for run in each]
        if not method(variant.method).trains_teacher or not every or any(run.id not in after for run in every):
            continue
        own = {key: choice for key, choice in choices.items() if key[0] == name}
        ((network, members),) = teachers_by_fold(planner, own).items()
        people = [(fold, person) for fold in runs for person in planner.ground.folds[fold].people(side)]
        beside = np.stack(
            [
                [after[run.id][person] for fold, person in people for run in [runs[fold][seed]]]
                for seed in range(planner.study.seeds)
            ]
        )
        sides = {"beside": beside}
        lone = all(len(each) == 1 and each[0].id in before for each in members.values())
        if lone:
            alone = np.stack([before[members[fold][0].id][person] for fold, person in people])
            sides["alone"] = np.stack([alone] * planner.study.seeds)
        tally = Tally(
            tuple(sides),
            tuple(range(planner.study.seeds)),
            tuple(str(number) for number in range(len(people))),
            tuple(str(fold) for fold, _ in people),
            planner.ground.windows.spec.classes,
            np.stack(list(sides.values())),
        )
        compared = compare(tally, against="alone" if lone else None)
        scores = {each.variant: each.macro_f1 for each in compared.standings}
        change = compared.comparisons[0].difference if lone else None
        found.append(
            Partner(
                name, network, scores["beside"], scores.get("alone"), change, _spread(learnt, [r.id for r in every])
            )
        )
    return found


class Partners:
    """Looks at the teachers that learnt beside their students."""

    def __init__(self, planner: Planner, store: Store) -> None:
        self.planner, self.store = planner, store
        self._networks: dict[tuple[str, ...], Functional] = {}
        self._teachers = {run.id: run for run in planner.all_teachers()}

    def count(self, runs: Sequence[Run], side: str) -> None:
        """Keep confusion counts of their teachers on people of ``side``, and what was learnt beside, where lacking."""
        there, ground = self.store.counts(side + TEACHER), self.planner.ground
        fresh: dict[str, dict[str, Counts]] = {}
        learnt: dict[str, dict[str, float]] = {}
        for run in dict.fromkeys(runs):
            if run.classical:
                continue
            way = method(run.method, **run.options)
            kept = self.store.partner(run.id) if way.trains_teacher and run.id not in there else None
            if kept is None:
                continue
            weights, state, extras = kept
            network = self._network(self._teachers[run.teachers[0]], way)
            rows = ground.folds[run.fold].side(side)
            logits = network.answers(weights, state, ground.values[rows])["logits"]
            fresh[run.id] = by_person(ground.labels, logits, rows, ground)
            if way.learnt is not None:
                learnt[run.id] = self._learnt(run, way, network, extras)
        if fresh:
            self.store.add_counts(side + TEACHER, fresh)
            self.store.add_learnt(learnt)

    def _learnt(self, run: Run, way: Method, teacher: Functional, extras: np.ndarray) -> dict[str, float]:
        assert way.learnt is not None
        student = teacher_network(model_of(run, self.planner.ground), way).tap_shapes
        beside = Beside(way.draw_extras(student, teacher.tap_shapes, 0))
        numbers = {name: float(run.numbers.get(name, number.default)) for name, number in way.numbers.items()}
        return way.learnt(beside.named(extras), numbers, student, teacher.tap_shapes)

    def _network(self, run: Run, way: Method) -> Functional:
        key = (run.network, run.attention, run.recurrence, way.name)
        if key not in self._networks:
            model = build(run.network, self.planner.ground.windows.spec, seed=0, **run.options_of_network)
            self._networks[key] = teacher_network(model, way)
        return self._networks[key]


def _spread(learnt: Mapping[str, Mapping[str, float]], runs: Sequence[str]) -> dict[str, tuple[float, float]]:
    there = [learnt[run] for run in runs if run in learnt]
    names = there[0] if there else {}
    columns = {name: [each[name] for each in there] for name in names}
    return {
        name: (float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0)
        for name, values in columns.items()
    }


def _words(given: Interval, *, sign: str = "") -> str:
    said = f"{100 * given.score:{sign}.1f}"
    if given.low is None or given.high is None:
        return said
    return f"{said} [{100 * given.low:{sign}.1f}, {100 * given.high:{sign}.1f}]"
