"""Predict whole recordings with a bundle: windows in a row, decoded, and merged into bouts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..decoding import UNKNOWN, UNKNOWN_NAME, Decoder, fit_decoder, order_windows
from ..errors import ContractError, UserError
from ..signals.recording import Dataset
from ..signals.resample import resample
from ..signals.select import select_sensors
from ..signals.spec import SignalSpec
from ..windows import cut
from .bundle import Bundle

#: Share by which a rate may differ from the contract's, as in ``SignalSpec.require_fit``.
TOLERANCE = 0.01


@dataclass(frozen=True, eq=False)
class RecordingPredictions:
    """Classes of stretches of recordings, in order of recording and time: of windows, or of bouts.

    Args:
        classes: their names.
        source: (n,) raw recording of each stretch, such as a file.
        subject: (n,) its subject.
        stretch: (n,) number of its recording; a gap or a change of session begins a new one.
        start, end: (n,) in seconds, on the recording's clock if it has one, else from its start.
        labels: (n,) class of each stretch; ``UNKNOWN`` (-2) where the bundle's decoder finds none probable enough.
        probabilities: (n, C), of a bout the mean of its windows.
    """

    classes: tuple[str, ...]
    source: NDArray[np.str_]
    subject: NDArray[np.str_]
    stretch: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each stretch, ready for JSON."""
        columns = (self.source, self.subject, self.start.round(6), self.end.round(6), self.labels)
        each = zip(*(column.tolist() for column in columns), self.probabilities.round(6).tolist(), strict=True)
        for source, subject, start, end, label, probabilities in each:
            named = {f"p_{name}": value for name, value in zip(self.classes, probabilities, strict=True)}
            activity = UNKNOWN_NAME if label == UNKNOWN else self.classes[label]
            yield {"source": source, "subject": subject, "start": start, "end": end, "label": activity} | named


def predict_recordings(
    bundle: Bundle,
    dataset: Dataset,
    *,
    resampled: bool = False,
    lag: int | str | None = "bundle",
    hop: int | None = None,
) -> RecordingPredictions:
    """Predict every window of recordings, decoded by the bundle's decoder if it has one.

    Recordings with timestamps are put on an even clock first, as in a study.

    Args:
        bundle: a network or a feature classifier with its contract.
        dataset: recordings; channels are taken by their names, in the contract's order, others are left out.
        resampled: whether recordings of another rate are resampled to that of the contract.
        lag: windows of future that an answer waits for, None for offline; ``bundle`` is that of the bundle's decoder,
            ``alone`` answers each window by itself.
        hop: samples from one window to the next; by default that of the contract. The decoder's durations, and its own
            lag, stay as they are in seconds (``Decoder.with_hop``).

    Returns:
        A class and probabilities for each window, ``start`` to ``end``.

    Raises:
        UserError: recordings lack a channel, have another rate or unit, or are shorter than a window.

    Example:
        >>> import stillmotion as sm
        >>> from stillmotion.bundles import Bundle, predict_recordings
        >>> from stillmotion.signals.simulated import generate
        >>> data = generate(subjects=1, minutes=1)
        >>> bundle = Bundle.save("best", sm.networks.build_network("mlp-small", data.spec, seed=0), data.spec)
        >>> predicted = predict_recordings(bundle, data)
        >>> len(predicted), predicted.end[0] - predicted.start[0] == data.spec.seconds
        (44, np.True_)
    """
    spec = bundle.spec if hop is None else bundle.spec.with_window(bundle.spec.window, hop)
    clocks = [None if each.times is None else float(each.times[0]) for each in dataset.recordings]
    begins = {(row["source"], row["offset"]): clock for row, clock in zip(dataset.index, clocks, strict=True)}
    data = fit_recordings(dataset, spec, resampled=resampled)
    windows = cut(data, null="keep", missing="drop")
    step = spec.hop / spec.rate
    seconds = (windows.starts - windows.recording_start[windows.recording]) / spec.rate
    order, gaps = order_windows(windows.recording, seconds, step)
    recording, seconds = windows.recording[order].astype(np.int64), seconds[order]
    decoder = choose_decoder(bundle, lag, None if hop is None else step)
    decoded = decoder.decode(bundle.logits(windows.values(order), windows.spec), gaps)
    rows = [data.index[number] for number in recording]
    begin = np.array([begins.get((row["source"], row["offset"])) or 0.0 for row in rows]) + seconds
    return RecordingPredictions(
        classes=spec.classes,
        source=np.array([row["source"] for row in rows], np.str_),
        subject=np.array([row["subject"] for row in rows], np.str_),
        stretch=recording,
        start=begin,
        end=begin + spec.seconds,
        labels=decoded.predictions,
        probabilities=decoded.probabilities,
    )


def choose_decoder(bundle: Bundle, lag: int | str | None, hop: float | None = None) -> Decoder:
    """Return the decoder of a bundle with a lag; without a decoder, one that answers windows alone.

    Args:
        bundle: the bundle.
        lag: as in ``predict_recordings``.
        hop: seconds from one window to the next; by default those of the contract.
    """
    decoder = bundle.decoder
    if (decoder is None or decoder.kind == "none") and not isinstance(lag, str):
        raise UserError(f"{bundle.path} has no decoder of a chain, so there is no lag to choose; leave it out.")
    if decoder is None:
        return fit_decoder("none", bundle.spec.classes, [0], hop=hop or bundle.spec.hop / bundle.spec.rate)
    if hop is not None:
        decoder = decoder.with_hop(hop)
    if lag == "alone":
        return decoder.alone()
    return decoder if isinstance(lag, str) else decoder.with_lag(lag)


def place_channels(given: SignalSpec, wanted: SignalSpec, name: str) -> list[int]:
    """Return the columns of a contract's channels in a signal; raise ``ContractError`` unless they fit."""
    missing = [each for each in wanted.channel_names if each not in given.channel_names]
    if missing:
        raise ContractError(
            f"{name} lacks the channels {', '.join(missing)} of the bundle; it has "
            f"{', '.join(given.channel_names)}. Name its columns, such as --channel wrist.acc=ax,ay,az:g."
        )
    places = [given.channel_names.index(each) for each in wanted.channel_names]
    for channel, place in zip(wanted.channels, places, strict=True):
        unit = given.channels[place].unit
        if channel.unit != unit:
            raise ContractError(
                f"{name} has {channel.name} in {unit or 'an unknown unit'}, the bundle takes "
                f"{channel.unit or 'an unknown unit'}; state or convert the unit, as in --channel wrist.acc=ax,ay,az:g."
            )
    return places


def fit_recordings(dataset: Dataset, spec: SignalSpec, *, resampled: bool = False, labelled: bool = False) -> Dataset:
    """Return recordings with the channels, the rate and the windows of a contract, or raise ``UserError``.

    Args:
        dataset: recordings.
        spec: the contract.
        resampled: whether recordings of another rate are resampled.
        labelled: whether labels whose names are classes of the contract are kept; otherwise there are none.
    """
    place_channels(dataset.spec, spec, dataset.name)
    data = select_sensors(dataset, spec.channel_names)
    rate = data.spec.rate
    if abs(rate - spec.rate) > TOLERANCE * spec.rate and not resampled:
        raise ContractError(
            f"{dataset.name} has {rate:g} Hz, the bundle takes {spec.rate:g} Hz; resample it with --resample."
        )
    if resampled or data.times is not None:
        data = resample(data, spec.rate)
    # Rates within the tolerance are those of one clock: times are counted in the contract's.
    changed = replace(
        data.spec,
        rate=spec.rate,
        classes=spec.classes,
        window=spec.window,
        hop=spec.hop,
        label_policy=spec.label_policy,
        label_share=spec.label_share,
    )
    # The last number is that of -1, no class.
    places = [spec.classes.index(name) if labelled and name in spec.classes else -1 for name in data.spec.classes]
    labels = np.array([*places, -1], data.labels.dtype)[data.labels]
    return replace(data, spec=changed, labels=labels, fingerprint="")


def merge_bouts(predictions: RecordingPredictions, hop: float) -> RecordingPredictions:
    """Merge windows in a row with one class into bouts.

    Each window stands for the hop in its middle, the first and last of a recording also for what lies before and after,
    so bouts touch and do not overlap.

    Args:
        predictions: of windows (``predict_recordings``).
        hop: seconds from one window to the next.

    Returns:
        A stretch for each bout; probabilities are the means of its windows.

    Example:
        >>> import numpy as np
        >>> from stillmotion.bundles import RecordingPredictions, merge_bouts
        >>> place = {"source": np.full(3, "day.csv"), "subject": np.full(3, "ann"), "stretch": np.zeros(3, int)}
        >>> times = {"start": np.array([0.0, 1.0, 2.0]), "end": np.array([2.0, 3.0, 4.0])}
        >>> chances = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8]])
        >>> windows = RecordingPredictions(("rest", "walk"), **place, **times, labels=np.array([0, 0, 1]),
        ...     probabilities=chances)
        >>> bouts = merge_bouts(windows, hop=1.0)
        >>> bouts.start, bouts.end, bouts.labels
        (array([0. , 2.5]), array([2.5, 4. ]), array([0, 1]))
    """
    labels, stretch, start = predictions.labels, predictions.stretch, predictions.start
    if not len(labels):
        return predictions
    apart = (np.diff(stretch) != 0) | (np.diff(start) > 1.5 * hop)
    begin = np.append(0, np.flatnonzero(apart | (np.diff(labels) != 0)) + 1)
    end = np.append(begin[1:], len(labels))
    edge = (predictions.end[0] - start[0] - hop) / 2
    first, last = np.append(True, apart)[begin], np.append(apart, True)[end - 1]
    means = np.add.reduceat(predictions.probabilities, begin, axis=0) / (end - begin)[:, None]
    return replace(
        predictions,
        source=predictions.source[begin],
        subject=predictions.subject[begin],
        stretch=stretch[begin],
        start=np.where(first, start[begin], start[begin] + edge),
        end=np.where(last, predictions.end[end - 1], predictions.end[end - 1] - edge),
        labels=labels[begin],
        probabilities=means,
    )
