"""Windows in a row: the decoders of runs, and scores of subjects in sequence and of windows alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median_low
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..decoding import (
    ALONE,
    Decoded,
    Decoder,
    DecoderNumbers,
    choose_numbers,
    fit_decoder,
    name_delay,
    order_windows,
)
from ..evaluation import (
    Interval,
    Predictions,
    compare_variants,
    f1_per_class,
    macro_f1,
    score_bouts,
    score_events,
    score_rejections,
)
from ..signals.catalog import list_cards
from .counts import Counts, count_labels, pool_folds
from .index import Rows, WindowIndex, unlabelled
from .predict import reported_runs, without_sequences
from .runs import Run
from .spec import Study
from .state import StudyState

#: Raised when numbers of decoders are chosen in another way: those in a store are then chosen again.
CHOICE = 3


@dataclass(frozen=True)
class SequenceRow:
    """Scores of a variant with one delay.

    Args:
        variant: its name.
        decoder: kind of decoder; ``none`` for windows alone.
        delay: windows that an answer waits for; ``alone`` or ``offline``.
        macro_f1: of the test subjects, with its interval.
        gain: difference to windows alone, with its interval; None for windows alone.
        basic: mean F1 of the classes that are no transitions, None without transitions.
        transitions: mean F1 of the transitions.
        events: event scores and shares of bouts, over all classes.
        events_basic, events_transitions: shares of bouts of the two halves, empty without transitions.
        unknown: scores with windows rejected (``RejectionScores``), and ``activations_of_all`` where none is rejected.
    """

    variant: str
    decoder: str
    delay: str
    macro_f1: Interval
    gain: Interval | None
    basic: float | None
    transitions: float | None
    events: Mapping[str, float | None]
    events_basic: Mapping[str, float | None]
    events_transitions: Mapping[str, float | None]
    unknown: Mapping[str, float | None]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        values = asdict(self) | {"macro_f1": self.macro_f1.score, "low": self.macro_f1.low, "high": self.macro_f1.high}
        gain = self.gain
        names = ("gain", "gain_low", "gain_high")
        ends = (None, None, None) if gain is None else (gain.score, gain.low, gain.high)
        return values | dict(zip(names, ends, strict=True))


def hop_of(index: WindowIndex) -> float:
    """Return the seconds from one window to the next."""
    return index.spec.hop / index.spec.rate


def order_rows(index: WindowIndex, rows: Rows) -> tuple[Rows, NDArray[np.int64]]:
    """Return the order of windows in their recordings, and the gaps between them."""
    return order_windows(index.recording[rows], index.seconds[rows], hop_of(index))


def sequence_rows(index: WindowIndex, fold: int, split: str) -> Rows:
    """Return all windows of the subjects of a split, those without a class last."""
    return np.concatenate([index.rows(fold, split), index.unlabelled_rows(fold, split)])


def sequence_logits(state: StudyState, run: str, split: str) -> NDArray[np.float32] | None:
    """Return the stored logits of ``sequence_rows`` of a run, by its id; None if it has none."""
    splits = (split, unlabelled(split)) if state.study.decoding else (split,)
    parts = [state.store.predictions(run, each) for each in splits]
    known = [each for each in parts if each is not None]
    return np.concatenate(known) if len(known) == len(parts) else None


def choose_missing(state: StudyState) -> None:
    """Choose the numbers of the decoders of reported runs on validation subjects, and keep them in the store."""
    if not state.study.decoding:
        return
    kept = numbers_kept(state)
    missing = [run for run in reported_runs(state) if run.id not in kept]
    if missing:
        chosen = {run.id: asdict(choose_of(state, run)) for run in missing}
        every = state.store.about().get("decoders", {})
        state.store.note(decoders={**every, decoding_key(state.study): {**kept, **chosen}})


def numbers_kept(state: StudyState) -> dict[str, dict[str, Any]]:
    """Return the chosen numbers in the store by run, for decoders as the study has them now."""
    kept: dict[str, dict[str, Any]] = state.store.about().get("decoders", {}).get(decoding_key(state.study), {})
    return kept


def decoding_key(study: Study) -> str:
    """Return the decoding section as text, by which what was made with it is recognised."""
    return json.dumps([CHOICE, asdict(study.decoding)], sort_keys=True)


def choose_of(state: StudyState, run: Run) -> DecoderNumbers:
    """Choose the numbers of the decoder of a run on the validation subjects of its fold."""
    index, decoding = state.index, state.study.decoding
    logits = sequence_logits(state, run.id, "validation")
    if not decoding.calibrate or logits is None:
        return DecoderNumbers()
    train = index.rows(run.fold, "train")
    order, gaps = order_rows(index, train)
    rows = sequence_rows(index, run.fold, "validation")
    validation_order, validation_gaps = order_rows(index, rows)
    return choose_numbers(
        decoding.decoder,
        index.spec.classes,
        index.labels[train[order]],
        logits=logits[validation_order],
        truth=index.labels[rows[validation_order]],
        delays=decoding.delays,
        gaps=gaps,
        validation_gaps=validation_gaps,
        grammar=decoding.table,
        reject=decoding.reject,
    )


def numbers_of(state: StudyState, run: Run) -> DecoderNumbers:
    """Return the numbers of the decoder of a run: those in the store, or chosen now."""
    kept = numbers_kept(state).get(run.id)
    return choose_of(state, run) if kept is None else DecoderNumbers(**kept)


def decoder_of(state: StudyState, run: Run, *, chosen: Sequence[Run] = ()) -> Decoder:
    """Return the decoder of a run, fitted to the subjects that it was trained on; its lag is the first of the study.

    Args:
        state: of the study.
        run: the run.
        chosen: runs whose numbers were chosen; their medians are taken for a run that no validation subjects are left
            for.
    """
    index, decoding = state.index, state.study.decoding
    train, _ = state.planner.rows(run)
    order, gaps = order_rows(index, train)
    each = [asdict(numbers_of(state, other)) for other in chosen or (run,)]
    thresholds = [values.pop("thresholds") for values in each]
    numbers = DecoderNumbers(**_medians(each), thresholds=_medians(thresholds))
    return fit_decoder(
        decoding.decoder,
        index.spec.classes,
        index.labels[train[order]],
        hop=hop_of(index),
        gaps=gaps,
        grammar=decoding.table,
        lag=decoding.delays[0] if decoding.delays else 0,
        **asdict(numbers),
    )


def _medians(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each number, the lower of the two in the middle."""
    return {name: median_low([each[name] for each in values]) for name in values[0]}


def decode_run(state: StudyState, run: Run, split: str) -> dict[str, Decoded]:
    """Decode the windows of ``sequence_rows`` of a run, by delay; ``alone`` is first."""
    key = (run.id, split)
    if key not in state.decoded:
        logits = sequence_logits(state, run.id, split)
        assert logits is not None
        decoder = decoder_of(state, run)
        alone = decoder.alone()
        decoded = {ALONE: Decoded(logits.argmax(1), alone.decode(logits).probabilities, alone.threshold)}
        for delay in state.study.decoding.delays:
            decoded[name_delay(delay)] = _decode(state, run, split, decoder.with_lag(delay), logits)
        state.decoded[key] = decoded
    return state.decoded[key]


def _decode(state: StudyState, run: Run, split: str, decoder: Decoder, logits: NDArray[np.float32]) -> Decoded:
    """Decode the logits of ``sequence_rows``; the results are in their order."""
    order, gaps = order_rows(state.index, sequence_rows(state.index, run.fold, split))
    decoded, back = decoder.decode(logits[order], gaps), np.argsort(order)
    return Decoded(decoded.labels[back], decoded.probabilities[back], decoded.threshold)


def score_validation(state: StudyState, by_seed: Sequence[Sequence[Run]]) -> float | None:
    """Score windows in sequence, at the first delay of the study, on the validation subjects of all folds.

    Args:
        state: of the study.
        by_seed: for each seed a run of each fold.

    Returns:
        Macro-F1 pooled over subjects and folds, mean over seeds; None without ``[decoding]`` or predictions.
    """
    if not state.study.decoding or not by_seed:
        return None
    scores = []
    for runs in by_seed:
        counts = [_validation_counts(state, run) for run in runs]
        known = [each for each in counts if each is not None]
        if len(known) < len(counts):
            return None
        scores.append(float(macro_f1(np.sum(known, axis=(0, 1)))))
    return float(np.mean(scores))


def _validation_counts(state: StudyState, run: Run) -> Counts | None:
    logits = sequence_logits(state, run.id, "validation")
    if logits is None:
        return None
    rows = state.index.rows(run.fold, "validation")
    decoded = _decode(state, run, "validation", decoder_of(state, run), logits)
    return count_labels(state.index, rows, decoded.labels[: len(rows)])


def transitions_of(study: Study, classes: Sequence[str]) -> NDArray[np.bool_]:
    """Tell which classes are transitions: those of the study, or of its data set."""
    card = list_cards().get(study.data.name)
    names = study.decoding.transitions or (card.transitions if card else ())
    return np.array([name in names for name in classes])


def score_sequences(state: StudyState) -> tuple[SequenceRow, ...]:
    """Score the test subjects of each variant with every delay, windows alone first; empty before they are evaluated.

    Args:
        state: of the study.
    """
    if not state.study.decoding or not state.tested or without_sequences(state, "test"):
        return ()
    rows: list[SequenceRow] = []
    for name in state.study.systems:
        folds = [runs for (variant, _), runs in sorted(state.reported.items()) if variant == name]
        if folds and all(len(runs) == state.study.seeds for runs in folds):
            rows += _score_variant(state, name, folds)
    return tuple(rows)


def _score_variant(state: StudyState, name: str, folds: Sequence[Sequence[Run]]) -> list[SequenceRow]:
    index, delays = state.index, [ALONE, *map(name_delay, state.study.decoding.delays)]
    columns: dict[str, list[list[Counts | None]]] = {delay: [] for delay in delays}
    for runs in folds:
        decoded = [decode_run(state, run, "test") for run in runs]
        for delay in delays:
            rows = index.rows(runs[0].fold, "test")
            columns[delay].append([count_labels(index, rows, each[delay].labels[: len(rows)]) for each in decoded])
    matrices = pool_folds(index, columns, "test", state.study.seeds)
    compared = compare_variants(matrices, against=ALONE, flips=1)
    gains = {each.variant: each.difference for each in compared.comparisons}
    moving = transitions_of(state.study, index.spec.classes)
    halves = moving.any() and not moving.all()
    result = []
    for standing, counts in zip(compared.standings, matrices.counts, strict=True):
        f1 = f1_per_class(counts.sum(1)).mean(0)
        predictions, rejected = _predictions(state, name, folds, standing.variant)
        unknown = score_rejections(predictions, rejected, hop=hop_of(index)).to_dict()
        unknown["activations_of_all"] = score_rejections(predictions, hop=hop_of(index)).to_dict()["activations"]
        bouts = score_bouts(predictions, hop=hop_of(index))
        result.append(
            SequenceRow(
                name,
                "none" if standing.variant == ALONE else state.study.decoding.decoder,
                standing.variant,
                standing.macro_f1,
                gains.get(standing.variant),
                float(f1[~moving].mean()) if halves else None,
                float(f1[moving].mean()) if halves else None,
                {**score_events(predictions, hop=hop_of(index)).to_dict(), **bouts.shares()},
                bouts.shares(~moving) if halves else {},
                bouts.shares(moving) if halves else {},
                unknown,
            )
        )
    return result


def _predictions(
    state: StudyState, name: str, folds: Sequence[Sequence[Run]], delay: str
) -> tuple[Predictions, NDArray[np.bool_]]:
    """Return the decoded test windows of a variant with one delay, for whole recordings, and those rejected."""
    index = state.index
    runs = [(run, seed) for each in folds for seed, run in enumerate(each)]
    by_run = [sequence_rows(index, run.fold, "test") for run, _ in runs]
    rows, lengths = np.concatenate(by_run), [len(each) for each in by_run]
    decoded = [decode_run(state, run, "test")[delay] for run, _ in runs]
    predictions = Predictions.of(
        name,
        subject=index.subject_names[rows],
        fold=np.repeat([run.fold for run, _ in runs], lengths),
        seed=np.repeat([seed for _, seed in runs], lengths),
        y=index.labels[rows],
        prediction=np.concatenate([each.labels for each in decoded]),
        classes=index.spec.classes,
        recording=index.recording[rows].astype(str),
        time=index.seconds[rows],
    )
    return predictions, np.concatenate([each.rejected for each in decoded])
