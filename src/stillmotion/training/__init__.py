"""Training: ``fit`` trains one ``keras.Model`` on arrays, a ``Fleet`` trains many as one compiled program.

The replicas of a fleet share one architecture and differ in seeds, folds and hyperparameters, which are arrays.
``select_features`` finds the window features that are worth their cost.
"""

from .feature_selection import FeatureSelection, SelectionStep, select_features
from .fit import Fitted, fit
from .fleet import Fleet
from .fleet_state import RunResult
from .recipe import PUBLISHED, Recipe, Replica
from .teacher import Teacher, join_teachers

__all__ = [
    "PUBLISHED",
    "FeatureSelection",
    "Fitted",
    "Fleet",
    "Recipe",
    "Replica",
    "RunResult",
    "SelectionStep",
    "Teacher",
    "fit",
    "join_teachers",
    "select_features",
]
