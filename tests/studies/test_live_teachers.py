"""Ensembles of teachers in studies: in every step or stored, with weights fitted on validation subjects."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import softmax

from stillmotion.errors import UserError
from stillmotion.networks import build_network, network_cost
from stillmotion.reports.evidence import Evidence
from stillmotion.reports.figures.diagrams import diagrams
from stillmotion.reports.report import write_report
from stillmotion.studies import Networks, Study, Teaching, Training
from stillmotion.studies.ensembles import fit_weights, share_by_fit
from stillmotion.studies.estimate import plan_lines
from stillmotion.studies.jobs import prepare_job
from stillmotion.studies.plan import Planner
from stillmotion.studies.runs import LATER, PARTS, Run, code_of
from stillmotion.studies.search import Trial
from stillmotion.studies.teacher_outputs import FLOPS, TIMES
from stillmotion.studies.variants import Variant

from .conftest import small_index

INDEX = replace(small_index(), spec=small_index().spec.with_window(128, 128))
AUGMENTED = Training(batch=32, epochs=2, patience=2, learning_rate=3e-3, augment={"jitter": 0.1})


def weights_by_scipy(right):
    """Maximise the log-likelihood on the simplex by sequential quadratic programming."""
    count = right.shape[1]
    found = minimize(
        lambda w: -np.log(right @ w).mean(),
        np.full(count, 1 / count),
        jac=lambda w: -(right / (right @ w)[:, None]).mean(0),
        bounds=[(0, 1)] * count,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    return found.x


@pytest.mark.parametrize("seed", range(3))
def test_weights_minimise_the_log_loss_on_the_simplex(seed):
    rng = np.random.default_rng(seed)
    right = rng.beta([2, 4, 1.5, 1], [1, 1.2, 1, 3], size=(300, 4))
    weights = fit_weights(right)
    np.testing.assert_allclose(weights, weights_by_scipy(right), atol=2e-3)
    assert weights.sum() == pytest.approx(1)
    assert weights.min() >= 0
    loss = -np.log(right @ weights).mean()
    assert loss <= -np.log(right @ weights_by_scipy(right)).mean() + 1e-6
    assert np.ptp(weights) > 0.2, "equal weights would not be told from fitted ones"


def member(kind, seed):
    return Run(data="", fold=0, method="lm", seed=seed, recipe={}, network=kind)


def test_seeds_of_a_kind_share_its_weight():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    runs = [member("mlp", 0), member("gru-8", 0), member("mlp", 1), member("gru-8", 1), member("mlp", 2)]
    logits = {
        run: (rng.normal(size=(200, 3)) + (1 + number % 2) * np.eye(3)[labels]).astype(np.float32)
        for number, run in enumerate(runs)
    }
    shares = share_by_fit(runs, logits.get, labels)
    means = []
    for kind in ("mlp", "gru-8"):
        probabilities = [softmax(logits[run], axis=1) for run in runs if run.network == kind]
        means.append(np.mean(probabilities, axis=0)[np.arange(200), labels])
    first, second = weights_by_scipy(np.stack(means, axis=1))
    np.testing.assert_allclose(shares, [first / 3, second / 2, first / 3, second / 2, first / 3], atol=1e-3)
    assert share_by_fit(runs, lambda run: None if run is runs[3] else logits[run], labels) is None


def planned(
    variants=("kd",), teacher=("feature-net-m",), *, network="mlp-small", defined=None, training=AUGMENTED, **teaching
):
    study = Study(
        name="planned",
        variants=variants,
        compare=(),
        controls=False,
        baselines=(),
        networks=Networks(network, teacher),
        training=training,
        teaching=Teaching(**teaching),
        variant=defined or {},
    )
    return Planner(study, INDEX, accelerator=False)


def first_run(planner, variant="kd", seed=0):
    return planner.run(Trial(variant, 0, 0, {}, "", seed))


def test_small_teachers_run_in_every_step_and_large_ones_are_stored():
    flops = {name: network_cost(build_network(name, INDEX.spec)).flops for name in ("feature-net-m", "cnn-har")}
    assert 2 * flops["feature-net-m"] < FLOPS < flops["cnn-har"]
    assert first_run(planned()).live
    assert first_run(planned(teacher=("feature-net-m", "feature-net-s"), seeds=2)).live
    stored = first_run(planned(teacher=("cnn-har",)))
    assert (stored.live, stored.stored) == (False, True)
    # Beside a student that is large itself, the same teacher costs little.
    assert flops["cnn-har"] < 3 * TIMES * flops["cnn-har"]
    assert first_run(planned(teacher=("cnn-har",), network="cnn-har")).live
    # What is wanted holds; without augmentation both are the same, and outputs are computed once.
    assert first_run(planned(teacher=("cnn-har",), outputs="live")).live
    assert first_run(planned(outputs="stored")).stored
    plain = first_run(planned(training=replace(AUGMENTED, augment=None), outputs="live"))
    assert (plain.live, plain.stored) == (False, False)
    # Other taps than logits are compared with those of the same windows.
    assert first_run(planned(("rkd",), teacher=("cnn-har",)), "rkd").live
    # A forest cannot run in a step; the teachers beside it are cross-fitted, too.
    assert first_run(planned(teacher=("feature-net-m", "random-forest"))).stored


def test_runs_that_were_possible_before_keep_their_fingerprints():
    def fingerprint(run, *kept):
        settings = {name: value for name, value in asdict(run).items() if name not in LATER or name in kept}
        text = json.dumps({**settings, "parts": PARTS, "code": code_of(run.method)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    run = first_run(planned())
    assert {"stored", "weighting"} <= set(LATER)
    assert run.id == fingerprint(run)
    stored, fitted = replace(run, stored=True), replace(run, weighting="fitted")
    assert stored.id == fingerprint(stored, "stored")
    assert fitted.id == fingerprint(fitted, "weighting")
    assert len({run.id, stored.id, fitted.id}) == 3
    several = planned(teacher=("feature-net-m", "feature-net-s"))
    assert first_run(several).weighting == "fitted"
    assert first_run(planned(teacher=("feature-net-m", "feature-net-s"), weights="equal")).weighting == ""
    assert first_run(planned(seeds=3)).weighting == ""


def test_students_of_unlike_teachers_train_in_fleets_of_their_own():
    """Their teachers run in the steps of a fleet, so they must be of the same networks."""
    variants = {name: Variant("kd", teacher=teacher) for name, teacher in (("by-plain", "plain"), ("by-self", "self"))}
    live, stored = (planned(tuple(variants), defined=variants, outputs=outputs) for outputs in ("live", "stored"))
    for planner, count in ((live, 2), (stored, 1)):
        runs = [first_run(planner, name, seed) for name in variants for seed in (0, 1)]
        assert len({run.fleet_key for run in runs}) == 1
        assert len(planner.fleets("trials", runs)) == count


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"teacher": ("random-forest",), "outputs": "live"},
            "teacher of kd cannot run in every step of its students .its teachers are cross-fitted.* outputs = 'auto'",
        ),
        ({"teacher": ("scores.parquet",), "outputs": "live"}, "its teacher is a file of scores"),
        (
            {"variants": ("rkd",), "seeds": 2, "training": replace(AUGMENTED, augment={"mixup": 0.4})},
            "it needs embedding, and of several teachers only logits can be averaged.* cannot mix.* leave mixup out",
        ),
        (
            {"variants": ("rkd",), "outputs": "stored", "training": replace(AUGMENTED, augment={"mixup": 0.4})},
            "Outputs of the teacher of rkd cannot be stored .it needs embedding, which mixup cannot mix.",
        ),
        ({"outputs": "online"}, "Unknown outputs in .teaching. 'online'"),
        ({"weights": "fited"}, "Unknown weights in .teaching. 'fited'. Did you mean 'fitted'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_trains(changes, message):
    with pytest.raises(UserError, match=message):
        planned(**changes)
    assert planned(**{name: value for name, value in changes.items() if name not in ("outputs", "weights", "seeds")})


@pytest.mark.slow
def test_unlike_networks_teach_in_every_step_by_their_fitted_weights(runner):
    made = runner(
        networks=Networks("mlp-small", ("mlp-small", "feature-net-m")),
        teaching=Teaching(seeds=2, training=replace(AUGMENTED, epochs=6, patience=6)),
        training=replace(AUGMENTED, augment={"mixup": 0.4, "feature-noise": 0.1}),
        seeds=1,
    )
    lines = plan_lines(made.planner, made.study_data)
    assert all(line.seconds > 0 for line in lines)
    results = made.run(score_test=True)
    index, (fold,) = made.planner.index, made.planner.index.folds
    (student,) = made.state.finals["rb-kd", 0]
    assert (student.live, student.weighting) == (True, "fitted")
    runs = made.planner.teachers(made.study.all_variants["rb-kd"], 0, "")
    assert [(run.network, run.seed) for run in runs] == [
        ("mlp-small", 0), ("mlp-small", 1), ("feature-net-m", 0), ("feature-net-m", 1)
    ]  # fmt: skip
    # By hand: probabilities of every teacher, weights by SciPy.
    probabilities = [softmax(made.predictor.logits(run, fold.validation), axis=1) for run in runs]
    labels = index.labels[fold.validation]
    means = np.stack([np.mean(probabilities[at : at + 2], axis=0) for at in (0, 2)])
    first, second = weights_by_scipy(means[:, np.arange(len(labels)), labels].T)
    expected = [first / 2, first / 2, second / 2, second / 2]
    np.testing.assert_allclose(made.state.shares(runs), expected, atol=2e-3)
    (plan,) = made.planner.fleets("trials", [student])
    job = prepare_job(plan, made.planner, made.study_data, made.teachers)
    (teacher,) = job.teachers
    np.testing.assert_allclose(teacher.shares, expected, atol=2e-3)
    assert [each.network for each in teacher.members] == [run.network for run in runs]
    # The teacher of the table, of the teacher gap and of the bundle is this weighted mean.
    tests = [softmax(made.predictor.logits(run, fold.test), axis=1) for run in runs]
    predicted = np.tensordot(made.state.shares(runs), tests, 1).argmax(1)
    counts = made.state.confusion_of_teacher("mlp-small + feature-net-m", "test").counts.sum((0, 1, 2))
    assert np.trace(counts) == (predicted == index.labels[fold.test]).sum()
    rows = {row.variant: row for row in results.rows}
    row = rows["mlp-small + feature-net-m"]
    assert row.settings == (f"mlp-small {first:.2f}, feature-net-m {second:.2f}",)
    sizes = [network_cost(build_network(run.network, index.spec)).params for run in runs]
    assert row.parameters == sum(sizes)
    assert [gap.teacher for gap in results.teacher_gaps] == ["mlp-small + feature-net-m"]
    provenance = json.loads((made.folder / "models" / "rb-kd" / "provenance.json").read_text())
    assert provenance["outputs"] == "live"
    assert provenance["teacher_runs"] == 4
    assert provenance["teachers"] == pytest.approx({"mlp-small": first, "feature-net-m": second}, abs=2e-3)
    page = write_report(made.folder).read_text(encoding="utf-8")
    assert "rb-kd: teachers run in every step, on the very windows that the student sees" in page
    (diagram,) = [figure for figure in diagrams(Evidence(made.state)) if figure.name == "diagram-rb-kd"]
    assert "Teacher: mlp-small + feature-net-m (mean of 4). Teachers run in every step" in diagram.text
    assert made.state.complete
    # Nothing is trained again.
    assert made.run().rows == made.results().rows
