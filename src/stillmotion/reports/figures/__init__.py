"""All figures of a report.

Each file draws one kind of figure; a figure without data is left out.
"""

from .attention import attention
from .baselines import baselines
from .bouts import bouts
from .bubbles import bubbles
from .changes import changes, overhead
from .classes import classes, confusion
from .curves import curves
from .diagrams import diagrams
from .differences import differences
from .ensembles import ensembles
from .pareto import pareto
from .protocols import protocols
from .reliability import reliability
from .sizes import sizes
from .subjects import subjects
from .trials import trials

__all__ = [
    "attention",
    "baselines",
    "bouts",
    "bubbles",
    "changes",
    "classes",
    "confusion",
    "curves",
    "diagrams",
    "differences",
    "ensembles",
    "overhead",
    "pareto",
    "protocols",
    "reliability",
    "sizes",
    "subjects",
    "trials",
]
