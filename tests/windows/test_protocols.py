from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillmotion.errors import DataWarning, UserError
from stillmotion.windows import Splits, audit_splits, cut, differences, make_splits
from stillmotion.windows.protocols import count_of
from stillmotion.windows.spread import spread

SPLITS = ("train", "validation", "test")


def check_partition(windows, splits):
    """Subjects are disjoint in every fold, every window is in one split, a subject's windows are together."""
    for fold in splits.folds:
        everyone = [*fold.train_subjects, *fold.validation_subjects, *fold.test_subjects]
        assert len(everyone) == len(set(everyone))
        np.testing.assert_array_equal(
            np.sort(np.concatenate([fold.rows(split) for split in SPLITS])), np.arange(len(windows))
        )
        for split in SPLITS:
            assert {windows.subjects[i] for i in windows.subject_codes[fold.rows(split)]} == set(fold.subjects(split))
            assert (np.diff(fold.rows(split)) > 0).all()


@settings(derandomize=True, max_examples=50, deadline=None)
@given(
    count=st.integers(3, 14),
    k=st.integers(2, 14),
    seed=st.integers(0, 2**32),
    share=st.sampled_from([0, 0.1, 0.3, 0.7]),
)
def test_folds_by_subject_are_partitions_and_test_everyone_once(subjects, count, k, seed, share):
    windows = cut(
        subjects([[50 + 10 * (p % 4)] * (1 + p % 2) for p in range(count)], labels=lambda p, r, n: np.zeros(n))
    )
    protocols = ["loso"] + ([f"subjects:{k}"] if k <= count and count - math.ceil(count / k) >= 2 else [])
    for protocol in protocols:
        splits = make_splits(windows, protocol, seed=seed, validation=share)
        check_partition(windows, splits)
        tested = [subject for fold in splits.folds for subject in fold.test_subjects]
        assert sorted(tested) == sorted(windows.subjects)
        sizes = {len(fold.test_subjects) for fold in splits.folds}
        assert max(sizes) - min(sizes) <= 1
        for fold in splits.folds:
            rest = count - len(fold.test_subjects)
            expected = 0 if share == 0 else min(max(1, round(share * rest)), rest - 1)
            assert len(fold.validation_subjects) == expected
        assert differences(splits, make_splits(windows, protocol, seed=seed, validation=share)) == ()


def test_another_seed_is_another_split(subjects):
    windows = cut(subjects([[60]] * 12))
    for protocol in ("random", "subjects:4", "loso"):
        assert any(
            "fold" in line
            for line in differences(make_splits(windows, protocol), make_splits(windows, protocol, seed=1))
        )


def test_published_is_an_alias_of_random_with_the_same_folds(subjects, tmp_path):
    windows = cut(subjects([[60, 80]] * 8))
    for seed in (0, 7):
        splits, aliased = make_splits(windows, "random", seed=seed), make_splits(windows, "published", seed=seed)
        assert aliased.protocol == "random"
        assert differences(splits, aliased) == ()
        assert audit_splits(windows, aliased).to_dict() == audit_splits(windows, splits).to_dict()
    # A file of splits, or a value, that still has the alias shows the name.
    assert replace(splits, protocol="published").protocol == "random"
    with np.load(save(splits, tmp_path)) as file:
        about = str(file["about"]).replace('"random"', '"published"')
        np.savez(tmp_path / "older.npz", sides=file["sides"], about=np.array(about))
    assert '"published"' in about
    assert differences(Splits.load(tmp_path / "older.npz"), splits) == ()
    assert count_of("published") == count_of("random") == 0


def save(splits, folder):
    splits.save(folder / "splits.npz")
    return folder / "splits.npz"


def test_a_random_split_of_a_seed_never_changes(subjects):
    """Folds of studies that were made under the name ``published``."""
    fold = make_splits(cut(subjects([[100]] * 8)), "published", seed=3).folds[0]
    assert (fold.test.tolist(), fold.validation.tolist()) == ([12, 17, 26, 27, 29], [2, 4, 14, 19, 25])


def test_official_tests_on_the_publishers_subjects(subjects):
    windows = cut(subjects([[60]] * 8, official_test=("2", "7")))
    splits = make_splits(windows, "official")
    check_partition(windows, splits)
    assert len(splits) == 1
    assert splits.folds[0].test_subjects == ("2", "7")
    assert make_splits(windows, "official", official_test=["3"]).folds[0].test_subjects == ("3",)
    with pytest.warns(DataWarning, match="1 of 2 official test subjects have no window here: 99"):
        make_splits(windows, "official", official_test=["3", "99"])
    with pytest.raises(UserError, match="0 of the 8 subjects here are official test subjects"):
        make_splits(windows, "official", official_test=["98", "99"])


@settings(derandomize=True, max_examples=50, deadline=None)
@given(counts=st.lists(st.integers(1, 60), min_size=1, max_size=4), seed=st.integers(0, 1000))
def test_random_is_a_stratified_split_of_windows(subjects, signal_spec, counts, seed):
    total = sum(counts)
    spec = signal_spec(4, 4, classes="abcd")
    data = subjects(
        [[4 * total]], spec=spec, labels=lambda *_: np.repeat(np.arange(len(counts)), np.multiply(counts, 4))
    )
    windows = cut(data)
    if total < 3:
        with pytest.raises(UserError, match="random needs at least 3"):
            make_splits(windows, "random")
        return
    fold = make_splits(windows, "random", seed=seed).folds[0]
    np.testing.assert_array_equal(np.sort(np.concatenate([fold.rows(s) for s in SPLITS])), np.arange(total))
    assert len(fold.test) == math.ceil(0.15 * total)
    assert len(fold.validation) == math.ceil(0.15 * (total - len(fold.test)))
    for label, count in enumerate(counts):
        assert abs((windows.labels[fold.test] == label).sum() - count * len(fold.test) / total) < 1


@pytest.mark.parametrize("seed", range(12))
def test_spreading_reaches_the_optimum_that_trying_everything_finds(seed):
    rng = np.random.default_rng(seed)
    has = rng.random((6, 4)) < rng.uniform(0.2, 0.8, 4)
    sizes = np.array([2, 2, 2])
    wanted = np.outer(sizes / 6, has.sum(axis=0))
    weight = 1 / np.maximum(has.sum(axis=0), 1)

    def cost(group):
        counts = np.array([has[np.array(group) == g].sum(axis=0) for g in range(3)])
        return (weight * (counts - wanted) ** 2).sum()

    every = [group for group in itertools.product(range(3), repeat=6) if all(group.count(g) == 2 for g in range(3))]
    group = spread(has, sizes, wanted, np.random.default_rng(seed))
    assert np.bincount(group).tolist() == [2, 2, 2]
    assert cost(group) == pytest.approx(min(map(cost, every)))


@pytest.mark.parametrize("seed", range(5))
def test_a_rare_class_is_spread_over_the_folds(subjects, seed):
    # 5 of 20 subjects have class c, 10 have class b; 5 folds of 4 subjects.
    def labels(subject, recording, length):
        return np.arange(length) * (3 if subject < 5 else 2 if subject < 10 else 1) // length

    windows = cut(subjects([[240]] * 20, labels=labels))
    splits = make_splits(windows, "subjects:5", seed=seed)
    for fold in splits.folds:
        assert sum(int(subject) <= 5 for subject in fold.test_subjects) == 1
        assert sum(int(subject) <= 10 for subject in fold.test_subjects) == 2
        assert sum(int(subject) <= 5 for subject in fold.validation_subjects) == 1


def test_one_of_two_subjects_with_a_class_validates_and_an_only_one_trains(subjects):
    # Tested: subject 1. Subjects 2 and 3 have class b, subject 4 alone has class c.
    def labels(subject, recording, length):
        return np.arange(length) * 2 // length * {1: 1, 2: 1, 3: 2}.get(subject, 0)

    windows = cut(subjects([[120]] * 10, labels=labels))
    with pytest.warns(DataWarning, match=r"1 classes have one subject each .*c \(4\)"):
        splits = make_splits(windows, "official", official_test=["1"])
    fold = splits.folds[0]
    assert len({"2", "3"} & set(fold.validation_subjects)) == 1
    assert "4" in fold.train_subjects


def test_a_class_that_training_subjects_lack_is_a_warning_with_counts(subjects):
    windows = cut(subjects([[100]] * 4, labels=lambda p, r, n: np.full(n, 2 if p == 3 else p % 2)))
    with pytest.warns(DataWarning) as caught:
        splits = make_splits(windows, "loso")
    text = " ".join(str(one.message) for one in caught)
    assert "c (4)" in text
    assert "fold 3 lacks c (4 validation and test windows)" in text
    assert {note.kind: note.count for note in splits.notes}["classes absent from a test fold"] == 4


def test_a_subject_in_one_session_is_a_note(subjects):
    splits = make_splits(cut(subjects([[60, 60], [60], [60, 60], [60, 60]])), "loso")
    notes = {note.kind: note for note in splits.notes}
    assert notes["subjects in one session only"].count == 1
    assert "1 of 4 subjects have one session only: 2." in notes["subjects in one session only"].text


def test_impossible_protocols_are_refused(subjects):
    windows = cut(subjects([[60]] * 4))
    with pytest.raises(UserError, match="few has no protocol 'leave-one'; it has random, subjects:k, loso"):
        make_splits(windows, "leave-one")
    with pytest.raises(UserError, match="no protocol 'official'; it has random, subjects:k, loso"):
        make_splits(windows, "official")
    for bad in ("subjects", "subjects:", "subjects:k", "subjects:-3", "subjects:2.5"):
        with pytest.raises(UserError, match="no protocol"):
            make_splits(windows, bad)
    with pytest.raises(UserError, match="at least 2"):
        make_splits(windows, "subjects:1")
    with pytest.raises(UserError, match="windows of 4 subjects; subjects:5 needs 5"):
        make_splits(windows, "subjects:5")
    with pytest.raises(UserError, match="windows of 2 subjects; loso needs 3"):
        make_splits(cut(subjects([[60]] * 2)), "loso")
    with pytest.raises(UserError, match="leaves 1 of 3 to train and validate on"):
        make_splits(cut(subjects([[60]] * 3)), "subjects:2")
    with pytest.raises(UserError, match="validation is 1.0; expected a share"):
        make_splits(windows, "loso", validation=1.0)


def test_saved_splits_load_unchanged(subjects, tmp_path):
    windows = cut(subjects([[60, 60], [60], [60], [70]]))
    for protocol in ("random", "loso"):
        splits = make_splits(windows, protocol, seed=3)
        splits.save(tmp_path / "new" / "splits.npz")
        read = Splits.load(tmp_path / "new" / "splits.npz")
        assert differences(splits, read) == ()
        assert read.notes == splits.notes
        assert [f.subjects(s) for f in read.folds for s in SPLITS] == [
            f.subjects(s) for f in splits.folds for s in SPLITS
        ]
        read.require_of(windows)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["splits.npz"]


def test_splits_of_other_windows_or_from_damaged_files_are_refused(subjects, tmp_path):
    data = subjects([[60]] * 4)
    splits = make_splits(cut(data), "loso")
    with pytest.raises(UserError, match="belong to other windows"):
        splits.require_of(cut(data, spec=data.spec.with_window(30)))
    splits.save(tmp_path / "whole.npz")
    whole = (tmp_path / "whole.npz").read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 5):
        (tmp_path / "damaged.npz").write_bytes(whole[:length])
        with pytest.raises(UserError, match="not a whole file of splits"):
            Splits.load(tmp_path / "damaged.npz")
    with pytest.raises(UserError, match="There is no file"):
        Splits.load(tmp_path / "none.npz")


def test_differences_name_what_differs(subjects):
    windows = cut(subjects([[60]] * 4))
    lines = differences(make_splits(windows, "loso"), make_splits(windows, "subjects:2", validation=0.5, seed=2))
    assert lines == ("protocol: loso against subjects:2.", "seed: 0 against 2.", "folds: 4 against 2.")


def test_the_fingerprint_is_of_the_windows_and_not_of_their_values(subjects):
    one, other = subjects([[60]] * 4, seed=0), subjects([[60]] * 4, seed=1)
    assert cut(one).fingerprint == cut(other).fingerprint
    assert cut(one).fingerprint != cut(one.having(["1", "2", "3"])).fingerprint
    assert cut(one).fingerprint != cut(one, spec=one.spec.with_window(30)).fingerprint
