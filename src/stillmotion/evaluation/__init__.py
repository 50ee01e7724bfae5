"""Scores and how sure they are.

Small pure functions: confusion counts, the scores that follow from them, and intervals that resample people, because
people and not windows are what a model has never seen.
"""

from .intervals import Interval, people_interval
from .scores import accuracy, confusion, f1_per_class, macro_f1

__all__ = ["Interval", "accuracy", "confusion", "f1_per_class", "macro_f1", "people_interval"]
