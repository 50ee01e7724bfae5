"""Signals: the signal contract, recordings, data sets, quality reports.

A data set is a collection of recordings that share one signal contract. Loaders read the publishers' own files, report
what is irregular in them, and never guess a unit, a rate or a label.
"""

from .arrays import from_arrays
from .card import Card
from .catalog import get_card, list_cards, load
from .durations import WindowFit, fit_window
from .fetching import Fetched, fetch
from .filters import make_uci_har_signals, separate_gravity
from .findings import Finding
from .frames import from_frame
from .quality import Quality, inspect
from .recording import NULL, Dataset, Note, Recording
from .resample import resample
from .select import merge_classes, select_classes, select_sensors
from .spec import Channel, SignalSpec, read_length
from .tables import Proposal, TableMap, propose_mapping
from .units import convert_units

__all__ = [
    "NULL",
    "Card",
    "Channel",
    "Dataset",
    "Fetched",
    "Finding",
    "Note",
    "Proposal",
    "Quality",
    "Recording",
    "SignalSpec",
    "TableMap",
    "WindowFit",
    "convert_units",
    "fetch",
    "fit_window",
    "from_arrays",
    "from_frame",
    "get_card",
    "inspect",
    "list_cards",
    "load",
    "make_uci_har_signals",
    "merge_classes",
    "propose_mapping",
    "read_length",
    "resample",
    "select_classes",
    "select_sensors",
    "separate_gravity",
]
