"""Choose a decoder's numbers on windows in a row of validation subjects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserError
from ..evaluation import macro_f1
from .decoder import Decoder
from .filters import find_path, smooth_lag
from .fit import LONGEST_GAP, PRIOR, SPAN, fit_decoder, fit_temperature, leaving, log_class_prior
from .grammar import Grammar
from .sequences import Floats, Gaps, Integers, check_gaps, restart_at
from .transitions import make_transitions, usual_durations
from .unknown import ALONE, find_threshold, name_delay

#: Factors of the usual durations, factors of the temperature and shares of the prior that are tried; the first are
#: those that a decoder has by default.
STAYS = (1.0, 0.5, 2.0)
STRENGTHS = (1.0, 0.75, 1.5, 2.0)
PRIORS = (PRIOR, 0.0, 1.0)
#: Gain in macro-F1 below which the default numbers stay: the best of many settings on a few validation subjects is best
#: by chance. On HAPT (five validation subjects a fold) the best without a margin cost test subjects 0.7 points.
MARGIN = 0.02


@dataclass(frozen=True)
class DecoderNumbers:
    """Numbers of a decoder that are chosen: factor of usual durations, temperature, share of the prior, thresholds."""

    stay: float = STAYS[0]
    temperature: float = 1.0
    prior: float = PRIORS[0]
    thresholds: Mapping[str, float] = field(default_factory=dict, hash=False)


def choose_numbers(
    kind: str,
    classes: Sequence[str],
    labels: ArrayLike,
    *,
    logits: ArrayLike,
    truth: ArrayLike,
    delays: Sequence[int | None] = (0, 2, None),
    gaps: ArrayLike | None = None,
    validation_gaps: ArrayLike | None = None,
    grammar: Grammar | None = None,
    reject: float = 0.0,
) -> DecoderNumbers:
    """Choose the numbers of a decoder on windows in a row of validation subjects.

    The temperature is that of the highest likelihood of single windows (``fit_temperature``); then the factors of usual
    durations and of the temperature, and the share of the prior, are those with the highest macro-F1, averaged over up
    to three of the delays, if it is two points above that of the default ones. One choice holds for all delays, so that
    they can be compared.

    Args:
        kind: as in ``fit_decoder``.
        classes: their names.
        labels: (n,) class of each window of the training subjects, -1 for none, sequences one after another.
        logits: (m, C) of the windows of the validation subjects, sequences one after another.
        truth: (m,) their classes, -1 for none: decoded, but not scored.
        delays: lags in windows, None for offline.
        gaps: (n,) hops since the window before, of the training subjects.
        validation_gaps: (m,) the same of the validation subjects.
        grammar: needed by ``grammar`` only.
        reject: most windows of known classes that may be answered "unknown", a share; 0 for no threshold.

    Returns:
        The numbers, arguments of ``fit_decoder``.

    Raises:
        UserError: no validation window has a class, or as in ``fit_decoder``.

    Example:
        >>> import numpy as np
        >>> from dataclasses import asdict
        >>> from stillmotion.decoding import choose_numbers, fit_decoder
        >>> truth = np.repeat([0, 1, 0, 1], 10)
        >>> logits = 3 * np.eye(2)[truth] + np.random.default_rng(0).normal(0, 2, (40, 2))
        >>> numbers = choose_numbers("duration", ("rest", "walk"), truth, logits=logits, truth=truth)
        >>> decoder = fit_decoder("duration", ("rest", "walk"), truth, hop=1.0, **asdict(numbers))
        >>> alone, in_sequence = logits.argmax(1), decoder.decode(logits).labels
        >>> float((alone == truth).mean()), float((in_sequence == truth).mean())
        (0.825, 0.875)
    """
    scores, true = np.asarray(logits, np.float64), np.asarray(truth, np.int64)
    known = np.flatnonzero(true >= 0)
    if not len(known):
        raise UserError("No window of the validation subjects has a class; a decoder is chosen on labelled ones.")
    numbers = DecoderNumbers(temperature=fit_temperature(scores[known], true[known]))
    before = check_gaps(validation_gaps, len(scores))
    if kind != "none":
        settings = list(product(STAYS, STRENGTHS, PRIORS))
        chain = _chains(kind, classes, labels, gaps, grammar, settings, scores / numbers.temperature)
        hops = restart_at(before, LONGEST_GAP)
        few = delays[:: max(1, len(delays) // 2)]  # of many, a few speak for all
        means = np.mean([_score(chain, hops, delay, true, known) for delay in few], axis=0)
        best = int(np.argmax(means))
        stay, strength, prior = settings[best if means[best] > means[0] + MARGIN else 0]
        numbers = DecoderNumbers(stay, numbers.temperature * strength, prior)
    if not reject:
        return numbers
    decoder = fit_decoder(kind, classes, labels, hop=1.0, gaps=gaps, grammar=grammar, **asdict(numbers))
    return replace(numbers, thresholds=find_thresholds(decoder, scores, true, before, delays, reject))


def find_thresholds(
    decoder: Decoder, logits: Floats, truth: Integers, gaps: Gaps, delays: Sequence[int | None], reject: float
) -> dict[str, float]:
    """Find the threshold of each delay, of a causal answer and of each window by itself.

    Args:
        decoder: of windows in a row.
        logits: (m, C) of the windows of the validation subjects.
        truth: (m,) their classes, -1 for none.
        gaps: (m,) hops since the window before.
        delays: lags in windows, None for offline.
        reject: most windows of known classes that may be rejected, a share.
    """
    every = {ALONE: decoder.alone()}
    if decoder.kind != "none":
        # A device may answer at once, whatever the lags of a table.
        every |= {name_delay(delay): decoder.with_lag(delay) for delay in (0, *delays)}
    known = truth >= 0
    return {name: find_threshold(each.decode(logits, gaps).confidence[known], reject) for name, each in every.items()}


_Chains = tuple[Floats, Floats, Floats]


def _chains(
    kind: str,
    classes: Sequence[str],
    labels: ArrayLike,
    gaps: ArrayLike | None,
    grammar: Grammar | None,
    settings: Sequence[tuple[float, float, float]],
    scaled: Floats,
) -> _Chains:
    """Return evidence (G, m, C), log-transitions (G, C, C) and log-start (C,) of all settings."""
    stays, strengths, priors = (np.array(each)[:, None] for each in zip(*settings, strict=True))
    truth = np.asarray(labels, np.int64)
    durations = usual_durations(truth, len(classes), gaps)
    transition = make_transitions(stays * durations, leaving(kind, classes, truth, gaps, grammar))
    apart = (scaled - scaled.max(1, keepdims=True)) / strengths[:, :, None]
    evidence = np.maximum(apart, -SPAN) - (priors * log_class_prior(truth, len(classes)))[:, None, :]
    return evidence, transition, np.full(len(classes), -np.log(len(classes)))


def _score(chain: _Chains, gaps: Gaps, delay: int | None, truth: Integers, known: Integers) -> Floats:
    """Return the macro-F1 (G,) of validation windows; classes that they lack are left out."""
    labels = find_path(*chain, gaps) if delay is None else smooth_lag(*chain, delay, gaps).argmax(-1)
    classes = chain[1].shape[-1]
    cells = truth[known] * classes + labels[:, known]
    counts = np.stack([np.bincount(each, minlength=classes**2) for each in cells])
    return np.asarray(macro_f1(counts.reshape(-1, classes, classes), absent="skip"))
