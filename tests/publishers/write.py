"""Simulated subjects put down in the publishers' layouts, so that every loader can be tested from bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stillmotion.signals.filters import make_uci_har_signals
from stillmotion.signals.recording import NULL, Dataset, Floats, Labels, Recording, Times
from stillmotion.signals.sets import hapt, uci_har, wisdm_2019
from stillmotion.signals.simulated.card import CHANNELS, CLASSES, RATE
from stillmotion.signals.simulated.generate import make_sessions
from stillmotion.signals.simulated.timeline import Timetable
from stillmotion.signals.spec import SignalSpec

G = 9.80665
WAIST = [i for i, channel in enumerate(CHANNELS) if channel.position == "waist"]
WRIST = [i for i, channel in enumerate(CHANNELS) if channel.position == "wrist"]

#: HAPT's activity (1–12) of what the body does; hands do not matter at the waist, and nobody jogs in HAPT.
AT_WAIST = {"walking": 1, "upstairs": 2, "downstairs": 3}
POSTURES = {"sit": 4, "stand": 5, "lie": 6}
CHANGES = {
    ("stand", "sit"): 7, ("sit", "stand"): 8, ("sit", "lie"): 9,
    ("lie", "sit"): 10, ("stand", "lie"): 11, ("lie", "stand"): 12,
}  # fmt: skip

#: WISDM's letters. The set has no lying; its eating is soup, chips, pasta and a sandwich: ours is soup.
LETTERS = dict(zip(CLASSES, "ACCBDE-FKHGR", strict=True))


def write_hapt(folder: str | Path, *, subjects: int = 4, seed: int = 0, minutes: float = 8.0) -> Dataset:
    """Write the waist unit as HAPT's ``RawData`` and ``activity_labels.txt``; return what was written.

    Two experiments a subject, named on from 1. Changes of posture are labelled 7–12, as HAPT does.
    """
    raw = Path(folder) / "RawData"
    raw.mkdir(parents=True, exist_ok=True)
    rows: list[str] = []
    recordings = []
    for experiment, (user, recording, activities) in enumerate(_at_waist(subjects, seed, minutes), 1):
        for kind, part in (("acc", slice(0, 3)), ("gyro", slice(3, 6))):
            _write_matrix(raw / f"{kind}_exp{experiment:02d}_user{user:02d}.txt", recording.samples[:, part], "%.9g")
        for label, start, stop in label_runs(activities):
            rows.append(f"{experiment} {user} {label + 1} {start + 1} {stop}\n")
        recordings.append(_named(recording, str(experiment), f"exp{experiment:02d}_user{user:02d}", activities))
    (raw / "labels.txt").write_text("".join(rows))
    names = [f"{number} {name}\n" for number, name in enumerate(hapt.CLASSES, 1)]
    (Path(folder) / "activity_labels.txt").write_text("".join(names))
    return Dataset.of("hapt", hapt.CARD.spec, recordings)


def write_uci_har(folder: str | Path, *, subjects: int = 4, seed: int = 0, minutes: float = 8.0) -> Dataset:
    """Write the waist unit as UCI HAR's windows, filtered as its publisher does; return the stretches they cover.

    Subjects of the official test go to ``test``. The format keeps 8 digits; what is returned is what it keeps.
    """
    parts: dict[str, list[tuple[int, int, Floats]]] = {"train": [], "test": []}
    spec = uci_har.CARD.spec
    recordings: dict[str, list[Recording]] = {"train": [], "test": []}
    for user, recording, activities in _at_waist(subjects, seed, minutes):
        part = "test" if str(user) in uci_har.CARD.official_test else "train"
        raw = recording.samples.astype(np.float64)
        signals = np.concatenate(make_uci_har_signals(raw[:, :3], raw[:, 3:], rate=RATE), axis=1)
        kept = _as_printed(signals)
        for label, start, stop in label_runs(activities):
            count = (stop - start - uci_har.WINDOW) // uci_har.HOP + 1
            if label >= len(uci_har.CLASSES) or count < 1:
                continue
            covered = kept[start : start + uci_har.WINDOW + (count - 1) * uci_har.HOP]
            windows = np.lib.stride_tricks.sliding_window_view(covered, uci_har.WINDOW, axis=0)[:: uci_har.HOP]
            parts[part] += [(user, label, window) for window in windows]  # (channel, time)
            labels = np.full(len(covered), label, np.int16)
            recordings[part].append(Recording(str(user), "1", covered, labels, source=f"{part} {user} {start}"))
    for part, written in parts.items():
        _write_windows(Path(folder) / part, part, written)
    return Dataset.of("uci-har", spec, recordings["train"] + recordings["test"])


def write_wisdm_2019(
    folder: str | Path,
    *,
    subjects: int = 4,
    seed: int = 0,
    minutes: float = 8.0,
    jitter: float = 0.0,
    offset: float = 0.0,
) -> Dataset:
    """Write the wrist unit as WISDM 2019's watch at 25 Hz, in m/s²; return what was written.

    Args:
        folder: takes ``raw/watch/{accel,gyro}/data_16NN_{accel,gyro}_watch.txt``.
        subjects: subjects 1600, 1601, …
        seed: of the simulated subjects.
        minutes: per subject.
        jitter: standard deviation in s by which every sample's time is off, on each sensor's own clock.
        offset: by how much in s the gyroscope's clock is ahead of the accelerometer's.

    Only activities that WISDM has are written, a stretch each. The clock of a subject's second session starts
    below that of the first, as real ones do. With jitter or offset, the data set holds acceleration's clock
    and the gyroscope's values as measured, not as they would be joined.
    """
    spec: SignalSpec = wisdm_2019.CARD.spec
    recordings = []
    for number in range(1, subjects + 1):
        subject = 1599 + number
        rng = np.random.default_rng([seed, number, 2])
        lines: dict[str, list[str]] = {"accel": [], "gyro": []}
        for session, (recording, _) in enumerate(make_sessions(number, seed=seed, minutes=minutes), 1):
            samples = recording.samples[:, WRIST].copy()
            samples[:, :3] *= np.float32(G)
            for label, start, stop in label_runs(recording.labels):
                letter = LETTERS[CLASSES[label]]
                if letter == "-":
                    continue
                part = samples[start:stop:2]
                seconds = 1e5 / session + (start + 2 * np.arange(len(part))) / RATE
                acc_time, gyr_time = (_stamps(rng, seconds + off, jitter) for off in (0.0, offset))
                row = len(lines["accel"])
                lines["accel"] += _lines(subject, letter, acc_time, part[:, :3])
                lines["gyro"] += _lines(subject, letter, gyr_time, part[:, 3:])
                labels = np.full(len(part), wisdm_2019.LETTERS.index(letter), np.int16)
                source = f"data_{subject}_accel_watch.txt"
                times: Times = acc_time.astype(np.float64) * wisdm_2019.NANOSECONDS
                recordings.append(Recording(str(subject), str(session), part, labels, times, source, row))
        for kind, text in lines.items():
            place = Path(folder) / "raw" / "watch" / kind
            place.mkdir(parents=True, exist_ok=True)
            (place / f"data_{subject}_{kind}_watch.txt").write_text("".join(text))
    return Dataset.of("wisdm-2019", spec, recordings)


def _stamps(rng: np.random.Generator, seconds: Times, jitter: float) -> NDArray[np.int64]:
    """A sensor's clock in ns: rising, every sample off by ``jitter``, at most twice that."""
    off = jitter * np.clip(rng.standard_normal(len(seconds)), -2, 2)
    return np.round(np.sort(seconds + off) * 1e9).astype(np.int64)


def _lines(subject: int, letter: str, stamps: NDArray[np.int64], values: Floats) -> list[str]:
    rows = zip(stamps.tolist(), values.tolist(), strict=True)
    return [f"{subject},{letter},{at},{x:.9g},{y:.9g},{z:.9g};\n" for at, (x, y, z) in rows]


def _at_waist(subjects: int, seed: int, minutes: float) -> Iterator[tuple[int, Recording, Labels]]:
    """Subject, waist unit and HAPT's labels (0–11, -1) of every session."""
    for number in range(1, subjects + 1):
        for recording, plan in make_sessions(number, seed=seed, minutes=minutes):
            waist = np.ascontiguousarray(recording.samples[:, WAIST])
            kept = Recording(recording.subject, recording.session, waist, recording.labels)
            yield number, kept, _body_labels(plan, len(waist))


def _body_labels(plan: Timetable, length: int) -> Labels:
    """What the body does, by HAPT's numbers less one; jogging and movements of no class have none."""
    labels = np.full(length, NULL, np.int16)
    for bout in plan.bouts:
        if bout.activity in CLASSES and bout.activity != "jogging":
            first, last = max(0, round(bout.label_start * RATE)), round(bout.label_stop * RATE)
            labels[first:last] = AT_WAIST.get(bout.activity, POSTURES[bout.posture]) - 1
    for change in plan.changes:
        labels[round(change.start * RATE) : round(change.stop * RATE)] = CHANGES[change.before, change.after] - 1
    return labels


def label_runs(labels: Labels) -> list[tuple[int, int, int]]:
    """(label, start, stop) of every stretch of one label that is not null."""
    edges = np.flatnonzero(np.diff(labels, prepend=NULL - 1, append=NULL - 1))
    runs = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    return [(int(labels[start]), start, stop) for start, stop in runs if labels[start] != NULL]


def _named(recording: Recording, session: str, source: str, labels: Labels) -> Recording:
    return Recording(recording.subject, session, recording.samples, labels, source=source)


def _as_printed(signals: NDArray[np.floating]) -> Floats:
    """The values that ``%15.7e`` keeps."""
    printed: Floats = np.char.mod("%.7e", signals).astype(np.float64).astype(np.float32)
    return printed


def _write_matrix(path: Path, values: Floats, form: str) -> None:
    line = " ".join([form] * values.shape[1]) + "\n"
    path.write_text("".join(line % tuple(row) for row in values.tolist()))


def _write_windows(folder: Path, part: str, written: list[tuple[int, int, Floats]]) -> None:
    inertial = folder / "Inertial Signals"
    inertial.mkdir(parents=True, exist_ok=True)
    names = [f"{name}_{axis}" for name, _, _ in uci_har.SIGNALS for axis in "xyz"]
    for column, name in enumerate(names):
        rows = np.array([window[column] for _, _, window in written], np.float32).reshape(-1, uci_har.WINDOW)
        _write_matrix(inertial / f"{name}_{part}.txt", rows, "%15.7e")
    (folder / f"y_{part}.txt").write_text("".join(f"{label + 1}\n" for _, label, _ in written))
    (folder / f"subject_{part}.txt").write_text("".join(f"{user}\n" for user, _, _ in written))
