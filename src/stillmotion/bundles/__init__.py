"""Bundles: a model with its signal contract, scores, provenance, model card and checksums, in one folder.

Its model is a Keras network or a feature classifier as plain arrays; it holds no pickle. ``saved_cost`` counts the cost
of the model in a bundle or in any ``.keras`` file; ``Recogniser`` answers a stream of samples.
"""

from .bundle import Bundle
from .evidence import add_evidence, read_evidence
from .recogniser import Answer, Recogniser
from .recordings import RecordingPredictions, merge_bouts, predict_recordings
from .saved import open_model, saved_cost

__all__ = [
    "Answer",
    "Bundle",
    "Recogniser",
    "RecordingPredictions",
    "add_evidence",
    "merge_bouts",
    "open_model",
    "predict_recordings",
    "read_evidence",
    "saved_cost",
]
