"""Keras networks, CBAM attention, named taps, exact cost, the bundle.

Every network is a plain ``keras.Model`` whose first layer is the normaliser; ``build`` makes one from a signal
contract, ``with_taps`` shows what is inside, ``cost`` says what it takes. Any other ``keras.Model`` joins as it is.
"""

from .attention import cbam, sensor_attention
from .bundle import Bundle
from .cost import Cost, cost, network_cost
from .cost_table import cost_table
from .entry import Network
from .graph import Graph, graph
from .initial import initial_weights, initialise
from .layers import loop_friendly
from .normaliser import set_statistics, statistics_index
from .placement import Attention, parse_attention
from .registry import build, network, networks
from .saved import open_model, saved_cost
from .shape import Shape
from .taps import inference, tap_names, with_taps

__all__ = [
    "Attention",
    "Bundle",
    "Cost",
    "Graph",
    "Network",
    "Shape",
    "build",
    "cbam",
    "cost",
    "cost_table",
    "graph",
    "inference",
    "initial_weights",
    "initialise",
    "loop_friendly",
    "network",
    "network_cost",
    "networks",
    "open_model",
    "parse_attention",
    "saved_cost",
    "sensor_attention",
    "set_statistics",
    "statistics_index",
    "tap_names",
    "with_taps",
]
