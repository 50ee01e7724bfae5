"""A study from recordings to its table: what is missing is done, what is done stays, test subjects wait."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from stillmotion.bundles import Bundle
from stillmotion.errors import UserError
from stillmotion.evaluation import count_confusion, macro_f1, read_predictions
from stillmotion.studies import VARIANTS, Runner
from stillmotion.studies.sections import Networks, Range, Search, Split, Teaching, Training
from stillmotion.training.fleet import Fleet

from .conftest import SMALL

SEARCH = Search(kind="optuna", trials=2, hyperparameters={"learning_rate": Range(1e-3, 1e-2, log=True, start=3e-3)})


@pytest.fixture(scope="module")
def finished(recordings, tmp_path_factory):
    """A study that has been searched and scored."""
    folder = tmp_path_factory.mktemp("finished")
    made = Runner(replace(SMALL, search=SEARCH), folder, data=recordings, quiet=True)
    return made, made.run(score_test=True)


def rows_of(results):
    return {row.variant: row for row in results.rows}


def test_the_table_holds_every_variant_with_its_budget_and_the_teacher(finished):
    _, results = finished
    rows = rows_of(results)
    assert list(rows) == ["lm", "rb-kd", "mlp"]
    assert [row.kind for row in results.rows] == ["reference", "variant", "teacher"]
    assert rows["lm"].trials == rows["rb-kd"].trials == 2
    assert rows["lm"].seeds == 2
    assert rows["mlp"].parameters > rows["lm"].parameters == rows["rb-kd"].parameters
    assert results.complete
    assert 0 < rows["lm"].macro_f1.score <= 1
    assert rows["lm"].gain is None
    assert rows["rb-kd"].gain.score == pytest.approx(rows["rb-kd"].macro_f1.score - rows["lm"].macro_f1.score)
    assert rows["rb-kd"].verdict in ("better", "worse", "not distinguishable")
    (lead,) = results.teacher_gaps
    assert lead.teacher == "mlp"
    assert str(lead).startswith("mlp − lm on validation subjects: ")


def test_scores_are_those_of_the_predictions_written(finished):
    runner, results = finished
    for name in ("lm", "rb-kd"):
        (said,) = read_predictions(runner.folder / "predictions" / f"{name}.parquet")
        counted = count_confusion([said])
        assert set(counted.subjects) == {
            subject for fold in runner.study_data.index.folds for subject in fold.test_subjects
        }
        pooled = macro_f1(counted.counts[0].sum(1)).mean()
        assert rows_of(results)[name].macro_f1.score == pytest.approx(float(pooled))
        assert said.classes == ("WALKING", "SITTING", "STANDING", "LAYING")


def test_the_setting_that_does_best_on_validation_subjects_is_taken(finished):
    runner, _ = finished
    file = sqlite3.connect(runner.store.path)
    for method in ("lm", "rb-kd"):
        trial = file.execute(
            "SELECT hyperparameters, validation FROM runs "
            "WHERE phase = 'trials' AND method = ? AND network = 'mlp-small'",
            (method,),
        ).fetchall()
        assert len(trial) == 2
        best = max(trial, key=lambda row: row[1])[0]
        (final,) = file.execute(
            "SELECT hyperparameters FROM runs WHERE phase = 'seeds' AND method = ?", (method,)
        ).fetchall()
        assert json.loads(final[0]) == json.loads(best)


def test_the_models_are_bundles_that_give_the_same_answers(finished):
    runner, _ = finished
    bundle = Bundle.open(runner.folder / "models" / "rb-kd")
    rows = runner.study_data.index.folds[0].test[:50]
    (said,) = read_predictions(runner.folder / "predictions" / "rb-kd.parquet")
    seed = bundle.provenance["seed"]
    mine = said.scores[said.seed == seed][:50]
    np.testing.assert_allclose(bundle.logits(runner.study_data.windows[rows], bundle.spec), mine, atol=1e-4)
    assert {row["subject"] for row in bundle.scores} == set(runner.study_data.index.folds[0].test_subjects)
    assert (runner.folder / "models" / "best" / "model.keras").is_file()


def test_running_again_trains_nothing_and_looks_at_nobody(finished, recordings, monkeypatch):
    runner, results = finished

    def fail(*_, **__):
        raise AssertionError("something was trained")

    monkeypatch.setattr(Fleet, "train", fail)
    again = Runner(runner.study, runner.folder, data=recordings, quiet=True).run(score_test=True)
    assert again == results
    assert again.test_evaluations == 1


def test_more_seeds_train_only_those(finished, recordings, tmp_path, monkeypatch):
    import shutil

    runner, _ = finished
    folder = tmp_path / "more"
    shutil.copytree(runner.folder, folder)
    trained = []
    whole = Fleet.train

    def counted(self, progress=None):
        trained.extend(replica.seed for replica in self.replicas)
        return whole(self, progress)

    monkeypatch.setattr(Fleet, "train", counted)
    more = Runner(replace(runner.study, seeds=3), folder, data=recordings, quiet=True, more=True).run()
    assert trained == [2, 2]
    assert {row.seeds for row in more.rows if row.kind != "teacher"} == {3}


def test_test_subjects_wait_until_they_are_asked_for_and_every_look_is_logged(runner):
    made = runner()
    before = made.run()
    assert all(row.macro_f1 is None for row in before.rows)
    assert before.test_evaluations == 0
    assert made.store.predicted("test") == set()
    assert not (made.folder / "predictions").exists()
    after = made.run(score_test=True)
    assert after.test_evaluations == 1
    assert all(row.macro_f1 is not None for row in after.rows)
    ((_, runs, subjects, _),) = made.store.test_evaluations()
    assert (runs, subjects) == (5, 2)


@pytest.mark.slow
def test_the_five_variants_with_their_controls(runner):
    made = runner(
        variants=("lm", "lm-att", "rb-kd", "rb-kd-att", "rab-kd"),
        compare=("rab-kd", "lm"),
        controls=True,
        seeds=1,
        networks=Networks("deepconvlstm-lm", ("deepconvlstm-mm",), ("channel:r=2,spatial:k=3,after=1",)),
        training=Training(batch=16, epochs=1, learning_rate=3e-3),
        teaching=Teaching(training=Training(epochs=8)),
    )
    results = made.run(score_test=True)
    rows = rows_of(results)
    teachers = ["deepconvlstm-mm", "deepconvlstm-mm with attention"]
    assert list(rows) == [*(name for name in VARIANTS if name in rows), *teachers]
    assert len(rows) == 10
    plain, attended = rows["lm"].parameters, rows["lm-att"].parameters
    assert (
        rows["rb-kd"].parameters == rows["label-smoothing"].parameters == rows["self-distillation"].parameters == plain
    )
    assert (
        rows["rb-kd-att"].parameters
        == rows["rab-kd"].parameters
        == rows["rab-kd-no-maps"].parameters
        == attended
        > plain
    )
    for name, taught in (("rb-kd", ""), ("rb-kd-att", ""), ("rab-kd", "channel:r=2,spatial:k=3,after=1")):
        variant = made.study.all_variants[name]
        (teacher,) = made.planner.teachers(variant, 0, made.study.attentions[0] if variant.attention else "")
        assert made.planner.teacher(teacher.id) == teacher
        assert (teacher.network, teacher.attention) == ("deepconvlstm-mm", taught)
    (own,) = made.planner.teachers(made.study.all_variants["self-distillation"], 0, "")
    assert (own.network, own.attention) == ("deepconvlstm-lm", "")


def test_a_teacher_that_has_nothing_to_teach_fails_its_students_and_nobody_else(runner):
    training = Training(epochs=1, learning_rate=0.0)
    results = runner(teaching=Teaching(training=training), training=Training(batch=32, epochs=2)).run(score_test=True)
    rows = rows_of(results)
    assert rows["lm"].macro_f1 is not None
    assert rows["rb-kd"].verdict == "failed"
    assert rows["rb-kd"].failed == 1
    assert rows["mlp"].failed == 0
    assert rows["rb-kd"].macro_f1 is None


def test_folds_and_seeds_are_pooled_over_subjects(runner):
    made = runner(split=Split("subjects:3"), variants=("lm",), compare=())
    results = made.run(score_test=True)
    assert results.subjects == 6
    pooled = {}
    for (_, fold), runs in made.state.finals.items():
        for seed, run in enumerate(runs):
            true = made.study_data.index.labels[made.study_data.index.folds[fold].test]
            matrix = confusion_matrix(true, made.store.predictions(run.id, "test").argmax(1), labels=range(4))
            pooled[seed] = pooled.get(seed, 0) + matrix
    assert set(pooled) == {0, 1}
    expected = np.mean([float(macro_f1(table)) for table in pooled.values()])
    (row,) = results.rows
    assert row.macro_f1.score == pytest.approx(expected)
    assert row.seed_std == pytest.approx(np.std([float(macro_f1(t)) for t in pooled.values()], ddof=1))
    assert len(row.settings) == 3


def test_a_leaky_protocol_is_marked(runner):
    with pytest.warns(UserWarning, match="published leaks"):
        made = runner(split=Split("published"), variants=("lm",), compare=(), seeds=1)
    assert made.run().leaks


@pytest.mark.slow
def test_augmentation_is_answered_by_a_live_teacher(runner):
    made = runner(training=Training(batch=32, epochs=2, augment={"rotation": 0.2, "jitter": 0.05}), seeds=1)
    assert rows_of(made.run())["rb-kd"].validation > 0
    file = sqlite3.connect(made.store.path)
    (hyperparameters,) = file.execute("SELECT hyperparameters FROM runs WHERE method = 'rb-kd'").fetchone()
    assert json.loads(hyperparameters)["rotation"] == 0.2


def test_wrong_requests_are_named_before_anything_trains(runner, recordings, tmp_path):
    with pytest.raises(UserError, match="7, but there are only 3 folds"):
        runner(split=Split("subjects:3", folds=7))
    with pytest.raises(UserError, match="has no protocol 'officious'"):
        runner(split=Split("officious"))
    with pytest.raises(UserError, match="no validation windows"):
        runner(split=Split("subjects:3", validation=0.0))
    with pytest.raises(UserError, match="hapt.* is not there"):
        Runner(SMALL, tmp_path / "nowhere", data=tmp_path, quiet=True)
    with pytest.raises(UserError, match="lm-att needs attention, which mlp-small does not support"):
        runner(networks=Networks("mlp-small", ("mlp",)), variants=("rb-kd", "lm-att"), compare=())
    assert not (tmp_path / "study").exists()
