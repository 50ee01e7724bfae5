from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillmotion.errors import UserError
from stillmotion.signals.recording import Dataset, Recording
from stillmotion.windows import cut, fit_statistics
from stillmotion.windows import statistics as statistics_module


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.lists(st.integers(20, 90), min_size=1, max_size=2), min_size=1, max_size=3),
    window=st.integers(1, 20),
    hop=st.integers(1, 30),
    data=st.data(),
    block=st.sampled_from([3, 50, 1 << 16]),
)
def test_every_raw_row_under_the_windows_counts_once(subjects, signal_spec, lengths, window, hop, data, block):
    windows = cut(subjects(lengths, spec=signal_spec(window, hop)), null="keep")
    chosen = data.draw(st.lists(st.integers(0, len(windows) - 1), min_size=1, max_size=9))
    rows = sorted({row for number in chosen for row in range(windows.starts[number], windows.starts[number] + window)})
    values = windows.signal[rows].astype(np.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics_module, "BLOCK", block)
        received = fit_statistics(windows, chosen)
    assert received.rows == len(rows)
    np.testing.assert_allclose(received.mean, values.mean(axis=0), rtol=1e-9, atol=1e-12)
    if len(rows) > 1:
        np.testing.assert_allclose(received.std, values.std(axis=0), rtol=1e-9)


def test_overlapping_recordings_of_one_source_count_a_row_once(signal_spec):
    raw = np.random.default_rng(0).standard_normal((100, 3), dtype=np.float32)
    spec = signal_spec(40, 40)
    recordings = [
        Recording("1", "day", raw[o : o + 40], np.zeros(40, np.int16), source="s", offset=o) for o in (60, 0, 20, 40)
    ]
    received = fit_statistics(cut(Dataset.of("overlapping", spec, recordings)))
    assert received.rows == 100
    np.testing.assert_allclose(received.mean, raw.mean(axis=0, dtype=np.float64), rtol=1e-9)
    np.testing.assert_allclose(received.std, raw.std(axis=0, dtype=np.float64), rtol=1e-9)


def test_a_constant_channel_is_only_centred(subjects):
    data = subjects([[80]])
    data.samples[:, 1] = 9.81
    data.samples[:, 2] = 0
    received = fit_statistics(cut(data))
    assert received.std[1:].tolist() == [1.0, 1.0]
    assert received.mean[1] == pytest.approx(np.float32(9.81), rel=1e-12)


def test_a_large_offset_does_not_affect_the_standard_deviation(subjects):
    data = subjects([[400]])
    data.samples[:] += 1000
    rows = data.samples.astype(np.float64)
    np.testing.assert_allclose(fit_statistics(cut(data)).std, rows.std(axis=0), rtol=1e-7)


def test_nan_in_the_chosen_windows_is_named(subjects):
    data = subjects([[80], [80]])
    data.samples[85, 2] = np.nan
    windows = cut(data)
    assert np.isfinite(fit_statistics(windows, np.flatnonzero(windows.subject_codes == 0)).std).all()
    with pytest.raises(UserError, match=r"wrist\.acc\.z is NaN or infinite at sample 85"):
        fit_statistics(windows)
    with pytest.raises(UserError, match="statistics of no windows"):
        fit_statistics(windows, [])
