"""Ways of teaching in studies: features, both networks at once, an assistant between, a pair that cannot work."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from stillmotion.errors import UserError
from stillmotion.methods import METHODS, get_method
from stillmotion.networks import build_network
from stillmotion.reports import to_markdown
from stillmotion.reports.evidence import Evidence
from stillmotion.reports.figures.ensembles import ensembles
from stillmotion.reports.page import page
from stillmotion.studies import VARIANTS, Study, Variant, read_study
from stillmotion.studies.estimate import plan_fleets
from stillmotion.studies.search import search_space
from stillmotion.studies.sections import Networks, Teaching
from stillmotion.training.distillation import teacher_network

TAKD = replace(VARIANTS["takd"], assistant="mlp-small")


def test_every_method_has_a_variant_and_the_study_of_all_names_them():
    taught = {variant.method for variant in VARIANTS.values()}
    assert taught == set(METHODS)
    study = read_study("mutual-distillation")
    methods = {variant.method for variant in study.all_variants.values()}
    assert set(METHODS) - methods == {"lm-att", "rb-kd-att", "rab-kd"}
    assert study.compare == ("hmkd", "lm")


def test_an_ablation_is_not_searched_over_what_it_leaves_out():
    study = Study(name="one", variants=("hmkd", "hmkd-one-way"), compare=())
    assert set(search_space(study, VARIANTS["hmkd"])) == {"to_student", "to_teacher"}
    assert set(search_space(study, VARIANTS["hmkd-one-way"])) == {"to_student"}


@pytest.mark.parametrize(
    "several",
    [
        {"teaching": Teaching(seeds=2)},
        {"teaching": Teaching(targets="cross-fit")},
        {"networks": Networks("mlp-small", ("mlp", "cnn-har"))},
        {"networks": Networks("mlp-small", ("scores.parquet",))},
    ],
)
def test_a_teacher_that_learns_too_is_one_network(several):
    with pytest.raises(UserError, match="dml also trains its teacher, which must be a single network"):
        Study(name="one", variants=("dml",), compare=(), **several)
    Study(name="one", variants=("kd",), compare=(), **several)


@pytest.mark.parametrize("wrong", [{"assistant": ""}, {"teacher": "plain"}])
def test_an_assistant_is_named_exactly_where_one_teaches(wrong):
    with pytest.raises(UserError, match="assistant of a variant must name a network"):
        replace(TAKD, **wrong)
    with pytest.raises(UserError, match="Unknown network 'mlp-smal'"):
        Variant("takd", teacher="assistant", assistant="mlp-smal")


def test_an_assistant_is_taught_by_the_teacher_and_teaches_the_student(runner):
    made = runner(variants=("takd",), compare=(), variant={"takd": TAKD}, seeds=1)
    (master,) = made.planner.assistant_teachers(TAKD, 0)
    (assistant,) = made.planner.teachers(TAKD, 0, "")
    assert (master.network, master.method, master.teachers) == ("mlp", "lm", ())
    assert (assistant.network, assistant.method, assistant.teachers) == ("mlp-small", "kd", (master.id,))
    fleets = plan_fleets(made.planner)
    trained = [run for fleet in fleets for run in fleet.runs]
    assert trained[:2] == [master, assistant]
    assert trained[2].teachers == (assistant.id,)


def test_methods_that_look_at_one_teacher_in_two_ways_hear_it_each_in_its_own(runner):
    made = runner(variants=("fitnet", "vid", "hmkd"), compare=(), seeds=1)
    (master,) = made.planner.teachers(VARIANTS["vid"], 0, "")
    made._train(made.planner.fleets("teachers", [master]))
    teachers_of_students = {
        name: made.teachers.teacher(name, [master]).outputs for name in ("fitnet", "vid", "rkd", "at")
    }
    assert {name: set(taps) for name, taps in teachers_of_students.items()} == {
        "fitnet": {"logits", "stage2"},
        "vid": {"logits", "stage1", "stage2", "stage3"},
        "rkd": {"logits", "embedding"},
        "at": {"logits", "stage1", "stage2", "stage3"},
    }
    assert teachers_of_students["vid"]["stage1"].shape[1:] == (1, 500)
    assert teachers_of_students["at"]["stage1"].shape[1:] == (1, 1)
    assert made.teachers.teacher("hmkd", [master], live=True).members[0].network == "mlp"
    assert set(made.teachers.network(master, "hmkd").taps) == {"logits", "stage1", "stage2", "stage3"}


@pytest.mark.slow
def test_a_study_trains_features_mutual_ones_and_chains_and_reports_what_cannot_work(runner, tmp_path):
    made = runner(
        variants=("fitnet", "takd", "hmkd", "at"), compare=("hmkd", "fitnet"), variant={"takd": TAKD}, seeds=1
    )
    results = made.run()
    rows = {row.variant: row for row in results.rows}
    assert {"fitnet", "takd", "hmkd", "at", "mlp", "mlp-small as assistant"} <= set(rows)
    for name in ("fitnet", "takd", "hmkd"):
        assert rows[name].failed == 0
        assert rows[name].validation > 0
    assert rows["at"].verdict == "failed"
    reasons = [ended.reason for ended in made.store.ended().values() if ended.status == "failed"]
    assert reasons == ["at compares courses over time, and the student's paired stages have none: take another."]
    what_became_of_the_teacher(made, results, tmp_path)


def what_became_of_the_teacher(made, results, tmp_path):
    """What the table says of HMKD's teacher, by hand."""
    (partner,) = results.co_trained_teachers
    assert (partner.variant, partner.teacher) == ("hmkd", "mlp")
    (run,) = (run for runs in made.state.reported.values() for run in runs if run.method == "hmkd")
    weights, state, _ = made.store.co_trained_teacher(run.id)
    network = teacher_network(build_network("mlp", made.study_data.windows.spec), get_method("hmkd"))
    network.put(weights, state)
    rows = made.study_data.index.folds[0].validation
    said = np.argmax(network.model.predict(made.study_data.windows[rows], verbose=0), axis=1)
    classes = range(made.study_data.index.classes)
    expected = f1_score(made.study_data.index.labels[rows], said, labels=classes, average="macro", zero_division=0)
    assert partner.score.score == pytest.approx(expected)
    (alone,) = (row for row in results.rows if row.variant == "mlp")
    assert partner.alone.score == pytest.approx(alone.validation)
    assert partner.change.score == pytest.approx(expected - alone.validation)
    assert {name.partition("/")[0] for name in partner.learnt} == {"student", "teacher"}
    assert len(partner.learnt) == 2 + 3
    assert sum(mean for mean, _ in partner.learnt.values()) == pytest.approx(1)
    assert f"hmkd: mlp co-trained {100 * expected:.1f}" in str(partner)
    text = to_markdown(results)
    assert "### Co-trained teachers" in text
    assert "| hmkd | mlp |" in text
    evidence = Evidence(made.state)
    (figure,) = ensembles(evidence)
    assert {row["stage"]: row["weight"] for row in figure.rows} == {
        name: mean for name, (mean, _) in partner.learnt.items()
    }
    html = page(evidence, {"teaching": [(figure, figure.save(tmp_path))]})
    assert "Co-trained teachers" in html
    assert f">{100 * expected:.1f}" in html
    assert 'data-tip="hmkd, teacher/stage3:' in html
