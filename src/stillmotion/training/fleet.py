"""A fleet: many small models trained as one compiled program."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from ..evaluation import accuracy, macro_f1
from ..features.feature_set import FeatureSet
from ..features.window_features import compute_feature_table
from ..interrupts import SAVING, saved_when_stopped
from ..methods import Method, get_method, method_code
from ..networks.quantisation_plan import QuantisationPlan
from ..windows import Windows
from ..windows.augment import Places, check_kinds
from . import checkpoint
from .arrays import check_labels, check_windows
from .device import on_accelerator
from .distillation import prepare_distillation
from .fingerprint import fingerprint, model_structure
from .fleet_state import FleetState, RunResult, Slot
from .functional import State, Vector
from .memory import choose_size, replica_bytes
from .optimiser import Moments
from .program import compile_program, keys
from .progress import Epoch, Progress
from .recipe import Recipe, Replica, check_replicas
from .replicas import make_replica_tables, resolve_hyperparameters
from .shared import TEACHER_PARTS, share_arrays
from .slots import put_state, select_states, stack_states, take_state
from .step import SOUND, ReplicaInputs, TrainState
from .teacher import Teacher
from .threads import ReplicaThreads

#: Between a replica's seed and that of a teacher from scratch: two networks of one kind must not begin alike.
TEACHER_SEEDS = 1 << 31


class Fleet:
    """Replicas of one student that train together, each with its own weights, data, hyperparameters and random stream.

    Slots hold the replicas that train; when one has finished, the next waiting replica takes its slot at the end of the
    epoch. The result of a replica does not depend on the others (except for rounding); the same replicas on the same
    machine give bit-identical results, interrupted or not.

    Args:
        student: any built ``keras.Model`` that gives logits.
        teaching: the method, or its name.
        replicas: the runs.
        windows: (N, T, D) float32, the windows of all replicas, each once; those that ``cut`` returned share the
            samples of overlapping windows.
        labels: (N,) class of each window.
        classes: number of classes.
        recipe: settings that all replicas share.
        teachers: for methods that need one; a replica refers to its teacher by index.
        live: run teachers in every step, on the very windows that the student sees, or cache their taps for all
            windows; by default they run with augmentation if they are networks. Cached logits are mixed as labels are.
        places: channels of each sensor position, for rotations (``windows.augment.sensor_places``).
        size: number of replicas that train at a time; chosen from the free memory by default.
        together: number of replicas that share one matrix product; chosen by default.
        folder: folder of the checkpoint; without it none is written.
        every: seconds between two checkpoints.
        own_weights: start from the student's current weights instead of weights drawn by each replica's seed.
        quantise: where the student rounds in every step and in its evaluation, as its int8 form does.
    """

    def __init__(
        self,
        student: keras.Model,
        teaching: str | Method,
        replicas: Sequence[Replica],
        windows: ArrayLike | Windows,
        labels: ArrayLike,
        *,
        classes: int,
        recipe: Recipe | None = None,
        teachers: Sequence[Teacher] = (),
        live: bool | None = None,
        places: Places = (),
        size: int | None = None,
        together: int | None = None,
        folder: Path | None = None,
        every: float = 60.0,
        own_weights: bool = False,
        quantise: QuantisationPlan | None = None,
    ) -> None:
        self.method = get_method(teaching)
        self.recipe = Recipe() if recipe is None else recipe
        check_kinds(self.recipe.augment)
        self.windows = windows if isinstance(windows, Windows) else check_windows(windows)
        self.labels = check_labels(labels).astype(np.int32)
        self.classes, self.places, self.own_weights, self.every = classes, places, own_weights, every
        self.replicas = list(replicas)
        check_replicas(self.replicas, self.windows, self.labels, classes)
        given = (student, self.method, teachers, self.replicas, self.windows, classes)
        self.setup = prepare_distillation(*given, live=live, augment=self.recipe.augment, quantise=quantise)
        self.student, trained, frozen = self.setup.student, self.setup.trained, self.setup.live
        self.features = {each: compute_feature_table(self.windows, each) for each in self.setup.feature_layers}
        shared_bytes = sum(array.nbytes for array in (self.windows, *self.features.values()))
        shared_bytes += sum(4 * network.size for network in frozen) * len(teachers)
        per_replica = replica_bytes(trained, self.recipe.batch, aux_params=self.setup.aux.size, frozen=frozen)
        self.size = choose_size(size, len(self.replicas), per_replica, shared_bytes)
        # Side by side on a processor; on an accelerator all share each product (512: twice as fast as by 64).
        self.together = min(together or (self.size if on_accelerator() else 1), self.size)
        self.tables = make_replica_tables(self.replicas, self.method, self.recipe, self.labels, classes)
        self.threads = ReplicaThreads(self.size, self.together)
        self.program = compile_program(self.setup, self.recipe, classes=classes, places=places, together=self.together)
        self.shared = share_arrays(self.setup, self.windows, self.labels, self.features)
        self.path = None if folder is None else Path(folder) / "fleet.ckpt"
        self.averages = any(resolve_hyperparameters(r, self.method, self.recipe)["average"] > 0 for r in self.replicas)

    def train(self, progress: Progress | None = None) -> list[RunResult]:
        """Train all replicas, resuming from a checkpoint if there is one.

        Args:
            progress: shows the progress; by default on standard error.

        Returns:
            The results, in the order of the replicas.
        """
        show = Progress() if progress is None else progress
        resumed = self._resume()
        standing = self._begin() if resumed is None else resumed
        if resumed is None:
            # A folder that cannot be written is known before the first step, not minutes later.
            self._save(standing)
        started = saved = time.monotonic()
        done, first = 0, 0.0
        # An epoch works on a copy: the standing is that of the last whole one.
        with saved_when_stopped(lambda: self._save(standing)):
            while standing.alive:
                after = standing.copy()
                terms = self._epoch(after)
                self._retire(after)
                self._refill(after)
                standing = after
                done += 1
                seconds = time.monotonic() - started
                first = seconds if done == 1 else first
                show(self._report(standing, terms, seconds, first, done), last=not standing.alive)
                if time.monotonic() - saved >= self.every or not standing.alive:
                    self._save(standing)
                    saved = time.monotonic()
        return [standing.outcomes[number] for number in range(len(self.replicas))]

    def measured(self, epochs: int) -> list[tuple[float, float]]:
        """Time training and evaluation of each epoch, in seconds, without keeping results; the first epoch compiles."""
        taken, standing = [], self._begin(judge=False)
        for _ in range(epochs + 1):
            began = time.monotonic()
            learners, _ = self._train(standing)
            np.asarray(learners.broken)
            middle = time.monotonic()
            self._count(standing, learners)
            taken.append((middle - began, time.monotonic() - middle))
        return taken

    # The parts of an epoch.

    def _epoch(self, standing: FleetState) -> dict[str, float]:
        """Train and evaluate all active replicas for one epoch; return the mean of each loss term over them."""
        import jax.numpy as jnp

        slots, alive = standing.slots, standing.alive
        learners, sums = self._train(standing)
        counts = self._count(standing, learners)
        score = macro_f1(counts) if self.recipe.select == "macro-f1" else accuracy(counts)
        sums, broken = np.asarray(sums), np.array(learners.broken)
        better = np.zeros(len(slots), bool)
        means: dict[str, float] = {}
        for number in alive:
            slot = slots[number]
            assert slot is not None
            slot.epoch += 1
            steps = int(self.tables.steps[slot.replica])
            terms = dict(zip(self.program.terms, (sums[number] / steps).tolist(), strict=True))
            slot.history.append({**terms, "validation": float(score[number])})
            # Windows without a finite answer are not counted; they show what the last step of an epoch broke.
            if broken[number] == SOUND and counts[number].sum() < len(self.replicas[slot.replica].validation):
                broken[number] = len(self.program.terms) + 1
            stop = self.replicas[slot.replica].stop
            wanted = slot.epoch == stop if stop else score[number] > slot.best or self.recipe.keep == "last"
            better[number] = broken[number] == SOUND and wanted
            if better[number]:
                slot.best, slot.best_epoch = float(score[number]), slot.epoch
            for name, value in terms.items():
                means[name] = means.get(name, 0.0) + value / len(alive)
        if better.any():
            standing.best = select_states(better, learners, standing.best)
        standing.learners = learners._replace(broken=jnp.asarray(broken))
        return means

    def _train(self, standing: FleetState) -> tuple[TrainState, Any]:
        """Train the active replicas for one epoch; return the train states and the sums of their loss terms."""
        given = standing.learners, self._members(standing.slots), self.shared, standing.alive
        sums = np.zeros((self.size, len(self.program.terms)), np.float32)
        trained: tuple[TrainState, Any] = self.threads.run(self.program.epoch, *given, (standing.learners, sums))
        return trained

    def _count(self, standing: FleetState, learners: TrainState) -> NDArray[np.int32]:
        """Return the confusion matrices of the active replicas on their validation windows."""
        given = learners, self._validation(standing.slots), self.shared, standing.alive
        none = np.zeros((self.size, self.classes, self.classes), np.int32)
        return np.asarray(self.threads.run(self.program.evaluate, *given, none))

    def _validation(self, slots: list[Slot | None]) -> Any:
        import jax.numpy as jnp

        return jnp.asarray(self.tables.validation[[0 if slot is None else slot.replica for slot in slots]])

    def _retire(self, standing: FleetState) -> None:
        """Store the results of finished replicas, and free their slots."""
        broken = np.asarray(standing.learners.broken)
        for number in standing.alive:
            slot = standing.slots[number]
            assert slot is not None
            failed = broken[number] != SOUND
            stop = self.replicas[slot.replica].stop
            tired = not stop and slot.epoch - slot.best_epoch >= self.recipe.patience
            if not (failed or tired or slot.epoch >= (stop or self.recipe.epochs)):
                continue
            reason = ""
            if failed:
                names = (*self.program.terms, "the gradient", "an answer to the validation windows")
                reason = f"{names[broken[number]]} was not a finite number in epoch {slot.epoch}"
            best = take_state(standing.best, number)
            standing.outcomes[slot.replica] = RunResult(
                replica=slot.replica,
                status="failed" if failed else "done",
                reason=reason,
                best=slot.best,
                best_epoch=slot.best_epoch,
                epochs=slot.epoch,
                history=tuple(slot.history),
                weights=best.average if self.averages else best.weights[: self.student.size],
                state=self.student.without_ranges(best.state),
                teacher_weights=best.weights[self.student.size : best.weights.size - self.setup.aux.size],
                aux_params=best.weights[best.weights.size - self.setup.aux.size :],
                teacher_state=best.teacher_state,
            )
            standing.slots[number] = None

    def _refill(self, standing: FleetState) -> None:
        """Give free slots to waiting replicas, in their order."""
        for number, slot in enumerate(standing.slots):
            if slot is None and standing.waiting:
                replica = standing.waiting.pop(0)
                standing.slots[number] = Slot(replica)
                fresh = self._fresh(replica)
                standing.learners = put_state(standing.learners, number, fresh)
                standing.best = put_state(standing.best, number, fresh)

    def _members(self, slots: list[Slot | None]) -> ReplicaInputs:
        """Return the inputs of each slot's next epoch; an empty slot has those of the first replica and is not run."""
        import jax

        who = [0 if slot is None else slot.replica for slot in slots]
        epochs = [0 if slot is None else slot.epoch for slot in slots]
        tables = self.tables
        steps = tables.steps[who]
        orders = [tables.order(self.replicas[r], epoch) for r, epoch in zip(who, epochs, strict=True)]
        inputs = ReplicaInputs(
            order=np.stack(orders),
            steps=steps,
            first_step=steps * np.array(epochs, np.int32),
            total=steps * self.recipe.epochs,
            key=keys(np.array([self.replicas[r].seed for r in who], np.uint32)),
            hyperparameters={name: column[who] for name, column in tables.hyperparameters.items()},
            class_weights=tables.class_weights[who],
            offset=tables.offset[who],
            teacher=np.array([self.replicas[r].teacher for r in who], np.int32),
        )
        # At once: array by array, it took as long as a step of a small network.
        moved: ReplicaInputs = jax.device_put(inputs)
        return moved

    # Beginning and going on.

    def _begin(self, *, judge: bool = True) -> FleetState:
        if judge:
            self.setup.judge(self.replicas, self.windows, self.labels)
        slots: list[Slot | None] = [Slot(number) for number in range(self.size)]
        learners = stack_states([self._fresh(number) for number in range(self.size)])
        return FleetState(slots, list(range(self.size, len(self.replicas))), {}, learners, learners)

    def _fresh(self, number: int) -> TrainState:
        """Return the train state of a replica before its first step."""
        replica = self.replicas[number]
        vector, state = self._first_weights(replica)
        if replica.mean is not None and replica.std is not None:
            state = self.student.with_statistics(state, replica.mean, replica.std, self._features_of(replica))
        average = vector if self.averages else np.zeros(0, np.float32)
        teacher_state: State = []
        network = self.setup.trained_teacher
        if network is not None:
            teacher = self.setup.teachers[replica.teacher]
            assert teacher.weights is not None
            theirs, teacher_state = teacher.weights, list(teacher.state or [])
            if self.method.fresh_teacher:
                theirs, teacher_state = network.initial((replica.seed + TEACHER_SEEDS) % 2**32)
            vector = np.concatenate([vector, theirs])
            if replica.mean is not None and replica.std is not None:
                features = self._features_of(replica)
                teacher_state = network.with_statistics(teacher_state, replica.mean, replica.std, features)
        vector = np.concatenate([vector, self.setup.aux.flat(self.setup.aux_params(replica.seed))])
        zero = np.zeros_like(vector)
        return TrainState(
            weights=vector,
            moments=Moments(np.zeros((), np.float32), zero, zero),
            average=average,
            state=list(state),
            teacher_state=list(teacher_state),
            broken=np.asarray(SOUND, np.int32),
        )

    def _first_weights(self, replica: Replica) -> tuple[Vector, State]:
        if replica.start is not None:
            return self.student.going_on(*replica.start, replica.seed)
        return self.student.own(replica.seed) if self.own_weights else self.student.initial(replica.seed)

    def _features_of(self, replica: Replica) -> dict[FeatureSet, NDArray[np.float32]]:
        return {each: values[replica.train] for each, values in self.features.items()}

    def _report(self, standing: FleetState, terms: dict[str, float], seconds: float, first: float, done: int) -> Epoch:
        here = [slot for slot in standing.slots if slot is not None]
        outcomes = standing.outcomes.values()
        longest = max((self.recipe.epochs - slot.epoch for slot in here), default=0)
        rounds = -(-len(standing.waiting) // len(standing.slots)) * self.recipe.epochs
        return Epoch(
            number=max([slot.epoch for slot in here] or [outcome.epochs for outcome in outcomes]),
            alive=len(here),
            waiting=len(standing.waiting),
            finished=len(outcomes),
            failed=sum(outcome.status == "failed" for outcome in outcomes),
            terms=terms,
            best=max([slot.best for slot in here] + [outcome.best for outcome in outcomes]),
            seconds=seconds,
            # The first epoch holds the compilation, and says little about those to come.
            left=None if done == 1 else (seconds - first) / (done - 1) * (longest + rounds),
        )

    # Checkpoints.

    @cached_property
    def _fingerprint(self) -> str:
        """Fingerprint everything that determines the results."""
        import jax

        plain = {
            "method": [self.method.name, self.method.chosen, method_code(self.method)],
            "recipe": self.recipe.to_dict(),
            "student": model_structure(self.student.model),
            "teachers": [model_structure(network.model) for network in self.setup.members],
            "classes": self.classes,
            "places": self.places,
            "size": self.size,
            "together": self.together,
            "replicas": [
                [r.seed, r.teacher, resolve_hyperparameters(r, self.method, self.recipe), r.name, r.stop]
                for r in self.replicas
            ],
        }
        rows = [part for r in self.replicas for part in (r.train, r.validation, r.mean, r.std)]
        rows += [values for r in self.replicas if r.start is not None for values in (r.start[0], *r.start[1])]
        # The weights of one seed stand for those of all, and hold what no seed draws anew (a normaliser's statistics).
        vector, state = self._first_weights(self.replicas[0])
        teachers = jax.tree.leaves([getattr(self.shared, part) for part in TEACHER_PARTS])
        windows = (self.windows.signal, self.windows.starts) if isinstance(self.windows, Windows) else (self.windows,)
        shape = np.array(self.windows.shape)
        return fingerprint(plain, [shape, *windows, self.labels, *rows, vector, *state, *teachers])

    def _save(self, standing: FleetState) -> None:
        if self.path is None:
            return
        about, arrays = standing.stored()
        with SAVING:
            checkpoint.save(self.path, {"fingerprint": self._fingerprint, **about}, arrays)

    def _resume(self) -> FleetState | None:
        found = None if self.path is None else checkpoint.load(self.path)
        if found is None:
            return None
        about, arrays = found
        if about["fingerprint"] != self._fingerprint:
            raise UserError(
                f"The checkpoint {self.path} belongs to another plan (data, replicas, recipe or fleet size differ); "
                f"name another folder, or remove it."
            )
        return FleetState.restored(about, arrays, self._fresh(0))
