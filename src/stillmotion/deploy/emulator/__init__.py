"""Evidence from emulated microcontrollers: flash, RAM and instructions of generated C, and its answers.

Emulation counts instructions, never time: a board's clock, memory and pipeline decide how long they take.
"""

from .evidence import Evidence
from .exported import measure_export
from .machines import MACHINES, Machine
from .measure import Entry, measure

__all__ = ["MACHINES", "Entry", "Evidence", "Machine", "measure", "measure_export"]
