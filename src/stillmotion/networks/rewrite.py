"""Rewrite the program of any network for a compiled loop: convolutions become ``loop_forms``, draws ``random_bits``.

The rewrite acts on the program that JAX traces, so a convolution may come from a Keras layer, a user's own layer or
``keras.ops``, and weights are not changed. All other operations are as fast inside a compiled loop as outside.

Measured: a step of training, windows 100 × 6, batch 64, milliseconds of wall-clock time on two cores, minimum of eight
rounds: inside a loop, rewritten, and outside, as Keras has it:

================================  ============  ============  ==========
layers                            loop          outside it    Keras' fit
================================  ============  ============  ==========
DepthwiseConv1D, SeparableConv1D  55 rewritten     137 (XLA)         141
MaxPooling1D, AveragePooling1D             1.9           1.9         3.2
MaxPooling2D, AveragePooling2D              30            22          35
LSTM(32)                                   7.7           9.7        14.7
GRU(32)                                    8.3           8.3         9.6
BatchNormalization                         0.9           1.0         1.1
LayerNormalization                         3.6           3.8         5.5
Dense(64)                                  0.4           0.6         1.4
================================  ============  ============  ==========

``python benchmarks/run.py training --only 'user-model/*'`` compares models with convolutions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, jaxprs_in_params
from jax.extend.core.primitives import conv_general_dilated_p, custom_vjp_call_p, jit_p, random_bits_p, remat_p

from .loop_forms import convolve, depthwise
from .random_bits import draw_bits, is_plain

Array = Any
Function = Callable[..., Any]

#: Operations whose inner program runs exactly once.
INLINED = (jit_p, remat_p)


def rewrite(function: Function, *arguments: Any) -> Any:
    """Compute ``function(*arguments)`` with convolutions in fast forms, and draw the same random bits in fewer passes.

    Args:
        function: a function of arrays.
        arguments: arrays, or tracers.
    """
    if jax.default_backend() != "cpu":
        return function(*arguments)
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
    outputs = _evaluate(closed.jaxpr, closed.consts, *jax.tree.leaves(arguments))
    return jax.tree.unflatten(jax.tree.structure(shapes), outputs)


def _evaluate(jaxpr: Jaxpr, consts: Sequence[Array], *arguments: Array) -> list[Array]:
    values: dict[Any, Array] = dict(zip(jaxpr.constvars, consts, strict=True))
    values.update(zip(jaxpr.invars, arguments, strict=True))
    for eqn in jaxpr.eqns:
        inputs = [var.val if isinstance(var, Literal) else values[var] for var in eqn.invars]
        if eqn.primitive is conv_general_dilated_p and _convertible(eqn):
            outputs = [_convolve(inputs[0], inputs[1], eqn.params)]
        elif eqn.primitive is random_bits_p and is_plain(inputs[0], **eqn.params):
            outputs = [draw_bits(inputs[0], eqn.params["shape"])]
        elif eqn.primitive in INLINED and (_draws(eqn) or _convolves(eqn)):
            inner = eqn.params["jaxpr"]
            inner = inner if isinstance(inner, ClosedJaxpr) else ClosedJaxpr(inner, ())
            outputs = _evaluate(inner.jaxpr, inner.consts, *inputs)
        elif _convolves(eqn):
            outputs = _bound(eqn, {name: _without(value) for name, value in eqn.params.items()}, inputs)
        else:
            outputs = _bound(eqn, eqn.params, inputs)
        values.update(zip(eqn.outvars, outputs, strict=True))
    return [var.val if isinstance(var, Literal) else values[var] for var in jaxpr.outvars]


def _bound(eqn: Any, params: dict[str, Any], inputs: list[Array]) -> list[Array]:
    """Evaluate an equation with these parameters."""
    bound = eqn.primitive.get_bind_params(params)
    # JAX 0.10.0 returns functions and parameters, later versions parameters only.
    functions, params = bound if isinstance(bound, tuple) else ((), bound)
    outputs = eqn.primitive.bind(*functions, *inputs, **params)
    return list(outputs) if eqn.primitive.multiple_results else [outputs]


def _without(parameter: Any) -> Any:
    """Remove convolutions from the program of a loop or branch; return any other parameter unchanged."""
    if isinstance(parameter, tuple):
        return tuple(map(_without, parameter))
    if not isinstance(parameter, ClosedJaxpr):
        return parameter
    return jax.make_jaxpr(partial(_evaluate, parameter.jaxpr, parameter.consts))(*parameter.in_avals)


def _convolves(eqn: Any) -> bool:
    """Tell whether there is a convolution within an operation."""
    return _contains(eqn, conv_general_dilated_p)


def _draws(eqn: Any) -> bool:
    """Tell whether random bits are drawn within an operation."""
    return _contains(eqn, random_bits_p)


def _contains(eqn: Any, primitive: Any) -> bool:
    if eqn.primitive is custom_vjp_call_p:  # Its derivative is somebody's own; that of ``loop_forms`` is fast.
        return False
    return any(
        inside.primitive is primitive or _contains(inside, primitive)
        for inner in jaxprs_in_params(eqn.params)
        for inside in inner.eqns
    )


def _convertible(eqn: Any) -> bool:
    return eqn.params["batch_group_count"] == 1 and eqn.invars[0].aval.ndim in (3, 4, 5)


def _convolve(x: Array, kernel: Array, params: dict[str, Any]) -> Array:
    """Compute an XLA convolution by ``loop_forms``, converting the layout there and back."""
    layout, groups = params["dimension_numbers"], params["feature_group_count"]
    first, second, *spatial = layout.lhs_spec
    x = jnp.transpose(x, (first, *spatial, second))
    outwards, inwards, *along = layout.rhs_spec
    kernel = jnp.transpose(kernel, (*along, inwards, outwards))
    # Zeros between samples turn a plain convolution into a transposed one; margins may be negative.
    margins = [(*margin, gap - 1) for margin, gap in zip(params["padding"], params["lhs_dilation"], strict=True)]
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *margins, (0, 0, 0)])
    geometry = {"strides": params["window_strides"], "padding": "valid", "dilation": params["rhs_dilation"]}
    if groups == 1:
        y = convolve(x, kernel, **geometry)
    elif kernel.shape[-2] == 1 and kernel.ndim < 5:
        y = depthwise(x, kernel.reshape(*kernel.shape[:-2], groups, -1), **geometry)
    else:
        parts = zip(jnp.split(x, groups, axis=-1), jnp.split(kernel, groups, axis=-1), strict=True)
        y = jnp.concatenate([convolve(part, weights, **geometry) for part, weights in parts], axis=-1)
    if params["preferred_element_type"] is not None:
        y = y.astype(params["preferred_element_type"])
    first, second, *spatial = layout.out_spec
    places = [0] * y.ndim
    places[first], places[second] = 0, y.ndim - 1
    for axis, place in enumerate(spatial, start=1):
        places[place] = axis
    return jnp.transpose(y, places)
