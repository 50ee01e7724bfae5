"""Motion comes in: the signal contract, recordings, data sets, quality.

A data set is recordings of people under one contract; everything later starts from it. Loaders read the
publishers' own files, say what is odd about them, and never guess a unit, a rate or a label.
"""

from .arrays import from_arrays
from .card import Card
from .catalog import card, cards, load
from .fetching import Fetched, fetch
from .filters import separate_gravity, uci_har_signals
from .quality import Quality, inspect
from .recording import NULL, Dataset, Note, Recording
from .resample import resample
from .select import select_classes, select_sensors
from .spec import Channel, SignalSpec
from .tables import Proposal, TableMap, propose
from .units import convert_units

__all__ = [
    "NULL",
    "Card",
    "Channel",
    "Dataset",
    "Fetched",
    "Note",
    "Proposal",
    "Quality",
    "Recording",
    "SignalSpec",
    "TableMap",
    "card",
    "cards",
    "convert_units",
    "fetch",
    "from_arrays",
    "inspect",
    "load",
    "propose",
    "resample",
    "select_classes",
    "select_sensors",
    "separate_gravity",
    "uci_har_signals",
]
