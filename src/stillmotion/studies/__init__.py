"""A grid of runs: specification, plan, run store, runners, search.

``run_study`` does what a specification asks, in a folder that it goes on with: only what is missing is trained. Numbers
are chosen on validation people, every variant with the same number of tries; test people are scored when asked.
"""

from .baselines import BASELINES, Baseline
from .beside import Beside, beside, read_beside
from .leads import Lead
from .material import Ground, gather
from .partners import Partner
from .plan import Planner
from .record import Record, read_record
from .runner import Runner
from .search import Try, budget
from .spec import Study, built_in, read_study
from .study import open_study, run_study
from .table import Results, Row
from .variants import VARIANTS, Variant

__all__ = [
    "BASELINES",
    "VARIANTS",
    "Baseline",
    "Beside",
    "Ground",
    "Lead",
    "Partner",
    "Planner",
    "Record",
    "Results",
    "Row",
    "Runner",
    "Study",
    "Try",
    "Variant",
    "beside",
    "budget",
    "built_in",
    "gather",
    "open_study",
    "read_beside",
    "read_record",
    "read_study",
    "run_study",
]
