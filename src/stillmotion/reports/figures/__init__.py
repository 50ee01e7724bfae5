"""Every figure of a report, in the order in which a reader needs them.

Each file draws one kind of figure from the evidence; one that the study cannot fill is left out.
"""

from collections.abc import Callable

from ..evidence import Evidence
from ..figure import Figure
from .attention import attention
from .baselines import baselines
from .bubbles import bubbles
from .changes import changes
from .classes import classes, confusion
from .curves import curves
from .diagrams import diagrams
from .differences import differences
from .ensembles import ensembles
from .overhead import overhead
from .pareto import pareto
from .protocols import protocols
from .reliability import reliability
from .sizes import sizes
from .subjects import subjects
from .trials import trials

#: The section that each belongs to, and what draws it.
DRAWN: tuple[tuple[str, Callable[[Evidence], list[Figure]]], ...] = (
    ("choice", pareto),
    ("sources", baselines),
    ("sources", changes),
    ("sources", overhead),
    ("sources", bubbles),
    ("sizes", sizes),
    ("teaching", diagrams),
    ("teaching", ensembles),
    ("differences", differences),
    ("protocols", protocols),
    ("subjects", subjects),
    ("subjects", classes),
    ("subjects", confusion),
    ("confidence", reliability),
    ("learning", curves),
    ("learning", trials),
    ("attention", attention),
)

__all__ = ["DRAWN"]
