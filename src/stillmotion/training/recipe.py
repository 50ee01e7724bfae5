"""Settings of a training: the recipe that all replicas share, and the replicas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import UnknownName, UserError
from ..limits import PART, Limits
from ..windows import Windows
from ..windows.cut import are_whole

Rows = NDArray[np.int64]
Select = Literal["macro-f1", "accuracy"]
Keep = Literal["best", "last"]
Schedule = Literal["constant", "cosine"]
Imbalance = Literal["none", "weights", "sqrt-weights", "logit-adjustment"]
#: Limits of a recipe's values.
RECIPE_LIMITS = {
    "batch": Limits(1, 100_000),
    "epochs": Limits(1, 1_000_000),
    "patience": Limits(1, 1_000_000),
    "warmup": PART,
    "learning_rate": Limits(0, 10),
    "weight_decay": Limits(0, 100),
    "clip": Limits(0, 1e6),
    "average": PART,
    "smoothing": PART,
}

#: Values of the recipe that each replica may change, and a study may search.
OPTIMISER_HYPERPARAMETERS = ("learning_rate", "weight_decay", "clip", "average", "smoothing")


@dataclass(frozen=True)
class Recipe:
    """Training settings that all replicas of a fleet share; only optimiser hyperparameters may differ between them.

    Args:
        batch: windows per step. The last step of an epoch is filled up with the epoch's first windows.
        epochs: largest number of epochs.
        patience: epochs without a better validation score after which a replica stops; its best weights are kept.
        select: validation score that chooses the best epoch, ``macro-f1`` (an absent class counts 0) or ``accuracy``.
        keep: weights of the ``best`` epoch, or of the ``last``: where the learning rate falls to 0 and there are few
            validation subjects, the best epoch is one of chance.
        learning_rate: of Adam.
        weight_decay: decoupled from the gradient (AdamW).
        clip: largest norm of the gradient; 0 for no clipping.
        average: decay of the moving average of weights that is evaluated; 0 for none.
        smoothing: label smoothing of the cross-entropy.
        schedule: learning rate over the run, ``constant`` or ``cosine`` (down to 0).
        warmup: share of all steps in which the learning rate rises from 0.
        imbalance: ``weights`` gives all classes the same total weight in the cross-entropy, ``sqrt-weights`` takes the
            square root of these weights, ``logit-adjustment`` adds log priors to the logits in training (Menon et al.,
            ICLR 2021).
        augment: kinds of augmentation, each with a strength per replica (see ``windows.augment``).
    """

    batch: int = 64
    epochs: int = 100
    patience: int = 10
    select: Select = "macro-f1"
    keep: Keep = "best"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    clip: float = 0.0
    average: float = 0.0
    smoothing: float = 0.0
    schedule: Schedule = "constant"
    warmup: float = 0.0
    imbalance: Imbalance = "none"
    augment: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what, limits in RECIPE_LIMITS.items():
            limits.check(getattr(self, what), what)
        for what, kinds in (("select", Select), ("keep", Keep), ("schedule", Schedule), ("imbalance", Imbalance)):
            if getattr(self, what) not in get_args(kinds):
                raise UnknownName(what, getattr(self, what), list(get_args(kinds)))

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as values that fit JSON; ``keep`` only where it is not the default of earlier versions."""
        return {name: value for name, value in asdict(self).items() if (name, value) != ("keep", "best")}


#: The recipe of Agac & Incel: Adam 1e-3, batch 64, up to 300 epochs, patience 10 on validation accuracy.
PUBLISHED = Recipe(batch=64, epochs=300, patience=10, select="accuracy")


@dataclass(frozen=True, eq=False)
class Replica:
    """One run of a fleet.

    Args:
        seed: seed of the initial weights, the order of windows, augmentation and dropout.
        train: indices of the training windows.
        validation: indices of the windows that choose the best epoch.
        hyperparameters: hyperparameters of the method, the optimiser and the augmentation that differ from their
            defaults.
        mean, std: (channels,) statistics of its training windows, for the normaliser of the signal; that of window
            features is then fitted to its training windows too. None keeps the statistics of the model.
        teacher: index of its teacher among those of the fleet.
        name: its name in messages.
        stop: epoch after which it stops and whose weights are kept, whatever the validation score, so that it needs no
            validation windows; the learning rate is that of a run of all the recipe's epochs. 0 for none.
        start: weights and state of a trained network to start from, instead of weights drawn by the seed.
    """

    seed: int
    train: Rows
    validation: Rows
    hyperparameters: Mapping[str, float] = field(default_factory=dict)
    mean: NDArray[np.float32] | None = None
    std: NDArray[np.float32] | None = None
    teacher: int = 0
    name: str = ""
    stop: int = 0
    start: tuple[NDArray[np.float32], Sequence[NDArray[Any]]] | None = None


def check_replicas(
    replicas: Sequence[Replica], windows: NDArray[Any] | Windows, labels: NDArray[Any], classes: int
) -> None:
    """Raise ``UserError`` for replicas that cannot be trained on these windows."""
    if not replicas:
        raise UserError("A fleet needs at least one replica.")
    if len(windows.shape) != 3 or len(windows) != len(labels):
        raise UserError(
            f"Windows must be (n, time, channel) with a label each, not {windows.shape} and {labels.shape}."
        )
    if isinstance(windows, Windows):
        finite = are_whole(windows.signal, windows.starts, windows.shape[1])
    else:
        finite = np.isfinite(windows)
    if not finite.all():
        raise UserError("Some windows hold NaN or infinite values: repair the recordings first.")
    for number, replica in enumerate(replicas):
        if not 0 <= replica.seed < 2**32:
            raise UserError(f"Replica {replica.name or number} has seed {replica.seed}; seeds go from 0 to 2³² − 1.")
        for what, rows in (("training", replica.train), ("validation", replica.validation)):
            if len(rows) == 0 and what == "validation" and replica.stop:
                continue
            if len(rows) == 0:
                raise UserError(f"Replica {replica.name or number} has no {what} windows.")
            if not 0 <= int(np.min(rows)) <= int(np.max(rows)) < len(windows):
                raise UserError(f"Replica {replica.name or number} has {what} windows outside 0 … {len(windows) - 1}.")
            if not 0 <= int(labels[rows].min()) <= int(labels[rows].max()) < classes:
                raise UserError(
                    f"Replica {replica.name or number} has {what} windows with labels outside 0 … {classes - 1}."
                )
