"""All figures of a report, in order.

Each file draws one kind of figure; a figure without data is left out.
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

#: Section of the page and the function that draws the figures.
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
