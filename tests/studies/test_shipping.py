"""What ships is fitted to all subjects with what the folds selected; a refit within a fold never sees its test set."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import confusion_matrix

from stillmotion.bundles import Bundle, saved_cost
from stillmotion.errors import UserError
from stillmotion.evaluation import macro_f1, read_predictions
from stillmotion.features import extract_features
from stillmotion.studies import (
    Baseline,
    Planner,
    Runner,
    Split,
    Study,
    Teaching,
    Training,
    Variant,
    open_study,
    shipping,
)
from stillmotion.studies.estimate import plan_lines
from stillmotion.studies.refit import refit_in_folds, refit_on_all, select_over_folds
from stillmotion.studies.runs import RunStatus
from stillmotion.studies.search import Trial, next_trials
from stillmotion.studies.sections import Networks
from stillmotion.studies.store import Store

from .conftest import SMALL, small_index

FOREST = Baseline("random-forest", hyperparameters={"n_estimators": 10.0, "max_depth": 3.0, "min_samples_leaf": 2.0})
STUDY = replace(
    SMALL,
    variants=("lm",),
    compare=(),
    baselines=("small-forest",),
    baseline={"small-forest": FOREST},
    split=Split("subjects:3", folds=2),
    training=Training(batch=32, epochs=3, patience=3, learning_rate=3e-3, refit="train+validation"),
    ship=True,
)


@pytest.fixture(scope="module", autouse=True)
def wide():
    """The interval over four subjects is wide, for which a recommendation is withheld elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("stillmotion.studies.recommend"), "WIDEST", 1.0)
        yield


@pytest.fixture(scope="module")
def finished(recordings, tmp_path_factory, wide):
    made = Runner(STUDY, tmp_path_factory.mktemp("shipping") / "study", data=recordings, quiet=True)
    return made, made.run(score_test=True)


def scikit_learns_forest(made, rows, seed):
    table, labels = extract_features(made.study_data.windows).values, made.study_data.index.labels
    model = RandomForestClassifier(10, max_depth=3, min_samples_leaf=2, random_state=seed)
    return model.fit(table[rows], labels[rows]), table, labels


def test_what_ships_is_the_recommended_variant_fitted_to_every_subject(finished):
    made, results = finished
    assert results.recommended == "small-forest"
    best = Bundle.open(made.folder / "models" / "best")
    everybody = np.unique(
        np.concatenate([np.concatenate([f.train, f.validation, f.test]) for f in made.state.index.folds])
    )
    assert len(everybody) == len(made.state.index)
    model, table, _ = scikit_learns_forest(made, everybody, 0)
    windows = made.study_data.windows[::9]
    np.testing.assert_allclose(best.predict(windows, best.spec), model.predict_proba(table[::9]), atol=1e-6)
    golden, logits = best.golden
    assert golden.shape == (8, 20, 6)
    np.testing.assert_allclose(best.logits(golden, best.spec), logits, atol=1e-6)
    assert saved_cost(best.path).network == "random-forest"


def test_its_card_tells_of_cross_validation_and_its_scores_are_those_of_the_folds(finished):
    made, results = finished
    best = Bundle.open(made.folder / "models" / "best")
    (row,) = (each for each in results.rows if each.variant == "small-forest")
    card = (best.path / "README.md").read_text()
    assert f"Estimate: macro-F1 {row.macro_f1} % of" in card.replace("\\", "")
    assert "fitted to all 6 subjects" in card
    (kept,) = read_predictions(made.folder / "predictions" / "small-forest.parquet")
    for scored in best.scores:
        own = kept.subject == scored["subject"]
        by_seed = [
            macro_f1(
                confusion_matrix(
                    kept.y[own & (kept.seed == s)], kept.scores[own & (kept.seed == s)].argmax(1), labels=range(4)
                ),
                absent="skip",
            )
            for s in (0, 1)
        ]
        assert scored["macro_f1"] == pytest.approx(np.mean(by_seed))
        assert scored["windows"] == (own & (kept.seed == 0)).sum()
    assert {each["subject"] for each in best.scores} == set(made.state.index.subjects_of("test"))


def test_the_folds_models_stay_beside_it_a_forest_among_them(finished):
    made, _ = finished
    assert {path.name for path in (made.folder / "models").iterdir()} == {"best", "lm", "small-forest"}
    bundle = Bundle.open(made.folder / "models" / "small-forest")
    seed, fold = bundle.provenance["seed"], made.state.index.folds[0]
    model, table, _ = scikit_learns_forest(made, fold.train, seed)
    shares = bundle.predict(made.study_data.windows[fold.test], bundle.spec)
    np.testing.assert_allclose(shares, model.predict_proba(table[fold.test]), atol=1e-6)


def test_a_refit_is_scored_on_test_subjects_that_neither_it_nor_its_selection_has_seen(finished):
    made, results = finished
    assert [each.variant for each in results.refits] == ["lm", "small-forest"]
    (refit,) = (each for each in results.refits if each.variant == "small-forest")
    scores = {}
    for seed in (0, 1):
        counts = [0, 0]
        for fold in made.state.index.folds:
            for at, rows in enumerate((fold.train, np.concatenate([fold.train, fold.validation]))):
                model, table, labels = scikit_learns_forest(made, np.sort(rows), seed)
                counts[at] = counts[at] + confusion_matrix(
                    labels[fold.test], model.predict(table[fold.test]), labels=range(4)
                )
        scores[seed] = [float(macro_f1(each)) for each in counts]
    without, after = np.mean(list(scores.values()), axis=0)
    assert refit.macro_f1.score == pytest.approx(after)
    assert refit.without.score == pytest.approx(without)
    assert refit.change.score == pytest.approx(after - without)
    assert ("small-forest", "random-forest") in [(row.variant, row.title) for row in results.rows]
    assert not made.store.predicted("validation") & {run.id for run in made.state.trained_refits}
    (kept,) = read_predictions(made.folder / "predictions" / "small-forest-refit.parquet")
    assert set(kept.subject) == set(made.state.index.subjects_of("test"))


def test_a_networks_refit_trains_for_its_own_selected_epochs(finished):
    made, _ = finished
    for key, runs in made.state.refits.items():
        for before, run in zip(made.state.finals[key], runs, strict=True):
            if run.kind == "network":
                assert made.state.ended[run.id].epochs == made.state.ended[before.id].best_epoch == run.stop
                assert len(made.store.history(run.id)) == run.stop


def test_opening_the_folder_gives_the_same_results(finished):
    made, results = finished
    assert open_study(made.folder) == results


def test_what_ships_goes_on_where_it_was_stopped(recordings, tmp_path, monkeypatch):
    study = replace(
        STUDY, baselines=(), split=Split("subjects:3", folds=1), training=replace(STUDY.training, refit=None)
    )
    finish = Store.finish

    def stop(self, fleet, *rest):
        if fleet.plan.phase == "ship":
            raise KeyboardInterrupt
        finish(self, fleet, *rest)

    with monkeypatch.context() as patch, Runner(study, tmp_path / "study", data=recordings, quiet=True) as made:
        patch.setattr(Store, "finish", stop)
        with pytest.raises(KeyboardInterrupt):
            made.run(score_test=True)
        assert not (made.folder / "models").exists()
    trained = []
    monkeypatch.setattr(
        Store, "finish", lambda self, fleet, *rest: trained.append(fleet.plan.phase) or finish(self, fleet, *rest)
    )
    with Runner(study, tmp_path / "study", data=recordings, quiet=True) as made:
        first = made.run(score_test=True)
        assert trained == ["ship"]
        best = Bundle.open(made.folder / "models" / "best")
        (row,) = made.store._file.execute("SELECT id, epochs FROM runs WHERE phase = 'ship'").fetchall()
        assert best.provenance["run"] == row[0]
        assert best.provenance["epochs"] == row[1]
        assert made.run(score_test=True) == first
        assert trained == ["ship"]


@pytest.mark.slow
def test_a_plan_lists_what_ships_and_refits(recordings):
    from stillmotion.studies import load_study_data

    data = load_study_data(STUDY, data=recordings)
    lines = plan_lines(Planner(STUDY, data.index), data)
    assert [(line.phase, line.what, line.runs) for line in lines if line.phase in ("refits", "ship")] in (
        [("refits", "lm of mlp-small", 4), ("ship", "lm of mlp-small", 1), ("refits", "random-forest on features", 4)],
        [("refits", "lm of mlp-small", 4), ("refits", "random-forest on features", 4), ("ship", "lm of mlp-small", 1)],
        [
            ("refits", "lm of mlp-small", 4),
            ("refits", "random-forest on features", 4),
            ("ship", "random-forest on features", 1),
        ],
    )
    without = replace(STUDY, ship=False, training=replace(STUDY.training, refit=None))
    assert {line.phase for line in plan_lines(Planner(without, data.index), data)} == {"trials"}


def status_of(run, best_epoch, status="done"):
    return RunStatus(run.id, status, 0.5, best_epoch, 9, 1.0, "", "fleet", 0)


def test_hyperparameters_are_medians_and_attention_the_most_frequent():
    def trial(fold, rate, attention):
        return Trial("lm", fold, fold, {"learning_rate": rate, "clip": -rate}, attention, seed=3)

    chosen = select_over_folds([trial(0, 0.4, "b"), trial(1, 0.1, "a"), trial(2, 0.2, "a"), trial(3, 0.3, "b")])
    assert chosen.hyperparameters == {"learning_rate": 0.2, "clip": -0.3}, "the lower of the two in the middle"
    assert (chosen.attention, chosen.seed, chosen.fold) == ("b", 0, 0)


def test_teachers_are_fitted_to_all_subjects_too_and_learn_for_the_median_of_their_epochs():
    index = small_index()
    fold = index.folds[0]
    index = replace(index, folds=(fold, replace(fold, train=fold.validation, validation=fold.train)) * 2)
    study = Study(
        name="taught",
        variants=("rb-kd", "assisted"),
        compare=(),
        variant={"assisted": Variant("kd", teacher="assistant", assistant="mlp")},
        networks=Networks("mlp-small", ("mlp",)),
        teaching=Teaching(seeds=2),
    )
    planner = Planner(study, index)
    teachers = [planner.teachers(study.systems["rb-kd"], number, "") for number in range(4)]
    ended = {
        run.id: status_of(run, 5 * number + at) for number, runs in enumerate(teachers) for at, run in enumerate(runs)
    }
    trials = [next_trials(study, "rb-kd", number)[0] for number in range(4)]
    runs = [planner.run(trial) for trial in trials]
    ended |= {run.id: status_of(run, epoch) for run, epoch in zip(runs, (40, 10, 20, 30), strict=True)}
    first, again, model = refit_on_all(planner, trials, runs, ended)
    assert first == []
    assert [(run.refit, run.stop, run.seed, run.network) for run in again] == [
        ("all", 5, 0, "mlp"),
        ("all", 6, 1, "mlp"),
    ]
    assert (model.refit, model.stop, model.seed) == ("all", 20, 0)
    assert model.teachers == tuple(run.id for run in again)
    assert [planner.teacher(name) for name in model.teachers] == again
    trials = [next_trials(study, "assisted", number)[0] for number in range(4)]
    first, again, model = refit_on_all(planner, trials, [planner.run(trial) for trial in trials], ended)
    assert [run.stop for run in first] == [5, 6]
    assert again[0].teachers == tuple(run.id for run in first)
    assert (again[0].method, again[0].refit) == ("kd", "all")
    assert model.teachers == (again[0].id,)


def test_a_run_that_failed_has_no_refit():
    study = Study(name="one", variants=("lm",), compare=(), controls=False, networks=Networks("mlp-small", ("mlp",)))
    runs = [Planner(study, small_index()).run(replace(next_trials(study, "lm", 0)[0], seed=seed)) for seed in (0, 1)]
    good = {run.id: status_of(run, 4 + run.seed) for run in runs}
    assert [run.stop for run in refit_in_folds({("lm", 0): runs}, good)["lm", 0]] == [4, 5]
    assert refit_in_folds({("lm", 0): runs}, good | {runs[1].id: status_of(runs[1], 0, "failed")}) == {}
    assert refit_in_folds({("lm", 0): runs}, {}) == {}


@pytest.mark.parametrize("protocol", ["subjects:2", "official"])
def test_test_subjects_of_an_official_split_are_never_trained_on(protocol):
    index = small_index()
    study = Study(name="one", variants=("lm",), compare=(), split=Split(protocol))
    planner = Planner(study, index)
    run = planner.run(next_trials(study, "lm", 0)[0])
    train, validation = planner.rows(replace(run, refit="all"))
    assert train.tolist() == list(range(4 if protocol == "official" else 8))
    assert len(validation) == 0
    train, validation = planner.rows(replace(run, refit="train+validation"))
    assert train.tolist() == [0, 1, 2, 3]
    groups = planner.group_of(0, "all")
    assert (groups[4:] == -1).all() == (protocol == "official")
    left_out, _ = planner.rows(replace(run, refit="all", group=int(groups[0])))
    assert not set(left_out.tolist()) & set(np.flatnonzero(groups == groups[0]).tolist())


def test_wrong_refits_and_baselines_are_one_sentence(tmp_path):
    from stillmotion.studies import read_study

    path = tmp_path / "study.toml"
    for text, reason in (
        ('[training]\nrefit = "all"\n', "refit 'all'. Valid: train.validation"),
        ('[teaching.training]\nrefit = "train+validation"\n', r"refit in \[teaching.training\] is of the whole study"),
        ('[baseline.mine]\nclassifier = "svm"\n', "classifier of a baseline 'svm'"),
        (
            '[baseline.mine]\nclassifier = "random-forest"\nhyperparameters = { depth = 3 }\n',
            "hyperparameter of random-forest 'depth'",
        ),
        (
            '[baseline.mine]\nclassifier = "random-forest"\nhyperparameters = { max_depth = 0 }\n',
            "max_depth of random-forest must be",
        ),
        ('[baseline.majority]\nclassifier = "random-forest"\n', "name of a known classifier"),
        ('baselines = ["mine"]\n', "baseline in baselines 'mine'"),
    ):
        path.write_text(f'name = "one"\n{text}')
        with pytest.raises(UserError, match=reason):
            read_study(path)


def test_arenas_forest_can_be_written_in_a_specification(tmp_path):
    from stillmotion.studies import read_study

    path = tmp_path / "study.toml"
    path.write_text(
        'name = "one"\nbaselines = ["arena-forest", "random-forest"]\n'
        '[baseline.arena-forest]\nclassifier = "random-forest"\n'
        "[baseline.arena-forest.hyperparameters]\nn_estimators = 100\nmax_depth = 8\nmin_samples_leaf = 10\n"
        '[search]\nkind = "optuna"\ntrials = 3\n'
    )
    study = read_study(path)
    trials = next_trials(study, "arena-forest", 0)
    assert len({tuple(trial.hyperparameters.items()) for trial in trials}) == 1
    run = Planner(study, small_index()).run(trials[0])
    assert (run.method, run.kind) == ("random-forest", "features")
    assert run.hyperparameters == {"n_estimators": 100, "max_depth": 8, "min_samples_leaf": 10}


@pytest.mark.slow
def test_a_distilled_student_ships_with_teachers_that_are_cross_fitted_over_all_subjects(
    recordings, tmp_path, monkeypatch
):
    study = replace(
        STUDY,
        variants=("lm", "rb-kd"),
        baselines=(),
        networks=Networks("mlp-small", ("small-forest", "mlp")),
        training=replace(STUDY.training, refit=None),
    )
    monkeypatch.setattr(shipping, "recommended_variant", lambda *_: "rb-kd")
    with Runner(study, tmp_path / "study", data=recordings, quiet=True) as made:
        made.run(score_test=True)
        state = made.state
        shipment = shipping.plan_shipment(state, made.results())
        assert all(state.is_done(run) for run in (*shipment.teachers, shipment.run))
        labels, groups = state.index.labels, made.planner.group_of(0, "all")
        assert set(groups.tolist()) == {0, 1, 2}
        for run in shipment.teachers:
            rows, _ = made.planner.rows(run)
            assert set(groups[rows].tolist()) == {0, 1, 2} - {run.group}
            if run.kind == "features":
                model, table, _ = scikit_learns_forest(made, rows, 0)
                others = np.setdiff1d(np.arange(len(labels)), rows)
                expected = np.zeros((len(others), 4))
                expected[:, model.classes_] = model.predict_proba(table[others])
                kept = np.exp(made.store.classifier_logits(run.id, others))
                np.testing.assert_allclose(kept, np.maximum(expected, 1e-12), rtol=1e-4, atol=1e-6)
            else:
                before = made.planner.teachers_in_folds([run])
                epochs = sorted(state.ended[each.id].best_epoch for (each,) in before)
                assert state.ended[run.id].epochs == run.stop == epochs[0], "the lower of two folds"
        shares = [state.shares(runs) for runs in made.planner.teachers_in_folds(shipment.teachers)]
        assert not np.allclose(shares[0], shares[1])
        np.testing.assert_allclose(state.shares(shipment.teachers), np.mean(shares, axis=0))
        best = Bundle.open(made.folder / "models" / "best")
        weights = best.provenance["teachers"]
        assert sum(weights.values()) == pytest.approx(1)
        assert set(weights) == {"random-forest", "mlp"}
