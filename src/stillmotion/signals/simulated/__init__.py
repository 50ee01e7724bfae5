"""Subjects who do not exist: a physical model of wrist, waist and pocket motion.

``generate`` makes them and ``CARD`` says what they are. ``write`` puts them down in the publishers' layouts,
``measures`` holds the figures by which the model is compared with real recordings.
"""

from .card import CARD, CLASSES, VERSION
from .generate import generate

__all__ = ["CARD", "CLASSES", "VERSION", "generate"]
