"""A grid of runs: specification, plan, run store, runners, search.

``run_study`` does what a specification asks, in a folder that it goes on with: only what is missing is trained. Numbers
are chosen on validation subjects, every variant with the same number of trials; test subjects are scored when asked.
"""

from .baselines import BASELINES, Baseline
from .co_trained import CoTrainedTeacher
from .data import StudyData, load_study_data
from .plan import Planner
from .protocol_gap import ProtocolGap, compare_protocols, read_protocol_gap
from .runner import Runner
from .search import Trial, count_trials
from .spec import Study, built_in, read_study
from .state import StudyState, read_study_state
from .study import open_study, run_study
from .table import Results, Row
from .teacher_gap import TeacherGap
from .variants import VARIANTS, Variant

__all__ = [
    "BASELINES",
    "VARIANTS",
    "Baseline",
    "CoTrainedTeacher",
    "Planner",
    "ProtocolGap",
    "Results",
    "Row",
    "Runner",
    "Study",
    "StudyData",
    "StudyState",
    "TeacherGap",
    "Trial",
    "Variant",
    "built_in",
    "compare_protocols",
    "count_trials",
    "load_study_data",
    "open_study",
    "read_protocol_gap",
    "read_study",
    "read_study_state",
    "run_study",
]
