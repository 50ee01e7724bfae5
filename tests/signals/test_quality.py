import json

import numpy as np
import pytest

from stillmotion.signals import Recording, inspect, load

from .subjects import SPEC, dataset, recording


def kinds(quality):
    return {(finding.severity, finding.kind) for finding in quality.findings}


def test_sound_data_gives_no_finding_and_true_numbers():
    quality = inspect(dataset())
    assert quality.findings == ()
    assert quality.usable
    subject = quality.subjects[0]
    assert (subject.seconds, subject.rate, subject.recordings) == (10.0, 50.0, 1)
    assert subject.labelled == {"walk": 5.0, "sit": 5.0, "(none)": 0.0}
    assert subject.gravity["wrist.acc"] == pytest.approx(1.0, abs=0.02)
    assert json.loads(json.dumps(quality.to_dict()))["usable"] is True


def changed(change, **more):
    made = recording(**more)
    change(made.samples)
    return inspect(dataset(made, recording("2")))


@pytest.mark.parametrize(
    ("change", "severity", "kind", "message"),
    [
        (lambda s: s.__setitem__((slice(3, 8), 4), np.nan), "error", "missing", "5 of 500 samples .* wrist.gyr.y"),
        (lambda s: s.__setitem__((slice(100, 200), slice(0, 3)), 0.5), "warning", "stuck", "wrist.acc .* for 2.0 s"),
        (lambda s: np.clip(s, None, 1.06, out=s), "warning", "saturated", "of wrist.acc lie at the end"),
        (lambda s: s.__setitem__((slice(None), 2), 1000.0), "error", "unit", "wrist.acc .* 1e.03 g, which cannot be"),
        (lambda s: s.__imul__(9.81), "error", "unit", "9.8.* g, which cannot be gravity .1 g."),
        (lambda s: s[:, 3:].__imul__(3000), "error", "unit", "wrist.gyr .* faster than a body turns"),
    ],
    ids=["missing", "stuck", "saturated", "gravity of 1000", "m/s2 as g", "deg/s as rad/s"],
)
def test_each_fault_is_found_in_its_subject(change, severity, kind, message):
    quality = changed(change)
    found = [finding for finding in quality.findings if finding.kind == kind]
    assert [(finding.severity, finding.subject) for finding in found] == [(severity, "1")]
    import re

    assert re.search(message, found[0].text)
    assert quality.usable == (severity != "error")


def test_channels_that_are_not_motion_may_stand_still():
    channels = tuple(type(c)("pulse", str(number)) for number, c in enumerate(SPEC.channels))
    spec = type(SPEC)(**{**SPEC.__dict__, "channels": channels})
    made = recording()
    still = Recording("1", "1", np.full_like(made.samples, 60), made.labels)
    assert inspect(dataset(still, recording("2"), spec=spec)).findings == ()


def test_a_wrong_rate_jitter_and_gaps_are_measured():
    times = np.cumsum(np.full(500, 0.025))
    times[250:] += 1.0
    quality = inspect(dataset(recording(times=times)))
    subject = quality.subjects[0]
    assert subject.rate == pytest.approx(499 / (499 * 0.025 + 1.0))
    assert subject.gaps == 1
    assert subject.jitter > 1
    assert ("warning", "rate") in kinds(quality)
    fine = inspect(dataset(recording(times=np.arange(500) / 50 * 1.04)))
    assert fine.findings == (), "4 % off is within tolerance"


def test_repeated_timestamps_are_counted():
    times = np.arange(500) / 50
    times[10:13] = times[10]
    assert inspect(dataset(recording(times=times))).subjects[0].repeated == 2


def test_classes_of_a_single_subject_or_of_none_are_named():
    quality = inspect(dataset(recording("1", labels=[0] * 500), recording("2", labels=[0] * 499 + [1])))
    (finding,) = [finding for finding in quality.findings if finding.kind == "class"]
    assert finding.subject == "2"
    assert "class sit occurs in one subject only (2)" in finding.text
    assert ("note", "balance") in kinds(quality)
    nowhere = inspect(dataset(recording("1", labels=[0] * 500)))
    assert "1 of 2 classes do not occur: sit" in [f.text for f in nowhere.findings]


def test_filtered_sensors_are_not_held_to_gravity():
    channels = tuple(type(c)("body-acc", c.axis, c.unit, c.position) for c in SPEC.channels[:3])
    spec = type(SPEC)(**{**SPEC.__dict__, "channels": channels})
    made = recording()
    quality = inspect(dataset(Recording("1", "1", made.samples[:, :3] - [0, 0, 1], made.labels), spec=spec))
    assert quality.findings == ()


@pytest.mark.real
@pytest.mark.filterwarnings("ignore::stillmotion.errors.DataWarning")
@pytest.mark.parametrize("name", ["hapt", "uci-har", "wisdm-2019"])
def test_the_real_sets_are_usable_and_weigh_one_g(real, name):
    quality = inspect(load(name, data=real(name)))
    assert quality.usable
    g = 9.80665 if name == "wisdm-2019" else 1.0
    for subject in quality.subjects:
        for size in subject.gravity.values():
            assert 0.85 * g < size < 1.15 * g
