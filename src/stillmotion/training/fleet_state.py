"""The state of a fleet at the end of an epoch, and its form in a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .functional import State, Vector
from .step import TrainState

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class RunResult:
    """The result of one replica's run.

    ``weights`` and ``state`` are those of its best epoch, ``teacher_weights`` and ``teacher_state`` those of a
    co-trained teacher, ``aux_params`` the auxiliary parameters. ``history`` has one row per epoch: the means of the
    loss terms, and ``validation``.
    """

    replica: int
    status: str
    reason: str
    best: float
    best_epoch: int
    epochs: int
    history: tuple[dict[str, float], ...]
    weights: Vector
    state: State
    teacher_weights: Vector
    teacher_state: State
    aux_params: Vector


@dataclass
class Slot:
    """The replica that trains in a slot of the fleet, and its progress."""

    replica: int
    epoch: int = 0
    best: float = -1.0
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass
class FleetState:
    """Everything that changes while a fleet trains.

    ``slots`` hold the replicas that train (None: empty), ``waiting`` the replicas to come, ``learners`` the current
    train states with a leading slot axis, ``best`` those of each slot's best epoch.
    """

    slots: list[Slot | None]
    waiting: list[int]
    outcomes: dict[int, RunResult]
    learners: TrainState
    best: TrainState

    @property
    def alive(self) -> list[int]:
        """Numbers of the slots in which a replica trains."""
        return [number for number, slot in enumerate(self.slots) if slot is not None]

    def copy(self) -> FleetState:
        """Return a copy that can be changed independently."""
        slots = [None if slot is None else replace(slot, history=list(slot.history)) for slot in self.slots]
        return FleetState(slots, list(self.waiting), dict(self.outcomes), self.learners, self.best)

    def stored(self) -> tuple[dict[str, Any], Arrays]:
        """Return plain values and arrays for a checkpoint."""
        import jax

        arrays: Arrays = {}
        for name, tree in (("learners", self.learners), ("best", self.best)):
            arrays |= {f"{name}/{n}": np.asarray(leaf) for n, leaf in enumerate(jax.tree.leaves(tree))}
        plain = {}
        for number, outcome in self.outcomes.items():
            values = dict(outcome.__dict__)
            for part in ("weights", "teacher_weights", "aux_params"):
                arrays[f"outcome/{number}/{part}"] = values.pop(part)
            for part in ("state", "teacher_state"):
                arrays |= {f"outcome/{number}/{part}/{n:03d}": leaf for n, leaf in enumerate(values.pop(part))}
            plain[str(number)] = values
        about = {
            "slots": [None if slot is None else slot.__dict__ for slot in self.slots],
            "waiting": self.waiting,
            "outcomes": plain,
        }
        return about, arrays

    @classmethod
    def restored(cls, about: dict[str, Any], arrays: Arrays, like: TrainState) -> FleetState:
        """Restore the state from a checkpoint; ``like`` is any train state of the same structure."""
        import jax
        import jax.numpy as jnp

        leaves, shape = jax.tree.flatten(like)

        def tree(name: str) -> TrainState:
            stored = [jnp.asarray(arrays[f"{name}/{n}"]) for n in range(len(leaves))]
            return jax.tree.unflatten(shape, stored)  # type: ignore[no-any-return]

        def listed(prefix: str) -> State:
            return [arrays[name] for name in sorted(arrays) if name.startswith(f"{prefix}/")]

        outcomes = {
            int(number): RunResult(
                **{**values, "history": tuple(values["history"])},
                weights=arrays[f"outcome/{number}/weights"],
                teacher_weights=arrays[f"outcome/{number}/teacher_weights"],
                aux_params=arrays[f"outcome/{number}/aux_params"],
                state=listed(f"outcome/{number}/state"),
                teacher_state=listed(f"outcome/{number}/teacher_state"),
            )
            for number, values in about["outcomes"].items()
        }
        slots = [None if values is None else Slot(**values) for values in about["slots"]]
        return cls(slots, list(about["waiting"]), outcomes, tree("learners"), tree("best"))
