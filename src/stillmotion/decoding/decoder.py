"""A fitted decoder: plain numbers that turn the logits of windows in a row into activities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UnknownName, UserError
from ..names import require_name
from .filters import find_path, smooth, smooth_lag
from .sequences import Floats, Integers, check_gaps, restart_at
from .transitions import SHORTEST
from .unknown import ALONE, OFFLINE, UNKNOWN, UNKNOWN_NAME, check_thresholds, name_delay, pick_threshold

KINDS = ("none", "duration", "grammar", "learned")
#: Largest deviation of the sum of probabilities from 1.
ROUNDING = 1e-6
#: Largest lag and longest gap in windows.
MOST_WINDOWS = 10_000
#: Most nats of a span; it spans every double.
WIDEST = 700.0


@dataclass(frozen=True, eq=False)
class Decoded:
    """Activities of windows in a row.

    Args:
        labels: (n,) class of each window.
        probabilities: (n, C) of the classes, given the windows that the decoder uses.
        threshold: lowest probability of its label with which a window is answered, 0 for all.
    """

    labels: Integers
    probabilities: Floats
    threshold: float = 0.0

    @property
    def confidence(self) -> Floats:
        """(n,) probability of the label of each window."""
        return np.asarray(np.take_along_axis(self.probabilities, self.labels[..., None], -1)[..., 0])

    @property
    def rejected(self) -> NDArray[np.bool_]:
        """(n,) windows whose activity is unknown: no class is probable enough."""
        return self.confidence < self.threshold

    @property
    def predictions(self) -> Integers:
        """(n,) class of each window, ``UNKNOWN`` (-2) where it is rejected."""
        return np.where(self.rejected, UNKNOWN, self.labels)


@dataclass(frozen=True, eq=False)
class Decoder:
    """A hidden Markov chain over the classes of windows, one hop apart.

    The evidence of a window is ``max(z − max z, −span) − log_prior`` with ``z = logits / temperature``.

    Args:
        kind: where the transitions come from: ``none``, ``duration``, ``grammar`` or ``learned``.
        classes: their names.
        hop: seconds from one window to the next, to which the transitions belong.
        log_transition: (C, C) log-probability of the class of a column after the class of a row.
        log_start: (C,) log-probability of the first class.
        log_prior: (C,) subtracted from what the model says: what it learned from how often a class occurs.
        temperature: divisor of the logits.
        span: most nats that one window can speak against a class.
        lag: windows of future that an answer waits for, 0 for none (causal); None for the whole recording (offline).
        longest_gap: longest gap, in windows without a prediction, over which the chain goes on; it starts anew after a
            longer one.
        thresholds: by delay (``alone`` for each window by itself, ``0`` …, ``offline``), the lowest probability of its
            label with which a window is answered; empty where all are.
    """

    kind: str
    classes: tuple[str, ...]
    hop: float
    log_transition: Floats
    log_start: Floats
    log_prior: Floats
    temperature: float = 1.0
    span: float = WIDEST
    lag: int | None = 0
    longest_gap: int = 0
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownName("kind of decoder", self.kind, list(KINDS))
        for name in self.classes:
            require_name(name, "class")
        classes = len(self.classes)
        shapes = {"log_transition": (classes, classes), "log_start": (classes,), "log_prior": (classes,)}
        for name, shape in shapes.items():
            values = np.asarray(getattr(self, name), np.float64)
            if values.shape != shape or not np.isfinite(values).all():
                raise UserError(f"{name} of a decoder must be finite numbers {shape}, not {values.shape}.")
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        for name, values in (("log_transition", self.log_transition), ("log_start", self.log_start)):
            if np.abs(np.exp(values).sum(-1) - 1).max() > ROUNDING:
                raise UserError(f"{name} of a decoder must hold log-probabilities: their exponentials must sum to 1.")
        for name, low, high in (("hop", 0, 1e6), ("temperature", 0, 1e6), ("span", 0, WIDEST)):
            if not low < getattr(self, name) <= high:
                raise UserError(
                    f"{name} of a decoder must lie above {low} and up to {high:g}, not {getattr(self, name)}."
                )
        for name in ("lag", "longest_gap"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= MOST_WINDOWS:
                raise UserError(f"{name} of a decoder must lie between 0 and {MOST_WINDOWS} windows, not {value}.")
        object.__setattr__(self, "thresholds", check_thresholds(self.thresholds))
        if self.thresholds and UNKNOWN_NAME in self.classes:
            raise UserError("A decoder with thresholds answers 'unknown', so no class can have this name; rename it.")

    @property
    def delay(self) -> str:
        """Windows that an answer waits for, ``offline``, or ``alone`` where each window is answered by itself."""
        return ALONE if self.kind == "none" else name_delay(self.lag)

    @property
    def threshold(self) -> float:
        """Lowest probability with which a window is answered; of a lag without a threshold that of the nearest one."""
        return pick_threshold(self.thresholds, self.delay)

    def with_lag(self, lag: int | None) -> Decoder:
        """Return the same decoder with another lag; None for offline."""
        return replace(self, lag=lag)

    def with_hop(self, hop: float) -> Decoder:
        """Return the decoder for windows with another hop, such as a shorter one than in training.

        Durations, lag and gaps stay as they are in seconds. Windows that overlap more repeat more of each other, so the
        temperature grows by the square root of how many come instead of one.

        Args:
            hop: seconds from one window to the next.

        Returns:
            The decoder.

        Raises:
            UserError: the hop is not above 0.

        Example:
            >>> import numpy as np
            >>> from stillmotion.decoding import fit_decoder
            >>> decoder = fit_decoder("duration", ("rest", "walk"), [0] * 8 + [1] * 8, hop=1.0, lag=1)
            >>> half = decoder.with_hop(0.5)  # bouts last 16 windows of half a second
            >>> np.exp(half.log_transition).round(4).tolist(), half.lag
            ([[0.9375, 0.0625], [0.0625, 0.9375]], 2)
        """
        if not hop > 0:
            raise UserError(f"A hop must be longer than 0 s, not {hop} s.")
        times, strength = self.hop / hop, max(self.hop / hop, 1.0) ** 0.5
        table = self.log_transition
        if self.kind != "none":
            chances = np.exp(table)
            stay = np.diagonal(chances)
            goes = np.minimum((1 - stay) / times, 1 / SHORTEST)
            leave = chances * (1 - np.eye(len(chances))) / (1 - stay)[:, None]
            with np.errstate(divide="ignore"):
                table = np.log(np.diag(1 - goes) + goes[:, None] * leave)
        return replace(
            self,
            hop=hop,
            log_transition=table,
            log_prior=self.log_prior / strength,
            temperature=self.temperature * strength,
            lag=None if self.lag is None else round(self.lag * times),
            longest_gap=round(self.longest_gap * times),
            thresholds={
                name if name in (ALONE, OFFLINE) else str(round(int(name) * times)): value
                for name, value in self.thresholds.items()
            },
        )

    def alone(self) -> Decoder:
        """Return the decoder that answers each window by itself, with the same temperature."""
        even = np.full(len(self.classes), -np.log(len(self.classes)))
        table = np.tile(even, (len(even), 1))
        return replace(self, kind="none", log_transition=table, log_start=even, log_prior=np.zeros(len(even)), lag=0)

    def evidence(self, logits: ArrayLike) -> Floats:
        """Return the evidence (…, n, C) of windows from their logits, or from their log-probabilities."""
        scaled = np.asarray(logits, np.float64) / self.temperature
        if scaled.ndim < 2 or scaled.shape[-1] != len(self.classes):
            raise UserError(f"The decoder takes logits of {len(self.classes)} classes, not an array {scaled.shape}.")
        return np.asarray(np.maximum(scaled - scaled.max(-1, keepdims=True), -self.span) - self.log_prior)

    def decode(self, logits: ArrayLike, gaps: ArrayLike | None = None) -> Decoded:
        """Decode windows in a row.

        With a lag, labels are the most probable classes; offline they are the most probable path (Viterbi), which obeys
        the transitions, and probabilities are those of smoothing.

        Args:
            logits: (n, C) of the windows, sequences one after another; log-probabilities serve as well.
            gaps: (n,) hops since the window before, 0 at the start of a sequence (``order_windows``); one sequence
                without gaps by default.

        Returns:
            Labels and probabilities.

        Raises:
            UserError: the logits are not finite or of another number of classes, or the gaps do not fit.

        Example:
            >>> import numpy as np
            >>> from stillmotion.decoding import fit_decoder
            >>> decoder = fit_decoder("duration", ("rest", "walk"), [0] * 8 + [1] * 8, hop=1.0)
            >>> logits = [[2.0, 0.0], [2.0, 0.0], [0.0, 0.5], [2.0, 0.0]]
            >>> decoder.decode(logits).labels, np.argmax(logits, 1)
            (array([0, 0, 0, 0]), array([0, 0, 1, 0]))
        """
        evidence = self.evidence(logits)
        hops = restart_at(check_gaps(gaps, evidence.shape[-2]), self.longest_gap)
        chain = (evidence, self.log_transition, self.log_start)
        if self.lag is None:
            return Decoded(find_path(*chain, hops), smooth(*chain, hops), self.threshold)
        probabilities = smooth_lag(*chain, self.lag, hops)
        return Decoded(np.asarray(probabilities.argmax(-1), np.int64), probabilities, self.threshold)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        arrays = {name: getattr(self, name).tolist() for name in ("log_transition", "log_start", "log_prior")}
        return asdict(self) | arrays | {"classes": list(self.classes), "thresholds": dict(self.thresholds)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Decoder:
        """Make a decoder from ``to_dict``'s values; a wrong key or value raises ``UserError``."""
        values = {"thresholds": {}, **values}  # decoders of 0.1.0 have none
        known = set(cls.__dataclass_fields__)
        if set(values) != known:
            wrong = sorted(set(values) ^ known)
            raise UserError(
                f"A decoder has the keys {', '.join(sorted(known))}; unknown or missing: {', '.join(wrong)}."
            )
        for name in ("hop", "temperature", "span"):
            if not _is_number(values[name]):
                raise UserError(f"{name} of a decoder must be a number, not {values[name]!r:.40}.")
        for name, nothing in (("lag", True), ("longest_gap", False)):
            value = values[name]
            if not (_is_number(value) and value == int(value)) and not (nothing and value is None):
                raise UserError(f"{name} of a decoder must be a whole number, not {value!r:.40}.")
        classes = values["classes"]
        if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
            raise UserError("classes of a decoder must be a list of names.")
        arrays = {}
        for name in ("log_transition", "log_start", "log_prior"):
            try:
                arrays[name] = np.asarray(values[name], np.float64)
            except (TypeError, ValueError):
                raise UserError(f"{name} of a decoder must hold numbers only, in rows of equal length.") from None
        return cls(**{**values, **arrays, "classes": tuple(classes)})


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9
