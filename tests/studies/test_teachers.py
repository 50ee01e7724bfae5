"""Teachers of a study: the mean of several, cross-fitted ones, somebody else's scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from stillmotion.errors import UserError
from stillmotion.studies.sections import Networks, Teaching, Training
from stillmotion.studies.teacher_scores import read_scores, window_times

from .conftest import SMALL

TRAINING = Training(epochs=4, patience=4, learning_rate=1e-3)


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def alone(made, run):
    return made.teachers.teacher("rb-kd", [run]).outputs["logits"]


def mean(made, runs):
    return made.teachers.teacher("rb-kd", runs).outputs["logits"]


def test_several_teachers_say_the_mean_of_their_probabilities(runner):
    networks = Networks("mlp-small", ("mlp", "mlp-small"))
    made = runner(networks=networks, teaching=Teaching(seeds=2, training=TRAINING), seeds=1)
    made.run()
    runs = made.planner.teachers(made.study.all_variants["rb-kd"], 0, "")
    assert [(run.network, run.seed) for run in runs] == [("mlp", 0), ("mlp", 1), ("mlp-small", 0), ("mlp-small", 1)]
    expected = np.mean([softmax(alone(made, run)) for run in runs], axis=0)
    np.testing.assert_allclose(softmax(mean(made, runs)), expected, atol=1e-6)


def test_cross_fitted_answers_to_a_subject_come_from_teachers_that_never_saw_them(runner):
    made = runner(teaching=Teaching(targets="cross-fit", groups=2, training=TRAINING), seeds=1)
    made.run()
    planner, (fold,) = made.planner, made.study_data.index.folds
    runs = planner.teachers(made.study.all_variants["rb-kd"], 0, "")
    assert [run.group for run in runs] == [0, 1]
    group = planner.group_of(0)
    said = softmax(mean(made, runs))
    for run, other in ((runs[0], runs[1]), (runs[1], runs[0])):
        rows, _ = planner.rows(run)
        assert set(group[rows]) == {other.group}
        assert set(made.study_data.index.subject_names[rows]) < set(fold.train_subjects)
        held = fold.train[group[fold.train] == run.group]
        # The teacher that left this group out is the one who answers it.
        np.testing.assert_allclose(said[held], softmax(alone(made, run))[held], atol=1e-6)
    both = np.mean([softmax(alone(made, run)) for run in runs], axis=0)
    np.testing.assert_allclose(said[fold.validation], both[fold.validation], atol=1e-6)


def table(made, logits, **more):
    columns = {f"score_{number}": logits[:, number] for number in range(logits.shape[1])}
    return pa.table({**more, **columns})


def test_a_file_of_scores_teaches_in_a_networks_place(runner, tmp_path):
    first = runner("first", variants=("lm",), compare=())
    rng = np.random.default_rng(0)
    truth = np.eye(4)[first.study_data.index.labels]
    probabilities = softmax(4 * truth + rng.normal(size=truth.shape))
    order = rng.permutation(len(truth))
    path = tmp_path / "theirs.parquet"
    parquet.write_table(table(first, probabilities[order], window=order), path)
    made = runner("taught", networks=Networks("mlp-small", (str(path),)), seeds=1)
    results = made.run()
    np.testing.assert_allclose(softmax(made.study_data.scores), probabilities, atol=1e-6)
    assert {row.variant for row in results.rows} == {"lm", "rb-kd"}
    (lead,) = results.teacher_gaps
    assert lead.teacher == str(path)
    assert not made.planner._teachers_by_id


def test_rows_may_be_named_by_subject_and_time(runner, tmp_path):
    made = runner(variants=("lm",), compare=())
    keys = window_times(made.study_data.windows)
    logits = np.random.default_rng(0).normal(size=(len(keys), 4))
    path = tmp_path / "theirs.csv"
    given = table(made, logits, subject=[key[0] for key in keys], time=[key[1] for key in keys])
    csv.write_csv(given, path)
    found, _ = read_scores(path, made.study_data.windows)
    np.testing.assert_allclose(found, logits, rtol=1e-5)
    subjects = {subject for subject, _ in keys}
    assert len(subjects) == 6
    assert all(min(time for own, time in keys if own == subject) == 0 for subject in subjects)


def test_scores_that_do_not_fit_are_named_with_their_row(runner, tmp_path):
    made = runner(variants=("lm",), compare=())
    count = len(made.study_data.windows)
    logits = np.zeros((count, 4))

    def read(given, name="theirs.parquet"):
        path = tmp_path / name
        parquet.write_table(given, path)
        return read_scores(path, made.study_data.windows)

    with pytest.raises(UserError, match="no scores for 3 of"):
        read(table(made, logits[3:], window=np.arange(3, count)))
    with pytest.raises(UserError, match="contains 1 windows more than once"):
        read(table(made, logits, window=[0, *range(count - 1)]))
    with pytest.raises(UserError, match="outside 0"):
        read(table(made, logits, window=np.arange(1, count + 1)))
    with pytest.raises(UserError, match="lacks the columns SITTING, STANDING, LAYING; it has window, WALKING"):
        read(pa.table({"window": np.arange(count), "WALKING": np.zeros(count)}))
    with pytest.raises(UserError, match="needs the column window"):
        read(table(made, logits))
    broken = logits.copy()
    broken[5, 1] = np.nan
    with pytest.raises(UserError, match="row 6 holds a score that is not a finite number"):
        read(table(made, broken, window=np.arange(count)))
    with pytest.raises(UserError, match="file of scores .* does not exist"):
        read_scores(tmp_path / "nothing.parquet", made.study_data.windows)
    (tmp_path / "bad.parquet").write_text("this is no table")
    with pytest.raises(UserError, match="is not a readable table of scores"):
        read_scores(tmp_path / "bad.parquet", made.study_data.windows)


def test_the_same_study_has_the_same_teachers_and_more_seeds_keep_those_there_were(runner):
    def teachers(folder, **changes):
        return {
            (run.network, run.fold, run.seed): run.id
            for run in runner(folder, **changes).planner._teachers_by_id.values()
        }

    once, again = teachers("one"), teachers("other")
    assert once == again
    more = teachers("more", teaching=replace(SMALL.teaching, seeds=3))
    assert len(more) == 3 * len(once)
    assert once.items() < more.items()
