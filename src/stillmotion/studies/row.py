"""A row of a study's table: the results of a variant, a baseline or a teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..evaluation import Interval


@dataclass(frozen=True)
class Row:
    """The results of a variant, a baseline or a teacher.

    Args:
        variant: its name.
        title: description.
        kind: ``reference``, ``variant``, ``control``, ``baseline`` or ``teacher``.
        trials: trials per fold, including failed ones.
        seeds: students per fold.
        parameters, flops: of the network; None for a baseline.
        bytes: what a device stores: the weights of the network at float32, or the numbers of a baseline at 4 bytes.
        validation: macro-F1 of the validation subjects, pooled over subjects, mean over seeds.
        macro_f1: of the test subjects with its interval, or None before they are evaluated.
        accuracy: of the test subjects.
        seed_std: standard deviation over seeds of the test score, or of the validation score before.
        gain: macro-F1 minus that of the reference, with its interval.
        p: of the sign-flip test, after the max-statistic correction.
        verdict: conclusion in words.
        settings: selected hyperparameters, by fold.
        epochs, seconds: sums over all runs.
        failed: number of failed runs.
        size: parts of a baseline and their storage, in words, mean over its reported runs.
        ece: expected calibration error (15 bins), mean over seeds, of the test subjects, or of the validation subjects
            before the test set is evaluated.
        not_inferior: whether it is not inferior to the reference; None without an interval.
        runs: trainings that are reported; of them ``collapsed`` predict one class only, whatever they are given.
        bytes_int8: ``bytes`` with the weights of the network at int8; of a baseline as ``bytes``.
        validation_in_sequence: ``validation`` of windows in sequence, at the first delay of ``[decoding]``, if any.
    """

    variant: str
    title: str
    kind: str
    trials: int = 1
    seeds: int = 1
    parameters: int | None = None
    flops: int | None = None
    bytes: int | None = None
    validation: float | None = None
    macro_f1: Interval | None = None
    accuracy: float | None = None
    seed_std: float | None = None
    gain: Interval | None = None
    p: float | None = None
    verdict: str = ""
    settings: tuple[str, ...] = ()
    epochs: int = 0
    seconds: float = 0.0
    failed: int = 0
    size: str = ""
    ece: float | None = None
    not_inferior: bool | None = None
    bytes_int8: int | None = None
    runs: int = 0
    collapsed: int = 0
    validation_in_sequence: float | None = None

    @property
    def description(self) -> str:
        """The title, and the size of a baseline."""
        return f"{self.title}: {self.size}" if self.size else self.title

    @property
    def warning(self) -> str:
        """What is wrong with the trainings, in words; empty if nothing is."""
        return f"{self.collapsed} of {self.runs} trainings predict one class only" if self.collapsed else ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values: the keys of ``results.json`` and the columns of ``results.csv``."""
        score, low, high = _ends(self.macro_f1)
        gain, gain_low, gain_high = _ends(self.gain)
        return {
            "variant": self.variant,
            "kind": self.kind,
            "parameters": self.parameters,
            "bytes": self.bytes,
            "bytes_int8": self.bytes_int8,
            "macro_f1": score,
            "low": low,
            "high": high,
            "gain": gain,
            "gain_low": gain_low,
            "gain_high": gain_high,
            "p": self.p,
            "verdict": self.verdict,
            "not_inferior": self.not_inferior,
            "validation": self.validation,
            "validation_in_sequence": self.validation_in_sequence,
            "accuracy": self.accuracy,
            "ece": self.ece,
            "seed_std": self.seed_std,
            "flops": self.flops,
            "trials": self.trials,
            "seeds": self.seeds,
            "epochs": self.epochs,
            "seconds": self.seconds,
            "failed": self.failed,
            "runs": self.runs,
            "collapsed": self.collapsed,
            "title": self.title,
            "size": self.size,
            "settings": "; ".join(self.settings),
        }


def _ends(value: Interval | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if value is None else (value.score, value.low, value.high)
