"""Run a study: teachers, trials, selection, final seeds, evaluation. Several processes may run it at once."""

from __future__ import annotations

import platform
import shutil
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
#: Seconds between two checks of fleets that another process trains.
PAUSE = 1.0


@dataclass
class Runner:
    """Run a study in its folder.

    Args:
        study: the specification.
        folder: folder of the study.
        data: folder of the recordings.
        quiet: print nothing.
        ray: address of a Ray cluster for training.
        every: seconds between two checkpoints of a fleet.
        more: whether the study may extend the one in the folder, for example by seeds or variants.

    A runner keeps files open; ``close`` it, or use it in a ``with`` statement.
    """

    study: Study
    folder: Path
    data: Path | None = None
    quiet: bool = False
    ray: str = ""
    every: float = 60.0
    more: bool = False
    printed: set[str] = field(default_factory=set, init=False)
    retrained: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        # A first check before recordings are read, which may take minutes; take_folder checks again.
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
        """Close the files of the folder."""
        self.store.close()

    def run(self, *, score_test: bool = False) -> Results:
        """Train what is missing and return the results; fleets with damaged weights are trained again."""
        with raised_again():
            for damage in self.store.damaged():
                self._retrain(damage)
            while True:
                try:
                    return self._run(score_test)
                except DamagedFleet as damage:
                    self._retrain(damage)

    def _retrain(self, damage: DamagedFleet) -> None:
        if damage.fleet in self.retrained:
            raise damage
        self.retrained.add(damage.fleet)
        self._print(f"{damage.path} {damage.why}: training this fleet again")
        self.store.forget(damage.fleet)

    def _run(self, score_test: bool) -> Results:
        outdated = self.store.outdated()
        if outdated:
            counts = ", ".join(f"{count} of {name}" for name, count in outdated.items())
            self._print(f"ignoring runs that were trained with other code: {counts}")
        trials = self._run_trials()
        choices = select_trials(self.planner, trials, self.store.ended())
        self._train_final_seeds(choices)
        self._evaluate_validation(choices)
        require_still_own(self.store, self.study, self.study_data.fingerprint)
        if score_test or self.study.score_test:
            self._evaluate_test(choices)
        return self.results()

    def results(self) -> Results:
        """Return the results so far, complete or not."""
        return derive_state(self.folder, self.planner, self.store).results

    def _run_trials(self) -> dict[Key, list[Trial]]:
        while True:
            trials, complete = plan_trials(self.planner, self.store.ended())
            planned = [(name, fold, each) for (name, fold), group in trials.items() for each in group]
            self._train("teachers", [run for each in planned for run in self._assistant_teachers_of(*each)])
            self._train("teachers", [run for each in planned for run in self._teachers_of(*each)])
            # Checked after the teachers: a teacher with lost weights is trained again even if its students are done.
            if complete:
                return trials
            runs = [run_of(self.planner, *each) for each in planned]
            if count_trials(self.study) == 1:
                # Nothing is selected, so the final seeds train in the same fleets.
                seeds = range(1, self.study.seeds)
                runs = [
                    run for each in planned for run in (run_of(self.planner, *each), *self._further_seeds(*each, seeds))
                ]
            self._train("trials", runs)

    def _train_final_seeds(self, choices: dict[Key, Selection | None]) -> None:
        self._train("seeds", [run for runs in final_runs(self.planner, choices).values() for run in runs])

    def _evaluate_validation(self, choices: dict[Key, Selection | None]) -> None:
        """Evaluate students and teachers on validation windows."""
        self.evaluator.count(self._succeeded(choices), "validation")
        ended = self.store.ended()
        self.evaluator.count(self._single_teachers(choices), "validation")
        count_co_trained_teachers(self.planner, self.store, self.teacher_cache, self._succeeded(choices), "validation")
        count_teachers(self.planner, self.store, self.teacher_cache, choices, ended)

    def _evaluate_test(self, choices: dict[Key, Selection | None]) -> None:
        """Evaluate on test subjects, write predictions and models; the evaluation is logged before it starts."""
        finals = self._succeeded(choices)
        tested = self.store.counts("test")
        fresh = [run for run in dict.fromkeys([*finals, *self._single_teachers(choices)]) if run.id not in tested]
        if fresh:
            self.store.require_weights(run.id for run in fresh)
            subjects = {subject for fold in self.study_data.folds for subject in fold.test_subjects}
            self._print(f"evaluating {len(fresh)} runs on {len(subjects)} test subjects")
            self.store.log_test_evaluation(len(fresh), len(subjects), "score-test")
            self.evaluator.count(fresh, "test")
            count_co_trained_teachers(self.planner, self.store, self.teacher_cache, finals, "test")
        self._write_predictions(choices)
        self._write_models(choices)

    def _train(self, phase: str, runs: Sequence[Run]) -> None:
        """Train missing runs, and wait for fleets that another process trains."""
        done = self.store.ended()
        missing = [run for run in dict.fromkeys(runs) if run.id not in done]
        fleets = self.store.plan(self.planner.fleets(phase, missing)) if missing else []
        if not fleets:
            return
        total = sum(len(fleet.runs) for fleet in fleets)
        self._print(f"{phase}: {total} runs in {len(fleets)} fleet{'s' if len(fleets) > 1 else ''}")
        if self.ray:
            from .ray import train_all

            train_all(self, [fleet for fleet in fleets if not fleet.runs[0].classical])
            fleets = [fleet for fleet in fleets if fleet.runs[0].classical]
        waiting = list(enumerate(fleets, 1))
        while waiting:
            held = []
            for number, fleet in waiting:
                with self._claimed(fleet) as claimed:
                    if not claimed:
                        held.append((number, fleet))
                    elif not self.store.is_done(fleet.id):
                        self._train_here(fleet, number, len(fleets))
            waiting = held
            if waiting:
                self._print(f"waiting for another process that trains {len(waiting)} of the fleets", once=True)
                time.sleep(PAUSE)

    def _train_here(self, fleet: FleetPlan, number: int, total: int) -> None:
        run = fleet.runs[0]
        attention = f" with {run.attention}" if run.attention else ""
        kind = f"{run.method}, fold {run.fold}" if run.classical else f"{run.method} of {run.network}{attention}"
        self._print(f"{fleet.phase} {number}/{total}: {len(fleet.runs)} × {kind}")
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
            self._print(f"{fleet.phase}: {reason}")
            self.store.fail(fleet, str(reason), self.versions)
        else:
            self.store.finish(fleet, outcomes, time.monotonic() - started, self.versions)
        _remove(checkpoints)

    @contextmanager
    def _claimed(self, fleet: FleetPlan) -> Iterator[bool]:
        """Try to lock a fleet for this process; the system releases the lock when a process dies."""
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

    def _write_predictions(self, choices: dict[Key, Selection | None]) -> None:
        """Write a file of predictions for each variant, with all folds and seeds."""
        finals, ended, study_data = final_runs(self.planner, choices), self.store.ended(), self.study_data
        succeeded: dict[str, list[tuple[int, int, Run]]] = {}
        for (name, fold), runs in finals.items():
            done = [(fold, seed, run) for seed, run in enumerate(runs) if ended[run.id].status == "done"]
            succeeded.setdefault(name, []).extend(done)
        wanted = {
            f"{name}.parquet": [[fold, seed, run.id] for fold, seed, run in runs]
            for name, runs in succeeded.items()
            if runs
        }
        for file in self._outdated("predictions", wanted):
            name = file.removesuffix(".parquet")
            parts = []
            for fold, seed, run in succeeded[name]:
                rows = study_data.folds[fold].test
                parts.append((fold, seed, rows, self.evaluator.logits(run, rows)))
            write_predictions(self.folder / "predictions" / file, _predictions(name, parts, study_data))

    def _write_models(self, choices: dict[Key, Selection | None]) -> None:
        """Write a bundle of each variant (the best run of fold 0 by validation score) and of the best variant."""
        ended = self.store.ended()
        chosen: dict[str, tuple[Run, str]] = {}
        for (name, fold), runs in final_runs(self.planner, choices).items():
            succeeded = [run for run in runs if ended[run.id].status == "done"]
            if fold or not succeeded or succeeded[0].classical:
                continue
            chosen[name] = (max(succeeded, key=lambda each: ended[each.id].validation), name)
        if chosen:
            chosen["best"] = max(chosen.values(), key=lambda each: ended[each[0].id].validation)
        wanted = {name: [self.study.name, variant, run.id] for name, (run, variant) in chosen.items()}
        for name in self._outdated("models", wanted):
            self._bundle(name, *chosen[name])

    def _outdated(self, kind: str, wanted: Mapping[str, Any]) -> Iterator[str]:
        """Yield the names in a folder that must be written, because they are missing or made from other runs.

        Args:
            kind: name of the folder.
            wanted: what each file is made from, as JSON values.
        """
        folder = self.folder / kind
        with name_write_errors(folder):
            folder.mkdir(exist_ok=True)
        known = self.store.about().get(kind, {})
        for name in set(known) - set(wanted):
            if Path(name).name == name:
                _remove(folder / name)  # Of a variant that is no longer in the study.
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
        provenance = {
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
        Bundle.save(path, model, self.study_data.windows.spec, scores=scores, provenance=provenance, replace=True)

    def _succeeded(self, choices: dict[Key, Selection | None]) -> list[Run]:
        ended = self.store.ended()
        finals = final_runs(self.planner, choices)
        return [run for runs in finals.values() for run in runs if ended[run.id].status == "done"]

    def _single_teachers(self, choices: dict[Key, Selection | None]) -> list[Run]:
        """List the teachers that consist of one run."""
        ended = self.store.ended()
        every = [runs for members in teachers_by_fold(self.planner, choices).values() for runs in members.values()]
        return [
            runs[0] for runs in every if len(runs) == 1 and runs[0].id in ended and ended[runs[0].id].status == "done"
        ]

    def _further_seeds(self, name: str, fold: int, trial: Trial, seeds: Iterable[int]) -> list[Run]:
        return [self.planner.student(name, fold, trial, seed) for seed in seeds]

    def _teachers_of(self, name: str, fold: int, trial: Trial) -> tuple[Run, ...]:
        variant = self.study.systems[name]
        return () if isinstance(variant, Baseline) else self.planner.teachers(variant, fold, trial.attention)

    def _assistant_teachers_of(self, name: str, fold: int, trial: Trial) -> tuple[Run, ...]:
        variant = self.study.systems[name]
        return () if isinstance(variant, Baseline) else self.planner.assistant_teachers(variant, fold)

    @property
    def versions(self) -> dict[str, str]:
        """Versions of Python and of the main packages."""
        names = ("stillmotion", "keras", "jax", "numpy", "scikit-learn")
        return {"python": platform.python_version(), **{name: version(name) for name in names}}

    def _print(self, text: str, *, once: bool = False) -> None:
        if not self.quiet and not (once and text in self.printed):
            print(make_visible(text), file=sys.stderr, flush=True)
        self.printed.add(text)


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
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
