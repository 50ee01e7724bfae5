"""Run a study: teachers, trials, selection, final seeds, scores; only what is missing, whoever else is at it."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from ..bundles import Bundle
from ..evaluation import Predictions, write_predictions
from ..files import name_write_errors, sweep_drafts
from ..interrupts import raised_again
from ..methods import IncompatibleNetworks
from ..names import make_visible
from ..training.memory import on_accelerator
from ..training.progress import Progress
from ..training.teacher import UselessTeacher
from . import classical
from .baselines import Baseline
from .co_trained import count_co_trained_teachers
from .data import StudyData, load_study_data
from .feasible import require_feasible
from .folder import require_folder, require_still_own, take_folder
from .jobs import prepare_job, train_job
from .plan import Planner
from .runs import FleetPlan, Run
from .scoring import Evaluator
from .search import Trial, count_trials
from .selection import Key, Selection, final_runs, plan_trials, run_of, select_trials
from .spec import Study
from .state import derive_state
from .store import DamagedFleet, Store
from .table import Results
from .teacher_gap import count_teachers, teachers_by_fold
from .teachers import TeacherCache, read_scores

Rows = NDArray[np.int64]
Logits = NDArray[np.float32]
#: Seconds between two looks at fleets that another process trains.
PAUSE = 1.0


@dataclass
class Runner:
    """A study in its folder.

    Args:
        study: the specification.
        folder: where everything goes.
        data: the folder of recordings.
        quiet: say nothing.
        ray: address of a Ray cluster that trains in this process' place.
        every: seconds between two checkpoints of a fleet.
        more: the study may add to the one that the folder belongs to, such as seeds or variants.

    A runner holds files open; ``close`` it, or use it in a ``with`` statement.
    """

    study: Study
    folder: Path
    data: Path | None = None
    quiet: bool = False
    ray: str = ""
    every: float = 60.0
    more: bool = False
    said: set[str] = field(default_factory=set, init=False)
    mended: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        # Before recordings are read, which may take minutes; what counts is asked again when they are.
        require_folder(self.folder, self.study, more=self.more)
        self.study_data: StudyData = load_study_data(self.study, data=self.data)
        scores, checksum = None, ""
        if self.study.scores is not None:
            scores, checksum = read_scores(self.study.scores, self.study_data)
        self.planner = Planner(self.study, self.study_data, checksum, on_accelerator())
        require_feasible(self.planner)
        self.store = Store(self.folder)
        sweep_drafts(self.folder, *(self.folder / name for name in ("fleets", "predictions", "models")))
        self.teacher_cache = TeacherCache(self.planner, self.store, scores)
        self.evaluator = Evaluator(self.planner, self.store)
        try:
            take_folder(self.store, self.study, self.study_data.fingerprint, self.study_data.leaks, more=self.more)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder's files."""
        self.store.close()

    def run(self, *, score_test: bool = False) -> Results:
        """Do what is missing, then the table; a fleet whose weights are damaged is trained anew."""
        with raised_again():
            for damage in self.store.damaged():
                self._mend(damage)
            while True:
                try:
                    return self._run(score_test)
                except DamagedFleet as damage:
                    self._mend(damage)

    def _mend(self, damage: DamagedFleet) -> None:
        if damage.fleet in self.mended:
            raise damage
        self.mended.add(damage.fleet)
        self._say(f"{damage.path} {damage.why}: that fleet is trained anew")
        self.store.forget(damage.fleet)

    def _run(self, score_test: bool) -> Results:
        outdated = self.store.outdated()
        if outdated:
            counts = ", ".join(f"{count} of {name}" for name, count in outdated.items())
            self._say(f"runs that were trained with other code no longer count: {counts}")
        trial = self._try()
        choices = select_trials(self.planner, trial, self.store.ended())
        self._finish(choices)
        self._count(choices)
        require_still_own(self.store, self.study, self.study_data.fingerprint)
        if score_test or self.study.score_test:
            self._score(choices)
        return self.results()

    def results(self) -> Results:
        """The table of what there is, whether or not all of it is there."""
        return derive_state(self.folder, self.planner, self.store).results

    # Phases.

    def _try(self) -> dict[Key, list[Trial]]:
        while True:
            trial, complete = plan_trials(self.planner, self.store.ended())
            planned = [(name, fold, each) for (name, fold), made in trial.items() for each in made]
            self._train("teachers", [run for each in planned for run in self._assistant_teachers_of(*each)])
            self._train("teachers", [run for each in planned for run in self._teachers_of(*each)])
            # Only now: a teacher whose weights were lost is trained anew, though all of its students are done.
            if complete:
                return trial
            runs = [run_of(self.planner, *each) for each in planned]
            if count_trials(self.study) == 1:
                # Nothing is chosen, so the final seeds join the same fleets.
                seeds = range(1, self.study.seeds)
                runs = [run for each in planned for run in (run_of(self.planner, *each), *self._again(*each, seeds))]
            self._train("trials", runs)

    def _finish(self, choices: dict[Key, Selection | None]) -> None:
        self._train("seeds", [run for runs in final_runs(self.planner, choices).values() for run in runs])

    def _count(self, choices: dict[Key, Selection | None]) -> None:
        """Answers to validation windows, of students and teachers."""
        self.evaluator.count(self._able(choices), "validation")
        ended = self.store.ended()
        self.evaluator.count(self._lone_teachers(choices), "validation")
        count_co_trained_teachers(self.planner, self.store, self.teacher_cache, self._able(choices), "validation")
        count_teachers(self.planner, self.store, self.teacher_cache, choices, ended)

    def _score(self, choices: dict[Key, Selection | None]) -> None:
        """Score test subjects, write their predictions and the models; the look is logged before it happens."""
        finals = self._able(choices)
        tested = self.store.counts("test")
        fresh = [run for run in dict.fromkeys([*finals, *self._lone_teachers(choices)]) if run.id not in tested]
        if fresh:
            self.store.require_weights(run.id for run in fresh)
            subjects = {subject for fold in self.study_data.folds for subject in fold.test_subjects}
            self._say(f"scoring {len(fresh)} runs on {len(subjects)} test subjects")
            self.store.log_test_evaluation(len(fresh), len(subjects), "score-test")
            self.evaluator.count(fresh, "test")
            count_co_trained_teachers(self.planner, self.store, self.teacher_cache, finals, "test")
        self._write_predictions(choices)
        self._write_models(choices)

    # Training.

    def _train(self, phase: str, runs: Sequence[Run]) -> None:
        """Train what is missing; fleets that another process has are waited for."""
        done = self.store.ended()
        wanted = [run for run in dict.fromkeys(runs) if run.id not in done]
        fleets = self.store.plan(self.planner.fleets(phase, wanted)) if wanted else []
        if not fleets:
            return
        total = sum(len(fleet.runs) for fleet in fleets)
        self._say(f"{phase}: {total} runs in {len(fleets)} fleet{'s' if len(fleets) > 1 else ''}")
        if self.ray:
            from .ray import train_all

            train_all(self, [fleet for fleet in fleets if not fleet.runs[0].classical])
            fleets = [fleet for fleet in fleets if fleet.runs[0].classical]
        waiting = list(enumerate(fleets, 1))
        while waiting:
            held = []
            for number, fleet in waiting:
                with self._claimed(fleet) as mine:
                    if not mine:
                        held.append((number, fleet))
                    elif not self.store.is_done(fleet.id):
                        self._train_here(fleet, number, len(fleets))
            waiting = held
            if waiting:
                self._say(f"waiting for another process, which trains {len(waiting)} of the fleets", once=True)
                time.sleep(PAUSE)

    def _train_here(self, fleet: FleetPlan, number: int, total: int) -> None:
        run = fleet.runs[0]
        attention = f" with {run.attention}" if run.attention else ""
        what = f"{run.method}, fold {run.fold}" if run.classical else f"{run.method} of {run.network}{attention}"
        self._say(f"{fleet.phase} {number}/{total}: {len(fleet.runs)} × {what}")
        started = time.monotonic()
        checkpoints = self.folder / "fleets" / fleet.id
        try:
            if run.classical:
                outcomes = [classical.train(run, self.study_data)]
            else:
                job = prepare_job(fleet, self.planner, self.teacher_cache)
                outcomes = train_job(
                    job, folder=checkpoints, progress=Progress(enabled=not self.quiet), every=self.every
                )
        except (UselessTeacher, IncompatibleNetworks) as reason:
            self._say(f"{fleet.phase}: {reason}")
            self.store.fail(fleet, str(reason), self.versions)
        else:
            self.store.finish(fleet, outcomes, time.monotonic() - started, self.versions)
        _remove(checkpoints)

    @contextmanager
    def _claimed(self, fleet: FleetPlan) -> Iterator[bool]:
        """Hold a fleet, or not when another process does; the system lets go of it when a process dies."""
        place, held = self.folder / "fleets" / f"{fleet.id}.lock", True
        lock = FileLock(place)
        with name_write_errors(place):
            try:
                lock.acquire(timeout=0)
            except Timeout:
                held = False
        try:
            yield held
        finally:
            lock.release()

    # What is written.

    def _write_predictions(self, choices: dict[Key, Selection | None]) -> None:
        """One file a variant, with every fold and seed."""
        finals, ended, study_data = final_runs(self.planner, choices), self.store.ended(), self.study_data
        able: dict[str, list[tuple[int, int, Run]]] = {}
        for (name, fold), runs in finals.items():
            done = [(fold, seed, run) for seed, run in enumerate(runs) if ended[run.id].status == "done"]
            able.setdefault(name, []).extend(done)
        wanted = {
            f"{name}.parquet": [[fold, seed, run.id] for fold, seed, run in able[name]] for name in able if able[name]
        }
        for file in self._fresh("predictions", wanted):
            name = file.removesuffix(".parquet")
            parts = []
            for fold, seed, run in able[name]:
                rows = study_data.folds[fold].test
                parts.append((fold, seed, rows, self.evaluator.logits(run, rows)))
            write_predictions(self.folder / "predictions" / file, _predictions(name, parts, study_data))

    def _write_models(self, choices: dict[Key, Selection | None]) -> None:
        """A bundle for each variant, the run of its first fold that does best on validation subjects; and the best."""
        ended = self.store.ended()
        taken: dict[str, tuple[Run, str]] = {}
        for (name, fold), runs in final_runs(self.planner, choices).items():
            able = [run for run in runs if ended[run.id].status == "done"]
            if fold or not able or able[0].classical:
                continue
            taken[name] = (max(able, key=lambda each: ended[each.id].validation), name)
        if taken:
            taken["best"] = max(taken.values(), key=lambda each: ended[each[0].id].validation)
        wanted = {name: [self.study.name, variant, run.id] for name, (run, variant) in taken.items()}
        for name in self._fresh("models", wanted):
            self._bundle(name, *taken[name])

    def _fresh(self, kind: str, wanted: Mapping[str, Any]) -> Iterator[str]:
        """Names in a folder that must be written, since they are not there or hold other runs; the others stay.

        Args:
            kind: the folder.
            wanted: what each name is made from, ready for JSON.
        """
        folder = self.folder / kind
        with name_write_errors(folder):
            folder.mkdir(exist_ok=True)
        known = self.store.about().get(kind, {})
        for name in set(known) - set(wanted):
            if Path(name).name == name:
                _remove(folder / name)  # Of a variant that the study no longer has.
        kept = {
            name: source for name, source in known.items() if source == wanted.get(name) and (folder / name).exists()
        }
        for name, source in wanted.items():
            if name not in kept:
                yield name
                kept[name] = source
        if kept != known:
            self.store.note(**{kind: kept})

    def _bundle(self, name: str, run: Run, variant: str) -> None:
        from ..evaluation import accuracy, macro_f1

        model = self.evaluator.model(run)
        counts = self.store.counts("test").get(run.id, {})
        scores = [
            {
                "subject": subject,
                "windows": int(table.sum()),
                "accuracy": float(accuracy(table)),
                "macro_f1": float(macro_f1(table, absent="skip")),
            }
            for subject, table in counts.items()
        ]
        story = {
            "study": self.study.name,
            "variant": variant,
            "run": run.id,
            "data": {"name": self.study.data.name, "fingerprint": self.study_data.fingerprint},
            "protocol": self.study.split.protocol,
            "fold": run.fold,
            "method": run.method,
            "hyperparameters": dict(run.hyperparameters),
            "seed": run.seed,
            "chosen": "on validation subjects",
        }
        path = self.folder / "models" / name
        Bundle.save(path, model, self.study_data.windows.spec, scores=scores, provenance=story, replace=True)

    def _able(self, choices: dict[Key, Selection | None]) -> list[Run]:
        ended = self.store.ended()
        finals = final_runs(self.planner, choices)
        return [run for runs in finals.values() for run in runs if ended[run.id].status == "done"]

    def _lone_teachers(self, choices: dict[Key, Selection | None]) -> list[Run]:
        """Teachers that are one run each."""
        ended = self.store.ended()
        every = [runs for members in teachers_by_fold(self.planner, choices).values() for runs in members.values()]
        return [
            runs[0] for runs in every if len(runs) == 1 and runs[0].id in ended and ended[runs[0].id].status == "done"
        ]

    def _again(self, name: str, fold: int, trial: Trial, seeds: Iterable[int]) -> list[Run]:
        return [self.planner.student(name, fold, trial, seed) for seed in seeds]

    def _teachers_of(self, name: str, fold: int, trial: Trial) -> tuple[Run, ...]:
        variant = self.study.systems[name]
        return () if isinstance(variant, Baseline) else self.planner.teachers(variant, fold, trial.attention)

    def _assistant_teachers_of(self, name: str, fold: int, trial: Trial) -> tuple[Run, ...]:
        variant = self.study.systems[name]
        return () if isinstance(variant, Baseline) else self.planner.assistant_teachers(variant, fold)

    @property
    def versions(self) -> dict[str, str]:
        """Of what computes."""
        names = ("stillmotion", "keras", "jax", "numpy", "scikit-learn")
        return {"python": platform.python_version(), **{name: version(name) for name in names}}

    def _say(self, text: str, *, once: bool = False) -> None:
        if not self.quiet and not (once and text in self.said):
            print(make_visible(text), file=sys.stderr, flush=True)
        self.said.add(text)


def _predictions(name: str, parts: Sequence[tuple[int, int, Rows, Logits]], study_data: StudyData) -> Predictions:
    windows = study_data.windows
    every = np.concatenate([rows for _, _, rows, _ in parts])
    start = windows.recording_start[windows.recording[every]]
    return Predictions.of(
        name,
        subject=study_data.subjects(every),
        fold=np.concatenate([np.full(len(rows), fold) for fold, _, rows, _ in parts]),
        seed=np.concatenate([np.full(len(rows), seed) for _, seed, rows, _ in parts]),
        y=study_data.labels[every],
        scores=np.concatenate([logits for *_, logits in parts]),
        classes=windows.spec.classes,
        recording=windows.recording[every].astype(str),
        time=(windows.starts[every] - start) / windows.spec.rate,
    )


def _remove(path: Path) -> None:
    import shutil

    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
