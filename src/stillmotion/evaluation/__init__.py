"""Scores, confidence intervals and tests.

Small pure functions: ``count_confusion`` turns predictions into confusion matrices of every variant, seed and subject,
scores and intervals are computed from those, and ``compare_variants`` compares each variant with a reference. Subjects
are resampled rather than windows, because a model is meant for subjects never seen in training.
"""

from .bouts import BoutScores, score_bouts
from .calibration import Reliability, are_probabilities, compute_calibration, compute_reliability, confidence_sums
from .compare import ComparedVariants, Comparison, VariantScore, compare_variants
from .confusion import ConfusionMatrices, count_confusion
from .corrected_t import CorrectedT, corrected_t_test
from .events import EventScores, score_events
from .expected_best import ExpectedBest, expected_best
from .intervals import Interval, subject_interval
from .max_statistic import max_statistic
from .metrics import (
    accuracy,
    balanced_accuracy,
    cohen_kappa,
    confusion_matrix,
    f1_per_class,
    macro_f1,
    precision_per_class,
    recall_per_class,
    weighted_f1,
)
from .per_subject import rows_by_class, rows_by_subject
from .prediction_files import read_predictions, write_predictions
from .predictions import Predictions
from .ranks import CriticalDifference, Rank, critical_difference, rank_variants
from .rejections import RejectionScores, score_rejections
from .sign_flips import SignFlips, flip_signs

__all__ = [
    "BoutScores",
    "ComparedVariants",
    "Comparison",
    "ConfusionMatrices",
    "CorrectedT",
    "CriticalDifference",
    "EventScores",
    "ExpectedBest",
    "Interval",
    "Predictions",
    "Rank",
    "RejectionScores",
    "Reliability",
    "SignFlips",
    "VariantScore",
    "accuracy",
    "are_probabilities",
    "balanced_accuracy",
    "cohen_kappa",
    "compare_variants",
    "compute_calibration",
    "compute_reliability",
    "confidence_sums",
    "confusion_matrix",
    "corrected_t_test",
    "count_confusion",
    "critical_difference",
    "expected_best",
    "f1_per_class",
    "flip_signs",
    "macro_f1",
    "max_statistic",
    "precision_per_class",
    "rank_variants",
    "read_predictions",
    "recall_per_class",
    "rows_by_class",
    "rows_by_subject",
    "score_bouts",
    "score_events",
    "score_rejections",
    "subject_interval",
    "weighted_f1",
    "write_predictions",
]
