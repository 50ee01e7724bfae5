"""Fake quantisation: a network computes in float32 with the rounding of its int8 form; gradients pass straight through.

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
CVPR 2018. Kernels are rounded to 255 steps for each filter, and results where a ``QuantisationPlan`` says that the
deployed model keeps int8. A batch normalisation behind a convolution scales each filter together with its steps, so it
need not be folded.

Where this differs from the integers: biases, sums and gates have 16 to 32 bits there and are not rounded here, nor are
results between two parts of one layer (the depthwise part of a separable convolution, a dense layer before its tanh).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
import keras
import numpy as np
from jax.lax import stop_gradient
from keras import tree
from numpy.typing import NDArray

from ..networks.graph import list_weights
from ..networks.quantisation_plan import STATE, Grid, QuantisationPlan
from ..networks.trace import Call, name_calls, trace_model
from .rounded_recurrence import is_recurrent, require_plain, run_recurrence

Array = Any
#: How far a range moves towards a narrower one of a batch; it widens at once. So it is about that of the last three
#: batches, or of the 200 windows from which an export takes it.
NARROWING = 0.3


def round_to(x: Array, scale: Array, zero_point: Array) -> Array:
    """Round to the values of a grid; the gradient is 1 from the lowest to the highest, 0 beyond."""
    low, high = scale * (-128 - zero_point), scale * (127 - zero_point)
    rounded = scale * (jnp.clip(jnp.round(x / scale) + zero_point, -128, 127) - zero_point)
    # A clip's own gradient is a half at its limits, where a batch's extremes lie.
    passed = jnp.where((x >= low) & (x <= high), x, stop_gradient(x))
    return passed + stop_gradient(rounded - passed)


def round_kernel(kernel: Array, axes: tuple[int, ...]) -> Array:
    """Round a kernel to ±127 steps of the largest weight along ``axes``; the gradient is 1."""
    scale = jnp.maximum(jnp.abs(kernel).max(axes, keepdims=True) / 127, 1e-12)
    return kernel + stop_gradient(jnp.round(kernel / scale) * scale - kernel)


class QuantisedCall:
    """The call of a network with fake quantisation.

    Args:
        model: functional, without nested models, with outputs by name.
        plan: where it rounds.
    """

    def __init__(self, model: keras.Model, plan: QuantisationPlan) -> None:
        self.model, self.plan, self.grids = model, plan, dict(plan.grids)
        trace = trace_model(model)
        self.calls = tuple(zip(name_calls(trace), trace.calls, strict=True))
        self.axes: dict[int, tuple[int, ...]] = {}
        for layer in model.layers:
            self.axes |= _kernel_axes(layer)
            if is_recurrent(layer):
                require_plain(layer)

    @property
    def first_ranges(self) -> NDArray[np.float32]:
        """Ranges (P, 2) of all measured nodes before the first batch: where both are 0, nothing is rounded."""
        return np.zeros((len(self.plan.measured), 2), np.float32)

    def __call__(
        self,
        weights: Sequence[Array],
        state: Sequence[Array],
        ranges: Array,
        known: Mapping[int, Array],
        *,
        training: bool,
    ) -> tuple[dict[str, Array], list[Array], list[Array]]:
        """Return the outputs by name, the new state with the new ranges behind it, and the network's own losses.

        Args:
            weights, state: values of the trainable and the other variables.
            ranges: (P, 2) lowest and highest value of each measured node; training moves them.
            known: values by the id of their symbolic tensor: the windows, and results that need not be computed again.
            training: whether dropout and batch statistics are on.
        """
        others = self.model.non_trainable_variables
        variables = (*self.model.trainable_variables, *others)
        mapping = [
            (variable, round_kernel(value, self.axes[id(variable)]) if id(variable) in self.axes else value)
            for variable, value in zip(variables, (*weights, *state), strict=True)
        ]
        rounding = _Rounding(self.plan, ranges, training=training)
        values = dict(known)
        with keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope:
            for name, call in self.calls:
                first = values.get(id(call.outputs[0]))
                results = self._results(name, call, values, rounding) if first is None else [first]
                if name in self.grids:
                    results[0] = rounding.round(results[0], self.grids[name], name)
                values.update(zip(map(id, call.outputs), results, strict=True))
            losses = list(self.model.losses)
        after = [  # a frozen kernel stays as it is
            value if id(variable) in self.axes else scope.get_current_value(variable)
            for variable, value in zip(others, state, strict=True)
        ]
        return {name: values[id(each)] for name, each in self.model.output.items()}, [*after, rounding.ranges], losses

    def _results(self, name: str, call: Call, values: Mapping[int, Array], rounding: _Rounding) -> list[Array]:
        args, kwargs = tree.map_structure(lambda value: values.get(id(value), value), call.arguments)
        layer = call.operation
        if is_recurrent(layer):
            own = self.grids.get(name)  # of a FastGRNN; that of a sum of both directions is of the sum
            grid = own if own is not None and own.kind == "state" else STATE
            result, states = run_recurrence(layer, args[0], partial(rounding.round, grid=grid))
            if grid is own:
                rounding.measure(states, name)
            return [result]
        if getattr(layer, "_call_has_training_arg", False):
            kwargs["training"] = rounding.training
        return list(tree.flatten(layer(*args, **kwargs)))


class _Rounding:
    """The ranges of one call, and what rounds by them."""

    def __init__(self, plan: QuantisationPlan, ranges: Array, *, training: bool) -> None:
        self.places = {node: place for place, node in enumerate(plan.measured)}
        self.ranges, self.training = ranges, training

    def measure(self, values: Array, node: str) -> None:
        """In training, move the range of a node towards that of a batch."""
        if not self.training or node not in self.places:
            return
        place, values = self.places[node], stop_gradient(values)
        seen = jnp.stack([jnp.minimum(values.min(), 0), jnp.maximum(values.max(), 0)])
        moved = self.ranges[place] + NARROWING * (seen - self.ranges[place])
        wider = jnp.stack([jnp.minimum(seen[0], moved[0]), jnp.maximum(seen[1], moved[1])])
        self.ranges = self.ranges.at[place].set(wider)

    def round(self, values: Array, grid: Grid, node: str = "") -> Array:
        """Round values to a grid; results of the node that it is measured at move it first."""
        if grid.kind == "fixed":
            return round_to(values, grid.scale, grid.zero_point)
        if grid.kind == "state" and grid.node == node:
            return values  # rounded within
        if grid.kind == "state":
            largest = jnp.abs(self.ranges[self.places[grid.node]]).max()
            exponent = jnp.maximum(0, jnp.ceil(jnp.log2(jnp.maximum(largest, 1e-9))))
            return jnp.where(largest > 0, round_to(values, 2.0**exponent / 128, 0), values)
        if grid.node == node:
            self.measure(values, node)
        low, high = self.ranges[self.places[grid.node]]
        if grid.kind == "shares":
            scale: Array = 1 / jnp.clip(jnp.floor(255 / jnp.maximum(high, 1e-3)), 256, 65535)
            zero_point: Array = -128
        else:
            scale = jnp.maximum((high - low) / 255, 1e-9)
            zero_point = jnp.clip(jnp.round(-128 - low / scale), -128, 127)
        return jnp.where(high > low, round_to(values, scale, zero_point), values)


def _kernel_axes(layer: keras.layers.Layer) -> dict[int, tuple[int, ...]]:
    """Return, by the id of each kernel of a layer, the axes of one filter."""
    axes = {}
    for weight in list_weights(layer):
        if weight.name.endswith("kernel"):
            depthwise = weight.name == "depthwise_kernel" or isinstance(
                layer, keras.layers.DepthwiseConv1D | keras.layers.DepthwiseConv2D
            )
            axes[id(weight.variable)] = tuple(range(len(weight.shape) - (2 if depthwise else 1)))
    return axes
