import numpy as np
import pytest

from stillmotion.errors import UserError
from stillmotion.signals import Dataset, Recording
from stillmotion.windows import cut

from .subjects import SPEC, dataset, recording


def test_recordings_are_views_of_one_store_in_order():
    parts = [recording("2", 30, seed=1), recording("10", 20, seed=2), recording("2", 10, seed=3)]
    data = dataset(*parts)
    for part, view in zip(parts, data.recordings, strict=True):
        np.testing.assert_array_equal(view.samples, part.samples)
        np.testing.assert_array_equal(view.labels, part.labels)
        assert np.shares_memory(view.samples, data.samples)
    assert data.subjects == ("2", "10"), "numbers sort as numbers"


def test_some_subjects_only():
    data = dataset()
    assert data.having(["1", "3"]).subjects == ("1", "3")
    with pytest.raises(UserError, match="has no subject 9. It has 0, 1, 2, 3"):
        data.having(["9"])


def test_an_empty_recording_and_an_empty_set_are_refused():
    with pytest.raises(UserError, match="'s1' of 'anna' is empty"):
        Recording("anna", "s1", np.zeros((0, 6), np.float32), np.zeros(0, np.int16))
    with pytest.raises(UserError, match="no recordings"):
        Dataset.of("nobody", SPEC, [])


def test_columns_that_do_not_belong_together_are_refused():
    good = recording()
    with pytest.raises(UserError, match="500 samples but labels of shape"):
        Recording("1", "1", good.samples, good.labels[:-1])
    with pytest.raises(UserError, match="2 channels, its signal contract 6"):
        dataset(Recording("1", "1", good.samples[:, :2], good.labels))
    with pytest.raises(UserError, match="label outside"):
        dataset(Recording("1", "1", good.samples, good.labels + 1))
    with pytest.raises(UserError, match="some recordings carry timestamps and some do not"):
        dataset(good, recording("2", times=np.arange(500) / 50))


def test_a_printed_data_set_fits_a_line_however_many_recordings_it_has():
    data = dataset(*(recording(str(number), 60, seed=number) for number in range(200)))
    assert len(repr(data)) < 160
    for part in ("200 subjects", "200 recordings", f"{200 * 60 / SPEC.rate / 60:,.1f} minutes", "6 channels"):
        assert part in repr(data)
    windows = cut(data)
    assert f"{len(windows):,} of {SPEC.window} samples" in repr(windows)
