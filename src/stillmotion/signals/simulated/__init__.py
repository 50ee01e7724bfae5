"""Simulated subjects: a physical model of wrist, waist and pocket motion.

``generate`` makes the data set, and ``CARD`` describes it.
"""

from .card import CARD, CLASSES, VERSION
from .generate import generate

__all__ = ["CARD", "CLASSES", "VERSION", "generate"]
