"""Baselines are scikit-learn's own on the same folds, searched and kept like every variant."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, f1_score

from stillmotion.errors import UserError
from stillmotion.features import classifiers
from stillmotion.features.window_features import extract_array_features
from stillmotion.studies import Planner, Runner, Study, jobs, load_study_data, open_study, read_study
from stillmotion.studies.baselines import DEFAULT
from stillmotion.studies.estimate import plan_lines
from stillmotion.studies.jobs import ClassifierJob
from stillmotion.studies.runs import FleetPlan
from stillmotion.studies.search import next_trials
from stillmotion.studies.sections import Search, Split, Training
from stillmotion.studies.store import Store

from .conftest import SMALL

NAMES = DEFAULT
#: Those that fit to something, in less time than a second.
FITTED = ("random-forest", "extra-trees", "gradient-boosting", "random-convolutions", "logistic-regression")
ALONE = replace(SMALL, variants=("lm",), compare=(), baselines=NAMES, training=Training(batch=32, epochs=1))
SEARCHED = replace(ALONE, search=Search(kind="optuna", trials=2), split=Split("subjects:3", folds=2))


@pytest.fixture(scope="module", autouse=True)
def few_trees():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifiers, "TREES", 20)
        yield


@pytest.fixture(scope="module")
def finished(recordings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("baselines")
    made = Runner(SEARCHED, folder, data=recordings, quiet=True)
    return made, made.run(score_test=True)


@pytest.fixture(scope="module")
def study_data(recordings):
    return load_study_data(ALONE, data=recordings)


def by_hand(study_data, fold, name="random-forest"):
    """Features of all windows, worked out without the study's own code; for a regression compressed and scaled."""
    spec = study_data.windows.spec
    values = extract_array_features(
        study_data.windows.values(), rate=spec.rate, sensors=[channel.group for channel in spec.channels]
    ).values
    if name == "random-forest":
        return values
    values = np.sign(values) * np.log1p(abs(values))
    train = study_data.index.folds[fold].train
    std = values[train].std(0, dtype=np.float64)
    return ((values - values[train].mean(0, dtype=np.float64)) / np.where(std > 0, std, 1)).clip(-5, 5)


def run_of(study, study_data, name, **hyperparameters):
    first = next_trials(study, name, 0)[0]
    return Planner(study, study_data.index).run(
        replace(first, hyperparameters=hyperparameters or first.hyperparameters)
    )


def fit(run, study_data):
    train = study_data.index.folds[run.fold].train
    return ClassifierJob(FleetPlan("trials", (run,), 1), study_data, train).train()


def probabilities_of(run, study_data):
    (result,) = fit(run, study_data).results
    return result.rows, softmax(result.logits, axis=1)


def trained_on(study_data, rows):
    """The same data, with fewer training windows in the first fold."""
    fold = replace(study_data.index.folds[0], train=rows)
    return replace(study_data, index=replace(study_data.index, folds=(fold,)))


def test_scores_of_test_subjects_are_those_of_scikit_learn(finished):
    made, results = finished
    labels = made.study_data.index.labels
    counts = {name: [0, 0] for name in NAMES}
    for number, fold in enumerate(made.study_data.index.folds):
        for name in NAMES:
            scaled = by_hand(made.study_data, number, name)
            trial = made.state.selected[name, number]
            for seed in (0, 1):
                if name == "majority":
                    guess = np.full(len(fold.test), np.bincount(labels[fold.train]).argmax())
                else:
                    hyperparameters = trial.hyperparameters
                    model = (
                        RandomForestClassifier(20, random_state=seed, **hyperparameters)
                        if name == "random-forest"
                        else LogisticRegression(max_iter=5000, tol=1e-6, **hyperparameters)
                    )
                    guess = model.fit(scaled[fold.train], labels[fold.train]).predict(scaled[fold.test])
                counts[name][seed] = counts[name][seed] + confusion_matrix(labels[fold.test], guess, labels=range(4))
    rows = {row.variant: row for row in results.rows}
    for name in NAMES:
        f1 = [np.mean(2 * np.diag(c) / np.maximum(c.sum(0) + c.sum(1), 1)) for c in counts[name]]
        # Two solvers may differ on a window that lies between two classes.
        assert rows[name].macro_f1.score == pytest.approx(np.mean(f1), abs=5e-3 if name.startswith("log") else 1e-9)
    assert rows["majority"].macro_f1.score < rows["random-forest"].macro_f1.score


def test_baselines_have_the_trials_and_seeds_of_every_variant_and_are_marked(finished):
    made, results = finished
    rows = {row.variant: row for row in results.rows}
    assert list(rows) == ["lm", *NAMES]
    assert {rows[name].kind for name in NAMES} == {"baseline"}
    assert [rows[name].trials for name in ("lm", *NAMES)] == [2, 2, 2, 1], "there is nothing to try for the majority"
    assert {row.seeds for row in results.rows} == {2}
    assert all(rows[name].parameters is None and rows[name].flops is None for name in NAMES)
    assert rows["random-forest"].size.endswith("KiB")
    assert results.compared.family == ()
    assert results.compared.apart == NAMES
    file = sqlite3.connect(made.store.path)
    for name in NAMES:
        trial = file.execute("SELECT fold, hyperparameters, validation FROM runs WHERE method = ?", (name,)).fetchall()
        for fold in (0, 1):
            best = max((row for row in trial if row[0] == fold), key=lambda row: row[2])
            assert made.state.score(made.state.selected[name, fold]) == best[2]
    assert (made.folder / "predictions" / "random-forest.parquet").is_file()
    assert (made.folder / "models" / "random-forest" / "model.npz").is_file()


def test_validation_scores_are_of_the_validation_subjects(finished):
    made, _ = finished
    scaled, labels, fold = by_hand(made.study_data, 0), made.study_data.index.labels, made.study_data.index.folds[0]
    trial = made.state.selected["random-forest", 0]
    model = RandomForestClassifier(20, random_state=0, **trial.hyperparameters)
    guess = model.fit(scaled[fold.train], labels[fold.train]).predict(scaled[fold.validation])
    by_class = f1_score(labels[fold.validation], guess, labels=range(4), average=None, zero_division=0)
    assert made.state.score(trial) == pytest.approx(by_class.mean())


def test_the_size_is_counted_in_the_trees(study_data):
    (result,) = fit(
        run_of(ALONE, study_data, "random-forest", max_features=0.1, min_samples_leaf=0.01), study_data
    ).results
    train = study_data.index.folds[0].train
    model = RandomForestClassifier(20, max_features=0.1, min_samples_leaf=0.01, random_state=0)
    trees = [
        each.tree_ for each in model.fit(by_hand(study_data, 0)[train], study_data.index.labels[train]).estimators_
    ]
    inner = sum(int((tree.children_left >= 0).sum()) for tree in trees)
    leaves = sum(int((tree.children_left < 0).sum()) for tree in trees)
    assert result.size["nodes"] == inner + leaves
    window = study_data.windows.spec.window
    assert result.size["stored"] == 4 * inner + 4 * leaves + 20 + window, "nodes, roots, table of the spectrum"


@pytest.mark.parametrize("imbalance", ["none", "weights", "sqrt-weights", "logit-adjustment"])
def test_imbalance_is_handled_as_the_recipe_says(study_data, imbalance):
    study = replace(ALONE, training=Training(epochs=1, imbalance=imbalance))
    rows, answers = probabilities_of(run_of(study, study_data, "logistic-regression", C=0.1), study_data)
    scaled, train = by_hand(study_data, 0, "logistic-regression"), study_data.index.folds[0].train
    counts = np.bincount(study_data.index.labels[train], minlength=4)
    root = counts**-0.5 * counts.sum() / (counts**0.5).sum()
    weight = {"weights": "balanced", "sqrt-weights": dict(enumerate(root))}.get(imbalance)
    model = LogisticRegression(C=0.1, class_weight=weight, max_iter=5000, tol=1e-6)
    expected = model.fit(scaled[train], study_data.index.labels[train]).predict_proba(scaled[rows])
    if imbalance == "logit-adjustment":
        expected = expected / (counts / counts.sum())
        expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(answers, expected, atol=0.02)


def test_what_was_fitted_is_not_fitted_again_and_what_was_stopped_goes_on(recordings, tmp_path, monkeypatch):
    study = replace(ALONE, search=Search(kind="optuna", trials=2))
    finish, fitted = Store.finish, []

    def stop(self, fleet, *rest):
        finish(self, fleet, *rest)
        if fleet.plan.runs[0].method == "random-forest":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "finish", stop)
        with pytest.raises(KeyboardInterrupt):
            Runner(study, tmp_path / "study", data=recordings, quiet=True).run()
    assert not open_study(tmp_path / "study").complete
    train = ClassifierJob.train
    monkeypatch.setattr(ClassifierJob, "train", lambda self, **rest: fitted.append(self.plan.id) or train(self, **rest))
    first = Runner(study, tmp_path / "study", data=recordings, quiet=True).run(score_test=True)
    # Of 2 trials and a seed of the forest, 2 trials of the regression and 1 of the majority, one was there.
    assert len(fitted) == len(set(fitted)) == 2 + 2 + 1
    assert Runner(study, tmp_path / "study", data=recordings, quiet=True).run(score_test=True) == first
    assert len(fitted) == 5


def test_a_single_class_to_train_on_fails_those_that_need_two_in_a_sentence(study_data):
    one = int(study_data.index.labels[study_data.index.folds[0].train][0])
    rows = study_data.index.folds[0].train[study_data.index.labels[study_data.index.folds[0].train] == one]
    lone = trained_on(study_data, rows)
    for name in ("random-forest", "logistic-regression"):
        reason = fit(run_of(ALONE, study_data, name), lone).reason
        assert reason.startswith(f"fold 0: {name} needs at least two classes")
    _, answers = probabilities_of(run_of(ALONE, study_data, "majority"), lone)
    assert set(answers.argmax(1)) == {one}


def test_a_baseline_that_cannot_be_fitted_fails_alone_and_says_why(recordings, tmp_path, monkeypatch):
    def unfit(*_, **__):
        raise UserError("needs two classes")

    made = Runner(replace(ALONE, baselines=("majority",), seeds=1), tmp_path / "study", data=recordings, quiet=True)
    monkeypatch.setattr(jobs, "fit_classifier", unfit)
    results = made.run(score_test=True)
    rows = {row.variant: row for row in results.rows}
    assert (rows["majority"].verdict, rows["majority"].failed, rows["majority"].macro_f1) == ("failed", 1, None)
    assert rows["lm"].macro_f1 is not None
    assert [each.reason for each in made.store.ended().values() if each.status == "failed"] == [
        "fold 0: needs two classes"
    ]


@pytest.mark.parametrize("imbalance", ["none", "weights", "logit-adjustment"])
def test_a_class_that_nobody_trains_on_is_never_said(study_data, imbalance):
    study = replace(ALONE, training=Training(epochs=1, imbalance=imbalance))
    train = study_data.index.folds[0].train
    rows = train[study_data.index.labels[train] != 2]
    fewer = trained_on(study_data, rows)
    study = replace(study, baselines=(*FITTED, "majority"))
    for name in study.baselines:
        _, answers = probabilities_of(run_of(study, study_data, name), fewer)
        assert answers.shape[1] == 4
        assert not (answers.argmax(1) == 2).any()


@pytest.mark.parametrize("name", ["extra-trees", "gradient-boosting"])
def test_more_trees_are_scikit_learns_with_the_weights_of_the_recipe(study_data, name):
    study = replace(ALONE, baselines=(name,), training=Training(epochs=1, imbalance="weights"))
    labels, train = study_data.index.labels, study_data.index.folds[0].train
    weights = (len(train) / 4 / np.bincount(labels[train], minlength=4))[labels[train]]
    table = by_hand(study_data, 0)
    if name == "extra-trees":
        given, model = {"max_depth": 4.0}, ExtraTreesClassifier(20, max_depth=4, random_state=0)
    else:
        given = {"max_iter": 5.0, "learning_rate": 0.2}
        model = HistGradientBoostingClassifier(max_iter=5, learning_rate=0.2, early_stopping=False, random_state=0)
    rows, answers = probabilities_of(run_of(study, study_data, name, **given), study_data)
    expected = model.fit(table[train], labels[train], sample_weight=weights).predict_proba(table[rows])
    np.testing.assert_allclose(answers, expected, atol=1e-4 if name == "extra-trees" else 0.02)


def test_a_plan_counts_them(study_data):
    study = replace(ALONE, search=Search(kind="optuna", trials=4), seeds=3)
    lines = plan_lines(Planner(study, study_data.index), study_data)
    found = {(line.phase, line.what): line.runs for line in lines if line.what.endswith("on features")}
    assert found == {
        ("trials", "random-forest on features"): 4,
        ("trials", "logistic-regression on features"): 4,
        ("trials", "majority on features"): 1,
        ("seeds", "random-forest on features"): 2,
        ("seeds", "logistic-regression on features"): 1,
        ("seeds", "majority on features"): 1,
    }
    assert all(line.seconds > 0 for line in lines)


def test_a_grid_gives_them_as_many_settings_as_its_largest_variant():
    grid = Search(kind="grid", grid={"temperature": (1.0, 2.0, 4.0)})
    study = Study(name="one", variants=("rb-kd",), compare=(), search=grid)
    trial = next_trials(study, "random-forest", 0)
    assert len({tuple(each.hyperparameters.values()) for each in trial}) == 3
    assert dict(trial[0].hyperparameters) == {"max_features": 0.1, "min_samples_leaf": 1e-4}
    assert {each.seed for each in trial} == {0}


def test_wrong_names_are_one_sentence(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('name = "mine"\nbaselines = ["forest"]\n')
    with pytest.raises(UserError, match="baseline in baselines 'forest'. Did you mean 'random-forest'"):
        read_study(path)
    path.write_text('name = "mine"\nvariants = ["lm", "majority"]\n[variant.majority]\nmethod = "lm"\n')
    with pytest.raises(UserError, match="majority is both a variant and a baseline"):
        read_study(path)
    path.write_text('name = "mine"\nbaselines = []\n')
    assert list(read_study(path).systems) == list(read_study(path).all_variants)
    assert Study(name="one").baselines == NAMES
