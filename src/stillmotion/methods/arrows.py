"""What a method teaches which tap from what, by which loss term: read off its objective, not declared.

A source teaches a tap by a term where the term's slope in that tap depends on the source. The objective and its slopes
are traced to JAX's program, without a number being computed, and followed from outputs back to inputs; what is
multiplied by a hyperparameter of 0 is followed no further. So a diagram cannot show what the objective does not do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from .method import Batch, Method, Shapes

LABELS = "labels"
#: Windows of the batch that is traced.
WINDOWS = 4
#: Operations whose result is 0 where any operand is 0, and those that hand on the 0 of their first operand.
PRODUCTS = ("mul", "dot_general")
CARRIERS = ("broadcast_in_dim", "convert_element_type", "div", "neg", "reduce_sum", "reshape", "squeeze", "transpose")


@dataclass(frozen=True)
class TracedTerm:
    """A loss term: what it teaches from what, and what acts on it.

    Args:
        name: in the objective.
        kind: what kind of term it is, in the method's words.
        arrows: (source, target): ``labels``, ``teacher/TAP`` or ``student/TAP`` teaches a tap of the other network.
        hyperparameters: those that act on it, with their values.
        projected: whether something that is trained beside the networks, such as a projector, acts on it.
    """

    name: str
    kind: str
    arrows: tuple[tuple[str, str], ...]
    hyperparameters: Mapping[str, float]
    projected: bool


def trace_terms(
    method: Method, student: Shapes, teacher: Shapes, hyperparameters: Mapping[str, float]
) -> list[TracedTerm]:
    """Trace what every loss term of a method teaches.

    Args:
        method: with its options chosen.
        student: shape of every tap that the method looks at, as its view gives them, without the batch axis.
        teacher: the same of the teacher; nothing for a method without one.
        hyperparameters: of the method, with the values that it trains with; a term of weight 0 teaches nothing.

    Returns:
        The terms in the order in which the method names them, others after them.

    Raises:
        Unfit: The method cannot bring these taps together.
    """
    taps = {LABELS: {"": student["logits"]}, "student": student, "teacher": teacher}
    values: dict[str, Any] = {
        side: {name: np.zeros((WINDOWS, *shape), np.float32) for name, shape in shapes.items()}
        for side, shapes in taps.items()
    }
    values["beside"] = method.init_aux_params(student, teacher, 0)
    learners = ("student", "teacher") if method.trains_teacher else ("student",)

    def terms(given: Any, scales: Any) -> Any:
        targets = given[LABELS][""]
        batch = Batch(targets, jnp.ones(WINDOWS), jnp.zeros(targets.shape[-1]), jnp.asarray(0.5))
        return method.objective(batch, given["student"], given["teacher"], scales, given["beside"])

    def slopes(given: Any) -> Any:
        def term(learning: Any, name: str) -> Any:
            return terms({**given, **learning}, hyperparameters)[name]

        learning = {side: given[side] for side in learners}
        return {name: jax.grad(term)(learning, name) for name in terms(given, hyperparameters)}

    taught = _dependencies(slopes, values)
    scales = {name: np.float32(value) for name, value in hyperparameters.items()}
    shaped = _dependencies(lambda given: terms(given, given["scales"]), {**values, "scales": scales})
    order = [*method.terms, *(name for (name, *_) in shaped)]
    return [
        TracedTerm(
            name,
            method.terms.get(name, name.replace("_", " ")),
            tuple(_arrows(name, taught)),
            {scale: value for scale, value in hyperparameters.items() if ("scales", scale) in sources},
            any(side == "beside" for side, _ in sources),
        )
        for (name,), sources in sorted(shaped.items(), key=lambda item: order.index(item[0][0]))
    ]


#: A tap, an array beside, a hyperparameter: where it stands in a function's argument.
Place = tuple[str, ...]


def _arrows(term: str, taught: Mapping[Place, frozenset[Place]]) -> Iterable[tuple[str, str]]:
    for (name, network, tap), sources in taught.items():
        for side, source in sorted(sources):
            if name == term and side not in ("beside", network):
                yield f"{side}/{source}".rstrip("/"), f"{network}/{tap}"


class _Value(NamedTuple):
    """Inputs that a value depends on, and whether it is 0 whatever they are."""

    sources: frozenset[Place]
    zero: bool = False


def _dependencies(function: Any, argument: Any) -> dict[Place, frozenset[Place]]:
    """The inputs that each output of a function depends on, by their places."""
    program, shape = jax.make_jaxpr(function, return_shape=True)(argument)
    inputs, outputs = (
        [tuple(part.key for part in path) for path, _ in jax.tree.flatten_with_path(tree)[0]]
        for tree in (argument, shape)
    )
    results = _follow(program, [_Value(frozenset({place})) for place in inputs])
    return {place: value.sources for place, value in zip(outputs, results, strict=True)}


def _follow(program: ClosedJaxpr, inputs: Sequence[_Value]) -> list[_Value]:
    body = program.jaxpr
    known = dict(zip(body.invars, inputs, strict=True))
    known |= {name: _constant(value) for name, value in zip(body.constvars, program.consts, strict=True)}

    def read(name: Any) -> _Value:
        return _constant(name.val) if isinstance(name, Literal) else known[name]

    for step in body.eqns:
        operands = [read(name) for name in step.invars]
        inner = [value for value in step.params.values() if isinstance(value, ClosedJaxpr)]
        # A function called once; of loops and branches every result is taken to depend on every operand.
        if len(inner) == 1 and step.primitive.name not in ("scan", "while", "cond"):
            results = _follow(inner[0], operands)
        else:
            results = [_combined(step.primitive.name, operands)] * len(step.outvars)
        known |= dict(zip(step.outvars, results, strict=True))
    return [read(name) for name in body.outvars]


def _combined(operation: str, operands: Sequence[_Value]) -> _Value:
    if (operation in PRODUCTS and any(value.zero for value in operands)) or (
        operation in CARRIERS and operands[0].zero
    ):
        return _Value(frozenset(), zero=True)
    sums = operation in ("add", "add_any", "sub") and all(value.zero for value in operands)
    return _Value(frozenset().union(*(value.sources for value in operands)), zero=sums)


def _constant(value: Any) -> _Value:
    return _Value(frozenset(), zero=jnp.ndim(value) == 0 and bool(value == 0))
