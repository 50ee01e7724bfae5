"""Decoding: activities from windows in a row.

``fit_decoder`` fits a chain over the classes (usual durations, a grammar of what can follow what, or learned
transitions), ``choose_numbers`` chooses its numbers on validation subjects, ``Decoder`` answers causally, with a
fixed lag or offline, ``DecoderStream`` as windows come, and ``IntegerDecoder`` is its form in whole numbers that C
repeats bit for bit. Below lie ``filter_forward``, ``smooth_lag``, ``smooth`` and ``find_path``.
"""

from .choose import DecoderNumbers, choose_numbers
from .decoder import Decoded, Decoder
from .filters import filter_forward, find_path, smooth, smooth_lag
from .fit import fit_decoder, fit_temperature
from .grammar import Grammar, list_grammars, read_grammar
from .integer import IntegerDecoder, log_sum, log_sum_table
from .predictions import decode_predictions
from .sequences import order_windows
from .stream import DecoderStream
from .transitions import count_transitions, leave_evenly, make_transitions, usual_durations
from .unknown import ALONE, UNKNOWN, UNKNOWN_NAME, find_threshold, name_delay

__all__ = [
    "ALONE",
    "UNKNOWN",
    "UNKNOWN_NAME",
    "Decoded",
    "Decoder",
    "DecoderNumbers",
    "DecoderStream",
    "Grammar",
    "IntegerDecoder",
    "choose_numbers",
    "count_transitions",
    "decode_predictions",
    "filter_forward",
    "find_path",
    "find_threshold",
    "fit_decoder",
    "fit_temperature",
    "leave_evenly",
    "list_grammars",
    "log_sum",
    "log_sum_table",
    "make_transitions",
    "name_delay",
    "order_windows",
    "read_grammar",
    "smooth",
    "smooth_lag",
    "usual_durations",
]
