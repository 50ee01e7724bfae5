"""Fixed teachers, single or several together: check them and compute their taps once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from ..networks.heads import as_logits
from ..networks.taps import LOGITS
from ..windows import Windows
from .functional import Functional, State, Vector
from .recipe import Replica

Array = Any


class UselessTeacher(UserError):
    """Raised for a teacher that is no better than the majority class, constant or not finite."""


@dataclass(frozen=True, eq=False)
class Teacher:
    """A teacher: a network with weights and state, or outputs that were computed elsewhere.

    Args:
        network: the model as a function, with the taps that the method needs; None for outputs from elsewhere.
        weights, state: weights and state of the network.
        outputs: taps by name, each (windows, …), for a teacher without a network; at least ``logits`` (where the rows
            are probabilities, their logarithm is taken).
        classifier: kernel (F, C) and bias (C,) of the dense layer from the embedding to the logits in ``outputs``, for
            methods that reuse it.
        name: its name in messages.
        members: several teachers that teach together, each a network; it has no network or outputs of its own then.
        shares: weight of each member in the mean of their probabilities; see ``join_teachers``.
    """

    network: Functional | None = None
    weights: Vector | None = None
    state: State | None = None
    outputs: dict[str, NDArray[np.float32]] | None = None
    classifier: tuple[Vector, Vector] | None = None
    name: str = "the teacher"
    members: tuple[Teacher, ...] = ()
    shares: tuple[float, ...] = ()

    @property
    def parts(self) -> tuple[Teacher, ...]:
        """Its members, or itself where it has none."""
        return self.members or (self,)

    @property
    def can_run(self) -> bool:
        """Whether it is made of networks, which can run in every step."""
        return all(part.network is not None for part in self.parts)

    @property
    def dense_classifier(self) -> tuple[Vector, Vector] | None:
        """Kernel (F, C) and bias (C,) of its dense classifier, or None."""
        if self.network is None or self.weights is None:
            return self.classifier
        return self.network.classifier_of(self.weights)


def join_teachers(teachers: Sequence[Teacher], weights: Sequence[float] = (), *, name: str = "") -> Teacher:
    """Join several trained networks to one teacher, whose probabilities are the weighted mean of theirs.

    Probabilities are averaged, not logits: the scale of logits differs between kinds of networks, and with it their
    weight in a mean of logits. The mean is the one of ``log_pool``, which is also that of stored outputs.

    Args:
        teachers: networks with their weights and state.
        weights: of each, 0 or more, with the sum 1; equal by default.
        name: its name in messages.

    Returns:
        The teacher.

    Raises:
        UserError: a teacher is no single network, or weights do not fit.

    Example:
        >>> from stillmotion.networks import build_network
        >>> from stillmotion.training import Teacher, join_teachers
        >>> from stillmotion.training.functional import Functional
        >>> networks = [Functional(build_network("mlp-small", (20, 3, 4), seed=n), ["logits"]) for n in range(3)]
        >>> teacher = join_teachers([Teacher(network, *network.own()) for network in networks], (0.5, 0.25, 0.25))
        >>> teacher.shares
        (0.5, 0.25, 0.25)
    """
    if not teachers:
        raise UserError("An ensemble of teachers needs at least one network, not none.")
    for teacher in teachers:
        if teacher.network is None:
            raise UserError(f"{teacher.name} is no single network, and only networks can be joined to one teacher.")
    shares = np.asarray(weights if len(weights) else np.full(len(teachers), 1 / len(teachers)), np.float64)
    if shares.shape != (len(teachers),) or not np.isfinite(shares).all() or shares.min() < 0:
        raise UserError(f"{len(teachers)} teachers need a weight of 0 or more each, not {list(weights)}.")
    if abs(shares.sum() - 1) > 1e-6:
        raise UserError(f"The weights of teachers must add up to 1, not to {shares.sum():g}.")
    joined = name or " and ".join(dict.fromkeys(teacher.name for teacher in teachers))
    return Teacher(members=tuple(teachers), shares=tuple(shares.tolist()), name=joined)


def log_pool(logits: Sequence[Array], shares: Array) -> Array:
    """Return log Σ_m w_m softmax(z_m): the logarithm of the weighted mean of probabilities.

    Args:
        logits: (B, C) of each teacher.
        shares: (M,) weights w.
    """
    logs = jnp.stack([jax.nn.log_softmax(each) for each in logits])
    return jax.nn.logsumexp(logs, axis=0, b=jnp.asarray(shares)[:, None, None])


def check_teachers(
    teachers: Sequence[Teacher],
    replicas: Sequence[Replica],
    windows: NDArray[Any] | Windows,
    classes: int,
    *,
    method: str,
) -> None:
    """Raise ``UserError`` unless every replica has a teacher, and teachers fit the windows (N, T, D) and classes."""
    if not teachers:
        raise UserError(f"{method} needs a teacher, but none was given.")
    for number, replica in enumerate(replicas):
        if not 0 <= replica.teacher < len(teachers):
            raise UserError(
                f"Replica {replica.name or number} has teacher {replica.teacher}; valid are 0 … {len(teachers) - 1}."
            )
    for teacher in (part for each in teachers for part in each.parts):
        logits = (teacher.outputs or {}).get("logits")
        if teacher.network is not None:
            assert teacher.weights is not None
            teacher.network.require_fit(windows.shape[1:], classes)
            teacher.network.require_logits(teacher.weights, teacher.state or [], windows)
        elif logits is not None and logits.shape[1:] != (classes,):
            raise UserError(f"{teacher.name} gives outputs {logits.shape[1:]}, but there are {classes} classes.")


def predict_taps(
    teacher: Teacher, windows: NDArray[Any] | Windows, taps: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    """Compute a teacher's taps for all windows, in inference mode.

    Args:
        teacher: the teacher.
        windows: (N, T, D).
        taps: names of the taps.

    Returns:
        The taps by name, each (N, …).

    Raises:
        UserError: the teacher lacks a tap, or has outputs for another number of windows.
    """
    if teacher.members:
        every = [predict_taps(member, windows, ["logits"])["logits"] for member in teacher.members]
        outputs = {"logits": np.asarray(log_pool(every, np.asarray(teacher.shares, np.float32)))}
    elif teacher.network is not None:
        assert teacher.weights is not None
        assert teacher.state is not None
        outputs = teacher.network.predict_taps(teacher.weights, teacher.state, windows)
    else:
        # Scores from elsewhere may be probabilities; a network's logits are taken before its softmax.
        outputs = {
            tap: as_logits(values) if LOGITS.fullmatch(tap) else values
            for tap, values in (teacher.outputs or {}).items()
        }
    for tap in taps:
        if tap not in outputs:
            raise UserError(f"{teacher.name} has no tap {tap!r}; it gives {', '.join(outputs) or 'nothing'}.")
        if len(outputs[tap]) != len(windows):
            raise UserError(
                f"{teacher.name}: there are {tap} for {len(outputs[tap])} windows, not {len(windows)}; give a row for "
                f"each training window, then for each validation window."
            )
    return {tap: np.asarray(outputs[tap], np.float32) for tap in taps}


def require_able(logits: ArrayLike, labels: ArrayLike, *, name: str = "the teacher") -> float:
    """Return a teacher's accuracy on held-out windows; raise ``UselessTeacher`` for one that cannot teach.

    A teacher cannot teach when logits are not finite, when all windows get the same logits, or when it is no better
    than predicting the majority class.

    Args:
        logits: (n, C) the teacher's logits.
        labels: (n,) the true classes.
        name: the teacher's name in messages.
    """
    values, truth = np.asarray(logits, np.float64), np.asarray(labels)
    require_finite(values, name=name)
    if np.ptp(values, axis=0).max() < 1e-6:
        raise UselessTeacher(
            f"{name} gives the same logits for all {len(values)} windows: it cannot teach; train it longer or choose "
            f"another."
        )
    accuracy = float((values.argmax(1) == truth).mean())
    majority = float(np.bincount(truth).max() / len(truth))
    if accuracy <= majority:
        raise UselessTeacher(
            f"{name} has an accuracy of {100 * accuracy:.1f} % on {len(truth)} validation windows, the majority "
            f"class alone {100 * majority:.1f} %: it cannot teach; train it longer or choose another."
        )
    return accuracy


def require_finite(logits: ArrayLike, *, name: str = "the teacher") -> None:
    """Raise ``UselessTeacher`` where logits (n, C) are not finite."""
    bad = ~np.isfinite(np.asarray(logits)).all(1)
    if bad.any():
        raise UselessTeacher(
            f"{name} gives logits that are not finite for {bad.sum()} of {len(bad)} windows: it cannot teach."
        )
