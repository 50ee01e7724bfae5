"""Count the cost of a network for one window, layer by layer: parameters, multiply-adds, FLOPs, bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import keras

from ..features.cost import feature_cost
from ..features.feature_set import FeatureSet
from ..signals import SignalSpec
from .graph import Graph, Node, Weight, read_graph
from .memory import peak_activations
from .network import Network
from .operations import count_operations, count_published_flops
from .placement import Attention
from .registry import get_network, get_shared_network
from .shape import Shape
from .taps import make_inference_model


@dataclass(frozen=True)
class LayerCost:
    """The cost of one layer or operation; a layer that is called twice has its parameters in the first call.

    Args:
        name, kind: name and type of the layer or operation.
        shape: shape of its result, without the batch axis.
        params: trainable parameters.
        multiply_adds, flops: see ``count_operations``.
        flops_convolutions: FLOPs as Agac & Incel count them (0 except for convolutions).
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    params: int
    multiply_adds: int
    flops: int
    flops_convolutions: int


@dataclass(frozen=True)
class Cost:
    """The cost of one window, from the signal to the logits.

    Args:
        network: name of the network.
        input_shape, output_shape: shapes for one window, without the batch axis: usually (T, D) and (C,).
        params: trainable parameters (without the statistics of batch normalisation and of normalisers).
        flops: 2 per multiply-add and 1 per other operation, everything counted except the normaliser of the signal.
        flops_convolutions: FLOPs as Agac & Incel count them: only convolutions with their biases.
        multiply_adds: multiply-add operations.
        weight_bytes: bytes of all stored weights at float32, statistics of batch normalisation, statistics and tables
            of window features included.
        weight_bytes_int8: kernels at 1 byte, biases, statistics and tables of window features at 4; batch normalisation
            is folded into a bias, scales are not counted.
        activation_bytes: peak memory of a sequential schedule at float32, the input included (see ``memory``).
        activation_bytes_int8: the same at 1 byte a value, window features and the signal that they read at 4.
        normaliser_flops: FLOPs of the signal's normaliser, which no other figure includes.
        auxiliary_params, auxiliary_flops: those of auxiliary classifiers, which run only in training.
        layers: every operation in order, without the signal's normaliser.
    """

    network: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    params: int
    flops: int
    flops_convolutions: int
    multiply_adds: int
    weight_bytes: int
    weight_bytes_int8: int
    activation_bytes: int
    activation_bytes_int8: int
    normaliser_flops: int
    auxiliary_params: int
    auxiliary_flops: int
    layers: tuple[LayerCost, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the cost as values that fit JSON."""
        return asdict(self)


def network_cost(model: keras.Model) -> Cost:
    """Count the cost of a model for one window, layer by layer.

    Args:
        model: any built ``keras.Model`` of layers and ``keras.ops`` that have a formula.

    Returns:
        Parameters, FLOPs by both countings, bytes.

    Raises:
        UserError: a layer's type has no formula; the message names it.

    Example:
        >>> import keras
        >>> from stillmotion.networks import network_cost
        >>> model = keras.Sequential([keras.Input((10, 3)), keras.layers.Flatten(), keras.layers.Dense(4)])
        >>> cost = network_cost(model)
        >>> cost.params, cost.multiply_adds, cost.flops
        (124, 120, 244)
    """
    device = read_graph(make_inference_model(model) if _has_auxiliaries(model) else model)
    layers = _layers(device)
    whole = _layers(read_graph(model)) if _has_auxiliaries(model) else layers
    normalisers = [node for node in device.nodes if _normalises_signal(node, device)]
    weights = _weights([node for node in device.nodes if not _normalises_signal(node, device)])
    tables = sum(_tables(node) for node in device.nodes)
    in_float = _float_nodes(device)
    params, flops = sum(layer.params for layer in layers), sum(layer.flops for layer in layers)
    return Cost(
        network=model.name.replace("_", "-"),
        input_shape=device[device.inputs[0]].shape,
        output_shape=device[device.outputs[0].partition(":")[0]].shape,
        params=params,
        flops=flops,
        flops_convolutions=sum(layer.flops_convolutions for layer in layers),
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        weight_bytes=4 * (sum(weight.size for weight in weights) + tables),
        weight_bytes_int8=sum(_int8_bytes(weight) for weight in weights) + 4 * tables,
        activation_bytes=peak_activations(device, lambda node: 4),
        activation_bytes_int8=peak_activations(device, lambda node: 4 if node.name in in_float else 1),
        normaliser_flops=sum(count_operations(node).flops for node in normalisers),
        auxiliary_params=sum(layer.params for layer in whole) - params,
        auxiliary_flops=sum(layer.flops for layer in whole) - flops,
        layers=layers,
    )


def named_network_cost(
    name: str | Network,
    shape: Shape | SignalSpec | tuple[int, int, int],
    *,
    attention: str | Attention | Sequence[Attention] | None = None,
    recurrence: str | None = None,
    features: str | None = None,
) -> Cost:
    """Count the cost of a network by name.

    Args:
        name: see ``list_networks``.
        shape: a signal contract, or (samples, channels, classes).
        attention: such as ``channel:r=4,spatial:k=7,after=2``, see ``parse_attention``.
        recurrence: ``channels`` or ``time``.
        features: window features, such as ``norms,time,-*.order``, see ``features.parse_selection``.

    Returns:
        The cost of one window.

    Raises:
        UserError: the name is unknown, or the network has no such option.

    Example:
        >>> from stillmotion.networks import named_network_cost
        >>> named_network_cost("deepconvlstm-lm", (20, 3, 6)).params
        1770
    """
    blocks = attention if attention is None or isinstance(attention, str | Attention) else tuple(attention)
    options: dict[str, Any] = {"attention": blocks, "recurrence": recurrence, "features": features}
    model = get_shared_network(name, shape, **{key: value for key, value in options.items() if value})
    return network_cost(model) if get_network(name).own else _count_once(model)


@lru_cache(maxsize=64)
def _count_once(shared: keras.Model) -> Cost:
    return network_cost(shared)


def _has_auxiliaries(model: keras.Model) -> bool:
    outputs = getattr(model, "outputs", None) or []
    return len(outputs) > 1 and any(layer.name == "logits" for layer in model.layers)


def _layers(graph: Graph) -> tuple[LayerCost, ...]:
    counted: set[int] = set()
    layers = []
    for node in graph.nodes:
        if _normalises_signal(node, graph):
            continue
        new = [weight for weight in node.weights if id(weight.variable) not in counted]
        counted |= {id(weight.variable) for weight in new}
        operations = count_operations(node)
        layers.append(
            LayerCost(
                name=node.name,
                kind=node.op,
                shape=node.shape,
                params=sum(weight.size for weight in new if weight.learnt),
                multiply_adds=operations.multiply_adds,
                flops=operations.flops,
                flops_convolutions=count_published_flops(node),
            )
        )
    return tuple(layers)


def _weights(nodes: list[Node]) -> list[Weight]:
    """Return the weights that a device stores, each once; Keras' count of adapted batches is none."""
    stored = (weight for node in nodes for weight in node.weights if weight.name != "count")
    return list({id(weight.variable): weight for weight in stored}.values())


def _reads_features(node: Node, graph: Graph) -> bool:
    return bool(node.inputs) and graph[node.inputs[0].partition(":")[0]].op == "WindowFeatures"


def _normalises_signal(node: Node, graph: Graph) -> bool:
    return node.op == "Normalization" and not _reads_features(node, graph)


def _tables(node: Node) -> int:
    if node.op != "WindowFeatures":
        return 0
    return feature_cost(FeatureSet.from_dict(node.attributes["features"])).tables


def _float_nodes(graph: Graph) -> set[str]:
    """Return the nodes whose results stay float32 at int8: window features, what they read, their standardisation."""
    wanted: set[str] = set()
    for node in reversed(graph.nodes):
        standardises = node.op == "Normalization" and _reads_features(node, graph)
        if node.op == "WindowFeatures" or standardises or node.name in wanted:
            wanted |= {node.name, *(name.partition(":")[0] for name in node.inputs)}
    return wanted


def _int8_bytes(weight: Weight) -> int:
    """Count 1 byte per element of a kernel, 4 of a bias or a feature's statistic.

    A folded batch normalisation leaves only its bias.
    """
    name = weight.name.rpartition("/")[2]
    if name in ("gamma", "moving_mean", "moving_variance"):
        return 0
    return 4 * weight.size if name in ("bias", "beta", "mean", "variance") else weight.size
