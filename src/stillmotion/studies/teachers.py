"""Teachers for training: one network or the weighted mean of several, to run in every step or as outputs for all
windows, or scores from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..methods import get_method
from ..methods.method import View
from ..networks import build_network
from ..networks.registry import get_shared_network
from ..training.distillation import teacher_network
from ..training.functional import Functional
from .data import StudyData
from .ensembles import share_by_fit, share_equally
from .index import WindowIndex
from .plan import Planner
from .runs import Run
from .store import Store

TapValues = dict[str, NDArray[np.float32]]
#: Taps of a teacher and the view on them; methods that share both share cached outputs.
TeacherTaps = tuple[tuple[str, ...], View | None]


@dataclass(frozen=True, eq=False)
class CachedTeacher:
    """Outputs of a teacher for all windows, by tap, and its classifier for methods that reuse it."""

    name: str
    outputs: TapValues
    classifier: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None


@dataclass(frozen=True, eq=False)
class LiveNetwork:
    """A trained network that runs in every training step."""

    network: str
    options: Mapping[str, str]
    weights: NDArray[np.float32]
    state: list[NDArray[Any]]


@dataclass(frozen=True, eq=False)
class LiveTeacher:
    """Networks that run in every training step, with their weights in the mean of their probabilities."""

    name: str
    members: tuple[LiveNetwork, ...]
    shares: tuple[float, ...]


@dataclass
class TeacherCache:
    """The teachers of a study, with cached outputs for all windows."""

    planner: Planner
    data: StudyData
    store: Store
    _outputs: dict[tuple[str, TeacherTaps], TapValues] = field(default_factory=dict, init=False)
    _networks: dict[tuple[tuple[str, str, str, bool], TeacherTaps], Functional] = field(
        default_factory=dict, init=False
    )

    def teacher(
        self, method: str, runs: Sequence[Run], *, live: bool = False, weighting: str = ""
    ) -> CachedTeacher | LiveTeacher:
        """Return the teacher made of these runs, or the file of scores without runs.

        Args:
            method: name of the method.
            runs: trained runs.
            live: whether to return networks that run in every step instead of outputs.
            weighting: ``fitted`` to fit the weights of unlike teachers on validation windows, else they are equal.
        """
        if not runs:
            if self.data.scores is None:
                raise UserError(f"{method} needs a teacher, but the study has none; set teacher in [networks].")
            return CachedTeacher(str(self.planner.study.scores), {"logits": self.data.scores})
        name = " and ".join(dict.fromkeys(run.model for run in runs)) + f" of fold {runs[0].fold}"
        shares = self._shares(runs) if weighting else share_equally(runs)
        if live:
            members = [LiveNetwork(run.network, run.options_of_network, *self.store.weights(run.id)) for run in runs]
            return LiveTeacher(name, tuple(members), tuple(shares.tolist()))
        classifier = None
        if len(runs) == 1 and get_method(method).classifier is not None:
            classifier = self.network(runs[0], method).classifier_of(self.store.weights(runs[0].id)[0])
        return CachedTeacher(name, self._mean_outputs(method, runs, shares), classifier)

    def _shares(self, runs: Sequence[Run]) -> NDArray[np.float64]:
        """Fit the weights of teachers to stored predictions, from which reports compute the same weights again.

        Those of teachers fitted to all subjects are the means of the weights that the folds have fitted.
        """
        if runs[0].refit:
            return np.asarray(np.mean([self._shares(each) for each in self.planner.teachers_in_folds(runs)], axis=0))
        labels = self.planner.index.labels[self.planner.index.rows(runs[0].fold, "validation")]
        shares = share_by_fit(runs, self._validation_logits, labels)
        assert shares is not None
        return shares

    def _validation_logits(self, run: Run) -> NDArray[np.float32]:
        """Return a teacher's logits for the validation windows of its fold; stored if they are not yet."""
        known = self.store.predictions(run.id, "validation")
        if known is not None:
            return known
        rows = self.planner.index.rows(run.fold, "validation")
        if run.kind == "features":
            logits = self.store.classifier_logits(run.id, rows)
        else:
            weights, state = self.store.weights(run.id)
            outputs = self.network(run, "kd").predict_taps(weights, state, self.data.of(run).windows.take(rows))
            logits = outputs["logits"]
        self.store.add_predictions("validation", {run.id: logits})
        return logits

    def _mean_outputs(self, method: str, runs: Sequence[Run], shares: NDArray[np.float64]) -> TapValues:
        """Average outputs of several runs; for logits the logarithm of the mean probability."""
        outputs = [self._network_outputs(run, method) for run in runs]
        if len(outputs) == 1:
            return outputs[0]
        means: TapValues = {}
        for tap in outputs[0]:
            shapes = {each[tap].shape for each in outputs if tap in each}
            if len(shapes) > 1 or any(tap not in each for each in outputs):
                names = " and ".join(dict.fromkeys(run.model for run in runs))
                raise UserError(f"{tap} of {names} cannot be averaged: their shapes differ {sorted(shapes)}.")
            from scipy.special import softmax

            values = np.stack([softmax(each[tap], axis=-1) if tap == "logits" else each[tap] for each in outputs])
            mean = self._mean(values, shares, runs)
            means[tap] = np.log(np.maximum(mean, 1e-12)) if tap == "logits" else mean
        return means

    def _mean(
        self, values: NDArray[np.float32], shares: NDArray[np.float64], runs: Sequence[Run]
    ) -> NDArray[np.float32]:
        """Average over teachers (axis 0); windows of a training subject only over teachers not trained on it."""
        group = self.planner.group_of(runs[0].fold, runs[0].refit)
        groups = [run.group for run in runs]
        allowed = np.array([(group == left_out) | (group < 0) | (left_out < 0) for left_out in groups])  # (teachers, N)
        weights = allowed * shares[:, None]
        weights /= weights.sum(0)
        return np.asarray(np.einsum("tn...,tn->n...", values, weights.astype(np.float32)), np.float32)

    def _network_outputs(self, run: Run, method: str) -> TapValues:
        if run.kind == "features":
            return {"logits": self.store.classifier_logits(run.id, np.arange(len(self.planner.index)))}
        wanted = _teacher_taps(method)
        if (run.id, wanted) not in self._outputs:
            weights, state = self.store.weights(run.id)
            windows = self.data.of(run).windows
            self._outputs[run.id, wanted] = self.network(run, method).predict_taps(weights, state, windows)
        outputs: TapValues = self._outputs[run.id, wanted]
        return outputs

    def network(self, run: Run, method: str) -> Functional:
        """Return the network of a run with the teacher taps of a method."""
        key = (run.architecture, _teacher_taps(method))
        if key not in self._networks:
            self._networks[key] = teacher_network(shared_model_of(run, self.planner.index), get_method(method))
        return self._networks[key]


def _teacher_taps(method: str) -> TeacherTaps:
    return get_method(method).teacher_taps, get_method(method).view


def model_of(run: Run, index: WindowIndex) -> keras.Model:
    """Build the network of a run with its initial weights."""
    return build_network(run.network, index.spec_of(run), seed=run.seed, **run.options_of_network)


def shared_model_of(run: Run, index: WindowIndex) -> keras.Model:
    """Return the network of a run with any weights, which nobody may change."""
    return get_shared_network(run.network, index.spec_of(run), **run.options_of_network)
