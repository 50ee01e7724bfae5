"""Teachers that see more than their students: the same moments, other sensors, rates and surroundings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillmotion.errors import DataWarning, UserError
from stillmotion.reports import to_markdown
from stillmotion.signals import load
from stillmotion.studies import Study, load_study_data, read_study
from stillmotion.studies.estimate import Clock
from stillmotion.studies.predict import load_model
from stillmotion.studies.sections import Privileged, Training

from .conftest import SMALL

#: The student sees the accelerometer alone, at half of the recordings' rate.
LESS = replace(SMALL, data=replace(SMALL.data, rate=25.0, window=32, hop=32, sensors="waist.acc"))
MORE = Privileged(sensors="waist.acc,waist.gyr", rate=50.0, before=0.2, after=0.4)


def test_a_teacher_sees_the_same_moments_in_the_recordings_own_samples(recordings):
    study_data = load_study_data(replace(LESS, privileged=MORE), data=recordings)
    plain = load_study_data(LESS, data=recordings)
    raw = load("hapt", data=recordings)
    seen = study_data.privileged
    assert seen.windows.spec.rate == 50
    assert seen.windows.shape[1:] == (64 + 10 + 20, 6)
    assert len(seen.windows) == len(study_data.windows) == len(plain.windows)
    # By hand: each of the student's starts, in the rows of its recording as published.
    windows, rows = study_data.windows, 0
    for number in range(0, len(windows), 7):
        recording = raw.recordings[windows.recording[number]]
        start = 2 * (windows.starts[number] - windows.recording_start[windows.recording[number]]) - 10
        assert recording.subject == windows.subjects[windows.subject_codes[number]]
        np.testing.assert_array_equal(seen.windows[number], recording.samples[start : start + 94])
        rows += 1
    assert rows > 10
    np.testing.assert_allclose(study_data.statistics[0].mean, seen.statistics[0].mean[:3], atol=0.02)
    # Who is on which side does not depend on what teachers see.
    for mine, theirs in zip(study_data.index.folds, plain.index.folds, strict=True):
        assert mine.test_subjects == theirs.test_subjects


def test_windows_without_enough_around_them_are_left_out_for_everybody(recordings):
    with pytest.warns(DataWarning, match=r"\d+ of \d+ windows are left out, because their teacher windows"):
        study_data = load_study_data(replace(LESS, privileged=Privileged(before=40.0)), data=recordings)
    plain = load_study_data(LESS, data=recordings)
    start = plain.windows.starts - plain.windows.recording_start[plain.windows.recording]
    kept = np.flatnonzero(start >= 40 * 25)
    assert 0 < len(kept) < len(plain.windows)
    np.testing.assert_array_equal(study_data.windows.values(), plain.windows[kept])
    np.testing.assert_array_equal(study_data.index.labels, plain.index.labels[kept])
    np.testing.assert_array_equal(study_data.privileged.windows.values()[:, 1000:], study_data.windows.values())


def test_windows_that_need_no_more_time_all_stay(recordings):
    more = Privileged(sensors="waist.acc,waist.gyr", rate=50.0)
    study_data, plain = (
        load_study_data(replace(LESS, privileged=each), data=recordings) for each in (more, Privileged())
    )
    np.testing.assert_array_equal(study_data.windows.values(), plain.windows.values())
    assert study_data.index.fingerprint == plain.index.fingerprint
    assert plain.privileged is None
    # The teacher's samples between, taken away, are the student's but for the filter before them.
    apart = study_data.privileged.windows.values()[:, ::2, :3] - study_data.windows.values()
    assert np.abs(apart).mean() < 0.05 * study_data.windows.values().std()


def test_a_study_teaches_what_only_the_teacher_saw(runner, recordings):
    made = runner(**{name: getattr(LESS, name) for name in ("data",)}, privileged=MORE, seeds=1)
    results = made.run(score_test=True)
    rows = {row.variant: row for row in results.rows}
    assert set(rows) == {"lm", "rb-kd", "mlp"}
    assert all(row.failed == 0 and row.macro_f1 is not None for row in rows.values())
    (teacher,) = made.planner.teachers(made.study.all_variants["rb-kd"], 0, "")
    assert teacher.privileged
    # Its first layer is as wide as what it sees: 94 samples of 6 channels, 500 units.
    assert rows["mlp"].parameters == 94 * 6 * 500 + 500 + 2 * (500 * 500 + 500) + 500 * 4 + 4
    assert rows["lm"].parameters < 32 * 3 * 64 + 64 * 64
    said = made.teachers.teacher("rb-kd", [teacher]).outputs["logits"]
    assert said.shape == (len(made.study_data.windows), 4)
    model = load_model(made.state, teacher)
    expected = model.predict(made.study_data.privileged.windows[:20], verbose=0)
    np.testing.assert_allclose(said[:20], expected, rtol=1e-4, atol=1e-4)
    assert "mlp" in to_markdown(results)
    clock = Clock(made.planner, made.study_data)
    assert clock.flops(teacher) > clock.flops(replace(teacher, privileged=""))


def test_fleets_do_not_mix_those_who_see_more_with_those_who_do_not(runner):
    made = runner(data=LESS.data, privileged=MORE)
    (teacher,) = made.planner.teachers(made.study.all_variants["rb-kd"], 0, "")
    student = replace(teacher, privileged="")
    assert len(made.planner.fleets("trials", [teacher, student])) == 2


def test_who_runs_the_teacher_in_every_step_cannot_have_one_that_sees_more():
    with pytest.raises(UserError, match="hmkd runs student and teacher on the same windows"):
        Study(name="one", variants=("hmkd",), compare=(), privileged=MORE)
    with pytest.raises(UserError, match="cannot be combined with augment"):
        Study(name="one", variants=("kd",), compare=(), privileged=MORE, training=Training(augment={"jitter": 0.1}))
    with pytest.raises(UserError, match=r"before in \[privileged\] must be at least 0 .*, not -1"):
        Privileged(before=-1)


def test_more_than_a_recording_holds_is_refused(recordings):
    with pytest.raises(UserError, match=r"none of \d+ windows has a complete teacher window"):
        load_study_data(replace(LESS, privileged=Privileged(before=1e5)), data=recordings)
    with pytest.raises(UserError, match="Unknown sensor 'pocket'"):
        load_study_data(replace(LESS, privileged=Privileged(sensors="pocket")), data=recordings)


def test_what_teachers_see_is_written_in_the_specification(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(replace(LESS, privileged=MORE).to_toml())
    assert read_study(path).privileged == MORE
