"""Evidence from emulated microcontrollers: flash, RAM and instructions of generated C, and its answers.

Emulation counts instructions, never time: a board's clock, memory and pipeline decide how long they take.
"""

from .evidence import SCOPE, Evidence
from .exported import measure_export
from .harness import write_harness
from .machines import MACHINES, Machine
from .measure import Entry, measure

__all__ = [
    "MACHINES",
    "SCOPE",
    "Entry",
    "Evidence",
    "Machine",
    "measure",
    "measure_export",
    "write_harness",
]
