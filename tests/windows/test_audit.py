from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillmotion.errors import UserError
from stillmotion.signals.recording import Dataset, Recording
from stillmotion.signals.spec import Channel
from stillmotion.windows import Fold, audit_extents, audit_splits, cut, duplicates, fit_statistics, make_splits

HONEST = ("official", "subjects:3", "loso")


def errors(result, kind):
    return [finding for finding in result.findings if finding.kind == kind and finding.severity == "error"]


def per_fold(windows, splits):
    return [fit_statistics(windows, fold.train) for fold in splits.folds]


@pytest.fixture
def six(subjects):
    return subjects([[200, 120], [180], [150, 90], [200], [200], [130, 130]], official_test=("2", "5"))


# Honest splits of honest data


@pytest.mark.parametrize("protocol", HONEST)
def test_honest_splits_are_clean(six, protocol):
    windows = cut(six)
    splits = make_splits(windows, protocol)
    result = audit_splits(windows, splits, statistics=per_fold(windows, splits), others=[replace_samples(six, seed=9)])
    assert result.clean
    assert result.findings == ()
    assert result.checked["folds"] == len(splits)
    assert "nothing crosses a split" in str(result)
    assert result.to_dict()["unseen"] in str(result)


def replace_samples(data, *, seed, name="another"):
    samples = np.random.default_rng(seed).standard_normal(data.samples.shape, dtype=np.float32)
    return replace(data, name=name, samples=samples)


def coarse(rng, length, step):
    """Motion with rests, as a cheap sensor writes it."""
    walk = np.cumsum(rng.standard_normal((length, 3)) * 0.1, axis=0)
    walk += np.sin(np.arange(length)[:, None] * 0.25 + rng.uniform(0, 6, 3)) * rng.uniform(0.2, 1, 3)
    still = (np.arange(length) // 300) % 2 == 1
    walk[still] = walk[np.argmax(still)] + rng.normal(0, step / 3, (still.sum(), 3))
    return (np.round(np.clip(walk, -2, 2) / step) * step).astype(np.float32)


@pytest.mark.parametrize("step", [0.01, 0.05, 0.25])
@pytest.mark.parametrize("columns", [1, 3])
def test_coarse_still_saturated_and_stuck_sensors_are_no_false_alarm(subjects, signal_spec, step, columns):
    spec = replace(signal_spec(), channels=signal_spec().channels[:columns])
    rng = np.random.default_rng(int(step * 1000))
    recordings = []
    for subject in range(8):
        samples = coarse(rng, 6000, step)[:, :columns].copy()
        samples[1000:1500] = 0.0  # dead
        samples[2000:2400] = samples[2000]  # stuck
        samples[3000:3400:2] = 2.0  # rattles between two stops
        samples[3001:3400:2] = -2.0
        recordings.append(Recording(str(subject), "day", samples, np.zeros(6000, np.int16), source=str(subject)))
    windows = cut(Dataset.of("coarse", spec, recordings))
    result = audit_splits(windows, make_splits(windows, "subjects:4"))
    assert result.findings == ()


def test_ramps_of_one_slope_are_no_copy(subjects):
    """A steady rotation measured by a coarse sensor is a ramp, and ramps of one slope are equal."""
    data = subjects([[200]] * 4)
    for subject in (0, 3):
        data.samples[200 * subject + 60 :][:60] = (np.arange(60)[:, None] // 2 * 0.125).astype(np.float32)
    windows = cut(data)
    assert audit_splits(windows, make_splits(windows, "loso")).findings == ()


def test_equal_hashes_of_unequal_rows_are_no_copy(subjects, monkeypatch):
    windows = cut(subjects([[200]] * 4))
    splits = make_splits(windows, "loso")
    monkeypatch.setattr(
        duplicates, "_hash_rows", lambda source, columns: np.arange(len(source.signal), dtype=np.uint64) % 50
    )
    assert audit_splits(windows, splits).findings == ()


def overlapping_windows(spec, subjects=4, per_subject=6):
    """Windows published one by one, half overlapping, each a recording: what UCI HAR is."""
    rng = np.random.default_rng(0)
    recordings = []
    for subject in range(subjects):
        raw = rng.standard_normal((20 * (per_subject + 1), 3), dtype=np.float32)
        recordings += [
            Recording(str(subject), "day", raw[o : o + 40], np.zeros(40, np.int16), source=f"r{subject}", offset=o)
            for o in range(0, 20 * per_subject, 20)
        ]
    return Dataset.of("published windows", spec, recordings)


def test_overlapping_recordings_of_one_source_are_no_copies_but_share_rows(signal_spec):
    windows = cut(overlapping_windows(signal_spec(40, 40)))
    honest = make_splits(windows, "loso")
    assert audit_splits(windows, honest, statistics=per_fold(windows, honest)).clean
    leaky = audit_splits(windows, make_splits(windows, "random"))
    assert not errors(leaky, "duplicate")
    assert errors(leaky, "samples")


# Planted leaks


def test_rows_that_two_splits_share_are_found(six):
    """Subject 4's recording is, by mistake, partly subject 1's rows."""
    mistaken = [replace(r, source="p1r0", offset=150) if r.subject == "4" else r for r in six.recordings]
    windows = cut(Dataset.of("few", six.spec, mistaken))
    splits = make_splits(windows, "loso")
    found = errors(audit_splits(windows, splits), "samples")
    assert {finding.fold for finding in found} >= {0, 3}
    tested_on_1 = next(f for f in found if f.fold == 0 and "test windows hold raw rows that training" in f.evidence)
    # Subject 1's windows begin at 0, 20 … 160 and hold 40 rows; from row 150 on the rows are subject 4's too.
    assert tested_on_1.count == 3
    assert "rows 150–159 of 'p1r0' (subject 1)" in tested_on_1.evidence


def test_a_subject_in_two_splits_is_found(six):
    windows = cut(six)
    splits = make_splits(windows, "subjects:3")
    fold = splits.folds[1]
    moved = fold.test[:5]
    wrong = replace(fold, train=np.sort(np.append(fold.train, moved)), test=fold.test[5:])
    result = audit_splits(windows, replace(splits, folds=(splits.folds[0], wrong, splits.folds[2])))
    assert not result.clean
    (finding,) = errors(result, "subjects")
    assert (finding.fold, finding.count) == (1, 1)
    assert f"({windows.subjects[windows.subject_codes[moved[0]]]})" in finding.evidence
    assert {f.fold for f in errors(result, "samples")} == {1}  # the sixth window overlaps the fifth


@pytest.mark.parametrize("taken", ["all", "training and test", "training and validation", "other"])
def test_statistics_that_know_more_than_training_are_found(six, taken):
    windows = cut(six)
    splits = make_splits(windows, "subjects:3")
    fitted = per_fold(windows, splits)
    fold = splits.folds[2]
    index = {
        "all": None,
        "training and test": np.append(fold.train, fold.test),
        "training and validation": np.append(fold.train, fold.validation),
        "other": fold.train[:7],
    }[taken]
    fitted[2] = fit_statistics(windows, index)
    result = audit_splits(windows, splits, statistics=fitted)
    (finding,) = errors(result, "statistic")
    assert (finding.fold, finding.count) == (2, 3)
    expected = "nor of any other split" if taken == "other" else f"they are those of {taken} windows"
    assert expected in finding.evidence


def test_one_statistic_for_all_folds_is_found_in_every_fold(six):
    windows = cut(six)
    splits = make_splits(windows, "loso")
    found = errors(audit_splits(windows, splits, statistics=fit_statistics(windows)), "statistic")
    assert [finding.fold for finding in found] == list(range(6))


def test_statistics_kept_as_float32_are_the_same_statistics(subjects):
    data = subjects([[200]] * 4)
    data.samples[:] += 300
    windows = cut(data)
    splits = make_splits(windows, "loso")
    rounded = [
        replace(s, mean=s.mean.astype(np.float32), std=s.std.astype(np.float32)) for s in per_fold(windows, splits)
    ]
    assert audit_splits(windows, splits, statistics=rounded).clean
    broken = [replace(s, mean=s.mean * np.nan) for s in rounded]
    assert len(errors(audit_splits(windows, splits, statistics=broken), "statistic")) == 4


@settings(derandomize=True, max_examples=40, deadline=None)
@given(length=st.integers(32, 120), source=st.integers(0, 60), target=st.integers(0, 80), subject=st.integers(1, 5))
def test_a_copied_stretch_of_another_subject_is_found_at_any_offset(subjects, length, source, target, subject):
    data = subjects([[200]] * 6)
    data.samples[subject * 200 + target :][:length] = data.samples[source:][:length]
    windows = cut(data, null="keep")
    result = audit_splits(windows, make_splits(windows, "loso"))
    found = errors(result, "duplicate")
    assert {0, subject} <= {finding.fold for finding in found}
    # Windows of 40 with a hop of 20 cover all 200 rows, so every copied row counts.
    (tested,) = [f for f in found if f.fold == subject and "both under test" in f.evidence]
    assert tested.count == length
    assert f"rows {source}–{source + length - 1} of 'p1r0' (subject 1)" in tested.evidence
    assert f"rows {target}–{target + length - 1} of 'p{subject + 1}r0' (subject {subject + 1})" in tested.evidence


@pytest.mark.parametrize("length", [1, 20, 31])
def test_shorter_stretches_are_not_called_copies(subjects, length):
    data = subjects([[200]] * 4)
    data.samples[450:][:length] = data.samples[50:][:length]
    windows = cut(data)
    assert audit_splits(windows, make_splits(windows, "loso")).findings == ()


def test_a_copy_inside_one_subject_is_a_warning_under_a_split_by_subject(subjects):
    data = subjects([[200, 200], [200], [200], [200]])
    data.samples[250:330] = data.samples[30:110]
    windows = cut(data)
    result = audit_splits(windows, make_splits(windows, "loso"))
    assert result.clean
    (finding,) = result.findings
    assert (finding.kind, finding.severity, finding.fold, finding.count) == ("duplicate", "warning", None, 80)
    assert "rows 30–109 of 'p1r0' (subject 1) and rows 50–129 of 'p1r1' (subject 1)" in finding.evidence
    assert "Warning, duplicate" in str(result)


def test_three_copies_are_all_found(subjects):
    data = subjects([[200]] * 6)
    for subject in (2, 4):
        data.samples[200 * subject + 17 * subject :][:64] = data.samples[10:74]
    windows = cut(data)
    assert {finding.fold for finding in errors(audit_splits(windows, make_splits(windows, "loso")), "duplicate")} >= {
        0,
        2,
        4,
    }


def test_a_whole_subject_twice_under_two_names_is_found(subjects):
    data = subjects([[200]] * 5)
    data.samples[800:] = data.samples[200:400]
    windows = cut(data)
    longest = errors(audit_splits(windows, make_splits(windows, "loso")), "duplicate")[0]
    assert "rows 0–199 of 'p2r0' (subject 2) and rows 0–199 of 'p5r0' (subject 5)" in longest.evidence


def test_a_copy_in_another_data_set_is_found_by_channel_name(six, signal_spec):
    other = replace_samples(six, seed=5)
    other.samples[333:400] = six.samples[20:87]
    shuffled = replace(
        other,
        spec=replace(other.spec, channels=(other.spec.channels[2], *other.spec.channels[:2])),
        samples=np.ascontiguousarray(other.samples[:, [2, 0, 1]]),
    )
    renamed = replace(other, spec=replace(other.spec, channels=tuple(Channel("acc", a, "g", "hip") for a in "xyz")))
    windows = cut(six)
    for copy in (other, shuffled, renamed):
        (finding,) = errors(audit_splits(windows, make_splits(windows, "loso"), others=[copy]), "duplicate")
        assert (finding.fold, finding.count) == (None, 67)
        assert "rows 20–86 of 'p1r0' (subject 1) and rows 13–79 of 'p2r0' (subject 2)" in finding.evidence
    alien = Dataset.of(
        "alien",
        replace(six.spec, channels=(Channel("mag", "x"),)),
        [Recording("1", "day", six.samples[:100, :1], np.zeros(100, np.int16))],
    )
    (finding,) = errors(audit_splits(windows, make_splits(windows, "loso"), others=[alien]), "duplicate")
    assert (finding.count, "wrist.acc.x as mag.x" in finding.evidence) == (100, True)


def test_data_sets_of_the_same_subjects_are_an_error_together_and_a_note_alone(six):
    windows = cut(replace(six, same_subjects_as=("another",)))
    splits = make_splits(windows, "loso")
    alone = audit_splits(windows, splits)
    assert alone.clean
    assert [(f.kind, f.severity) for f in alone.findings] == [("same subjects", "note")]
    other = replace_samples(six, seed=5)
    assert errors(audit_splits(windows, splits, others=[other]), "same subjects")
    claims = replace(other, same_subjects_as=("few",))
    plain = cut(six)
    assert errors(audit_splits(plain, make_splits(plain, "loso"), others=[claims]), "same subjects")


# Random splits


def test_a_random_split_is_never_clean_and_reports_how_much_it_shares(six):
    windows = cut(six)
    splits = make_splits(windows, "random")
    fold = splits.folds[0]
    result = audit_splits(windows, splits)
    assert not result.clean

    def rows(number):
        return set(range(windows.starts[number], windows.starts[number] + 40))

    known = set().union(*map(rows, fold.train))
    shared = [number for number in fold.test if rows(number) & known]
    recording = windows.recording
    neighbours = {(recording[n], windows.starts[n] + 40) for n in fold.train} | {
        (recording[n], windows.starts[n] - 40) for n in fold.train
    }
    adjacent = [n for n in fold.test if n not in shared and (recording[n], windows.starts[n]) in neighbours]
    subjects = {windows.subject_codes[n] for n in fold.test} & {windows.subject_codes[n] for n in fold.train}
    (summary,) = errors(result, "random split")
    assert f"of {len(fold.test)} test windows {len(shared)} hold raw rows" in summary.evidence
    assert f"and {len(adjacent)} more are next to one" in summary.evidence
    assert f"{len(subjects)} test subjects are also training subjects" in summary.evidence
    assert next(f for f in errors(result, "samples") if " test windows hold" in f.evidence).count == len(shared)


def test_a_random_split_without_overlap_is_not_clean_either(subjects, signal_spec):
    windows = cut(subjects([[400]] * 4, spec=signal_spec(40, 40)))
    result = audit_splits(windows, make_splits(windows, "random"))
    assert not result.clean
    assert not errors(result, "samples")
    assert any(finding.kind == "adjacent" and finding.count > 0 for finding in result.findings)


# The result, and windows made elsewhere


def test_the_result_is_ready_for_json_and_one_paragraph(six):
    windows = cut(six)
    result = audit_splits(windows, make_splits(windows, "random"))
    read = json.loads(json.dumps(result.to_dict()))
    assert read["clean"] is False
    assert read["findings"][0]["kind"] == "random split"
    assert set(read["findings"][0]) == {"kind", "severity", "fold", "count", "evidence"}
    assert "\n" not in str(result)
    assert "NOT CLEAN" in str(result)


def test_wrong_arguments_are_refused(six):
    windows = cut(six)
    splits = make_splits(windows, "loso")
    with pytest.raises(UserError, match="2 statistics for 6 folds"):
        audit_splits(windows, splits, statistics=per_fold(windows, splits)[:2])
    fitted = fit_statistics(windows)
    with pytest.raises(UserError, match="fold 0 are not of 3 channels"):
        audit_splits(windows, splits, statistics=replace(fitted, mean=fitted.mean[:2]))
    with pytest.raises(UserError, match="belong to other windows"):
        audit_splits(cut(six, spec=six.spec.with_window(30)), splits)


@settings(derandomize=True, max_examples=80, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(-20, 60), st.integers(1, 25), st.integers(0, 2)),
        min_size=2,
        max_size=30,
    )
)
def test_own_windows_share_what_sets_of_rows_share(rows):
    subject, source, start, length, split = (np.array(column) for column in zip(*rows, strict=True))
    rows_of = [np.flatnonzero(split == number) for number in range(3)]
    result = audit_extents(subject, start, start + length, [rows_of], source)
    held = [{(source[i], row) for row in range(start[i], start[i] + length[i])} for i in range(len(rows))]
    for judged, known in ((2, 0), (1, 0), (2, 1)):
        known_rows = set().union(*(held[i] for i in rows_of[known]))
        names = ("training", "validation", "test")
        samples = [
            f
            for f in errors(result, "samples")
            if f" {names[judged]} windows hold" in f.evidence and f"that {names[known]} " in f.evidence
        ]
        assert sum(f.count for f in samples) == sum(bool(held[i] & known_rows) for i in rows_of[judged])
        subjects = [
            f
            for f in errors(result, "subjects")
            if f" {names[judged]} subjects are" in f.evidence and f"are {names[known]} " in f.evidence
        ]
        assert sum(f.count for f in subjects) == len(set(subject[rows_of[judged]]) & set(subject[rows_of[known]]))


def test_own_windows_count_rows_by_subject_unless_a_source_is_named():
    subject, start, end = ["a", "a", "b", "b"], [0, 10, 5, 20], [10, 20, 15, 30]
    folds = [([0, 1], [2, 3])]
    assert audit_extents(subject, start, end, folds).clean
    assert not audit_extents(subject, start, end, folds, source=["one array"] * 4).clean
    masks = [(np.array([True, True, False, False]), np.array([False, False, True, True]))]
    assert audit_extents(subject, start, end, masks).clean
    empty = np.empty(0, np.int64)
    fold = Fold(np.array([0, 2]), empty, np.array([1, 3]), ("a", "b"), (), ("a", "b"))
    assert not audit_extents(subject, start, end, [fold]).clean


def test_impossible_extents_are_refused():
    with pytest.raises(UserError, match="one entry per window"):
        audit_extents(["a"], [0, 1], [1, 2], [])
    with pytest.raises(UserError, match="window 1 ends at row 3, not after its start, row 3"):
        audit_extents(["a", "a"], [0, 3], [1, 3], [])
    with pytest.raises(UserError, match="not 1 parts"):
        audit_extents(["a"], [0], [1], [([0],)])
    with pytest.raises(UserError, match="numbered 0 to 0, not 1 to 1"):
        audit_extents(["a"], [0], [1], [([0], [1])])


def test_folds_drawn_elsewhere_are_audited_like_splits(six):
    windows = cut(six)
    splits = make_splits(windows, "subjects:3")
    own = [(fold.train, fold.validation, fold.test) for fold in splits.folds]
    assert audit_splits(windows, own, statistics=per_fold(windows, splits)).clean
    train, validation, test = own[1]
    wrong = [own[0], (np.append(train, test[:1]), validation, test[1:]), own[2]]
    result = audit_splits(windows, wrong)
    assert [(finding.fold, finding.count) for finding in errors(result, "subjects")] == [(1, 1)]
    assert windows.subjects[windows.subject_codes[test[0]]] in errors(result, "subjects")[0].evidence
    masks = [tuple(np.isin(np.arange(len(windows)), rows) for rows in fold) for fold in wrong]
    assert audit_splits(windows, masks).to_dict() == result.to_dict()
    with pytest.raises(UserError, match=f"fold 0: windows are numbered 0 to {len(windows) - 1}"):
        audit_splits(windows, [([0], [len(windows)])])
