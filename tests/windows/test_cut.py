from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillmotion.errors import ContractError, UnknownName, UserError
from stillmotion.signals.recording import NULL, Dataset, Recording
from stillmotion.windows import cut
from stillmotion.windows import labels as labels_module
from stillmotion.windows.labels import label_windows

lengths = st.lists(st.lists(st.integers(1, 90), min_size=1, max_size=3), min_size=1, max_size=4)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(lengths=lengths, window=st.integers(1, 40), hop=st.integers(1, 50))
def test_windows_tile_every_recording_and_never_cross_one(subjects, signal_spec, lengths, window, hop):
    data = subjects(lengths, spec=signal_spec(window, hop))
    expected = [
        (
            number,
            recording.samples[start : start + window],
            recording.source,
            recording.offset + start,
            recording.subject,
        )
        for number, recording in enumerate(data.recordings)
        for start in range(0, len(recording) - window + 1, hop)
    ]
    if not expected:
        with pytest.raises(UserError, match="no recording is as long as a window"):
            cut(data)
        return
    windows = cut(data, null="keep")
    assert len(windows) == len(expected)
    assert windows.recording.tolist() == [number for number, *_ in expected]
    np.testing.assert_array_equal(windows.values(), np.stack([values for _, values, *_ in expected]))
    extents = windows.extents
    assert [extents.sources[i] for i in extents.source] == [source for *_, source, _, _ in expected]
    assert extents.begin.tolist() == [row for *_, row, _ in expected]
    assert extents.end.tolist() == [row + window for *_, row, _ in expected]
    assert [windows.subjects[i] for i in windows.subject_codes] == [subject for *_, subject in expected]
    assert windows.short == sum(len(recording) < window for recording in data.recordings)


def vote(labels: list[int], policy: str, share: float) -> int:
    """Label one window by a plain count."""
    if policy == "first":
        return labels[0]
    if policy == "all-equal":
        return labels[0] if len(set(labels)) == 1 else NULL
    counts = Counter(label for label in labels if label != NULL)
    if not counts:
        return NULL
    most = max(counts.values())
    winner = next(label for label in labels if label != NULL and counts[label] == most)
    share_is_met = most * 100 >= round(share * 100) * len(labels)
    return winner if share_is_met and most >= labels.count(NULL) else NULL


@settings(derandomize=True, max_examples=150, deadline=None)
@given(
    labels=st.lists(st.integers(-1, 2), min_size=1, max_size=120),
    repeat=st.integers(1, 6),
    window=st.integers(1, 30),
    hop=st.integers(1, 9),
    policy=st.sampled_from(["majority", "first", "all-equal"]),
    share=st.integers(0, 100).map(lambda percent: percent / 100),
    pairs=st.sampled_from([1, 7, 1 << 17]),
)
def test_labels_equal_a_plain_loop(signal_spec, labels, repeat, window, hop, policy, share, pairs):
    column = np.repeat(labels, repeat).astype(np.int16)
    if len(column) < window:
        return
    spec = signal_spec(window, hop, label_policy=policy, label_share=share)
    starts = np.arange(0, len(column) - window + 1, hop)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labels_module, "PAIRS_AT_ONCE", pairs)  # work in pieces gives the same
        received = label_windows(column, starts, spec)
    assert received.tolist() == [vote(column[s : s + window].tolist(), policy, share) for s in starts]


def test_a_share_that_is_met_exactly_counts(subjects, signal_spec):
    # 0.55 * 100 is 55.00000000000001 in binary.
    spec = signal_spec(100, 100, label_policy="majority", label_share=0.55)
    data = subjects([[100]], spec=spec, labels=lambda *_: [0] * 55 + [1] * 45)
    assert cut(data).labels.tolist() == [0]


def test_windows_share_the_data_sets_samples_and_values_are_contiguous(subjects):
    data = subjects([[100, 70], [90]])
    windows = cut(data)
    assert windows.signal is data.samples
    chosen = windows.values([2, 0, 2])
    assert chosen.flags.c_contiguous
    assert chosen.dtype == np.float32
    np.testing.assert_array_equal(chosen, windows.values()[[2, 0, 2]])
    mask = windows.labels == 1
    np.testing.assert_array_equal(windows.values(mask), windows.values()[mask])


def test_a_recordings_windows_are_a_read_only_view(subjects):
    data = subjects([[100, 30], [90]])
    windows = cut(data)
    view = windows.of(2)
    assert np.shares_memory(view, data.samples)
    assert not view.flags.writeable
    np.testing.assert_array_equal(view, [data.recordings[2].samples[s : s + 40] for s in (0, 20, 40)])
    assert windows.of(1).shape == (0, 40, 3)
    with pytest.raises(UserError, match="no recording 3"):
        windows.of(3)


def test_null_windows_are_dropped_with_a_note_or_kept(subjects):
    data = subjects([[100, 20], [90], [40]], labels=lambda p, r, n: np.full(n, -1 if p == 2 else p % 3))
    kept, dropped = cut(data, null="keep"), cut(data)
    assert (len(kept), len(dropped)) == (8, 7)
    assert kept.labels[-1] == NULL
    assert {note.kind: note.count for note in dropped.notes} == {
        "short recordings": 1,
        "null windows": 1,
        "subjects without windows": 1,
    }
    assert "3." in dropped.notes[-1].text
    with pytest.raises(UserError, match="none of 1 windows has a class"):
        cut(subjects([[40]], labels=lambda p, r, n: np.full(n, -1)))
    with pytest.raises(UnknownName, match="drop, keep"):
        cut(data, null="maybe")  # type: ignore[arg-type]


def test_a_window_of_another_length_is_cut_but_another_signal_is_refused(subjects):
    data = subjects([[100]])
    assert len(cut(data, spec=data.spec.with_window(10, 10))) == 10
    with pytest.raises(ContractError, match="rate 100 Hz against 50 Hz"):
        cut(data, spec=replace(data.spec, rate=100.0))


def timed(subjects, times_of):
    data = subjects([[400], [60]])
    recordings = [
        Recording(r.subject, r.session, r.samples, r.labels, times_of(len(r)), r.source) for r in data.recordings
    ]
    return Dataset.of("timed", data.spec, recordings)


@pytest.mark.parametrize("rate", [48.0, 50.0, 52.0])
def test_even_timestamps_pass(subjects, rate):
    rng = np.random.default_rng(0)
    data = timed(subjects, lambda n: 1e9 + np.arange(n) / rate + rng.uniform(-3e-4, 3e-4, n))
    assert len(cut(data)) == 19 + 2


def late(n):
    times = np.arange(n) / 50
    times[n // 2 :] += 0.02
    return times


def early(n):
    times = np.arange(n) / 50
    times[n // 2 :] -= 0.018
    return times


def backwards(n):
    times = np.arange(n) / 50
    times[n // 2 :] -= 1.0
    return times


@pytest.mark.parametrize(
    "times_of",
    [
        lambda n: np.arange(n) / 47,
        lambda n: np.arange(n) / 53,
        lambda n: np.arange(n) / 50 + np.random.default_rng(1).uniform(-3e-3, 3e-3, n),
        late,
        early,
        backwards,
        lambda n: np.zeros(n),
    ],
    ids=[
        "too slow",
        "too fast",
        "jitter",
        "a missing sample",
        "a duplicate sample",
        "clock runs backwards",
        "clock stands",
    ],
)
def test_uneven_timestamps_are_refused_with_a_remedy(subjects, times_of):
    with pytest.raises(UserError, match=r"2 of 2 recordings .*'p1r0' of '1'.*resample\(data, 50\)"):
        cut(timed(subjects, times_of))


def test_recordings_too_short_for_a_window_may_be_uneven(subjects):
    data = timed(subjects, lambda n: np.arange(n) / (50 if n == 400 else 31))
    assert len(cut(data, spec=data.spec.with_window(100))) == 7


def test_windows_with_nan_are_dropped_on_request_and_counted(subjects, signal_spec):
    data = subjects([[40]], spec=signal_spec(10, 5))
    broken = data.samples.copy()
    broken[17, 0] = np.nan
    broken[39, -1] = np.inf
    with_nan = replace(data, samples=broken)
    whole = cut(with_nan, null="keep")
    assert whole.starts.tolist() == [0, 5, 10, 15, 20, 25, 30]
    kept = cut(with_nan, null="keep", missing="drop")
    assert kept.starts.tolist() == [0, 5, 20, 25]
    assert [(note.kind, note.count) for note in kept.notes if note.kind == "windows with NaN"] == [
        ("windows with NaN", 3)
    ]
    with pytest.raises(UserError, match="all 7 windows hold NaN or infinite values"):
        cut(replace(data, samples=np.full_like(broken, np.nan)), null="keep", missing="drop")
    with pytest.raises(UnknownName, match="rule for missing windows"):
        cut(data, missing="fill")
