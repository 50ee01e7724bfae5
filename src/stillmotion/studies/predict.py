"""Predict validation and test windows with trained runs, and keep the predictions in the store."""

from __future__ import annotations

from collections.abc import Iterable

import keras

from ..methods import get_method
from ..methods.method import Shapes
from ..training.distillation import AuxParams
from ..training.functional import Functional, Vector
from .data import StudyData
from .index import Rows, unlabelled
from .plan import Planner
from .runs import Run
from .state import StudyState
from .store import Logits, Store
from .teachers import TeacherCache, model_of, shared_model_of


class Predictor:
    """Predict with trained runs, with one compiled function for all runs of a network."""

    def __init__(self, planner: Planner, data: StudyData, store: Store, teachers: TeacherCache) -> None:
        self.planner, self.data, self.store, self.teachers = planner, data, store, teachers
        self._networks: dict[tuple[str, str, str, bool], Functional] = {}

    def predict_missing(self, state: StudyState, split: str) -> None:
        """Store the missing predictions of reported runs, of their teachers and of co-trained teachers.

        Args:
            state: of the study.
            split: ``validation`` or ``test``.
        """
        self._predict_co_trained(reported_runs(state), split)
        index = self.data.index
        self.store.add_predictions(
            unlabelled(split),
            {
                run.id: self.logits(run, index.unlabelled_rows(run.fold, split))
                for run in without_sequences(state, split)
            },
        )
        # Predictions of students come last: a run that has them is evaluated.
        self.store.add_predictions(
            split,
            {run.id: self.logits(run, self.data.index.rows(run.fold, split)) for run in unpredicted(state, split)},
        )
        scores, name = self.data.scores, self.data.index.scores
        if scores is not None and name not in self.store.predicted("all"):
            self.store.add_predictions("all", {name: scores})

    def logits(self, run: Run, rows: Rows) -> Logits:
        """Return logits (n, C) of a run; of a feature classifier only for validation and test windows of its fold."""
        if run.kind == "features":
            return self.store.classifier_logits(run.id, rows)
        if run.architecture not in self._networks:
            self._networks[run.architecture] = Functional(shared_model_of(run, self.planner.index), ["logits"])
        weights, state = self.store.weights(run.id)
        windows = self.data.of(run).windows.take(rows)
        logits: Logits = self._networks[run.architecture].predict_taps(weights, state, windows)["logits"]
        return logits

    def _predict_co_trained(self, runs: Iterable[Run], split: str) -> None:
        """Store the predictions of co-trained teachers, and learned auxiliary values."""
        predicted, logits, learned = self.store.predicted(split, role="teacher"), {}, {}
        for run in runs:
            if run.kind != "network" or not get_method(run.method).trains_teacher or run.id in predicted:
                continue
            kept = self.store.co_trained_teacher(run.id)
            if kept is None:
                continue
            weights, state, aux_params = kept
            network = self.teachers.network(self.planner.teacher(run.teachers[0]), run.method)
            rows = self.data.index.rows(run.fold, split)
            logits[run.id] = network.predict_taps(weights, state, self.data.windows.take(rows))["logits"]
            student = self.teachers.network(run, run.method)
            learned[run.id] = _auxiliary(run, aux_params, student.tap_shapes, network.tap_shapes)
        if logits:
            self.store.add_auxiliary(learned)
            self.store.add_predictions(split, logits, role="teacher")


def reported_runs(state: StudyState) -> list[Run]:
    """List the reported runs, each once."""
    return list(dict.fromkeys(run for runs in state.reported.values() for run in runs))


def runs_to_predict(state: StudyState, split: str) -> list[Run]:
    """List the reported runs, and for test subjects the refits, which were trained on the validation subjects."""
    return [*reported_runs(state), *(state.trained_refits if split == "test" else ())]


def without_sequences(state: StudyState, split: str) -> list[Run]:
    """List the runs that still have to predict windows without a class, which complete sequences."""
    if not state.study.decoding:
        return []
    predicted = state.store.predicted(unlabelled(split))
    return [run for run in runs_to_predict(state, split) if run.id not in predicted]


def unpredicted(state: StudyState, split: str) -> list[Run]:
    """List the runs to predict and their teachers that have no predictions yet."""
    predicted = state.store.predicted(split)
    teachers = [run for members in state.trained_teachers.values() for runs in members.values() for run in runs]
    return [run for run in dict.fromkeys([*runs_to_predict(state, split), *teachers]) if run.id not in predicted]


def load_model(state: StudyState, run: Run) -> keras.Model:
    """Return the network of a run with its best weights."""
    network = Functional(model_of(run, state.index), ["logits"])
    network.put(*state.store.weights(run.id))
    return network.model


def _auxiliary(run: Run, aux_params: Vector, student: Shapes, teacher: Shapes) -> dict[str, float]:
    """Return the auxiliary values that a method reports, by name."""
    method = get_method(run.method, **run.options)
    if method.learnt is None:
        return {}
    named_params = AuxParams(method.init_aux_params(student, teacher, 0))
    hyperparameters = {
        name: float(run.hyperparameters.get(name, number.default)) for name, number in method.hyperparameters.items()
    }
    return method.learnt(named_params.named(aux_params), hyperparameters, student, teacher)
