"""Simulated subjects as a data set: the same every time, whole, labelled as a subject with a button would."""

import numpy as np
import pytest

from stillmotion.errors import UserError
from stillmotion.signals.simulated import CARD, CLASSES, generate
from stillmotion.signals.simulated.generate import make_sessions


@pytest.fixture(scope="module")
def three():
    return generate(subjects=3, minutes=6.0)


def test_the_same_numbers_give_the_same_bytes(three):
    again = generate(subjects=3, minutes=6.0)
    assert again.samples.tobytes() == three.samples.tobytes()
    assert again.labels.tobytes() == three.labels.tobytes()
    assert again.fingerprint == three.fingerprint
    other = generate(subjects=3, minutes=6.0, seed=1)
    assert other.samples.tobytes() != three.samples.tobytes()
    assert other.fingerprint != three.fingerprint


def test_a_subject_does_not_depend_on_how_many_there_are(three):
    alone = generate(subjects=2, minutes=6.0)
    for a, b in zip(alone.recordings, three.having(["1", "2"]).recordings, strict=True):
        assert (a.subject, a.session) == (b.subject, b.session)
        assert a.samples.tobytes() == b.samples.tobytes()
        assert a.labels.tobytes() == b.labels.tobytes()


def test_subjects_differ_from_each_other_and_between_sessions(three):
    starts = {recording.samples[:100].tobytes() for recording in three.recordings}
    assert len(starts) == len(three) == 6


def test_the_signal_is_the_cards(three):
    assert three.name == CARD.name == "simulated"
    assert three.spec == CARD.spec
    assert three.spec.groups == ("wrist.acc", "wrist.gyr", "waist.acc", "waist.gyr", "pocket.acc", "pocket.gyr")
    assert three.samples.shape == (3 * 6 * 60 * 50, 18)
    assert three.samples.dtype == np.float32
    assert np.isfinite(three.samples).all()
    assert three.spec.seconds == pytest.approx(2.56)


def test_every_subject_does_everything_and_part_of_the_time_nothing_that_has_a_name(three):
    for subject in three.subjects:
        labels = three.having([subject]).labels
        assert set(labels.tolist()) == {-1, *range(len(CLASSES))}
        assert 0.2 < (labels == -1).mean() < 0.45


def test_edges_of_labels_are_off_by_a_fifth_to_half_a_second():
    for recording, plan in make_sessions(1, minutes=6.0):
        bouts = [bout for bout in plan.bouts if bout.activity in CLASSES]
        edges = np.flatnonzero(np.diff(recording.labels, prepend=-1, append=-1)) / 50
        off = edges - np.array([edge for bout in bouts for edge in (bout.start, bout.stop)])
        assert (abs(off) > 0.18).all()
        assert (abs(off) < 0.52).all()
        assert (off > 0).any()
        assert (off < 0).any()


def test_sensors_end_at_their_range(three):
    acc = np.concatenate([three.samples[:, unit : unit + 3] for unit in (0, 6, 12)])
    gyr = np.concatenate([three.samples[:, unit + 3 : unit + 6] for unit in (0, 6, 12)])
    assert abs(acc).max() == 4.0  # something jolts harder than the sensor can say
    assert (abs(acc) == 4.0).mean() < 0.002
    assert abs(gyr).max() <= np.float32(np.radians(1000))


def test_lost_stretches_end_recordings_and_leave_the_rest_as_it_was(three):
    torn = generate(subjects=3, minutes=6.0, losses=True)
    whole = {(r.subject, r.session): r for r in three.recordings}
    assert len(torn) > 3 * len(three)
    assert 0.8 < len(torn.samples) / len(three.samples) < 0.99
    ends = {}
    for part in torn.recordings:
        full = whole[part.subject, part.session]
        rows = slice(part.offset, part.offset + len(part))
        assert part.source == full.source
        assert (part.samples == full.samples[rows]).all()
        assert (part.labels == full.labels[rows]).all()
        lost = (part.offset - ends.get(part.source, -15)) / 50
        assert lost >= 0.28
        ends[part.source] = part.offset + len(part)


def test_a_unit_is_put_on_anew_for_every_session():
    subjects = generate(subjects=6)
    names = ("walking", "upstairs", "downstairs", "jogging", "standing", "brushing-teeth")
    upright = [CLASSES.index(name) for name in names]
    angles = []
    for subject in subjects.subjects:
        first, second = (
            np.median(recording.samples[np.isin(recording.labels, upright), 6:9], axis=0)
            for recording in subjects.having([subject]).recordings
        )
        cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
        angles.append(np.degrees(np.arccos(cosine)))
    assert min(angles) > 1.0
    assert max(angles) < 35.0


@pytest.mark.parametrize(
    ("wrong", "named"), [({"subjects": 0}, "0"), ({"minutes": 0.5}, "0.5"), ({"seed": -1}, "-1")], ids=str
)
def test_impossible_wishes_are_refused_in_one_sentence(wrong, named):
    with pytest.raises(UserError, match=named) as refused:
        generate(**wrong)
    assert str(refused.value).count(".") <= 2
