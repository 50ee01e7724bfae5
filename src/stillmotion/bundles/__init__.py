"""What leaves the laboratory: model, signal contract, scores, provenance, card, checksums.

A bundle is a folder that Keras and NumPy open, without pickle anywhere; ``saved_cost`` counts the model of one, or of
any ``.keras`` file.
"""

from .bundle import Bundle
from .saved import open_model, saved_cost

__all__ = ["Bundle", "open_model", "saved_cost"]
