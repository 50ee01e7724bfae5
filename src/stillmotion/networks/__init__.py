"""Keras networks, CBAM attention, named taps, exact cost.

Every network is a ``keras.Model`` that normalises the raw signal, or its window features, itself. ``build_network``
builds one for a signal contract, ``with_taps`` returns its intermediate outputs, ``network_cost`` counts parameters,
FLOPs and bytes. All of them work with any other ``keras.Model`` too.
"""

from .attention import add_cbam, add_sensor_attention
from .cost import Cost, named_network_cost, network_cost
from .cost_table import format_cost
from .fastgrnn import FastGRNN
from .graph import Graph, read_graph
from .initial import draw_initial_weights, initialise
from .layers import loop_friendly
from .network import Network
from .normaliser import find_statistics, set_feature_statistics, set_statistics
from .placement import Attention, parse_attention
from .registry import build_network, get_network, list_networks, register_network
from .shape import Shape
from .taps import list_taps, make_inference_model, with_taps

__all__ = [
    "Attention",
    "Cost",
    "FastGRNN",
    "Graph",
    "Network",
    "Shape",
    "add_cbam",
    "add_sensor_attention",
    "build_network",
    "draw_initial_weights",
    "find_statistics",
    "format_cost",
    "get_network",
    "initialise",
    "list_networks",
    "list_taps",
    "loop_friendly",
    "make_inference_model",
    "named_network_cost",
    "network_cost",
    "parse_attention",
    "read_graph",
    "register_network",
    "set_feature_statistics",
    "set_statistics",
    "with_taps",
]
