"""Trace which loss term of a method teaches which tap from which source.

A term teaches a tap from a source when its gradient with respect to that tap depends on the source. The objective and
its gradients are traced to a JAX program without computing values, and followed from outputs back to inputs; a product
with a hyperparameter of 0 ends the path. A diagram thus shows what the objective computes, not what was declared.
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
#: Operations whose result is 0 where any operand is 0, and operations whose result is 0 where the first operand is.
PRODUCTS = ("mul", "dot_general")
CARRIERS = ("broadcast_in_dim", "convert_element_type", "div", "neg", "reduce_sum", "reshape", "squeeze", "transpose")


@dataclass(frozen=True)
class TracedTerm:
    """A loss term, the taps that it teaches and the hyperparameters that act on it.

    Args:
        name: its name in the objective.
        kind: its kind, as the method describes it.
        arrows: (source, target): ``labels``, ``teacher/TAP`` or ``student/TAP`` teaches a tap of the other network.
        hyperparameters: those that act on it, with their values.
        projected: whether auxiliary parameters, such as a projector, act on it.
    """

    name: str
    kind: str
    arrows: tuple[tuple[str, str], ...]
    hyperparameters: Mapping[str, float]
    projected: bool


def trace_terms(
    method: Method, student: Shapes, teacher: Shapes, hyperparameters: Mapping[str, float]
) -> list[TracedTerm]:
    """Trace which taps each loss term of a method teaches, and from which sources.

    Args:
        method: the method, with its options set.
        student: shape of every tap that the method uses, after its view, without the batch axis.
        teacher: the same for the teacher; empty for a method without one.
        hyperparameters: the values used in training; a term of weight 0 teaches nothing.

    Returns:
        The terms in the order of ``method.terms``, others after them.

    Raises:
        IncompatibleNetworks: the method cannot compare these taps.

    Example:
        >>> from stillmotion.methods import get_method, trace_terms
        >>> logits, values = {"logits": (4,)}, get_method("rb-kd").resolve({})
        >>> for term in trace_terms(get_method("rb-kd"), logits, logits, values):
        ...     print(term.name, term.arrows, list(term.hyperparameters))
        cross_entropy (('labels', 'student/logits'),) ['alpha']
        distillation (('teacher/logits', 'student/logits'),) ['temperature', 'alpha', 'square', 'weighted']
    """
    taps = {LABELS: {"": student["logits"]}, "student": student, "teacher": teacher}
    values: dict[str, Any] = {
        source: {name: np.zeros((WINDOWS, *shape), np.float32) for name, shape in shapes.items()}
        for source, shapes in taps.items()
    }
    values["aux_params"] = method.init_aux_params(student, teacher, 0)
    trained = ("student", "teacher") if method.trains_teacher else ("student",)

    def terms(given: Any, scales: Any) -> Any:
        targets = given[LABELS][""]
        batch = Batch(targets, jnp.ones(WINDOWS), jnp.zeros(targets.shape[-1]), jnp.asarray(0.5))
        return method.objective(batch, given["student"], given["teacher"], scales, given["aux_params"])

    def gradients(given: Any) -> Any:
        def term(learning: Any, name: str) -> Any:
            return terms({**given, **learning}, hyperparameters)[name]

        learning = {network: given[network] for network in trained}
        return {name: jax.grad(term)(learning, name) for name in terms(given, hyperparameters)}

    taught = _dependencies(gradients, values)
    scales = {name: np.float32(value) for name, value in hyperparameters.items()}
    shaped = _dependencies(lambda given: terms(given, given["scales"]), {**values, "scales": scales})
    order = [*method.terms, *(name for (name, *_) in shaped)]
    return [
        TracedTerm(
            name,
            method.terms.get(name, name.replace("_", " ")),
            tuple(_arrows(name, taught)),
            {scale: value for scale, value in hyperparameters.items() if ("scales", scale) in sources},
            any(origin == "aux_params" for origin, _ in sources),
        )
        for (name,), sources in sorted(shaped.items(), key=lambda item: order.index(item[0][0]))
    ]


#: Keys that lead to a tap, an auxiliary parameter or a hyperparameter in a function's argument.
Place = tuple[str, ...]


def _arrows(term: str, taught: Mapping[Place, frozenset[Place]]) -> Iterable[tuple[str, str]]:
    for (name, network, tap), sources in taught.items():
        for origin, source in sorted(sources):
            if name == term and origin not in ("aux_params", network):
                yield f"{origin}/{source}".rstrip("/"), f"{network}/{tap}"


class _Value(NamedTuple):
    """Inputs that a value depends on, and whether it is 0 for any inputs."""

    sources: frozenset[Place]
    zero: bool = False


def _dependencies(function: Any, argument: Any) -> dict[Place, frozenset[Place]]:
    """Return the inputs that each output of a function depends on."""
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
        # Follow calls of one function; in loops and branches every result is assumed to depend on every operand.
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
