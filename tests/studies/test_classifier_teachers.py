"""Feature classifiers as teachers: a forest's targets come from forests that never saw the subject."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.ensemble import RandomForestClassifier

from stillmotion.errors import UserError
from stillmotion.features import classifiers
from stillmotion.features.window_features import extract_array_features
from stillmotion.reports.report import write_report
from stillmotion.studies import Networks, Study, Teaching
from stillmotion.studies.estimate import plan_lines

from .conftest import SMALL


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr(classifiers, "TREES", 15)


def test_a_forest_teaches_each_subject_with_trees_that_never_saw_the_subject(runner):
    made = runner(networks=Networks("mlp-small", ("random-forest",)), seeds=1)
    results = made.run(score_test=True)
    rows = {row.variant: row for row in results.rows}
    assert set(rows) == {"lm", "rb-kd", "random-forest"}
    assert rows["rb-kd"].failed == 0
    assert rows["random-forest"].kind == "teacher"
    assert rows["random-forest"].macro_f1.score > 0.5
    assert [gap.teacher for gap in results.teacher_gaps] == ["random-forest"]
    # By hand: a forest for each group of training subjects that it leaves out.
    runs = made.planner.teachers(made.study.all_variants["rb-kd"], 0, "")
    assert [run.group for run in runs] == [0, 1, 2]
    targets = made.teachers.teacher("rb-kd", runs).outputs["logits"]
    index, spec, (fold,) = made.planner.index, made.planner.index.spec, made.planner.index.folds
    sensors = [channel.group for channel in spec.channels]
    features = extract_array_features(made.study_data.windows.values(), rate=spec.rate, sensors=sensors).values
    group, forests = made.planner.group_of(0), []
    for number, run in enumerate(runs):
        own = fold.train[group[fold.train] != number]
        forest = RandomForestClassifier(15, random_state=0, **run.hyperparameters)
        shares = np.zeros((len(index), 4))  # Not every class is among the windows of every group.
        shares[:, np.unique(index.labels[own])] = forest.fit(features[own], index.labels[own]).predict_proba(features)
        forests.append(shares)
        held = fold.train[group[fold.train] == number]
        np.testing.assert_allclose(np.exp(targets[held]), np.maximum(forests[-1][held], 1e-12), rtol=1e-4, atol=1e-6)
    mean = np.mean(forests, axis=0)[fold.validation]
    np.testing.assert_allclose(np.exp(targets[fold.validation]), np.maximum(mean, 1e-12), rtol=1e-4, atol=1e-6)
    # The teacher that is scored is the mean of the three.
    expected = np.mean(forests, axis=0)[fold.test].argmax(1)
    counts = made.state.confusion_of_teacher("random-forest", "test").counts.sum((0, 1, 2))
    assert np.trace(counts) == (expected == index.labels[fold.test]).sum()
    assert "teacher: random-forest" in write_report(made.folder).read_text(encoding="utf-8")


def test_a_network_and_a_classifier_teach_together(runner):
    networks = Networks("mlp-small", ("mlp-small", "logistic-regression"))
    made = runner(networks=networks, seeds=1, teaching=replace(SMALL.teaching, groups=2))
    runs = made.planner.teachers(made.study.all_variants["rb-kd"], 0, "")
    assert [(run.model, run.group) for run in runs] == [
        ("mlp-small", 0), ("mlp-small", 1), ("logistic-regression", 0), ("logistic-regression", 1)
    ]  # fmt: skip
    lines = plan_lines(made.planner, made.study_data)
    assert ("teachers", "logistic-regression on features", 2) in [(line.phase, line.what, line.runs) for line in lines]
    results = made.run()
    names = {row.variant: row for row in results.rows}
    assert "mlp-small + logistic-regression" in names
    assert names["rb-kd"].failed == 0
    # The weight of each of the two is fitted on validation subjects; a subject's targets come from the two runs that
    # left the subject out, in these weights.
    index, (fold,) = made.planner.index, made.planner.index.folds
    everywhere = [softmax(made.teachers.teacher("rb-kd", [run]).outputs["logits"], axis=1) for run in runs]
    labels = index.labels[fold.validation]
    means = [np.mean(everywhere[at : at + 2], axis=0)[fold.validation] for at in (0, 2)]
    right = np.stack([each[np.arange(len(labels)), labels] for each in means], axis=1)
    losses = [-np.log(right @ [share, 1 - share]).mean() for share in np.linspace(0, 1, 1001)]
    network = np.linspace(0, 1, 1001)[np.argmin(losses)]
    targets = np.exp(made.teachers.teacher("rb-kd", runs, weighting="fitted").outputs["logits"])
    np.testing.assert_allclose(
        targets[fold.validation], network * means[0] + (1 - network) * means[1], rtol=0, atol=2e-3
    )
    group = made.planner.group_of(0)
    for left_out in (0, 1):
        held = fold.train[group[fold.train] == left_out]
        expected = network * everywhere[left_out][held] + (1 - network) * everywhere[2 + left_out][held]
        np.testing.assert_allclose(targets[held], expected, rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": ("fitnet",)}, "fitnet needs stage. of its teacher, but random-forest gives only logits"),
        ({"variants": ("dml",)}, "dml"),
        ({"teaching": Teaching(targets="in-sample")}, "targets in .teaching. must not be 'in-sample'"),
        ({"networks": Networks("random-forest")}, "Unknown network 'random-forest'"),
        ({"networks": Networks("mlp", ("random-forst",))}, "random-forst"),
    ],
)
def test_what_a_classifier_cannot_teach_is_refused_before_anything_trains(changes, message):
    given = {"name": "one", "variants": ("kd",), "compare": (), "networks": Networks("mlp", ("random-forest",))}
    with pytest.raises(UserError, match=message):
        Study(**given | changes)
    Study(**given)
