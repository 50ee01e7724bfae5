"""What one method needs of one student and its teachers, put together once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..methods import IncompatibleNetworks, Method, find_taps
from ..methods.method import AuxParamArrays, Shapes
from ..networks.taps import list_taps
from .functional import Functional, Vector
from .recipe import Replica
from .teacher import Teacher, check_teachers, predict_taps, require_able, require_finite


class AuxParams:
    """What is trained beside the networks, such as projectors, as one vector.

    Args:
        first: any first values; their names and shapes are kept.
    """

    def __init__(self, first: AuxParamArrays) -> None:
        self.shapes = {name: values.shape for name, values in first.items()}

    @property
    def size(self) -> int:
        """How many numbers are trained."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    @property
    def decays(self) -> Vector:
        """1 where weight decay acts: matrices, not biases."""
        parts = [np.full(int(np.prod(shape)), float(len(shape) >= 2), np.float32) for shape in self.shapes.values()]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def flat(self, aux_params: AuxParamArrays) -> Vector:
        """One vector of all values."""
        parts = [np.asarray(aux_params[name], np.float32).ravel() for name in self.shapes]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def named(self, vector: Any) -> dict[str, Any]:
        """The values by name; the inverse of ``flat``."""
        found, start = {}, 0
        for name, shape in self.shapes.items():
            stop = start + int(np.prod(shape))
            found[name] = vector[start:stop].reshape(shape)
            start = stop
        return found


@dataclass(frozen=True, eq=False)
class DistillationSetup:
    """One method with its student and teachers.

    Args:
        method: how it is taught.
        student: the network that learns, with the taps that the method wants.
        teachers: who teaches; a replica names its own by number.
        teacher: the network that runs inside the step, or None where answers were computed before.
        cached: by tap the answers of all teachers, (teachers, N, …); nothing where the teacher runs inside the step.
        classifiers: of all teachers, (teachers, F, C) and (teachers, C), where the method hands them on.
    """

    method: Method
    student: Functional
    teachers: tuple[Teacher, ...]
    teacher: Functional | None
    cached: dict[str, NDArray[np.float32]]
    classifiers: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    @cached_property
    def teacher_shapes(self) -> Shapes:
        """Shape of each of the teacher's taps."""
        if self.teacher is not None:
            return self.teacher.tap_shapes
        return {name: values.shape[2:] for name, values in self.cached.items()}

    @cached_property
    def beside(self) -> AuxParams:
        """What is trained beside the networks."""
        return AuxParams(self.aux_params(0))

    @property
    def networks(self) -> list[Functional]:
        """Those that run in a step."""
        return [self.student] if self.teacher is None else [self.student, self.teacher]

    @property
    def trained_teacher(self) -> Functional | None:
        """The teacher's network where it learns too."""
        return self.teacher if self.method.trains_teacher else None

    @property
    def kept_convolutions(self) -> tuple[str, ...]:
        """Layers of these networks whose convolutions stay outside of a compiled loop, as ``network: layer``."""
        return tuple(f"{each.model.name}: {layer}" for each in self.networks for layer in each.kept_convolutions)

    @property
    def decays(self) -> Vector:
        """1 for each trained number that weight decay is for: student, teacher where it learns, what is beside."""
        teacher = self.trained_teacher
        parts = [self.student.decays, *([] if teacher is None else [teacher.decays]), self.beside.decays]
        return np.concatenate(parts)

    def aux_params(self, seed: int) -> AuxParamArrays:
        """First values of what is trained beside the networks."""
        return self.method.init_aux_params(self.student.tap_shapes, self.teacher_shapes, seed)

    def judge(self, replicas: Sequence[Replica], windows: NDArray[Any], labels: NDArray[Any]) -> None:
        """Refuse, before the first step, a teacher that has nothing to teach its replicas."""
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
                logits = self.cached["logits"][number][rows]
            else:
                logits = predict_taps(teacher, windows[rows], ["logits"])["logits"]
            require_able(logits, labels[rows], name=teacher.name)


def prepare_distillation(
    model: keras.Model,
    method: Method,
    teachers: Sequence[Teacher],
    replicas: Sequence[Replica],
    windows: NDArray[np.float32],
    classes: int,
    *,
    live: bool,
) -> DistillationSetup:
    """A lesson, checked: networks have the taps that the method wants, and fit the windows and classes.

    Args:
        model: the student.
        method: how it is taught.
        teachers: who teaches.
        replicas: those who learn.
        windows: (N, T, D), which teachers answer now unless they do so inside the step.
        classes: how many.
        live: the teacher answers inside the step.
    """
    if "student" in method.attention:
        find_taps(["*_attention_*"], list_taps(model), method=method.name, network=model.name)
    student = student_network(model, method)
    student.require_fit(windows.shape[1:], classes)
    student.require_logits(*student.own(), windows)
    if not student.size:
        raise UserError(f"{model.name} has no weight to train: all its layers are frozen.")
    if not method.teacher_taps:
        return DistillationSetup(method, student, tuple(teachers), None, {})
    teachers = [_seen(teacher, method) for teacher in teachers]
    check_teachers(teachers, replicas, windows, classes, method=method.name)
    if live or method.trains_teacher:
        lesson = DistillationSetup(method, student, tuple(teachers), _network(method, teachers), {})
    else:
        lesson = DistillationSetup(method, student, tuple(teachers), None, _answered(method, teachers, windows))
    _ = lesson.beside  # taps that do not go together are found now
    return lesson if method.classifier is None else _handed_on(lesson)


def student_network(model: keras.Model, method: Method) -> Functional:
    """A student's model as a function with the taps that a method wants."""
    wanted = find_taps(("logits", *method.student_taps), list_taps(model), **_who(method, model.name))
    return Functional(model, sorted(wanted), method.view)


def teacher_network(model: keras.Model, method: Method) -> Functional:
    """A teacher's model as a function with the taps that a method wants."""
    found = find_taps(("logits", *method.teacher_taps), list_taps(model), **_who(method, model.name))
    return Functional(model, sorted(found), method.view)


def _seen(teacher: Teacher, method: Method) -> Teacher:
    """The teacher with its taps as the method looks at them; outputs from elsewhere are taken to be so."""
    network = teacher.network
    if network is None or network.view is method.view:
        return teacher
    find_taps(method.teacher_taps, network.taps, **_who(method, teacher.name))
    return replace(teacher, network=Functional(network.model, network.taps, method.view))


def _network(method: Method, teachers: Sequence[Teacher]) -> Functional:
    """The network that runs inside the step; all teachers of a fleet share its shape."""
    network = teachers[0].network
    if network is None or any(teacher.network is None for teacher in teachers):
        raise UserError(
            f"{method.name} runs its teacher in every step here (augmentation, or both learn), so scores from a file "
            f"cannot teach: give the teacher as a model."
        )
    find_taps(method.teacher_taps, network.taps, **_who(method, teachers[0].name))
    return network


def _answered(
    method: Method, teachers: Sequence[Teacher], windows: NDArray[np.float32]
) -> dict[str, NDArray[np.float32]]:
    there = [_offered(teacher) for teacher in teachers]
    wanted = [
        find_taps(method.teacher_taps, taps, **_who(method, teacher.name))
        for taps, teacher in zip(there, teachers, strict=True)
    ]
    for names, teacher in zip(wanted, teachers, strict=True):
        if names != wanted[0]:
            raise UserError(
                f"{teacher.name} answers {', '.join(names)} and {teachers[0].name} {', '.join(wanted[0])}: teachers of "
                f"one fleet must answer the same."
            )
    given = [predict_taps(teacher, windows, wanted[0]) for teacher in teachers]
    for name in wanted[0]:
        shapes = {each[name].shape for each in given}
        if len(shapes) > 1:
            raise UserError(f"Teachers of one fleet give {name} of unequal shapes {sorted(shapes)}.")
    return {name: np.stack([each[name] for each in given]) for name in wanted[0]}


def _handed_on(lesson: DistillationSetup) -> DistillationSetup:
    """The lesson with its teachers' classifiers; refused where a network has none, student or teacher."""
    name, student = lesson.method.name, lesson.student
    own = student.classifier_of(np.zeros(student.size, np.float32))
    if own is None or len(own[0]) != np.prod(student.tap_shapes["embedding"]):
        raise IncompatibleNetworks(
            f"{name} writes over the student's classifier, and in {student.model.name} no dense layer leads from the "
            f"embedding to the logits."
        )
    known = [teacher.handed_on for teacher in lesson.teachers]
    for teacher, classifier in zip(lesson.teachers, known, strict=True):
        if classifier is None or len(classifier[0]) != np.prod(lesson.teacher_shapes["embedding"]):
            raise IncompatibleNetworks(
                f"{name} reuses the teacher's classifier, and of {teacher.name} no dense layer is known that leads "
                f"from the embedding to the logits (several teachers together have none)."
            )
    kernels, biases = zip(*(each for each in known if each is not None), strict=True)
    return replace(lesson, classifiers=(np.stack(kernels), np.stack(biases)))


def _offered(teacher: Teacher) -> list[str]:
    return list(teacher.network.taps if teacher.network is not None else teacher.outputs or {})


def _who(method: Method, network: str) -> dict[str, str]:
    return {"method": method.name, "network": network}
