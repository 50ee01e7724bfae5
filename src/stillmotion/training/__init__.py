"""Fleets: many small models trained as one compiled program.

Replicas of one student differ in seeds, folds and numbers as arrays; ``fit`` trains one ``keras.Model`` on arrays, a
``Fleet`` many.
"""

from .fit import Fitted, fit
from .fleet import Fleet
from .fleet_state import RunResult
from .recipe import PUBLISHED, Recipe, Replica
from .teacher import Teacher

__all__ = ["PUBLISHED", "Fitted", "Fleet", "Recipe", "Replica", "RunResult", "Teacher", "fit"]
