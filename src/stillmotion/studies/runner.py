"""Run a study: train what is missing, evaluate, write predictions and models. Several processes may run it at once."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..bundles.calibration import spread_rows
from ..evaluation import Predictions, write_predictions
from ..files import name_write_errors, sweep_drafts
from ..interrupts import raised_again
from ..signals import Dataset
from .collapsed import LOOKED_AT, predicts_one_class
from .data import StudyData, load_study_data
from .executors import Executor, LocalExecutor
from .feasible import require_feasible
from .folder import require_folder, require_still_own, take_folder
from .jobs import ClassifierJob, FleetJob, prepare_job
from .models import choose_models, save_model
from .own import describe_own
from .plan import Planner
from .predict import Predictor, load_model, unpredicted, without_sequences
from .results import Results, compute_results
from .runs import FleetPlan
from .sequences import choose_missing, decoding_key, sequence_logits, sequence_rows
from .shipping import Shipment, plan_shipment
from .spec import Study
from .state import StudyState
from .store import Store
from .teachers import TeacherCache
from .weights import DamagedFleet


@dataclass
class Runner:
    """Run a study in its folder.

    Args:
        study: the specification.
        folder: folder of the study.
        data: folder of the recordings, or the recordings themselves.
        quiet: print nothing.
        ray: address of a Ray cluster for training.
        every: seconds between two checkpoints of a fleet.
        more: whether the study may extend the one in the folder, for example by seeds or variants.

    A runner keeps files open; ``close`` it, or use it in a ``with`` statement.
    """

    study: Study
    folder: Path
    data: Path | Dataset | None = None
    quiet: bool = False
    ray: str = ""
    every: float = 60.0
    more: bool = False
    _retrained: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        if isinstance(self.data, Dataset):
            self.study = replace(self.study, data=replace(self.study.data, name=self.data.name))
        # A first check before recordings are read, which may take minutes; take_folder checks again.
        require_folder(self.folder, self.study, more=self.more)
        self.study_data: StudyData = load_study_data(self.study, data=self.data)
        self.planner = Planner(self.study, self.study_data.index)
        require_feasible(self.planner)
        self.store = Store(self.folder)
        sweep_drafts(self.folder, *(self.folder / name for name in ("fleets", "predictions", "models")))
        self.teachers = TeacherCache(self.planner, self.study_data, self.store)
        self.predictor = Predictor(self.planner, self.study_data, self.store, self.teachers)
        self._local = LocalExecutor(self.folder / "fleets", self.quiet, self.every)
        try:
            take_folder(self.store, self.study, self.study_data.index, more=self.more)
            own = describe_own(self.study, self.study_data.index)
            if own != self.store.about().get("own"):
                self.store.note(own=own)
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

    @property
    def state(self) -> StudyState:
        """The current state of the study."""
        return StudyState.of(self.planner, self.store)

    def run(self, *, score_test: bool = False) -> Results:
        """Train what is missing and return the results; fleets with damaged weights are trained again."""
        left_out = [name for name in self.study.variants if name not in self.planner.study.variants]
        if left_out:
            self._local.print(f"left out, too large for {self.study.budget}: {', '.join(left_out)}")
        outdated = self.store.outdated()
        if outdated:
            counts = ", ".join(f"{count} of {name}" for name, count in outdated.items())
            self._local.print(f"ignoring runs that were trained with other code: {counts}")
        with raised_again():
            for damage in self.store.damaged():
                self._retrain(damage)
            while True:
                try:
                    return self._run(score_test)
                except DamagedFleet as damage:
                    self._retrain(damage)

    def results(self) -> Results:
        """Return the results so far, complete or not."""
        return compute_results(self.state)

    def _run(self, score_test: bool) -> Results:
        state = self.state
        while plans := state.missing():
            self._train(plans)
            state = self.state
        self.predictor.predict_missing(state, "validation")
        choose_missing(state)
        require_still_own(self.store, self.study, self.study_data.index.fingerprint)
        scored = score_test or self.study.score_test
        if scored:
            self._score_test(state)
        results = self.results()
        if scored:
            self._write_predictions(state)
            shipment = self._ship(state, results)
            shipped = self.state
            if len(shipped.ended) > len(state.ended):
                results = compute_results(shipped)
            self._write_models(shipped, results, shipment)
        return results

    def _retrain(self, damage: DamagedFleet) -> None:
        if damage.fleet in self._retrained:
            raise damage
        self._retrained.add(damage.fleet)
        self._local.print(f"{damage.path} {damage.why}: training this fleet again")
        self.store.forget(damage.fleet)

    def _train(self, plans: list[FleetPlan]) -> None:
        """Train fleets, or finish those that were planned for their runs before."""
        fleets = self.store.plan(plans)
        total = sum(len(fleet.runs) for fleet in fleets)
        self._local.print(f"{plans[0].phase}: {total} runs in {len(fleets)} fleet{'' if len(fleets) == 1 else 's'}")
        for trained in self._executor.train(fleets, self._prepare, self.store.is_done):
            self.store.finish(trained, self.versions)

    def _prepare(self, plan: FleetPlan) -> FleetJob | ClassifierJob:
        return prepare_job(plan, self.planner, self.study_data, self.teachers)

    @property
    def _executor(self) -> Executor:
        if not self.ray:
            return self._local
        from .ray import RayExecutor

        return RayExecutor(self.ray, self._local)

    def _score_test(self, state: StudyState) -> None:
        """Evaluate on test subjects; the evaluation is logged before it starts."""
        fresh = list(dict.fromkeys([*unpredicted(state, "test"), *without_sequences(state, "test")]))
        if fresh:
            self.store.require_weights(run.id for run in fresh)
            subjects = state.index.subjects_of("test")
            self._local.print(f"evaluating {len(fresh)} runs on {len(subjects)} test subjects")
            self.store.log_test_evaluation(len(fresh), len(subjects), "score-test")
            self.predictor.predict_missing(state, "test")

    def _write_predictions(self, state: StudyState) -> None:
        """Write a file of predictions for each variant, with all folds and seeds."""
        wanted: dict[str, list[list[Any]]] = {}
        rows = ["with windows without a class"] if self.study.decoding else []
        refits = {(f"{name}-refit", fold): runs for (name, fold), runs in state.refits.items()}
        for (name, fold), runs in (state.finals | refits).items():
            done = [[fold, seed, run.id, *rows] for seed, run in enumerate(runs) if state.is_done(run)]
            if done:
                wanted.setdefault(f"{name}.parquet", []).extend(done)
        for file in self._outdated("predictions", wanted):
            predictions = _predictions(file.removesuffix(".parquet"), wanted[file], state)
            write_predictions(self.folder / "predictions" / file, predictions)

    def _ship(self, state: StudyState, results: Results) -> Shipment | None:
        """Fit the recommended variant to all subjects that may be trained on, if the study ships."""
        shipment = plan_shipment(state, results) if self.study.ship else None
        while shipment is not None and (missing := shipment.missing(state)):
            self._train(self.planner.fleets("ship", missing))
            state = self.state
        if shipment is not None and state.is_done(shipment.run) and shipment.run.kind == "network":
            train, _ = self.planner.rows(shipment.run)
            rows = spread_rows(train, LOOKED_AT)
            labels = self.study_data.index.labels[rows]
            if predicts_one_class(load_model(state, shipment.run), self.study_data.windows.values(rows), labels):
                self._local.print(f"the model fitted to all subjects ({shipment.variant}) predicts one class only")
                return None
        return shipment

    def _write_models(self, state: StudyState, results: Results, shipment: Shipment | None) -> None:
        """Write a bundle of each variant and of what ships."""
        models = choose_models(state, results, shipment)
        decoder = [decoding_key(self.study)] if self.study.decoding else []
        wanted = {name: [self.study.name, model.variant, model.run.id, *decoder] for name, model in models.items()}
        for name in self._outdated("models", wanted):
            save_model(self.folder / "models" / name, models[name], state, self.study_data)

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

    @property
    def versions(self) -> dict[str, str]:
        """Versions of Python and of the main packages, and the device that trains, with its threads."""
        import jax

        from ..training.threads import count_threads

        names = ("stillmotion", "keras", "jax", "numpy", "scikit-learn")
        device = {"device": jax.devices()[0].device_kind, "threads": str(count_threads())}
        return {"python": platform.python_version(), **{name: version(name) for name in names}, **device}


def _predictions(name: str, runs: list[list[Any]], state: StudyState) -> Predictions:
    """Return the test predictions of a variant.

    Args:
        name: of the variant.
        runs: fold, seed and id of each run; with decoding the windows without a class are part of the file.
        state: of the study.
    """
    index = state.index
    by_run = [sequence_rows(index, fold, "test") for fold, *_ in runs]
    lengths, rows = [len(each) for each in by_run], np.concatenate(by_run)
    logits = [sequence_logits(state, run, "test") for _, _, run, *_ in runs]
    return Predictions.of(
        name,
        subject=index.subject_names[rows],
        fold=np.repeat([fold for fold, *_ in runs], lengths),
        seed=np.repeat([seed for _, seed, *_ in runs], lengths),
        y=index.labels[rows],
        scores=np.concatenate([each for each in logits if each is not None]),
        classes=index.spec.classes,
        recording=index.recording[rows].astype(str),
        time=index.seconds[rows],
    )


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
