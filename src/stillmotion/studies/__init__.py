"""Studies: specification, plan, search, training and comparison of variants.

``run_study`` runs a specification in a folder and trains only what is missing there. Hyperparameters are selected on
validation subjects, with the same number of trials for every variant; test subjects are evaluated on request.
"""

from .baselines import BASELINES, Baseline
from .budget import parse_budget
from .co_trained import CoTrainedTeacher
from .data import StudyData, load_study_data
from .fold_windows import FoldWindows, read_fold_windows
from .plan import Planner
from .protocol_gap import ProtocolGap, compare_protocols, read_protocol_gap
from .recommend import Recommendation, recommend
from .refit_scores import RefitScore
from .results import Results
from .row import Row
from .runner import Runner
from .search import Trial, count_trials
from .sections import Data, Decoding, Networks, Privileged, Range, Search, Split, Teaching, Training
from .sequences import SequenceRow
from .spec import Study, built_in, read_study
from .state import StudyState, read_study_state
from .study import open_study, run_study
from .teacher_gap import TeacherGap
from .variants import VARIANTS, Variant

__all__ = [
    "BASELINES",
    "VARIANTS",
    "Baseline",
    "CoTrainedTeacher",
    "Data",
    "Decoding",
    "FoldWindows",
    "Networks",
    "Planner",
    "Privileged",
    "ProtocolGap",
    "Range",
    "Recommendation",
    "RefitScore",
    "Results",
    "Row",
    "Runner",
    "Search",
    "SequenceRow",
    "Split",
    "Study",
    "StudyData",
    "StudyState",
    "TeacherGap",
    "Teaching",
    "Training",
    "Trial",
    "Variant",
    "built_in",
    "compare_protocols",
    "count_trials",
    "load_study_data",
    "open_study",
    "parse_budget",
    "read_fold_windows",
    "read_protocol_gap",
    "read_study",
    "read_study_state",
    "recommend",
    "run_study",
]
