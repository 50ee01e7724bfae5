"""Scores and how sure they are.

Small pure functions on confusion counts; people are resampled, because people and not windows are what a model has
never seen.
"""

from .calibration import Reliability, are_probabilities, reliability
from .intervals import Interval, people_interval
from .prediction_files import read_predictions, write_predictions
from .predictions import Predictions
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
from .tally import Tally, tally

__all__ = [
    "Interval",
    "Predictions",
    "Reliability",
    "Tally",
    "accuracy",
    "are_probabilities",
    "balanced_accuracy",
    "cohen_kappa",
    "confusion",
    "f1_per_class",
    "macro_f1",
    "people_interval",
    "precision_per_class",
    "read_predictions",
    "recall_per_class",
    "reliability",
    "tally",
    "weighted_f1",
    "write_predictions",
]
