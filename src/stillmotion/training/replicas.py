"""Tables of what each replica trains with: hyperparameters, class weights, order of windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnknownName
from ..limits import POSITIVE
from ..methods import Method
from .recipe import OPTIMISER_HYPERPARAMETERS, Recipe, Replica

#: Windows per step of an evaluation.
EVALUATION_BATCH = 256

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ReplicaTables:
    """Tables with one row per replica.

    ``steps`` is the length of an epoch, ``hyperparameters`` have one column each, ``class_weights`` and ``offset`` are
    (R, C), ``validation`` holds indices of windows (R, n, B), padded with -1.
    """

    batch: int
    steps: NDArray[np.int32]
    hyperparameters: dict[str, Floats]
    class_weights: Floats
    offset: Floats
    validation: NDArray[np.int32]

    def order(self, replica: Replica, epoch: int) -> NDArray[np.int32]:
        """Return indices of windows (longest epoch, B): the replica's windows in random order, the last step filled up.

        The order depends only on the replica's seed and the epoch.
        """
        shuffled = np.random.default_rng([replica.seed, epoch]).permutation(replica.train)
        return np.resize(shuffled, (int(self.steps.max()), self.batch)).astype(np.int32)


def resolve_hyperparameters(replica: Replica, method: Method, recipe: Recipe) -> dict[str, float]:
    """Return all hyperparameters of a replica: its own, and those of the recipe, and defaults of the method."""
    shared = set(OPTIMISER_HYPERPARAMETERS) | set(recipe.augment)
    given = {name: value for name, value in replica.hyperparameters.items() if name in shared}
    for name, value in given.items():
        POSITIVE.check(value, name)
    rest = {name: value for name, value in replica.hyperparameters.items() if name not in shared}
    for name in rest:
        if name not in method.hyperparameters:
            raise UnknownName("hyperparameter", name, sorted({*shared, *method.hyperparameters}))
    # An augmentation of the recipe for which the replica sets no strength is off.
    off = dict.fromkeys(recipe.augment, 0.0)
    optimiser = {name: float(getattr(recipe, name)) for name in OPTIMISER_HYPERPARAMETERS}
    return {**optimiser, **off, **method.resolve(rest), **given}


def make_replica_tables(
    replicas: Sequence[Replica], method: Method, recipe: Recipe, labels: NDArray[Any], classes: int
) -> ReplicaTables:
    """Build the tables of a fleet."""
    steps = np.array([-(-len(replica.train) // recipe.batch) for replica in replicas], np.int32)
    resolved = [resolve_hyperparameters(replica, method, recipe) for replica in replicas]
    hyperparameters = {name: np.array([row[name] for row in resolved], np.float32) for name in resolved[0]}
    weights, offsets = [], []
    for replica in replicas:
        counts = np.bincount(labels[replica.train], minlength=classes).astype(np.float64)
        weights.append(class_weights(counts, recipe.imbalance))
        prior = np.maximum(counts, 0.5) / counts.sum()
        offsets.append(np.log(prior) if recipe.imbalance == "logit-adjustment" else np.zeros(classes))
    longest = max(len(replica.validation) for replica in replicas)
    batches = -(-longest // EVALUATION_BATCH)
    validation = np.full((len(replicas), batches * EVALUATION_BATCH), -1, np.int32)
    for row, replica in zip(validation, replicas, strict=True):
        row[: len(replica.validation)] = replica.validation
    return ReplicaTables(
        batch=recipe.batch,
        steps=steps,
        hyperparameters=hyperparameters,
        class_weights=np.array(weights, np.float32),
        offset=np.array(offsets, np.float32),
        validation=validation.reshape(len(replicas), batches, EVALUATION_BATCH),
    )


def class_weights(counts: NDArray[np.float64], imbalance: str) -> NDArray[np.float64]:
    """Return the weight of each class in the cross-entropy; the mean over the training windows is 1."""
    if imbalance not in ("weights", "sqrt-weights"):
        return np.ones_like(counts)
    power = 1.0 if imbalance == "weights" else 0.5
    factors = np.where(counts > 0, np.maximum(counts, 1) ** -power, 0.0)
    return np.asarray(factors * counts.sum() / (factors * counts).sum())
