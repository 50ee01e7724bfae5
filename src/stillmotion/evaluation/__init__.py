"""Scores and how sure they are.

Small pure functions: ``tally`` turns predictions into confusion counts of every variant, seed and person, scores and
intervals follow from those, and ``compare`` says what one variant gains over another. People are resampled, because
people and not windows are what a model has never seen.
"""

from .calibration import Reliability, are_probabilities, calibration, confidence_sums, reliability
from .compare import Compared, Comparison, Standing, compare
from .corrected_t import CorrectedT, corrected_t
from .events import EventScores, event_scores
from .intervals import Interval, people_interval
from .max_statistic import max_statistic
from .prediction_files import read_predictions, write_predictions
from .predictions import Predictions
from .ranks import CriticalDifference, Rank, critical_difference, ranks
from .rows import rows_by_class, rows_by_person
from .scores import (
    accuracy,
    balanced_accuracy,
    cohen_kappa,
    confusion,
    f1_per_class,
    macro_f1,
    precision_per_class,
    recall_per_class,
    weighted_f1,
)
from .sign_flips import SignFlips, sign_flips
from .tally import Tally, tally
from .tries import TriesCurve, best_of_tries

__all__ = [
    "Compared",
    "Comparison",
    "CorrectedT",
    "CriticalDifference",
    "EventScores",
    "Interval",
    "Predictions",
    "Rank",
    "Reliability",
    "SignFlips",
    "Standing",
    "Tally",
    "TriesCurve",
    "accuracy",
    "are_probabilities",
    "balanced_accuracy",
    "best_of_tries",
    "calibration",
    "cohen_kappa",
    "compare",
    "confidence_sums",
    "confusion",
    "corrected_t",
    "critical_difference",
    "event_scores",
    "f1_per_class",
    "macro_f1",
    "max_statistic",
    "people_interval",
    "precision_per_class",
    "ranks",
    "read_predictions",
    "recall_per_class",
    "reliability",
    "rows_by_class",
    "rows_by_person",
    "sign_flips",
    "tally",
    "weighted_f1",
    "write_predictions",
]
