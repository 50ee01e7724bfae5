"""Prepare a method with its student and teachers for training, and check that they fit each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..features.feature_layer import WindowFeatures
from ..features.feature_set import FeatureSet
from ..methods import IncompatibleNetworks, Method, find_taps
from ..methods.method import AuxParamArrays, Shapes
from ..networks.quantisation_plan import QuantisationPlan
from ..networks.taps import list_taps
from ..windows import Windows
from ..windows.augment import MIXUP
from .functional import Functional, Vector
from .layout import Layout
from .recipe import Replica
from .teacher import Teacher, check_teachers, predict_taps, require_able, require_finite


class AuxParams:
    """The layout of auxiliary parameters, such as projectors, in one vector.

    Args:
        first: any values; their names and shapes are used.
    """

    def __init__(self, first: AuxParamArrays) -> None:
        self.shapes = {name: values.shape for name, values in first.items()}
        self.layout = Layout.of(self.shapes.values())

    @property
    def size(self) -> int:
        """Number of auxiliary parameters."""
        return self.layout.size

    def flat(self, aux_params: AuxParamArrays) -> Vector:
        """Return all values as one vector."""
        parts = [np.asarray(aux_params[name], np.float32).ravel() for name in self.shapes]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def named(self, vector: Any) -> dict[str, Any]:
        """Return the values of a vector by name; the inverse of ``flat``."""
        places = zip(self.shapes.items(), self.layout.bounds, self.layout.bounds[1:], strict=False)
        return {name: vector[start:stop].reshape(shape) for (name, shape), start, stop in places}

    def named_parts(self, arrays: Sequence[Any]) -> dict[str, Any]:
        """Return the values of the arrays of the layout by name."""
        return dict(zip(self.shapes, self.layout.tensors(arrays), strict=True))


@dataclass(frozen=True, eq=False)
class DistillationSetup:
    """A method with its student and teachers, ready for training.

    Args:
        method: the distillation method.
        student: the student network, with the taps that the method needs.
        teachers: all teachers; a replica refers to one by index.
        members: the teacher's networks that run in every step: one, or several whose mean probabilities teach; none
            where its taps are cached.
        cached: cached taps of all teachers by name, (teachers, N, …); empty where the teacher runs in every step.
        classifiers: kernels (teachers, F, C) and biases (teachers, C) of all teachers, for methods that reuse them.
    """

    method: Method
    student: Functional
    teachers: tuple[Teacher, ...]
    members: tuple[Functional, ...]
    cached: dict[str, NDArray[np.float32]]
    classifiers: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    @cached_property
    def teacher_shapes(self) -> Shapes:
        """Shape of each of the teacher's taps, without the batch axis."""
        if len(self.members) > 1:
            return {"logits": self.members[0].tap_shapes["logits"]}
        if self.members:
            return self.members[0].tap_shapes
        return {name: values.shape[2:] for name, values in self.cached.items()}

    @cached_property
    def aux(self) -> AuxParams:
        """Layout of the auxiliary parameters."""
        return AuxParams(self.aux_params(0))

    @property
    def networks(self) -> list[Functional]:
        """The networks that run in a step."""
        return [self.student, *self.members]

    @property
    def trained_teacher(self) -> Functional | None:
        """The network of a co-trained teacher, or None."""
        return self.members[0] if self.method.trains_teacher else None

    @property
    def trained(self) -> list[Functional]:
        """The networks that are trained: the student, and a co-trained teacher."""
        return [self.student, *(self.members if self.method.trains_teacher else ())]

    @property
    def live(self) -> tuple[Functional, ...]:
        """The networks of a fixed teacher that run in every step."""
        return () if self.method.trains_teacher else self.members

    @cached_property
    def feature_layers(self) -> dict[FeatureSet, WindowFeatures]:
        """The features of the windows that student and teachers read: each set once, whoever reads it."""
        layers = [layer for network in self.networks for layer, _ in network.described]
        return {layer.features: layer for layer in reversed(layers)}

    @cached_property
    def layout(self) -> Layout:
        """Layout of all trained numbers: student, co-trained teacher, auxiliary parameters."""
        teacher = self.trained_teacher
        return self.student.layout + (Layout(()) if teacher is None else teacher.layout) + self.aux.layout

    def aux_params(self, seed: int) -> AuxParamArrays:
        """Draw the initial auxiliary parameters."""
        return self.method.init_aux_params(self.student.tap_shapes, self.teacher_shapes, seed)

    def judge(self, replicas: Sequence[Replica], windows: NDArray[Any] | Windows, labels: NDArray[Any]) -> None:
        """Raise ``UselessTeacher``, before the first step, for a teacher that is no better than the majority class."""
        if self.method.trains_teacher or "logits" not in self.method.teacher_taps:
            return
        for number, teacher in enumerate(self.teachers):
            learning = [replica for replica in replicas if replica.teacher == number]
            if not learning:
                continue
            rows = np.unique(np.concatenate([replica.validation for replica in learning]))
            if "logits" in self.cached:
                learnt = np.unique(np.concatenate([replica.train for replica in learning]))
                require_finite(self.cached["logits"][number][learnt], name=teacher.name)
            if not len(rows):
                continue  # Of refits: where hyperparameters were selected, the teacher was judged.
            if "logits" in self.cached:
                logits = self.cached["logits"][number][rows]
            else:
                held_out = windows.take(rows) if isinstance(windows, Windows) else windows[rows]
                logits = predict_taps(teacher, held_out, ["logits"])["logits"]
            require_able(logits, labels[rows], name=teacher.name)


def prepare_distillation(
    model: keras.Model,
    method: Method,
    teachers: Sequence[Teacher],
    replicas: Sequence[Replica],
    windows: NDArray[np.float32] | Windows,
    classes: int,
    *,
    live: bool | None,
    augment: Sequence[str] = (),
    quantise: QuantisationPlan | None = None,
) -> DistillationSetup:
    """Prepare a method for training: check networks, windows and classes, and cache the taps of fixed teachers.

    Args:
        model: the student.
        method: the distillation method.
        teachers: all teachers.
        replicas: the replicas of the student.
        windows: (N, T, D); teachers' taps for them are cached unless the teacher runs in every step.
        classes: number of classes.
        live: whether the teacher runs in every step; by default it does with augmentation if it is made of networks.
        augment: kinds of augmentation.
        quantise: where the student rounds as its int8 form does.

    Returns:
        The setup.

    Raises:
        UserError: networks, windows, classes and method do not fit each other.
    """
    if "student" in method.attention:
        find_taps(["*_attention_*"], list_taps(model), method=method.name, network=model.name)
    student = student_network(model, method, quantise=quantise)
    student.require_fit(windows.shape[1:], classes)
    student.require_logits(*student.own(), windows)
    if not student.size:
        raise UserError(f"{model.name} has no weights to train: all its layers are frozen.")
    if not method.teacher_taps:
        return DistillationSetup(method, student, tuple(teachers), (), {})
    teachers = [_with_view(teacher, method) for teacher in teachers]
    check_teachers(teachers, replicas, windows, classes, method=method.name)
    if live is None:
        live = bool(augment) and all(teacher.can_run for teacher in teachers)
    if live or method.trains_teacher:
        setup = DistillationSetup(method, student, tuple(teachers), _members(method, teachers), {})
    else:
        _require_mixable(method, augment)
        setup = DistillationSetup(method, student, tuple(teachers), (), _cache_taps(method, teachers, windows))
    _ = setup.aux  # Taps that the method cannot compare raise here.
    return setup if method.classifier is None else _with_classifiers(setup)


def student_network(model: keras.Model, method: Method, *, quantise: QuantisationPlan | None = None) -> Functional:
    """Return a student model as a function with the taps that a method needs, rounded as its int8 form if asked to."""
    needed = find_taps(("logits", *method.student_taps), list_taps(model), **_names(method, model.name))
    return Functional(model, sorted(needed), method.view, quantise=quantise)


def teacher_network(model: keras.Model, method: Method) -> Functional:
    """Return a teacher model as a function with the taps that a method needs."""
    needed = find_taps(("logits", *method.teacher_taps), list_taps(model), **_names(method, model.name))
    return Functional(model, sorted(needed), method.view)


def _with_view(teacher: Teacher, method: Method) -> Teacher:
    """Apply the method's view to a teacher's taps; outputs from elsewhere are assumed to have it already."""
    network = teacher.network
    if teacher.members:
        return replace(teacher, members=tuple(_with_view(member, method) for member in teacher.members))
    if network is None or network.view is method.view:
        return teacher
    find_taps(method.teacher_taps, network.taps, **_names(method, teacher.name))
    return replace(teacher, network=Functional(network.model, network.taps, method.view))


def _members(method: Method, teachers: Sequence[Teacher]) -> tuple[Functional, ...]:
    """Return the teacher's networks that run in every step; all teachers of a fleet share their architectures."""
    members = [[part.network for part in teacher.parts if part.network is not None] for teacher in teachers]
    for teacher, networks in zip(teachers, members, strict=True):
        if not teacher.can_run:
            raise UserError(
                f"{method.name} runs its teacher in every step here (live=True or co-training), so scores from a file "
                f"are not enough: pass the teacher as a model."
            )
        if [network.layout for network in networks] != [network.layout for network in members[0]]:
            raise UserError(
                f"{teacher.name} and {teachers[0].name} are not of the same networks, so they cannot run in the steps "
                f"of one fleet: train their students in fleets of their own."
            )
        for network in networks:
            find_taps(method.teacher_taps, network.taps, **_names(method, teacher.name))
        if len(networks) > 1 and (method.trains_teacher or method.teacher_taps != ("logits",)):
            raise UserError(
                f"{method.name} needs a single teacher network in every step, not {len(networks)}: of several only the "
                f"mean of their probabilities can teach."
            )
    return tuple(members[0])


def _require_mixable(method: Method, augment: Sequence[str]) -> None:
    """Raise ``UserError`` where ``mixup`` would have to mix cached taps that are no logits."""
    others = [tap for tap in method.teacher_taps if tap != "logits"]
    if MIXUP in augment and others:
        raise UserError(
            f"{method.name} needs {', '.join(others)} of its teacher, which cannot be known for mixed windows from "
            f"outputs for single ones: run the teacher in every step, or leave mixup out."
        )


def _cache_taps(
    method: Method, teachers: Sequence[Teacher], windows: NDArray[np.float32] | Windows
) -> dict[str, NDArray[np.float32]]:
    available = [_list_outputs(teacher) for teacher in teachers]
    needed = [
        find_taps(method.teacher_taps, taps, **_names(method, teacher.name))
        for taps, teacher in zip(available, teachers, strict=True)
    ]
    for names, teacher in zip(needed, teachers, strict=True):
        if names != needed[0]:
            raise UserError(
                f"{teacher.name} gives {', '.join(names)} and {teachers[0].name} gives {', '.join(needed[0])}: all "
                f"teachers of a fleet must give the same taps."
            )
    outputs = [predict_taps(teacher, windows, needed[0]) for teacher in teachers]
    for name in needed[0]:
        shapes = {taps[name].shape for taps in outputs}
        if len(shapes) > 1:
            raise UserError(f"The teachers of a fleet must give {name} of one shape, not {sorted(shapes)}.")
    return {name: np.stack([taps[name] for taps in outputs]) for name in needed[0]}


def _with_classifiers(setup: DistillationSetup) -> DistillationSetup:
    """Add the teachers' classifiers to a setup; raise ``IncompatibleNetworks`` where a network has none."""
    name, student = setup.method.name, setup.student
    classifier = student.classifier_of(np.zeros(student.size, np.float32))
    if classifier is None or len(classifier[0]) != np.prod(student.tap_shapes["embedding"]):
        raise IncompatibleNetworks(
            f"{name} replaces the student's classifier, but in {student.model.name} no dense layer leads from the "
            f"embedding to the logits."
        )
    teacher_classifiers = [teacher.dense_classifier for teacher in setup.teachers]
    for teacher, classifier in zip(setup.teachers, teacher_classifiers, strict=True):
        if classifier is None or len(classifier[0]) != np.prod(setup.teacher_shapes["embedding"]):
            raise IncompatibleNetworks(
                f"{name} reuses the teacher's classifier, but {teacher.name} has no dense layer from the embedding to "
                f"the logits (an ensemble of teachers has none)."
            )
    kernels, biases = zip(*filter(None, teacher_classifiers), strict=True)
    return replace(setup, classifiers=(np.stack(kernels), np.stack(biases)))


def _list_outputs(teacher: Teacher) -> list[str]:
    if teacher.members:
        return ["logits"]
    return list(teacher.network.taps if teacher.network is not None else teacher.outputs or {})


def _names(method: Method, network: str) -> dict[str, str]:
    return {"method": method.name, "network": network}
