"""Bundles: a model with its signal contract, scores, provenance, model card and checksums, in one folder.

Its model is a Keras network or a feature classifier as plain arrays; it holds no pickle. ``saved_cost`` counts the cost
of the model in a bundle or in any ``.keras`` file; ``Recogniser`` predicts the classes of a stream of samples, and
``adapt`` fits the last layer to one subject.
"""

from .adapt import adapt, cut_labelled, refit_layer
from .bundle import Bundle
from .evidence import add_evidence, read_evidence
from .recogniser import Prediction, Recogniser
from .recordings import RecordingPredictions, merge_bouts, predict_recordings
from .saved import open_model, saved_cost
from .warm_up import WarmUp, measure_warm_up

__all__ = [
    "Bundle",
    "Prediction",
    "Recogniser",
    "RecordingPredictions",
    "WarmUp",
    "adapt",
    "add_evidence",
    "cut_labelled",
    "measure_warm_up",
    "merge_bouts",
    "open_model",
    "predict_recordings",
    "read_evidence",
    "refit_layer",
    "saved_cost",
]
