"""A Keras model as a pure function of one vector of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from threading import Lock
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ..compiled import keep_compiled_programs
from ..errors import UserError
from ..features.feature_layer import WindowFeatures
from ..features.feature_set import FeatureSet
from ..features.scale import FeatureScale, fit_scale
from ..methods.method import View
from ..networks.heads import gives_logits, refuse_probabilities
from ..networks.initial import draw_initial_weights
from ..networks.normaliser import (
    Normaliser,
    feature_normalisers,
    get_normaliser,
    has_normaliser,
)
from ..networks.quantisation_plan import QuantisationPlan
from ..networks.rewrite import rewrite
from ..networks.taps import with_taps
from ..windows import Windows
from .device import compile_function
from .fake_quantisation import QuantisedCall
from .fingerprint import describe_layers
from .layout import Layout

Array = Any
Vector = NDArray[np.float32]
State = list[NDArray[Any]]
#: Windows in one call of inference.
CHUNK = 256
#: Windows used to test whether a network gives probabilities.
PROBES = 8
#: Window length used to trace a network that takes windows of any length.
ANY_LENGTH = 256
#: Name of the loss term for a network's own losses: regularisers, ``add_loss``.
OWN_LOSSES = "regularisation"
#: Functions whose programs are kept for others of the same layers.
TWINS = 64


class Functional:
    """The taps of a model as a pure function of (weights, state, windows).

    All trainable weights form one vector, so that the optimiser works on one array; for small networks this costs a
    fraction of a loop over tensors. State is everything else: normaliser statistics, batch norm averages, seeds of
    dropout.

    Args:
        model: any built ``keras.Model``; its own weights are read once and never changed.
        taps: names of the taps.
        view: transforms the taps (see ``Method.view``); None keeps them.
        quantise: where the network rounds as its int8 form does; the ranges of its results are then the last leaf of
            its state. None for no rounding.
    """

    def __init__(
        self,
        model: keras.Model,
        taps: Sequence[str],
        view: View | None = None,
        *,
        quantise: QuantisationPlan | None = None,
    ) -> None:
        if keras.backend.backend() != "jax":
            raise UserError(
                f"Training needs Keras on JAX, and Keras runs on {keras.backend.backend()}: set KERAS_BACKEND=jax "
                f"before keras is imported."
            )
        keep_compiled_programs()
        self.model = model
        self.view = view
        self.tapped = with_taps(model, taps)
        self.taps = tuple(taps) if view is None else tuple(self.tap_shapes)
        self.trainable = list(self.tapped.trainable_variables)
        self.state = list(self.tapped.non_trainable_variables)
        for variable in self.trainable:
            if str(variable.dtype) != "float32":
                raise UserError(f"{model.name}: weight {variable.path} is {variable.dtype}; fleets train float32.")
        self.layout = Layout.of(variable.shape for variable in self.trainable)
        self.quantise = quantise
        self._quantised = None if quantise is None else QuantisedCall(self.tapped, quantise)
        self._ranges = [] if self._quantised is None else [self._quantised.first_ranges]

    @cached_property
    def twin(self) -> Functional | None:
        """The first function of the same layers, taps and view: what was compiled for it serves this one too.

        None where the configuration of the model does not tell all that it computes.
        """
        layers = describe_layers(self.model)
        if layers is None:
            return None
        names = [layer.name for layer in self.model.layers]
        places = tuple((tap, names.index(tap) if tap in names else -1) for tap in self.tapped.output)
        key = (
            layers,
            places,
            self.view,
            self.quantise,
            *self.layout.shapes,
            *((tuple(v.shape), str(v.dtype)) for v in self.state),
        )
        with _TWINS_LOCK:
            while len(_TWINS) >= TWINS and key not in _TWINS:
                del _TWINS[next(iter(_TWINS))]
            return _TWINS.setdefault(key, self)

    @property
    def size(self) -> int:
        """Number of trainable weights."""
        return self.layout.size

    @property
    def tap_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each tap after the view, without the batch axis."""
        shapes = {name: tuple(output.shape[1:]) for name, output in self.tapped.output.items()}
        if self.view is None:
            return shapes
        import jax

        def viewed() -> dict[str, Array]:
            assert self.view is not None
            return self.view({name: jax.numpy.zeros((2, *shape)) for name, shape in shapes.items()})

        return {name: tuple(values.shape[1:]) for name, values in jax.eval_shape(viewed).items()}

    @cached_property
    def has_losses(self) -> bool:
        """Whether the network has losses of its own: regularisers, ``add_loss``."""
        return self._other.has_losses if self._other else OWN_LOSSES in self._outputs[0]

    @cached_property
    def classifier(self) -> tuple[slice, slice] | None:
        """Slices of the weight vector with kernel and bias of the dense layer of the logits, or None."""
        layer = self.tapped.output["logits"]._keras_history.operation if "logits" in self.tapped.output else None
        if not isinstance(layer, keras.layers.Dense) or layer.bias is None:
            return None
        bounds = self.layout.bounds
        slices = {id(v): slice(*ends) for v, *ends in zip(self.trainable, bounds, bounds[1:], strict=False)}
        if id(layer.kernel) not in slices or id(layer.bias) not in slices:
            return None
        return slices[id(layer.kernel)], slices[id(layer.bias)]

    def classifier_of(self, vector: Vector) -> tuple[Vector, Vector] | None:
        """Return kernel (F, C) and bias (C,) of the dense layer of the logits from a weight vector, or None."""
        if self.classifier is None:
            return None
        kernel, bias = (vector[place] for place in self.classifier)
        return kernel.reshape(-1, len(bias)), bias

    def require_fit(self, window: tuple[int, ...], classes: int) -> None:
        """Raise ``UserError`` unless the model takes windows (T, D) of this shape and has this number of classes."""
        name, inputs, logits = self.model.name, self.tapped.inputs, self.tapped.output.get("logits")
        if len(inputs) != 1:
            raise UserError(f"{name} takes {len(inputs)} inputs; it must take one, windows {window}.")
        takes = tuple(inputs[0].shape[1:])
        if len(takes) != len(window) or any(mine not in (None, size) for mine, size in zip(takes, window, strict=True)):
            raise UserError(f"{name} takes windows {takes}, but these are {window} (time, channel).")
        if logits is not None and tuple(logits.shape[1:]) != (classes,):
            raise UserError(f"{name} gives outputs {tuple(logits.shape[1:])}, but there are {classes} classes.")

    def require_logits(self, vector: Vector, state: Sequence[Any], windows: NDArray[Any] | Windows) -> None:
        """Raise ``UserError`` where the network gives probabilities; where its graph does not tell, try windows."""
        if "logits" in self.taps and not gives_logits(self.tapped.output["logits"]):
            refuse_probabilities(self.predict_taps(vector, state, windows[:PROBES])["logits"], network=self.model.name)

    def own(self, seed: int | None = None) -> tuple[Vector, State]:
        """Return the model's current weights and state; ``seed`` sets the random state of its dropout."""
        values = {id(v): np.asarray(v) for v in (*self.trainable, *self.state)}
        if seed is not None:
            drawn = zip(self.model.variables, draw_initial_weights(self.model, seed), strict=True)
            values |= {id(v): value for v, value in drawn if v.name == "seed_generator_state"}
        return self._flat(values)

    def initial(self, seed: int) -> tuple[Vector, State]:
        """Draw initial weights and state by ``seed``."""
        values = draw_initial_weights(self.model, seed)
        return self._flat({id(v): value for v, value in zip(self.model.variables, values, strict=True)})

    def going_on(self, vector: Vector, state: Sequence[Any], seed: int) -> tuple[Vector, State]:
        """Return weights and state of a trained network to train on from; ``seed`` sets the random state of dropout."""
        drawn = self.initial(seed)[1]
        kept = zip(self.state, drawn, state, strict=False)
        return vector, [*(new if v.name == "seed_generator_state" else old for v, new, old in kept), *self._ranges]

    @cached_property
    def described(self) -> tuple[tuple[WindowFeatures, Array], ...]:
        """The layers of window features that read the signal, with their results, which depend on no weight."""
        (signal,) = self.tapped.inputs[:1]
        return tuple(
            (layer, node.outputs[0])
            for layer in self.tapped.layers
            if isinstance(layer, WindowFeatures)
            for node in layer._inbound_nodes
            if node.input_tensors[0] is signal
        )

    def with_statistics(
        self,
        state: State,
        mean: NDArray[np.float32],
        std: NDArray[np.float32],
        features: Mapping[FeatureSet, NDArray[np.float32]],
    ) -> State:
        """Return the state with the statistics of the normalisers of the signal and of window features.

        Args:
            state: the state.
            mean, std: (channels,) of the signal; a network that reads it through window features alone needs none.
            features: the training windows' features, (n, F) for each set.
        """
        changed, ids = list(state), [id(variable) for variable in self.state]
        statistics = [
            (layer, fit_scale(features[source.features]))
            for source, layer in feature_normalisers(self.tapped)
            if source in [each for each, _ in self.described]
        ]
        if not statistics or has_normaliser(self.tapped):
            signal = FeatureScale(np.asarray(mean, np.float32), np.asarray(std, np.float32))
            statistics.append((get_normaliser(self.tapped), signal))
        for layer, scale in statistics:
            if not isinstance(layer, Normaliser):
                raise UserError(
                    f"{self.model.name}: keras.layers.Normalization keeps its statistics as constants, so replicas "
                    f"cannot have their own: convert the model with networks.loop_friendly first."
                )
            changed[ids.index(id(layer.adapt_mean))] = scale.mean
            changed[ids.index(id(layer.adapt_variance))] = np.square(scale.std)
        return changed

    def apply(
        self,
        weights: Array | Sequence[Array],
        state: Sequence[Array],
        x: Array,
        features: Sequence[Array] = (),
        *,
        training: bool,
    ) -> tuple[dict[str, Array], Any]:
        """Return the taps of windows ``x`` (B, T, D) and the new state; in training also the network's own losses.

        Args:
            weights: the vector, or the arrays of the layout.
            state: the state.
            x: the windows.
            features: what the layers ``described`` give for these windows, which is then not computed again.
            training: whether dropout and batch statistics are on.
        """
        call = partial(self._call, training=training)
        arrays = list(weights) if isinstance(weights, Sequence) else [weights]
        taps, after = rewrite(call, arrays, list(state), x, list(features))
        return taps, after

    def predict_taps(
        self, vector: Vector, state: Sequence[Any], windows: NDArray[Any] | Windows
    ) -> dict[str, NDArray[np.float32]]:
        """Compute all taps for windows (N, T, D) in inference mode; compiled once for all weights.

        Of windows that overlap, ``CHUNK`` are copied at a time.
        """
        collected: dict[str, list[NDArray[np.float32]]] = {tap: [] for tap in self.taps}
        for start in range(0, len(windows), CHUNK):
            part = windows[start : start + CHUNK]
            # Pad the last chunk: one shape, one compilation.
            missing = CHUNK - len(part)
            padded = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) if missing else part
            for tap, value in self._infer(vector, list(state), padded).items():
                collected[tap].append(np.asarray(value[: len(part)], np.float32))
        shapes = self.tap_shapes
        return {
            tap: np.concatenate(parts) if parts else np.zeros((0, *shapes[tap]), np.float32)
            for tap, parts in collected.items()
        }

    def without_ranges(self, state: State) -> State:
        """Return the state that is the model's own."""
        return state[: len(self.state)]

    def put(self, vector: NDArray[Any], state: Sequence[NDArray[Any]]) -> None:
        """Write weights and state into the model."""
        for variable, start in zip(self.trainable, self.layout.bounds, strict=False):
            variable.assign(np.asarray(vector[start : start + variable.value.size]).reshape(variable.shape))
        for variable, value in zip(self.state, state, strict=True):
            variable.assign(value)

    def _call(
        self, arrays: list[Array], state: list[Array], x: Array, features: list[Array], *, training: bool
    ) -> tuple[dict[str, Array], Any]:
        weights = self.layout.tensors(arrays)
        if self._quantised is not None:
            symbols = (self.tapped.inputs[0], *(result for _, result in self.described))
            known = {id(symbol): value for symbol, value in zip(symbols, (x, *features), strict=False)}
            taps, after, losses = self._quantised(weights, state[:-1], state[-1], known, training=training)
        elif features:
            taps, after, losses = self._call_behind(weights, state, [x, *features], training=training)
        else:
            taps, after, losses = self.tapped.stateless_call(weights, state, x, training=training, return_losses=True)
        # Networks of mixed precision give float16 taps; losses are computed in float32.
        taps = {name: value.astype("float32") for name, value in taps.items()}
        taps = taps if self.view is None else self.view(taps)
        return ({**taps, OWN_LOSSES: sum(losses)} if training and losses else taps), after

    def _call_behind(self, weights: list[Array], state: list[Array], inputs: list[Array], *, training: bool) -> Any:
        """Call the part of the network behind its window features; return taps, new state and losses."""
        model, trainable, others = self._behind
        taps, after, losses = model.stateless_call(
            [weights[place] for place in trainable],
            [state[place] for place in others],
            inputs,
            training=training,
            return_losses=True,
        )
        changed = list(state)
        for place, value in zip(others, after, strict=True):
            changed[place] = value
        return taps, changed, losses

    @cached_property
    def _behind(self) -> tuple[keras.Model, list[int], list[int]]:
        """The network as a function of windows and their features, and the places of its variables in this one's."""
        signals = self.tapped.inputs
        histories = [signal._keras_history for signal in signals]
        inputs = [*signals, *(result for _, result in self.described)]
        model = keras.Model(inputs, self.tapped.output, name=f"{self.tapped.name}_behind_features")
        # Keras notes the place of a signal in the new graph on the tensor itself; the network's own graph, and so its
        # configuration and its file, needs the old one.
        for signal, history in zip(signals, histories, strict=True):
            signal._keras_history = history
        places = [{id(v): place for place, v in enumerate(group)} for group in (self.trainable, self.state)]
        groups = (model.trainable_variables, model.non_trainable_variables)
        trainable, others = ([known[id(v)] for v in group] for known, group in zip(places, groups, strict=True))
        return model, trainable, others

    @cached_property
    def _outputs(self) -> Any:
        """The shapes of what the network gives in training: taps and new state."""
        import jax

        (windows,) = self.tapped.inputs
        sizes = [length or ANY_LENGTH for length in windows.shape[1:]]
        shaped: Any = jax.ShapeDtypeStruct
        vector, x = shaped((self.size,), "float32"), shaped((2, *sizes), "float32")
        state = [shaped(tuple(each.shape), str(each.dtype)) for each in (*self.state, *self._ranges)]
        return jax.eval_shape(partial(self._call, training=True), [vector], state, x, [])

    @cached_property
    def _infer(self) -> Any:
        if self._other:
            return self._other._infer

        def infer(vector: Array, state: Sequence[Array], x: Array) -> dict[str, Array]:
            return self.apply(vector, state, x, training=False)[0]

        return compile_function(infer)

    @property
    def _other(self) -> Functional | None:
        return None if self.twin is self else self.twin

    def _flat(self, values: dict[int, NDArray[Any]]) -> tuple[Vector, State]:
        parts = [np.asarray(values[id(v)], np.float32).ravel() for v in self.trainable]
        vector = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        return vector, [*(np.asarray(values[id(v)]) for v in self.state), *self._ranges]


_TWINS: dict[tuple[Any, ...], Functional] = {}
_TWINS_LOCK = Lock()
