"""Tables of what every replica is told: numbers, class weights, windows in the order of an epoch."""

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

#: Windows that an evaluation looks at in one go.
EVALUATION_BATCH = 256

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ReplicaTables:
    """One row a replica.

    ``steps`` is the length of an epoch, ``hyperparameters`` have a column each, ``class_weights`` and ``offset`` are
    (R, C), ``validation`` is (R, n, B) window numbers with -1 for none.
    """

    batch: int
    steps: NDArray[np.int32]
    hyperparameters: dict[str, Floats]
    class_weights: Floats
    offset: Floats
    validation: NDArray[np.int32]

    def order(self, replica: Replica, epoch: int) -> NDArray[np.int32]:
        """(longest epoch, B) window numbers: all of the replica's windows in random order, the last step filled up.

        It depends on the replica's seed and the epoch alone.
        """
        shuffled = np.random.default_rng([replica.seed, epoch]).permutation(replica.train)
        return np.resize(shuffled, (int(self.steps.max()), self.batch)).astype(np.int32)


def resolve_hyperparameters(replica: Replica, method: Method, recipe: Recipe) -> dict[str, float]:
    """All numbers of a replica: those given, and defaults of the method, the optimiser and the augmentation."""
    own = set(OPTIMISER_HYPERPARAMETERS) | set(recipe.augment)
    mine = {name: value for name, value in replica.hyperparameters.items() if name in own}
    for name, value in mine.items():
        POSITIVE.check(value, name)
    rest = {name: value for name, value in replica.hyperparameters.items() if name not in own}
    for name in rest:
        if name not in method.hyperparameters:
            raise UnknownName("number", name, sorted({*own, *method.hyperparameters}))
    # An augmentation that the recipe names and the replica gives no strength is off in it.
    off = dict.fromkeys(recipe.augment, 0.0)
    return {**OPTIMISER_HYPERPARAMETERS, **off, **method.resolve(rest), **mine}


def make_replica_tables(
    replicas: Sequence[Replica], method: Method, recipe: Recipe, labels: NDArray[Any], classes: int
) -> ReplicaTables:
    """The tables of a fleet."""
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
    """Factor of each class in the cross-entropy; their mean over the training windows is 1."""
    if imbalance not in ("weights", "sqrt-weights"):
        return np.ones_like(counts)
    power = 1.0 if imbalance == "weights" else 0.5
    factors = np.where(counts > 0, np.maximum(counts, 1) ** -power, 0.0)
    return np.asarray(factors * counts.sum() / (factors * counts).sum())
